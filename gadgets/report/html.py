"""A report as one HTML file that needs nothing from outside: styles and pictures are in it."""

import base64
from importlib import resources

from perfline.gadgets.report.content import Block, Report
from perfline.gadgets.report.map_figures import FULL_WIDTH, HALF_WIDTH
from perfline.gadgets.writers.extras import require

__all__ = ["render_html"]


def render_html(report: Report) -> str:
    """Render a report; all texts are escaped.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str

    Raises
    ------
    ConfigurationError
        Jinja2 (extra ``report``) is missing.
    """
    require("report", "report", "jinja2")
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"kind": _kind, "base64": _base64}
    source = (resources.files("perfline.gadgets.report") / "report_template.html").read_text("utf-8")
    text: str = environment.from_string(source).render(report=report, full_width=FULL_WIDTH, half_width=HALF_WIDTH)
    return text


def _kind(block: Block) -> str:
    return type(block).__name__


def _base64(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")
