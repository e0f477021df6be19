import re
import subprocess

import pytest
from programs import needs, program
from report_folders import entry, scan_folder

pytest.importorskip("reportlab")

from perfline.gadgets.report.build import build_report
from perfline.gadgets.report.content import Messages, Report, Section, Table, Text
from perfline.gadgets.report.html import render_html
from perfline.gadgets.report.pdf import render_pdf


def text_of(pdf, tmp_path):
    """Words of all pages, one blank between them."""
    path = tmp_path / "text.pdf"
    path.write_bytes(pdf)
    found = subprocess.run([program("pdftotext"), "-layout", path, "-"], capture_output=True, check=True, timeout=30)
    return " ".join(found.stdout.decode().split())


def report(*blocks):
    return Report(
        "Perfusion report", "PCASL", "", "abort", "It broke off.", [Section("Part", blocks)], "perfline 1.2.3, x"
    )


@pytest.mark.slow
@needs("pdftotext")
def test_the_pdf_says_what_the_page_says(tmp_path):
    found = build_report(scan_folder(tmp_path), identity="Jane Doe")
    pdf = render_pdf(found)
    text = text_of(pdf, tmp_path)
    for words in (
        "Perfusion report SUCCESS Jane Doe",
        "labels come late",
        "61.2 ± 1.2",
        "Labeling duration 1.8 s sidecar",
        "T1 of arterial blood 1.65 s default: Alsop 2015, blood at 3 T",
        "pair 2 mean delta-M is far off",
        "cbf 12.5 20 31 4",
        "mL/100 g/min",
        "research software, not a medical device Page 1 of ",
    ):
        assert words in text
    # lines break elsewhere in the two
    plain = re.sub(r"<[^>]+>", " ", render_html(found))
    for sentence in ("single-PLD pseudo-continuous ASL (pCASL)", "consensus recommendations [2]"):
        assert sentence in text
        assert sentence in " ".join(plain.split())


@pytest.mark.slow
def test_two_to_four_pages_and_the_same_bytes(tmp_path):
    found = build_report(scan_folder(tmp_path))
    again = build_report(tmp_path)
    assert again == found
    pdf = render_pdf(found)
    assert pdf.startswith(b"%PDF-")
    assert 2 <= pdf.count(b"/Type /Page\n") <= 4
    assert render_pdf(again) == pdf


@needs("pdftotext")
def test_what_a_header_holds_stays_text(tmp_path):
    attack = "<b>&amp;<font size=99> <img src='/etc/passwd'/> \u03bb\u0394 \u4f60"
    parameters = {"Odd": entry(attack), "Long": entry("x" * 5000)}
    folder = scan_folder(tmp_path, with_maps=False, with_tables=False, reason=attack, parameters=parameters)
    text = text_of(render_pdf(build_report(folder)), tmp_path)
    assert "<b>&amp;<font size=99> <img src='/etc/passwd'/> \u03bb\u0394" in text


def test_long_tables_and_long_words_go_on_over_the_pages(tmp_path):
    rows = tuple((f"row {number}", "y" * 400) for number in range(120))
    titles = frozenset({0, 60})
    pdf = render_pdf(
        report(Messages("error", ("z" * 2000,)), Text("w" * 3000), Table(("a", "b"), rows, (0.3, 0.7), titles=titles))
    )
    assert pdf.count(b"/Type /Page\n") > 4


def test_an_empty_section_of_any_kind_is_drawn():
    pdf = render_pdf(report(Table(("a",), (("1",),), (1.0,), title="T", note="N"), Text("s", is_small=True)))
    assert pdf.count(b"/Type /Page\n") == 1
