"""report.pdf is PDF/A-3a and PDF/UA-1, has the record, prints the run, and obeys no text."""

import base64
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from drillbook.core.display import map_texts
from reports.controls import load_mappings
from reports.evidence import json_file
from reports.evidence.context import Organisation
from reports.evidence.model import Correction, Objectives, Subject
from reports.redaction import redactor
from reports.redaction.redactor import Redactor
from reports.render import pdf
from reports.render.context_sections import frameworks
from reports.render.pdf import account, name_missing_glyphs
from reports.verdict import Verdict
from tests.support import sample_run

RUN = sample_run.waived_run()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A run as an opened PDF; each is made once."""
    made = {}
    folder = tmp_path_factory.mktemp("pdf")

    def open_(run=RUN, name="run"):
        if name not in made:
            path = folder / f"{name}.pdf"
            path.write_bytes(pdf.render(run))
            made[name] = Pdf.open(path)
        return made[name]

    yield open_
    for one in made.values():
        one.close()


def pages(document):
    return list(redactor.pdf_pages(Path(document.filename).read_bytes()))


def said(run, tmp_path):
    path = tmp_path / "run.pdf"
    path.write_bytes(pdf.render(run))
    with Pdf.open(path) as document:
        return " ".join(pages(document))


def tagged(element, kind):
    """Structure elements of a kind below one (a heading, a table's head)."""
    below = element.get("/K", [])
    for child in below if isinstance(below, Array) else [below]:
        if isinstance(child, Dictionary) and "/S" in child:
            if str(child.S) == f"/{kind}":
                yield child
            yield from tagged(child, kind)


def attribute(element, name):
    """An attribute of a structure element, whose attributes are one dictionary or several."""
    found = element.get("/A", [])
    sets = list(found) if isinstance(found, Array) else [found]
    return next((one[name] for one in sets if name in one), None)


def test_same_run_gives_same_bytes_and_another_gives_others():
    assert pdf.render(RUN) == pdf.render(RUN)
    assert pdf.render(RUN) != pdf.render(sample_run.run())


def test_it_says_that_it_is_pdf_a_3a_and_ua_1(opened):
    xmp = opened().Root.Metadata.read_bytes().decode()
    assert re.search(r"pdfaid:part>3<", xmp)
    assert re.search(r"pdfaid:conformance>A<", xmp)
    assert re.search(r"pdfuaid:part>1<", xmp)


def test_it_has_what_these_ask_for(opened):
    root = opened().Root
    assert [intent.S for intent in root.OutputIntents] == [Name.GTS_PDFA1]
    assert root.OutputIntents[0].DestOutputProfile.read_bytes()[36:40] == b"acsp"
    assert root.MarkInfo.Marked is True
    assert str(root.Lang) == "en"
    assert root.ViewerPreferences.DisplayDocTitle is True
    assert "DisplayDocTitle" in str(root.ViewerPreferences.keys())
    assert all(page.obj.get("/Tabs") == Name.S for page in opened().pages)
    assert not opened().is_encrypted
    assert {"/OpenAction", "/AA", "/AcroForm", "/JavaScript"}.isdisjoint(root.keys())


def test_every_font_is_embedded_and_readable(opened):
    fonts = [one for one in opened().objects if getattr(one, "get", dict)("/Type") == Name.Font]
    outer = [font for font in fonts if font.Subtype == Name.Type0]
    inner = [font for font in fonts if font.Subtype != Name.Type0]
    assert outer
    assert all(isinstance(font.ToUnicode, Stream) for font in outer)
    assert all({"/FontFile2", "/FontFile3"} & set(font.FontDescriptor.keys()) for font in inner)


def test_its_structure_is_tagged(opened):
    tree = opened().Root.StructTreeRoot
    assert len(list(tagged(tree, "H1"))) >= 7
    heads = list(tagged(tree, "TH"))
    assert heads
    assert {str(attribute(head, "/Scope")) for head in heads} <= {"/Column", "/Row", "/Both"}
    figures = list(tagged(tree, "Figure"))
    assert figures
    assert all(str(figure.Alt) for figure in figures)


def test_record_is_attached_byte_for_byte_as_its_data(opened):
    document = opened()
    (attached,) = document.Root.AF
    assert attached.AFRelationship == Name.Data
    assert str(attached.UF) == "evidence.json"
    assert attached.EF.F.Subtype == Name("/application/json")
    assert attached.EF.F.read_bytes().decode() == json_file.render(RUN)


def test_it_asks_the_network_for_nothing(opened):
    assert [one for one in opened().objects if getattr(one, "get", dict)("/URI") is not None] == []
    assert [page for page in opened().pages if page.obj.get("/Annots")] == []


def test_every_control_verdict_correction_and_waiver_is_printed(opened):
    text = " ".join(pages(opened()))
    assert [c.id for c in RUN.controls if c.id not in text or c.verdict.words not in text] == []
    assert "Redeploy instead of restarting" in text
    assert "Waived until 2026-12-08 by Ada Lovelace, approved by Grace Hopper." in text
    assert "sound, not complete" in text
    assert "NIST 800-53 SC-12, CP-10" in text


def test_summary_is_one_page_and_sign_off_the_last(opened):
    told = pages(opened())
    assert [page for page in told if "Controls by chapter" in page] == [told[1]]
    assert "What follows" in told[1]
    assert "PreparedName" in told[-1]
    assert "ApprovedName" in told[-1]


def test_rehearsal_is_marked_on_every_page_and_a_deployment_on_none(opened):
    subject = Subject(driver="embedded", grade="rehearsal")
    rehearsal = pages(opened(sample_run.run(subject=subject), "rehearsal"))
    assert len(rehearsal) > 5
    assert all("REHEARSAL" in page for page in rehearsal)
    assert "proves nothing about your deployment" in rehearsal[0]
    assert [page for page in pages(opened()) if "REHEARSAL" in page] == []


def test_sixty_three_controls_fit_fifteen_pages():
    run = sample_run.large_run(63)
    assert len(run.controls) == 63
    assert sum(len(spec.steps) for c in run.controls for spec in c.specs) > 400
    with Pdf.open(io.BytesIO(pdf.render(run))) as document:
        assert 8 <= len(document.pages) <= 15


def test_fifty_controls_that_frameworks_name_fit_fifteen_pages():
    mapped = sorted({one for f in load_mappings() for row in f.clause for one in row.controls})
    run = sample_run.large_run(50)
    names = [*mapped, *(f"X-{number}" for number in range(50 - len(mapped)))]
    named = zip(run.controls, names, strict=True)
    controls = tuple(one.model_copy(update={"id": name}) for one, name in named)
    with Pdf.open(io.BytesIO(pdf.render(run.model_copy(update={"controls": controls})))) as made:
        assert len(made.pages) <= 15


def test_a_framework_is_shown_by_the_verdicts_of_this_run(tmp_path):
    text = said(RUN, tmp_path)
    assert "none of them meets it alone" in text
    assert re.search(r"\(viii\) recovering lost or corrupted keys KEY-5 satisfied", text)
    shown = {row["id"] for one in frameworks(RUN) for row in one["rows"]}
    assert "4.2.2 (a)" not in shown, "no control of it ran"


def test_steps_of_what_held_are_left_out_of_a_very_long_run_and_it_says_so(tmp_path):
    run = sample_run.large_run(240)
    text = said(run, tmp_path)
    assert "they are in the record" in text
    failed = sum(c.verdict > Verdict.NOT_RUN for c in run.controls)
    expected = text.count("Expected: restart with another key")
    assert expected == sum(c.verdict is Verdict.VIOLATED for c in run.controls)
    assert text.count("restart with another key") == failed * 2 * 2 + expected


def test_account_of_a_run_in_ruins_ends_after_fifteen_hundred_steps():
    told = list(account(sample_run.large_run(800)))
    steps = sum(len(spec["steps"]) for one in told for spec in one["specs"])
    assert 1500 <= steps < 1500 + 10
    assert all(one["verdict"] != "satisfied" for one in told)


def test_facts_that_are_not_stated_are_named(tmp_path):
    text = said(RUN, tmp_path)
    assert "Not stated: organisation, system, repeated, due again" in text
    told = said(RUN.model_copy(update={"organisation": Organisation(name="Example")}), tmp_path)
    assert "Not stated: system, repeated, due again" in told


@pytest.mark.parametrize(
    ("objectives", "results"),
    [
        (
            {"rto_s": 74.0, "rto_target_s": 3600.0, "rpo_s": 10.0, "rpo_target_s": 1.0},
            ["met", "missed"],
        ),
        ({"rto_s": 74.0, "rpo_s": 10.0}, ["not determined"] * 2),
        ({"rto_target_s": 3600.0, "rpo_target_s": 1.0}, ["not determined"] * 2),
        ({"rto_s": 74.0, "rpo_target_s": 1.0}, ["not determined"] * 2),
        ({}, ["not determined"] * 2),
        # Nothing was restored: a young backup is no recovery, an old one is too old all the same.
        ({"rpo_s": 1.0, "rpo_target_s": 10.0}, ["not determined"] * 2),
        ({"rpo_s": 10.0, "rpo_target_s": 1.0}, ["not determined", "missed"]),
        ({"restore_s": 5.0, "rpo_s": 1.0, "rpo_target_s": 10.0}, ["not determined", "met"]),
    ],
)
def test_an_objective_needs_target_and_measurement(tmp_path, objectives, results):
    text = said(RUN.model_copy(update={"objectives": Objectives(**objectives)}), tmp_path)
    table = text.partition("Measured Result")[2].partition("What needs attention")[0]
    assert re.findall(r"(met|missed|not determined)(?=Recovery|$)", table) == results
    # The picture of times says it once more.
    assert text.count("not determined") == 2 * results.count("not determined")
    assert text.count("(measured: ") == text.count(", wanted: ")


def test_a_stated_target_is_printed_without_a_measurement_and_the_verification_with_one(tmp_path):
    times = Objectives(rto_target_s=14400.0, verification_s=7200.0)
    text = said(RUN.model_copy(update={"objectives": times}), tmp_path)
    assert re.search(r"Recovery time ?4 h 00 min ?not measured ?not determined", text)
    assert re.search(r"Verification, after the recovery ?no target ?2 h 00 min ?not judged", text)


def test_exclusions_are_printed(tmp_path):
    idle = RUN.controls[-1].model_copy(update={"specs": (), "note": "no engine"})
    others = [idle.model_copy(update={"id": f"KEY-{number}"}) for number in (1, 2)]
    text = said(RUN.model_copy(update={"controls": (*RUN.controls[:-1], *others)}), tmp_path)
    assert all(words in text for words in ("KEY-1, KEY-2", "no engine"))


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


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_never_obeyed(text, tmp_path):
    run = changed(
        title=text, observed=text, claim=text, corrections=(Correction(sentence=text),), waiver=None
    )
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


def test_a_violated_control_has_its_cure(tmp_path):
    cured = changed(corrections=(Correction(sentence="Close sign-up first.", commands="ls -l"),))
    assert cured.controls[0].verdict is Verdict.VIOLATED
    assert "What to do:Close sign-up first.ls -l" in said(cured, tmp_path).replace("\n", "")


def test_character_without_a_glyph_is_named_by_its_number():
    assert name_missing_glyphs("Ω ж → é\n") == "Ω ж → é\n"
    assert name_missing_glyphs("日\x07\u202e\ue000\t") == "[U+65E5][U+0007][U+202E][U+E000][U+0009]"
    assert map_texts(name_missing_glyphs, {"日": ["日", 1, None, ("日",)]}) == {
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
