import base64
import re
from html.parser import HTMLParser

import pytest
from report_folders import entry, multi_delay_folder, scan_folder, without_drawing

pytest.importorskip("jinja2")

from perfline.gadgets.report.build import build_report
from perfline.gadgets.report.content import (
    Figure,
    KeyFigure,
    KeyFigures,
    Messages,
    Report,
    Section,
    SideBySide,
    Table,
    Text,
)
from perfline.gadgets.report.html import render_html

VOID = {"meta", "link", "img", "br", "col", "hr", "input"}


class Page(HTMLParser):
    """Text, tables, resources and tags of a page; an error where a tag is not closed."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.rows, self.resources, self.tags, self._open = [], [], [], set(), []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.resources += [(tag, value) for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if data.strip() and "style" not in self._open:
            self.texts.append(data.strip())


def report(*blocks, **changes):
    values = {
        "title": "Perfusion report",
        "subtitle": "PCASL",
        "identity": "",
        "status": "success",
        "verdict": "The scan is complete.",
        "sections": [Section("Part", blocks)],
        "footer": "perfline",
    }
    return Report(**(values | changes))


def page(*blocks, **changes):
    return Page(render_html(report(*blocks, **changes)))


def test_each_kind_of_block_is_there():
    figure = Figure(b"\x89PNG", 90.0, "a map", "its caption")
    table = Table(("a", "b"), (("group", ""), ("1", "2")), (0.5, 0.5), titles=frozenset({0}), title="T", note="N")
    found = page(
        Text("words"),
        Messages("warning", ("late", "twice")),
        KeyFigures((KeyFigure("CBF", "61", "mL"),)),
        SideBySide(figure, table),
    )
    for text in ("words", "Warning", "late", "twice", "CBF", "61", "mL", "its caption", "T", "N", "SUCCESS"):
        assert text in found.texts
    assert found.rows == [["a", "b"], ["group"], ["1", "2"]]
    assert found.resources == [("img", f"data:image/png;base64,{base64.b64encode(figure.png).decode()}")]


@pytest.mark.slow
def test_the_whole_report_needs_nothing_from_outside(tmp_path):
    text = render_html(build_report(multi_delay_folder(tmp_path)))
    found = Page(text)
    assert len(found.resources) >= 5
    assert all(tag == "img" and value.startswith("data:image/png;base64,") for tag, value in found.resources)
    assert not found.tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert "@import" not in text
    assert "url(" not in text
    # the addresses of papers are text
    assert all("doi.org" in address for address in re.findall(r"https?://\S+", text))


def test_what_the_page_says_is_what_the_files_say(tmp_path, monkeypatch):
    without_drawing(monkeypatch)
    found = Page(render_html(build_report(scan_folder(tmp_path))))
    assert ["Labeling duration", "1.8", "s", "sidecar"] in found.rows
    assert ["T1 of arterial blood", "1.65", "s", "default: Alsop 2015, blood at 3 T"] in found.rows
    assert ["pair 2", "mean delta-M is far off"] in found.rows
    assert ["cbf", "12.5", "20", "31", "4"] in found.rows
    assert ["ghost level, mean of the volumes", "5.25", "%"] in found.rows
    assert "61.2 ± 1.2" in found.texts
    assert "labels come late" in found.texts


def test_what_a_header_holds_stays_text(tmp_path, monkeypatch):
    without_drawing(monkeypatch)
    attack = "<script>alert('x')</script><img src=http://bad.example/x onerror=alert(1)>\"'{{ 7 * 7 }}"
    folder = scan_folder(
        tmp_path,
        parameters={"Odd": entry(attack, attack, attack), attack: entry(1)},
        reason=attack,
        software=attack,
        notices=[{"level": "error", "text": attack}],
        rejected=[{"pair": 1, "reason": attack}],
        drop_reasons={attack: 1},
    )
    text = render_html(build_report(folder, identity=attack))
    found = Page(text)
    assert "script" not in found.tags
    assert all(value.startswith("data:image/png;base64,") for _, value in found.resources)
    assert ["Odd", attack, attack, attack] in found.rows
    assert attack in found.texts
    assert "49" not in " ".join(found.texts).replace(attack, "")


def test_colours_suit_both_schemes_and_paper():
    text = render_html(report(Text("x")))
    assert "prefers-color-scheme: dark" in text
    assert "@page { size: A4" in text


@pytest.mark.parametrize(("identity", "title"), [("", "Perfusion report"), ("Jane", "Perfusion report: Jane")])
def test_the_identity_is_in_the_heading_where_it_is_given(identity, title):
    found = page(identity=identity)
    assert found.texts[0] == title
    assert ("Jane" in found.texts) == bool(identity)
