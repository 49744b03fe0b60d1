"""Every document has the whole run in the words of its format, and loads nothing from elsewhere."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from drillbook.core.application import ROOT
from reports.evidence.context import Organisation, SignOff
from reports.evidence.model import (
    LEFT_OUT,
    OUTSIDE,
    Backend,
    Change,
    Command,
    Correction,
    DocumentFile,
    Leak,
    Objectives,
    Redaction,
    Subject,
)
from reports.export import oscal
from reports.render import context_sections, html, junit, markdown, pdf, phrases, terminal
from reports.render.charts import recovery, worker_lanes
from reports.render.phrases import duration, outcome, sentence
from reports.render.terminal import summary
from reports.session.terminal_reporter import Pace, time_and_title
from reports.verdict import Verdict
from tests.support import sample_run

VOID = {"meta", "br", "input"}


class Structure(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.fetched = [], set(), []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids.add(named.get("id"))
        self.fetched += [named[a] for a in ("src", "href") if a in named]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page):
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    return structure


def text_of(run):
    return "\n".join(line.text for line in summary(run, "report.html"))


def test_documents_name_the_backup():
    run = sample_run.drill_run()
    rows = dict(dict(context_sections.sections(run))["What was examined"])
    assert rows["Backup"] == "nightly.sql.gz, 73,400,320 bytes, plain, gzip"
    assert rows["Backup, SHA-256"] == "5a" * 32
    assert "by the clock of its machine" in rows["Backup taken on"]
    assert "5a" * 32 in html.render(run)


def cases(run):
    root = ElementTree.fromstring(junit.render(run))
    return {
        case.find("properties/property[@name='control']").get("value"): case
        for case in root.iter("testcase")
    }


def many(run, times):
    copies = [
        c.model_copy(update={"id": f"{c.id}.{n}"}) for n in range(times) for c in run.controls
    ]
    return run.model_copy(update={"controls": tuple(copies)})


def test_what_was_examined_is_the_backup_the_backend_or_the_address():
    backup = sample_run.drill_run().subject.backup
    image = Backend(image="infisical:1")
    assert phrases.describe_subject(Subject(backup=backup, backend=image)) == (
        "backup nightly.sql.gz, infisical:1"
    )
    assert phrases.describe_subject(Subject(backup=backup)).endswith(", no backend was started")
    live = Subject(driver="remote", endpoint_note="https://secrets.example.com, only read")
    assert phrases.describe_subject(live) == "https://secrets.example.com, only read"


@pytest.mark.parametrize("render", [html.render, junit.render, text_of])
def test_same_run_gives_same_bytes(render):
    assert render(sample_run.run()) == render(sample_run.run())


def test_corrections_stand_in_the_report_and_on_a_terminal_that_asks_for_them():
    page, told = html.render(sample_run.run()), sample_run.run()
    asked = " ".join(line.text for line in summary(told, "report.html", verbose=True))
    parts = ("Redeploy instead", "--pull never backend   # ", "old environment.")
    assert [part for part in parts if part not in page] == []
    assert [part for part in parts if part not in asked] == []
    assert [part for part in parts if part in text_of(told)] == []
    assert "the report has the sentence that belongs there" in re.sub(r"\s+", " ", text_of(told))
    assert "     report.html#corrections\n" in text_of(told)


def test_the_page_shows_no_text_in_another_order():
    facts = sample_run.run().run.model_copy(update={"stopped": "\u202egnihton\u2066"})
    page = html.render(sample_run.run(run=facts))
    assert "gnihton" in page
    assert not {"\u202e", "\u2066"} & set(page)


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        (
            "AssertionError: the log holds PW\nassert not True\n +  where True = x()",
            "the log holds PW",
        ),
        (
            "assert [1] == []\n  \n  Left contains one more item: 'GET /x answered'",
            "GET /x answered",
        ),
        (
            "assert [1] == []\n  Left contains 3 more items, first extra item: 'a'\n  b",
            "a; and 2 more",
        ),
        ("assert {1} == set()\n  Extra items in the left set:\n  'a'\n  'b'", "a; b"),
        ("assert False\n +  where False = all(x)", "Something else; the report has"),
        ("assert 404 == 200\n +  where 404 = answer.status", "404 instead of 200"),
        ("AssertionError: assert 0 > 0", "not 0 > 0"),
        ("assert None is not None\n +  where None = f()", "Something else; the report has"),
        ("assert not 3 > 2", "Something else; the report has"),
        (
            "AssertionError: assert 'line 8: un...able (42P01)' == ''\n  \n"
            "  + line 8: undefined table (42P01)",
            "line 8: undefined table (42P01)",
        ),
        (
            "AssertionError: assert 'Ok, and ...e as well' == 'Ok'\n  \n"
            "  - Ok\n  + Ok, and more as well",
            "'Ok, and more as well' instead of 'Ok'",
        ),
        ("Failed: DID NOT RAISE <class 'OSError'>", "Something else; the report has"),
    ],
)
def test_observation_has_no_words_of_pytest(message, seen):
    failed = next(c for c in sample_run.run().controls if c.verdict is Verdict.VIOLATED)
    specs = [
        spec.model_copy(update={"message": f"{message}\n(at suites/x.py:1)"})
        for spec in failed.specs
    ]
    failed = failed.model_copy(update={"observed": None, "specs": tuple(specs)})
    run = sample_run.run(controls=(failed,))
    (told,) = phrases.observation(failed)
    assert told.startswith(seen)
    step = phrases.expectation(failed)
    page = re.sub(r'<pre class="message">.*?</pre>', "", html.render(run), flags=re.DOTALL)
    for text in (page.replace("</b>", ""), text_of(run)):
        assert f"Expected: {step}" in text
        assert "assert " not in text


def test_what_was_seen_by_several_specs_is_said_once():
    failed = next(c for c in sample_run.run().controls if c.verdict is Verdict.VIOLATED)
    texts = ("a holds PW", "b holds PW; c holds PW", "a holds PW; c holds PW")
    specs = [failed.specs[0].model_copy(update={"message": text}) for text in texts]
    failed = failed.model_copy(update={"observed": None, "specs": tuple(specs)})
    assert phrases.observation(failed) == ["a holds PW", "b holds PW", "c holds PW"]


def test_timeline_has_a_lane_of_specs_for_each_worker():
    run = sample_run.run()
    doing = [one for one in run.controls if one.specs and one.specs[0].steps][:2]
    spans = [
        run.timeline[0].model_copy(
            update={"name": step.title, "started": step.started, "worker": worker}
        )
        for worker, one in zip(("gw0", "gw1"), doing, strict=True)
        for step in one.specs[0].steps[:1]
    ]
    run = sample_run.run(controls=tuple(doing), timeline=tuple(spans))
    first, second = worker_lanes(run)
    assert (first.kind, second.kind) == ("gw0", "gw1")
    assert [first.bars[0].name, second.bars[0].name] == [one.id for one in doing]
    steps = doing[0].specs[0].steps
    end = max(step.started.timestamp() + step.duration_s for step in steps)
    assert first.total == end - steps[0].started.timestamp()
    assert f'title="{doing[0].id}: ' in html.render(run)


@pytest.mark.parametrize(
    ("age", "said"),
    [(7200, "; its newest row was 2 h 00 min old."), (-90, "is dated 1 min 30 s after the start.")],
)
def test_the_age_of_the_newest_row_is_true_where_it_is_later_than_the_drill(age, said):
    found = recovery(sample_run.run(objectives=Objectives(rto_s=60, newest_row_s=age)))
    assert found.sentence.endswith(said)


def test_the_verification_is_stated_apart_from_the_recovery():
    times = Objectives(rto_s=60, rto_target_s=90, verification_s=3600)
    run = sample_run.run(objectives=times)
    said = "Back in 1 min 00 s, of 1 min 30 s allowed; verified in 1 h 00 min more."
    assert recovery(run).sentence == said
    assert said in html.render(run)


def test_an_objective_is_met_missed_or_not_determined():
    def results(**times):
        page = html.render(sample_run.run(objectives=Objectives(**times)))
        return re.findall(r'aria-label="(recovery time|age of the backup): ([a-z ]+)"', page)

    both = {"rto_s": 60, "rto_target_s": 30, "rpo_s": 60, "rpo_target_s": 90}
    assert results(**both) == [("recovery time", "missed"), ("age of the backup", "met")]
    halves = results(rto_s=60, rpo_target_s=90)
    assert [result for _, result in halves] == ["not determined", "not determined"]


def test_changed_sections_are_named_and_the_document_is_linked():
    document = DocumentFile(name="ops.md", sha256="ab", commit="c0ffee", changed=("Restore",))
    run = sample_run.run(subject=Subject(driver="embedded", document=document))
    said = " ".join(line.text for line in summary(run, "report.html"))
    assert "Changed since they were last proved: Restore." in said
    page = html.render(run)
    assert 'href="document.html"' in page
    assert "c0ffee" in page
    assert 'href="document.html"' not in html.render(sample_run.run())


def test_counts_and_result_fit_one_screen():
    run = sample_run.run(subject=Subject(driver="embedded", grade="rehearsal"))
    chapters = [f"chapter {number}" for number in range(13)]
    controls = [
        run.controls[number % len(run.controls)].model_copy(update={"chapter": one})
        for number, one in enumerate(chapters)
    ]
    lines = list(summary(run.model_copy(update={"controls": tuple(controls)}), "report.html"))
    table = next(number for number, one in enumerate(lines) if one.text.startswith("controls  "))
    # One line is the seal's, one the prompt's; a drill, which has another, has few chapters.
    of_drill = sum(one.text.startswith("Back in") for one in lines)
    assert len(lines) - table - of_drill <= 24 - 2


@pytest.mark.parametrize("taken", ["2 ms", "1 min 27 s", "1 h 12 min 03 s"])
def test_a_title_is_cut_where_a_long_time_takes_its_room(taken):
    assert len(time_and_title(taken, "The health report has its documented form", 53)) == 53
    assert time_and_title(taken, "Health is good", 53) == f" {taken:>9}  Health is good"


@pytest.mark.parametrize(
    ("done", "running_s", "workers", "said"),
    [
        ((), 0, 1, "[..........]   0%, about 1 min 40 s left"),
        (("a",), 0, 1, "[######....]  60%, about 40 s left"),
        (("a",), 20, 2, "[######....]  60%, about 10 s left"),
        (("a", "b", "c"), 0, 1, "[##########] 100%, about 1.0 s left"),
    ],
)
def test_time_left_follows_from_the_last_run(done, running_s, workers, said):
    pace = Pace(["a", "b", "c"], {"a": 60.0, "b": 20.0, "c": 20.0, "other": 900.0})
    assert pace.describe(done, running_s, workers) == said


def test_without_an_earlier_run_no_time_is_named():
    assert Pace(["a", "b"], {}).describe(["a"], 5, 1) == "[#####.....]  50%"


@pytest.mark.parametrize("render", [html.render, junit.render, text_of])
def test_every_verdict_and_correction_is_shown(render):
    run, text = sample_run.run(), re.sub(r"</?code>|\s+", " ", render(sample_run.run()))
    assert [c.id for c in run.controls if c.id not in text and c.verdict > Verdict.SATISFIED] == []


@pytest.mark.parametrize("render", [html.render, markdown.corrected_runbook, junit.render, text_of])
def test_a_violated_control_has_its_cure(render):
    run = sample_run.run()
    said = "Close sign-up first."
    cure = {"correction": said, "corrections": (Correction(sentence=said),)}
    violated = run.controls[0].model_copy(update=cure)
    shown = render(run.model_copy(update={"controls": (violated, *run.controls[1:])}))
    assert violated.verdict is Verdict.VIOLATED
    assert "Close sign-up first." in shown


def test_page_is_well_formed_and_asks_for_nothing():
    page = html.render(sample_run.run())
    structure = parsed(page)
    within = [link[1:] for link in structure.fetched if link.startswith("#") and "=" not in link]
    filters = {link for link in structure.fetched if "=" in link}
    assert set(within) <= set(structure.ids)
    assert filters <= {f"#verdict={one.value}" for one in Verdict}
    assert len(within) + sum(link in filters for link in structure.fetched) == len(
        structure.fetched
    )


def test_a_note_of_a_step_marks_commands_as_code():
    assert "after 4.2 s; see <code>docker logs</code>" in html.render(sample_run.run())


@pytest.mark.parametrize("verdict", [v for v in Verdict if v not in phrases.ASSERTED])
def test_no_command_stands_between_backticks(verdict):
    run = sample_run.run()
    spec = run.controls[0].specs[0]
    spec = spec.model_copy(update={"message": "only by `drillbook drill`", "verdict": verdict})
    told = {"verdict": verdict, "note": "see `docker ps`", "gating": False, "specs": (spec,)}
    controls = (run.controls[0].model_copy(update=told),)
    one = {"name": "disk", "sentence": "run `df`"}
    told = {"killed": "by `kill`", "differences": ("`a` is new",), "advice": (one,)}
    change = Change(older="a:1", newer="b:2", **told)
    told = {"controls": controls, "change": change, "exit_code": 2}
    page = html.render(run.model_copy(update=told))
    for command in ("drillbook verify", "drillbook drill", "kill", "a", "df"):
        assert f"<code>{command}</code>" in page
    assert "`" not in page.partition("<script>")[0]


def test_page_leads_to_the_documents_that_were_written():
    run = sample_run.run(documents=("report.html", "evidence.json", "report.pdf"))
    structure = parsed(html.render(run))
    others = [link for link in structure.fetched if not link.startswith("#")]
    assert others == ["report.pdf", "evidence.json"]


def test_card_of_a_control_has_its_correction_and_leads_to_the_list():
    run = sample_run.run()
    (control,) = [one for one in run.controls if one.correction]
    page = html.render(run)
    assert f'<a href="#correction-{control.id}">' in page
    assert f'id="correction-{control.id}"' in page
    assert "Expected, and not seen: " in page
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in page, "its policy lets only its own script run"
    assert "default-src 'none';" in page
    assert "@import" not in page
    assert "url(" not in page


def test_page_shows_what_was_declared_and_names_what_was_not():
    run = sample_run.waived_run(organisation=Organisation(name="<b>Example</b>"))
    page = html.render(run)
    parsed(page)
    assert "&lt;b&gt;Example&lt;/b&gt;" in page
    assert "<b>Example</b>" not in page
    assert "Not stated: system, repeated, due again" in page
    assert "Waived until 2026-12-08 by Ada Lovelace, approved by Grace Hopper." in page
    assert page.count(">waived<") == 2
    assert page.count("no one named") == 3


def test_page_shows_what_did_not_run_and_acts():
    act = Command(service="db", act="exec", line="pg_dump <x> > y", exit_code=3, duration_s=1.0)
    run = sample_run.run()
    spec = run.controls[0].specs[0]
    step = spec.steps[0].model_copy(update={"commands": (act,) * 42})
    spec = spec.model_copy(update={"steps": (step, *spec.steps[1:])})
    first = run.controls[0].model_copy(update={"specs": (spec,)})
    idle = run.controls[-1].model_copy(update={"specs": (), "note": "no <server>"})
    page = html.render(run.model_copy(update={"controls": (first, *run.controls[1:-1], idle)}))
    parsed(page)
    assert "pg_dump &lt;x&gt; &gt; y</td><td>exit 3" in page
    assert '<p class="note">2 more in evidence.json</p>' in page
    assert f'<th scope="row">{idle.id}</th><td>no &lt;server&gt;</td>' in page


@pytest.mark.parametrize("render", [html.render, text_of])
@pytest.mark.parametrize("grade", ["deployment", "rehearsal"])
def test_planted_bug_stands_next_to_the_result(render, grade):
    made = sample_run.run()
    command = "drillbook verify --mutant ForgetsEmptyFolders"
    planted = made.model_copy(
        update={
            "run": made.run.model_copy(update={"command": command}),
            "subject": made.subject.model_copy(update={"grade": grade}),
        }
    )
    said = re.sub(r"\s+", " ", render(planted))
    assert "The bug ForgetsEmptyFolders was planted on purpose" in said
    assert ("failed in rehearsal" in said.lower()) == (grade == "rehearsal")
    assert "planted on purpose" not in re.sub(r"\s+", " ", render(made))


def test_page_stays_small_by_leaving_out_logs_of_what_held():
    page = html.render(many(sample_run.run(), 400))
    assert "backend's log" in page
    assert page.count("backend's log") < 400 * 4


@pytest.mark.parametrize("render", [html.render, text_of])
def test_rehearsal_says_that_it_is_no_evidence(render):
    rehearsal = sample_run.run(subject=Subject(driver="embedded", grade="rehearsal"))
    said = re.sub(r"\s+", " ", render(rehearsal))
    assert "proves nothing about your deployment" in said
    assert "failed in rehearsal" in said.lower()
    assert "proves nothing about your deployment" not in re.sub(
        r"\s+", " ", render(sample_run.run())
    )


@pytest.mark.parametrize(
    ("control", "child", "type_"),
    [
        ("KEY-3", "failure", "violated"),
        ("DBP-2", "error", "inconclusive"),
        ("DEP-2", "skipped", "not_run"),
        ("KEY-12", "skipped", "not_applicable"),
    ],
)
def test_junit_has_an_element_for_what_did_not_hold(control, child, type_):
    case = cases(sample_run.run())[control]
    assert case.find(child).get("type") == type_
    assert case.find("properties/property[@name='verdict']").get("value") == type_


def test_junit_fails_a_contradicted_claim_only_when_strict():
    run = sample_run.run()
    strict = run.model_copy(update={"run": run.run.model_copy(update={"strict_claims": True})})
    assert cases(run)["DBP-1"].find("failure") is None
    assert "Redeploy" in cases(run)["DBP-1"].findtext("system-out")
    assert cases(strict)["DBP-1"].find("failure").get("type") == "contradicted"


def test_junit_survives_what_xml_cannot_hold():
    run = sample_run.run()
    odd = run.controls[0].model_copy(update={"title": "bell \x07 and \ufffe"})
    assert "bell" in cases(run.model_copy(update={"controls": (odd,)}))["KEY-3"].get("name")


@pytest.mark.parametrize(("said", "columns"), [("80", 80), ("100", 100), ("300", 120)])
def test_summary_uses_the_width_and_fits_it(said, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", said)
    run = sample_run.run()
    long = run.controls[0].model_copy(update={"title": "word " * 60 + "x" * 200})
    lines = summary(run.model_copy(update={"controls": (long, *run.controls[1:])}), "r.html")
    assert columns - 10 < max(len(line.text) for line in lines) <= columns


def test_leak_is_the_outcome_even_if_all_controls_hold():
    leak = Leak(file="logs/db.log", secret="ENCRYPTION_KEY", encoding="base64")
    end = outcome(sample_run.run(redaction=Redaction(secrets_known=1, leaks=(leak,))))
    assert end.word == "Failed"
    assert "logs/db.log held ENCRYPTION_KEY" in end.sentence


def test_leak_is_an_error_for_a_ci():
    leak = Leak(file="logs/db.log", secret="ENCRYPTION_KEY", encoding="base64")
    run = run_of(*[GOOD] * 6, interrupted=True)
    run = run.model_copy(update={"redaction": Redaction(secrets_known=1, leaks=(leak,))})
    seen = ElementTree.fromstring(junit.render(run))
    assert (seen.get("tests"), seen.get("errors")) == ("7", "1")
    error = seen.find(".//error")
    assert (error.get("type"), error.get("message")) == (
        "secret in the report",
        outcome(run).sentence,
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.0001, "1 ms"),
        (0.0304, "30 ms"),
        (0.0996, "0.1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, said):
    assert duration(seconds) == said


def run_of(*verdicts, **facts):
    """The sample with these verdicts, its first three controls being those that gate."""
    made = sample_run.run()
    gating = [one for one in made.controls if one.gating]
    rest = [one for one in made.controls if not one.gating]
    pairs = zip([*gating, *rest], verdicts, strict=True)
    controls = tuple(one.model_copy(update={"verdict": verdict}) for one, verdict in pairs)
    code = {Verdict.SATISFIED: 0, Verdict.VIOLATED: 1}
    worst = max(one.verdict for one in controls if one.gating)
    run = made.run.model_copy(update=facts)
    counts = {one.value: verdicts.count(one) for one in Verdict}
    return made.model_copy(
        update={
            "run": run,
            "controls": controls,
            "exit_code": code.get(worst, 2),
            "counts": made.counts.model_copy(update=counts),
        }
    )


GOOD, BAD, WRONG = Verdict.SATISFIED, Verdict.VIOLATED, Verdict.CONTRADICTED
OPEN, IDLE = Verdict.INCONCLUSIVE, Verdict.NOT_RUN


def test_passed_run_names_violated_advisory_controls_in_every_document():
    run = run_of(GOOD, GOOD, GOOD, BAD, WRONG, IDLE)
    end = outcome(run)
    said = "3 of 3 gating controls hold. Advisory: 1 violated, 1 runbook correction, 1 not run."
    assert (end.word, end.sentence) == ("Passed", said)
    advisory = next(one.id for one in run.controls if one.verdict is BAD)
    assert end.next.endswith(f"{advisory} is violated: do not rely on what is checked there.")
    assert said in html.render(run)
    assert '<span class="gate">advisory</span>' in html.render(run)
    assert said in " ".join(text_of(run).split())
    assert "(advisory)" in text_of(run)
    assert pdf.pdf_document(run, "")["summary"]["figures"][2] == ("1", "violated")
    assert said in str(pdf.pdf_document(run, ""))


def test_nothing_failed_is_said_only_where_nothing_did():
    assert outcome(run_of(GOOD, GOOD, OPEN, GOOD, GOOD, GOOD)).sentence.startswith("Nothing failed")
    for bad in (BAD, WRONG):
        said = outcome(run_of(GOOD, GOOD, OPEN, bad, GOOD, GOOD)).sentence
        assert said.startswith("No gating control failed, but 1 of 3 gating controls could not")
    assert outcome(run_of(*[GOOD] * 6)).sentence == "3 of 3 gating controls hold."


def test_a_control_that_does_not_apply_holds_nothing():
    run = run_of(GOOD, GOOD, Verdict.NOT_APPLICABLE, GOOD, GOOD, GOOD)
    said = "2 of 2 gating controls hold; 1 does not apply."
    assert outcome(run).sentence == said
    assert pdf.pdf_document(run, "")["summary"]["figures"][1][0] == "2 of 2"


def test_a_document_that_failed_is_not_to_be_followed():
    failed = run_of(BAD, GOOD, GOOD, GOOD, GOOD, GOOD)
    assert outcome(failed).next.startswith("Do not deploy. Begin with")
    for verdict, advice in ((GOOD, "Do not follow this document"), (IDLE, "Do not deploy")):
        last = failed.controls[-1].model_copy(update={"id": "RBK-1", "verdict": verdict})
        run = failed.model_copy(update={"controls": (*failed.controls[:-1], last)})
        assert outcome(run).next.startswith(advice)


def test_a_failed_run_counts_what_it_could_not_judge():
    undecided = outcome(run_of(BAD, OPEN, OPEN, GOOD, GOOD, GOOD)).sentence
    assert undecided.startswith("1 of 3 gating controls failed: ")
    assert ", and 2 were not judged." in undecided
    assert "judged" not in outcome(run_of(BAD, GOOD, GOOD, GOOD, GOOD, GOOD)).sentence


def test_interrupted_run_is_called_that_unless_it_failed():
    end = outcome(run_of(GOOD, GOOD, IDLE, GOOD, GOOD, IDLE, interrupted=True))
    assert end.word == "Interrupted"
    assert "2 of 3 gating controls were judged before. Nothing failed." in end.sentence
    end = outcome(run_of(GOOD, BAD, IDLE, GOOD, GOOD, IDLE, interrupted=True))
    assert end.word == "Failed"
    assert "The run was interrupted." in end.sentence


@pytest.mark.parametrize("away", [OUTSIDE, LEFT_OUT])
def test_a_selection_says_how_many_controls_it_kept_and_how_many_were_judged(away):
    run = run_of(GOOD, IDLE, IDLE, IDLE, BAD, GOOD, selection=("KEY-*",))
    first, second, third, *rest = run.controls
    gone = {"note": away, "specs": ()}
    kept = (first, second, third.model_copy(update=gone), rest[0].model_copy(update=gone))
    run = run.model_copy(update={"controls": (*kept, *rest[1:])})
    said = " The run was limited to 4 of 6 controls; 3 were judged."
    assert outcome(run).sentence.endswith(said)
    assert said in html.render(run)
    whole = run.model_copy(update={"run": run.run.model_copy(update={"selection": ()})})
    assert "limited" not in outcome(whole).sentence


def test_an_approver_who_executed_the_run_is_shown_in_amber():
    def page(separated):
        named = SignOff(executed_by="Ada", approved={"name": "Ada"}, separated=separated)
        run = sample_run.run(sign_off=named)
        return html.render(run), pdf.pdf_document(run, "")["sign_off"]["warns"]

    text, warns = page(separated=False)
    assert '<span class="warns">The approver executed the run: approval is not' in text
    assert warns
    for other in (True, None):
        text, warns = page(separated=other)
        assert ('class="warns"' in text, warns) == (False, False)


def test_stopped_run_says_how_far_it_came_and_is_not_green():
    run = run_of(GOOD, GOOD, GOOD, GOOD, GOOD, IDLE, stopped="no disk")
    run = run.model_copy(update={"exit_code": 3})
    end = outcome(run)
    assert end.word == "Stopped"
    assert end.sentence.startswith("no disk. The run did not end. 3 of 3 gating controls were")
    assert 'class="outcome code3"' in html.render(run)
    assert terminal.result_style(run) == ("yellow", "bold")
    seen = ElementTree.fromstring(junit.render(run))
    assert (seen.get("tests"), seen.get("errors")) == ("7", "1")
    assert seen.find(".//error").get("message") == end.sentence
    bad = run_of(BAD, GOOD, IDLE, GOOD, GOOD, IDLE, stopped="no disk")
    assert f"Of these failed: {bad.controls[0].id}." in outcome(bad).sentence


def test_no_cover_is_green_while_a_safeguard_is_violated():
    held = run_of(GOOD, GOOD, GOOD, GOOD, GOOD, GOOD).model_copy(update={"exit_code": 0})
    warned = run_of(GOOD, GOOD, GOOD, BAD, GOOD, GOOD).model_copy(update={"exit_code": 0})
    for run, colour, code in ((held, "green", 0), (warned, "yellow", 2)):
        assert terminal.result_style(run) == (colour, "bold")
        assert f'class="outcome code{code}"' in html.render(run)
        assert pdf.pdf_document(run, "")["code"] == code


def test_a_contradicted_claim_that_gates_needs_attention():
    run = run_of(WRONG, GOOD, GOOD, GOOD, WRONG, GOOD)
    assert phrases.findings(run) == [run.controls[0]]
    assert pdf.pdf_document(run, "")["summary"]["urgent"][0]["verdict"] == "contradicted"


def test_a_run_that_judged_no_gating_control_did_not_pass():
    away = Verdict.NOT_APPLICABLE
    run = run_of(away, away, away, GOOD, GOOD, IDLE).model_copy(update={"exit_code": 0})
    end = outcome(run)
    said = "No gating control was judged; 3 do not apply. Advisory: 1 not run."
    assert (end.word, end.sentence) == ("Nothing shown", said)
    assert 'class="outcome code2"' in html.render(run)
    assert pdf.pdf_document(run, "")["code"] == 2
    assert terminal.result_style(run) == ("yellow", "bold")
    assert "passed" not in f"{html.render(run)} {text_of(run)}".lower().replace("passed (", "")
    waived = run.controls[0].model_copy(update={"verdict": BAD, "waived": True})
    run = run.model_copy(update={"controls": (waived, *run.controls[1:])})
    end = outcome(run)
    assert (end.word, "take a waiver back" in end.next) == ("Nothing shown", True)


def test_a_control_stands_once_at_a_cause_of_two_of_its_specs():
    made = sample_run.run()
    bad = next(one for one in made.controls if one.verdict is OPEN)
    spec = bad.specs[0]
    two = [spec.model_copy(update={"message": f"no image\n(at suites/{x}.py:1)"}) for x in "ab"]
    twice = bad.model_copy(update={"id": "DBP-50", "specs": tuple(two)})
    once = bad.model_copy(update={"id": "DBP-51", "specs": tuple(two[:1])})
    said = text_of(made.model_copy(update={"controls": (*made.controls, twice, once)}))
    assert "DBP-50, DBP-51\n" in said


def test_one_cause_is_printed_once():
    made = sample_run.run()
    bad = next(one for one in made.controls if one.verdict is OPEN)
    spec = bad.specs[0]
    many = [
        bad.model_copy(
            update={
                "id": f"DBP-{number}",
                "specs": (
                    spec.model_copy(update={"message": f"no image\n(at suites/x.py:{number})"}),
                ),
            }
        )
        for number in range(50, 109)
    ]
    run = made.model_copy(update={"controls": (*made.controls, *many)})
    assert text_of(run).count("no image") == 1
    assert "DBP-50, DBP-51" in text_of(run)
    assert "(at suites/x.py" not in text_of(run)
    page = html.render(run)
    findings = page[page.index('id="findings"') : page.index('id="controls"')]
    assert findings.count("no image") == 1
    assert findings.count('<a href="#DBP-50">DBP-50</a>.') == 58
    assert str(pdf.pdf_document(run, "")["findings"]).count("no image") == 1


def test_name_at_the_start_of_a_sentence_keeps_its_letters():
    assert sentence("inviteOnlySignup was true") == "inviteOnlySignup was true."
    assert sentence("pg_dump: no such file") == "pg_dump: no such file."
    assert sentence("psql went on") == "psql went on."
    assert sentence("`psql` went on") == "`psql` went on."
    assert sentence("the backend started") == "The backend started."


def test_findings_of_one_place_or_request_are_one_sentence():
    control = next(one for one in sample_run.run().controls if one.verdict is Verdict.VIOLATED)
    said = "; ".join(
        [
            *(f"the cache holds CANARY#{number} (plain)" for number in range(9)),
            *(f"{who}: GET /api/v4/secrets answered 200" for who in ("no token", "another key")),
            "the log holds ROOT_KEY (json)\nthe cache holds CANARY#0 (plain)",
        ]
    )
    again = "the cache holds CANARY#1 (plain); and 2 more"
    specs = [control.specs[0].model_copy(update={"message": text}) for text in (said, again)]
    failed = control.model_copy(update={"specs": tuple(specs), "observed": None})
    cache, *others = phrases.observation(failed)
    assert cache.startswith("the cache holds: CANARY#0 (plain), CANARY#1 (plain), ")
    assert cache.endswith(" and 4 more")
    assert others == [
        "GET /api/v4/secrets answered 200: no token, another key",
        "the log holds ROOT_KEY (json)",
    ]


@pytest.mark.parametrize(
    ("command", "again"),
    [
        (
            "drillbook verify --stack containers --image 'a b:1' --control=KEY-*",
            "drillbook verify --stack containers --image 'a b:1' --seed 42 --control KEY-3",
        ),
        (
            "drillbook verify --seed 7 --controls 'DBP-*' --certified --repo=.",
            "drillbook verify --repo=. --seed 42 --control KEY-3",
        ),
        ("drillbook drill dump.sql", None),
        ("drillbook verify 'cut", None),
    ],
)
def test_a_control_is_run_again_on_the_same_subject(command, again):
    facts = sample_run.run().run.model_copy(update={"command": command})
    page = unescape(html.render(sample_run.run(run=facts)))
    assert (f"<code>{again}</code>" in page) == bool(again)
    assert ("Run this again" in page) == bool(again)


def test_the_page_says_where_a_later_sign_off_is():
    page = html.render(sample_run.run())
    assert "Not signed when the record was written; a later sign-off is a file next to" in page


@pytest.mark.parametrize(
    "file", ["reports/templates/report.html.j2", "reports/templates/report.typ"]
)
def test_not_applicable_is_explained_with_the_file_that_was_not_given(file):
    said = "the file it needs was not given, or the product has no such feature; nothing is known"
    assert said in (ROOT / file).read_text("utf-8")


def test_tables_by_framework_claim_nothing_for_a_rehearsal():
    run = sample_run.run()
    named = run.controls[0].model_copy(update={"id": "DRL-2", "verdict": Verdict.SATISFIED})
    run = run.model_copy(update={"controls": (named,), "exit_code": 0})
    subject = run.subject.model_copy(update={"grade": "rehearsal", "driver": "embedded"})
    rehearsal = run.model_copy(update={"subject": subject})
    for seen, word in ((run, "satisfied"), (rehearsal, "rehearsed")):
        table = html.render(seen).partition('<section id="frameworks"')[2].partition("</section>")
        assert {*re.findall(r'<span class="pill[^"]*">(.+?)</span>', table[0])} == {word}
        printed = pdf.pdf_document(seen, "")
        cells = {row["frameworks"] for row in printed["controls"]}
        assert (cells == {"rehearsed"}) is (word == "rehearsed")
        result = json.loads(oscal.render(seen))["assessment-results"]["results"][0]
        assert bool(result.get("findings")) is (word == "satisfied")
