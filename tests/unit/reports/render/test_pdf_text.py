"""Text of a run is printed and never obeyed; a secret in a PDF is found wherever it stands."""

import base64
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pikepdf import Pdf

from reports import redaction as redactor
from reports.evidence.context import Organisation
from reports.redaction import Redactor
from reports.render import pdf
from reports.render.pdf import name_missing_glyphs, name_missing_in_tree
from tests.support import sample_run

RUN = sample_run.waived_run()
HOSTILE = (
    '#panic("x") #read("/etc/passwd") $ x $ *b* _i_ `c` @ref <label> = h // // /* \\u{41} #{ [ ] }',
    "#let x = 1 #include sys.inputs.run #pdf.attach",
    "日本語 العربية \u202egnirts\u202c 🔑\ufeff\x00\x07\x1b[2J\u2028",
    "`",
    "``` ` ",
    "x" * 3000,
    "- item\n+ item\n/ term: x\n\n\n\n= heading",
)


def changed(run=RUN, **changes):
    first = run.controls[0].model_copy(update=changes)
    return run.model_copy(update={"controls": (first, *run.controls[1:])})


def said(run, tmp_path):
    return " ".join(redactor.pdf_pages(pdf.render(run)))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_never_obeyed(text, tmp_path):
    run = changed(title=text, observed=text, claim=text, correction=text, waiver=None)
    run = run.model_copy(update={"organisation": Organisation(name=text)})
    plain = re.sub(r"[\s`]", "", said(run, tmp_path))
    assert re.sub(r"[\s`]", "", name_missing_glyphs(text)) in plain


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=60))
@example("\ue000 private \U000f0000")
@example("a\u0301\u0327 ﬁ ǆ \u00ad \u200b \u200d")
def test_any_text_can_be_printed(text):
    run = changed(title=text, observed=text or None)
    run = run.model_copy(update={"organisation": Organisation(name=text, site=f"`{text}`")})
    assert pdf.render(run).startswith(b"%PDF-1.7")


def test_character_without_a_glyph_is_named_by_its_number():
    assert name_missing_glyphs("Ω ж → é\n") == "Ω ж → é\n"
    assert name_missing_glyphs("日\x07\u202e\ue000\t") == "[U+65E5][U+0007][U+202E][U+E000][U+0009]"
    assert name_missing_in_tree({"日": ["日", 1, None, ("日",)]}) == {
        "日": ["[U+65E5]", 1, None, ["[U+65E5]"]]
    }


@settings(max_examples=8, deadline=None)
@given(st.binary(min_size=12, max_size=80))
@example(bytes(range(70)))
def test_secret_is_found_wherever_a_pdf_holds_it(tmp_path_factory, data):
    # A prefix keeps Hypothesis from finding a word that every report holds.
    secret = f"k9$Zw~{base64.b85encode(data).decode()}"
    path = tmp_path_factory.mktemp("leak") / "report.pdf"
    redactor = Redactor()
    redactor.add("KEY", secret)
    path.write_bytes(pdf.render(changed(title=secret)))
    assert {leak.secret for leak in redactor.scan(path, "report.pdf")} == {"KEY"}


def test_clean_pdf_has_no_leak(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf.render(RUN))
    redactor = Redactor()
    redactor.add("KEY", "corner-office-opal-42")
    assert redactor.scan(path, "report.pdf") == []


def test_pages_themselves_are_read_not_only_the_attachment(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf.render(changed(title="corner-office-opal-42 in a title")))
    with Pdf.open(path, allow_overwriting_input=True) as document:
        del document.Root.AF
        del document.Root.Names
        del document.Root.Outlines
        document.save(path)
    redactor = Redactor()
    redactor.add("KEY", "corner-office-opal-42")
    assert b"corner-office" not in path.read_bytes()
    assert [leak.secret for leak in redactor.scan(path, "report.pdf")] == ["KEY"]
