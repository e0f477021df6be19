"""A report as PDF, A4: the same content as the HTML file, laid out for paper."""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from perfline.gadgets.errors import OutputError
from perfline.gadgets.report.content import Block, Figure, KeyFigures, Messages, Report, SideBySide, Table, Text
from perfline.gadgets.report.map_figures import FULL_WIDTH, HALF_WIDTH
from perfline.gadgets.writers.extras import require

__all__ = ["render_pdf"]

_MM: Final = 72 / 25.4
_MARGIN: Final = 15.0
_FOOT: Final = 16.0
_FRAME_PADDING: Final = 6.0
"""[pt], of ReportLab's page template."""

_BADGE_WIDTH: Final = 27.0
_MOST_ROWS_KEPT: Final = 12

_INK: Final = "#1d232b"
_FAINT: Final = "#5c6670"
_RULE: Final = "#d9dde2"
_SOFT: Final = "#f4f6f8"
_MARK: Final = "#fff5dc"
_STATUS: Final = {"success": "#1a7f4b", "losses": "#a15c00", "abort": "#a15c00", "fail": "#b3261e"}
_MESSAGES: Final = {
    "error": ("Error", "#b3261e", "#fdeceb"),
    "warning": ("Warning", "#a15c00", "#fff5dc"),
    "info": ("Note", _RULE, _SOFT),
}

_LEFT, _CENTRE, _RIGHT = 0, 1, 2
"""ReportLab's numbers of the alignments."""

_SPACE_ABOVE_HEADING: Final = 10.0
"""[pt]; none at the top of a page."""

_FONT: Final = "DejaVuSans"
_BOLD: Final = "DejaVuSans-Bold"

# size, leading [pt], space after, colour, bold
_STYLES: Final[dict[str, tuple[float, float, float, str, bool]]] = {
    "title": (17, 21, 0, _INK, True),
    "identity": (10, 13, 0, _INK, True),
    "subtitle": (8, 11, 0, _FAINT, False),
    "verdict": (9, 12.5, 4, _INK, False),
    "heading": (11, 14, 1, _INK, True),
    "caption": (8, 11, 2, _INK, True),
    "text": (8, 11.5, 5, _INK, False),
    "small": (6.6, 9, 4, _FAINT, False),
    "head": (6.8, 8.6, 0, _FAINT, True),
    "cell": (6.8, 8.8, 0, _INK, False),
    "group": (7, 9, 0, _INK, True),
    "key name": (6.4, 8.4, 0, _FAINT, False),
    "key value": (12, 15, 0, _INK, True),
    "status": (9, 12, 0, "#ffffff", True),
}


def render_pdf(report: Report) -> bytes:
    """Render a report; the same report gives the same bytes.

    Parameters
    ----------
    report : Report

    Returns
    -------
    bytes

    Raises
    ------
    ConfigurationError
        ReportLab or matplotlib, whose font is used (extra ``report``), is missing.
    OutputError
        Something is longer than a page and can't be cut.
    """
    require("report", "report", "reportlab", "matplotlib")
    from reportlab.platypus import SimpleDocTemplate
    from reportlab.platypus.doctemplate import LayoutError

    _register_fonts()
    page = _Page()
    flowables = [*page.head(report)]
    for section in report.sections:
        flowables += page.section(section.title, section.blocks)
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=(210 * _MM, 297 * _MM),
        leftMargin=_MARGIN * _MM - _FRAME_PADDING,
        rightMargin=_MARGIN * _MM - _FRAME_PADDING,
        topMargin=_MARGIN * _MM,
        bottomMargin=_FOOT * _MM,
        title=f"{report.title}: {report.identity}" if report.identity else report.title,
        author="",
        creator=report.footer.split(",")[0],
        invariant=1,
    )
    try:
        document.build(flowables, canvasmaker=_numbered_canvas(report.footer))
    except LayoutError as error:
        raise OutputError(f"report: its PDF can't be laid out: {error}") from error
    return buffer.getvalue()


def _register_fonts() -> None:
    """Take the fonts that come with matplotlib: they have letters beyond Latin, and the charts use them, too."""
    from matplotlib import get_data_path
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(get_data_path()) / "fonts" / "ttf"
    known = pdfmetrics.getRegisteredFontNames()
    for name in (_FONT, _BOLD):
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))


class _Page:
    """Turns blocks into what ReportLab lays out."""

    def __init__(self) -> None:
        from reportlab.lib.styles import ParagraphStyle

        self._styles = {
            (name, is_right): ParagraphStyle(
                f"{name} {is_right}",
                fontName=_BOLD if is_bold else _FONT,
                fontSize=size,
                leading=leading,
                spaceBefore=_SPACE_ABOVE_HEADING if name == "heading" else 0,
                spaceAfter=after,
                textColor=colour,
                alignment=_CENTRE if name == "status" else _RIGHT if is_right else _LEFT,
            )
            for name, (size, leading, after, colour, is_bold) in _STYLES.items()
            for is_right in (False, True)
        }

    def head(self, report: Report) -> list[Any]:
        """Title and status, then the verdict."""
        lines = [self._paragraph(report.title, "title")]
        if report.identity:
            lines.append(self._paragraph(report.identity, "identity"))
        lines.append(self._paragraph(report.subtitle, "subtitle"))
        badge = self._grid([[self._paragraph(report.status.upper(), "status")]], [_BADGE_WIDTH])
        self._colour(badge, _STATUS[report.status], padding=4)
        head = self._grid([[lines, badge]], [FULL_WIDTH - _BADGE_WIDTH, _BADGE_WIDTH])
        return [head, self._space(2), self._paragraph(report.verdict, "verdict")]

    def section(self, title: str, blocks: Sequence[Block]) -> list[Any]:
        """Blocks under a heading that stays with the first of them."""
        from reportlab.platypus import CondPageBreak, KeepTogether
        from reportlab.platypus.flowables import HRFlowable

        parts = [self._block(block, FULL_WIDTH) for block in blocks]
        if not title:
            return [flowable for part in parts for flowable in part]
        rule = HRFlowable(width="100%", thickness=1, color=_RULE, spaceBefore=0, spaceAfter=5)
        heading = [self._paragraph(title, "heading"), rule]
        start = [KeepTogether([*heading, *parts[0]])]
        if isinstance(blocks[0], Table):
            # a long table may go on over the page
            start = [CondPageBreak(40 * _MM), *heading, *parts[0]]
        return [*start, *(flowable for part in parts[1:] for flowable in part)]

    def _block(self, block: Block, width: float) -> list[Any]:
        if isinstance(block, Text):
            return [self._paragraph(block.text, "small" if block.is_small else "text")]
        if isinstance(block, Messages):
            return self._messages(block, width)
        if isinstance(block, KeyFigures):
            return self._key_figures(block, width)
        if isinstance(block, Table):
            return self._table(block, width)
        if isinstance(block, Figure):
            return self._figure(block, width)
        return self._side_by_side(block, width)

    def _messages(self, block: Messages, width: float) -> list[Any]:
        name, line, ground = _MESSAGES[block.level]
        bullets = [
            [self._paragraph(name, "caption")],
            *([self._paragraph(f"• {text}", "text")] for text in block.texts),
        ]
        grid = self._grid(bullets, [width])
        self._colour(grid, ground, padding=3, left=7)
        grid.setStyle([("LINEBEFORE", (0, 0), (0, -1), 3, line)])
        return [grid, self._space(2)]

    def _key_figures(self, block: KeyFigures, width: float) -> list[Any]:
        gap = 2.0
        n_cells = len(block.figures)
        share = (width - gap * (n_cells - 1)) / n_cells
        cells: list[Any] = []
        widths: list[float] = []
        for figure in block.figures:
            name, value = self._paragraph(figure.name, "key name"), self._paragraph(figure.value, "key value")
            cells += [[name, value, self._paragraph(figure.unit, "key name")], ""]
            widths += [share, gap]
        grid = self._grid([cells[:-1]], widths[:-1])
        for column in range(0, 2 * n_cells, 2):
            self._colour(grid, _SOFT, padding=4, left=6, cells=((column, 0), (column, 0)))
        return [grid, self._space(3)]

    def _table(self, block: Table, width: float) -> list[Any]:
        from reportlab.platypus import KeepTogether

        rows = [
            [
                self._paragraph(cell, style, is_right=column in block.right and style != "group")
                for column, cell in enumerate(row)
            ]
            for style, row in [
                ("head", block.head),
                *(("group" if number in block.titles else "cell", row) for number, row in enumerate(block.rows)),
            ]
        ]
        grid = self._grid(rows, [share * width for share in block.widths], repeated=1)
        grid.setStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 1.6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.0),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 5),
                *(("BACKGROUND", (0, row + 1), (-1, row + 1), _MARK) for row in sorted(block.marked)),
                *(("NOSPLIT", (0, row + 1), (0, row + 2)) for row in sorted(block.titles)),
                *(("SPAN", (0, row + 1), (-1, row + 1)) for row in sorted(block.titles)),
                *(("TOPPADDING", (0, row + 1), (-1, row + 1), 6) for row in sorted(block.titles)),
            ]
        )
        title = [self._paragraph(block.title, "caption", keeps_with_next=True)] if block.title else []
        note = [self._paragraph(block.note, "small")] if block.note else []
        parts = [*title, grid, self._space(1), *note, self._space(1.5)]
        # a short table stays whole
        return [KeepTogether(parts)] if len(rows) <= _MOST_ROWS_KEPT and width == FULL_WIDTH else parts

    def _figure(self, block: Figure, width: float) -> list[Any]:
        from reportlab.lib.utils import ImageReader
        from reportlab.platypus import Image

        wide = min(block.width, width)
        n_columns, n_rows = ImageReader(io.BytesIO(block.png)).getSize()
        image = Image(io.BytesIO(block.png), wide * _MM, wide * _MM * n_rows / n_columns, mask="auto", hAlign="LEFT")
        caption = [self._paragraph(block.caption, "small")] if block.caption else []
        return [image, self._space(1), *caption, self._space(1)]

    def _side_by_side(self, block: SideBySide, width: float) -> list[Any]:
        gap = FULL_WIDTH - 2 * HALF_WIDTH
        half = (width - gap) / 2
        cells = [[self._block(block.left, half), "", self._block(block.right, half)]]
        return [self._grid(cells, [half, gap, half])]

    def _grid(self, rows: list[list[Any]], widths: Sequence[float], repeated: int = 0) -> Any:
        from reportlab.platypus import Table as Grid

        grid = Grid(rows, colWidths=[width * _MM for width in widths], repeatRows=repeated, hAlign="LEFT")
        grid.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
            ]
        )
        return grid

    def _colour(
        self, grid: Any, ground: str, *, padding: float, left: float | None = None, cells: Any = ((0, 0), (-1, -1))
    ) -> None:
        beside = padding if left is None else left
        grid.setStyle(
            [
                ("BACKGROUND", *cells, ground),
                ("TOPPADDING", *cells, padding),
                ("BOTTOMPADDING", *cells, padding),
                ("LEFTPADDING", *cells, beside),
                ("RIGHTPADDING", *cells, beside),
            ]
        )

    def _paragraph(self, text: str, style: str, *, is_right: bool = False, keeps_with_next: bool = False) -> Any:
        from reportlab.platypus import Paragraph

        chosen = self._styles[style, is_right]
        if keeps_with_next:
            chosen = chosen.clone(f"{chosen.name} kept", keepWithNext=1)
        return Paragraph(escape(text, quote=False), chosen)

    def _space(self, height: float) -> Any:
        from reportlab.platypus import Spacer

        return Spacer(1, height * _MM)


def _numbered_canvas(footer: str) -> Any:
    """A canvas that knows at the end how many pages there are, and writes so at the foot of each."""
    from reportlab.pdfgen.canvas import Canvas

    class NumberedCanvas(Canvas):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, 1):
                self.__dict__.update(page)
                self.setFont(_FONT, 6.5)
                self.setFillColor(_FAINT)
                self.drawString(_MARGIN * _MM, 9 * _MM, footer)
                self.drawRightString((210 - _MARGIN) * _MM, 9 * _MM, f"Page {number} of {len(self._pages)}")
                super().showPage()
            super().save()

    return NumberedCanvas
