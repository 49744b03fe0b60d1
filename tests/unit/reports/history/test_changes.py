"""The history over time: what changed since the last comparable run, and what is past its time."""

import errno
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from reports.evidence.model import Objectives
from reports.history.overview import (
    changes,
    corrections,
    describe,
    render,
    stale,
)
from reports.history.runs import Facts, History, Past, Seen, past_of
from reports.render.terminal import WIDTH
from reports.verdict import Verdict
from tests.support import commands
from tests.support.sample_run import run as sample_run
from tests.support.sample_run import waived_run
from tests.unit.reports.history.test_history import ended
from tests.unit.reports.render.test_documents import parsed

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK, BAD, IDLE = Verdict.SATISFIED, Verdict.VIOLATED, Verdict.NOT_RUN


def past(name, days, grade="deployment", **facts):
    finished = START + timedelta(days=days)
    until = {"valid_until": (finished + timedelta(days=90)).date()}
    said = Facts.model_validate({**until, **facts})
    return Past(name, finished, grade, said)


def seen(**changed):
    return Seen.model_validate(sample_run(**changed).model_dump(mode="json")).facts()


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (OK, BAD, "newly violated"),
        (None, BAD, "newly violated"),
        (OK, Verdict.CONTRADICTED, "newly contradicted"),
        (BAD, OK, "healed"),
        (Verdict.CONTRADICTED, OK, "healed"),
        (Verdict.INCONCLUSIVE, OK, "healed"),
        (OK, IDLE, "no longer run"),
        (BAD, None, "no longer run"),
        (OK, Verdict.NOT_APPLICABLE, "no longer run"),
        (IDLE, OK, "other"),
        (OK, Verdict.INCONCLUSIVE, "other"),
    ],
)
def test_a_change_has_a_name(was, now, kind):
    one = past("one", 0, verdicts={"KEY-1": was} if was else {})
    two = past("two", 1, verdicts={"KEY-1": now} if now else {})
    assert changes(one, two) == [("KEY-1", was, now, kind)]


def test_what_stayed_is_no_change_and_the_worst_comes_first():
    one = past("one", 0, verdicts={"A": OK, "B": BAD, "C": OK, "D": OK})
    two = past("two", 1, verdicts={"A": OK, "B": OK, "C": IDLE, "D": BAD})
    assert [change.control for change in changes(one, two)] == ["D", "C", "B"]


@pytest.mark.parametrize(
    "other",
    [
        {"question": "drill"},
        {"grade": "rehearsal"},
        {"system": "vault"},
        {"mutant": "Forgets"},
        {"driver": "remote"},
        {"address": "https://b.example.com"},
    ],
)
def test_only_runs_that_asked_the_same_of_the_same_are_compared(other):
    same, strange, now = past("a", 0), past("b", 1, **other), past("c", 2, image="newer")
    assert History((same, strange, now), ()).last_comparable(now) is same
    assert History((strange, now), ()).last_comparable(now) is None


def test_running_instances_without_a_declared_system_are_known_by_their_address():
    subject = sample_run().subject
    note = "https://a.example.com, only read (GET and HEAD), and containers through docker"
    live = subject.model_copy(update={"driver": "remote", "endpoint_note": note})
    assert seen(subject=live).address == seen(subject=live).whose == "https://a.example.com"
    assert seen(subject=subject.model_copy(update={"endpoint_note": "isolation: a"})).whose is None
    one, two = (
        past(name, day, address=name, verdicts={"A": OK}) for name, day in (("a", 0), ("b", 99))
    )
    [old] = stale([one, two], (START + timedelta(days=100)).date())
    assert old.run is one


def test_the_question_of_a_run_is_told_from_its_record():
    facts, subject = sample_run().run, sample_run().subject
    assert seen().question == "verify"
    assert seen(subject=subject.model_copy(update={"driver": "remote"})).question == "live"
    assert seen(run=facts.model_copy(update={"asked": ("KEY-3", "KEY-5")})).question == "keys"
    chosen = facts.model_copy(update={"selection": ("KEY-*",)})
    assert seen(run=chosen).question == "verify KEY-*"
    run = facts.model_copy(update={"command": "drillbook preflight --env-file a"})
    assert seen(run=run).question == "preflight"
    planted = facts.model_copy(update={"command": "pytest suites --evidence --mutant=Forgets"})
    assert seen(run=planted).mutant == "Forgets"


def test_evidence_counts_until_its_next_run_is_due_or_ninety_days():
    run = sample_run()
    due = run.schedule.model_copy(update={"next_due": date(2027, 1, 31)})
    assert seen().valid_until == date(2027, 2, 22)
    assert seen(schedule=due).valid_until == date(2027, 1, 31)


def test_what_is_past_its_time_is_told_by_the_newest_evidence_of_each_control():
    old = past("old", 0, verdicts={"A": OK, "B": OK, "C": IDLE})
    new = past("new", 80, verdicts={"A": OK, "B": IDLE})
    planted = past("planted", 81, verdicts={"B": BAD}, mutant="Forgets")
    limit = (START + timedelta(days=90)).date()
    assert stale([old, new, planted], limit) == []
    ahead = past("ahead", 99, verdicts={"B": OK})
    assert stale([old, new, planted, ahead], limit + timedelta(days=1)) == [(old, ("B",))]


def test_a_correction_is_open_until_a_run_of_the_same_grade_no_longer_asks_for_it():
    wrong = {"verdicts": {"A": Verdict.CONTRADICTED}, "corrections": {"A": "redeploy"}}
    first, again = past("first", 0, **wrong), past("again", 1, **wrong)
    rehearsal = past("rehearsal", 2, "rehearsal", verdicts={"A": OK})
    repaired = past("repaired", 3, verdicts={"A": OK})
    assert corrections([first, again, rehearsal]) == [("A", "redeploy", first, again, True)]
    assert corrections([first, again, repaired]) == [("A", "redeploy", first, again, False)]


def test_a_correction_is_closed_by_no_other_system():
    wrong = {"verdicts": {"A": Verdict.CONTRADICTED}, "corrections": {"A": "redeploy"}}
    asks = past("asks", 0, system="one", **wrong)
    also = past("also", 1, system="two", **wrong)
    fine = past("fine", 2, system="two", verdicts={"A": OK})
    assert [one.open for one in corrections([asks, fine])] == [True]
    assert [one.open for one in corrections([asks, also, fine])] == [True]
    healed = past("healed", 3, system="one", verdicts={"A": OK})
    assert [one.open for one in corrections([asks, also, fine, healed])] == [False]


def history():
    hostile = "<script>alert(1)</script>"
    runs = [
        past("one", 0, verdicts={"A": OK, "B": BAD}, verdict=BAD, exit_code=1, image=hostile),
        past(
            "two",
            9,
            verdicts={"A": BAD, "B": OK},
            verdict=BAD,
            corrections={"A": "redeploy"},
            objectives=Objectives(rto_s=4000, rto_target_s=3600, rpo_s=60),
        ),
        past("three", 10, "rehearsal"),
    ]
    return History(tuple(runs), ("broken",), ("line 2 does not follow line 1",))


def test_the_page_stands_alone_and_reads_nothing_as_markup():
    page = render(history(), "runs", date(2027, 1, 1))
    structure = parsed(page)
    within = {link for link in structure.fetched if link.startswith("#")}
    assert {link[1:] for link in within} <= structure.ids
    linked = {f"runs/{name}/report.html" for name in ("one", "two", "three")}
    assert set(structure.fetched) - within == linked
    assert "<script" not in page
    assert "1 newly violated" in page
    assert "1 healed" in page
    assert "line 2 does not follow line 1" in page
    assert page == render(history(), "runs", date(2027, 1, 1))


def test_the_map_shows_each_control_by_run_and_marks_what_differs():
    page = render(history(), "runs", date(2027, 1, 1))
    page = page[page.index('id="map"') : page.index('id="runs"')]
    rows = re.findall(r'<tr( class="same")?><th scope="row">(\w+)</th>(.*?)</tr>', page)
    signs = {name: re.findall(r">([^<]*)</td>", cells) for _, name, cells in rows}
    assert signs == {"A": ["✓", "✗", ""], "B": ["✗", "✓", ""]}
    steady = [past(name, day, verdicts={"A": OK}) for day, name in enumerate(("one", "two"))]
    page = render(History(tuple(steady), ()), "runs", date(2027, 1, 1))
    assert '<tr class="same"><th scope="row">A</th>' in page


def test_a_recovery_time_stands_with_its_target_where_there_is_one():
    runs = [
        past("one", 0, objectives=Objectives(rto_s=20)),
        past("two", 5, objectives=Objectives(rto_s=40, rto_target_s=3600)),
        past("three", 9, objectives=Objectives(rto_s=7200, rto_target_s=3600)),
    ]
    page = render(History(tuple(runs), ()), "runs", date(2027, 1, 1))
    assert re.findall(r'<td class="n">(\d.*?)</td>', page) == [
        "2 h 00 min<br><small>missed, target 1 h 00 min</small>",
        "40 s<br><small>met, target 1 h 00 min</small>",
        "20 s",
    ]


def test_no_target_is_met_where_nothing_was_restored():
    runs = [past("one", 0, objectives=Objectives(rpo_s=60, rpo_target_s=3600))]
    page = render(History(tuple(runs), ()), "runs", date(2027, 1, 1))
    assert "not determined, target 1 h 00 min" in page
    assert '<path class="not" ' in page
    assert "1 min 00 s, not determined, run one" in page


def measured(name, day, rto, **facts):
    return past(name, day, objectives=Objectives(rto_s=rto, rto_target_s=3600), **facts)


def test_recovery_times_keep_apart_on_one_scale_and_by_grade():
    runs = [measured("one", 0, 20), measured("two", 5, 40), measured("three", 9, 7200)]
    runs.append(measured("four", 10, 2, grade="rehearsal"))
    runs.append(measured("planted", 11, 9000, mutant="LosesRows"))
    page = render(History(tuple(runs), ()), "runs", date(2027, 1, 1))
    curves = re.findall(r"<h3>(.*?)</h3>.*?</svg>", page, re.DOTALL)
    assert curves == ["Recovery time (RTO)", "Recovery time (RTO), rehearsals"]
    first = page[page.index("<h3>Recovery") : page.index("</svg>")]
    dots = re.findall(r'class="(met|missed)" d="M([\d.]+) ([\d.]+)h', first)
    assert [met for met, _, _ in dots] == ["met", "met", "missed"]
    x, y = [float(dot[1]) for dot in dots], [float(dot[2]) for dot in dots]
    assert (x[0], x[2]) == (0, 1000)
    # Twenty seconds and forty stay apart next to two hours.
    assert y[0] - y[1] > 5
    assert 0 < y[2] < y[1] < y[0] < 100
    assert "target 1 h 00 min" in page
    assert "<span>2026-03-01</span><span>2026-03-10</span>" in page


def test_a_time_without_a_target_is_neither_met_nor_missed():
    run = past("one", 0, objectives=Objectives(rto_s=20))
    page = render(History((run,), ()), "runs", date(2027, 1, 1))
    assert '<path class="not" ' in page
    assert "20 s, no target, run one" in page


@pytest.mark.parametrize("target", [-5, 0, 5e-324])
def test_an_impossible_target_spoils_no_chart(target):
    run = past("one", 0, objectives=Objectives(rto_s=20, rto_target_s=target))
    assert "Recovery time (RTO)" in render(History((run,), ()), "runs", date(2027, 1, 1))


def test_a_drill_is_called_a_drill():
    controls = tuple(
        one.model_copy(update={"chapter": "drill"}) if one.id == "KEY-3" else one
        for one in sample_run().controls
    )
    facts = sample_run().run.model_copy(update={"asked": ("KEY-3", "KEY-5")})
    assert seen(run=facts, controls=controls).question == "drill"


def test_a_page_without_runs_says_what_to_do():
    assert "drillbook verify" in render(History((), ()), "runs", date(2027, 1, 1))


def test_the_terminal_is_told_in_lines_that_fit():
    runs = history().runs[:2]
    lines = list(describe(History(runs, ("broken",), ("cut off",)), date(2027, 1, 1)))
    assert max(len(line.text) for line in lines) < WIDTH
    text = "\n".join(line.text for line in lines)
    assert "Since run one: 1 newly violated, 1 healed." in text
    assert "1 h 06 min" in text
    assert "History: cut off." in text


def test_the_command_writes_the_page_next_to_the_ordinary_folder(tmp_path):
    runs = tmp_path / "reports" / "runs"
    ended(runs, "one")
    ended(runs, "two", 1)
    assert commands.history(["--run-dir", str(runs)]) == 0
    page = (tmp_path / "reports" / "history.html").read_text()
    assert 'href="runs/one/report.html"' in page


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path, capsys):
    assert commands.history(["--run-dir", str(tmp_path / "absent")]) == 3
    assert "is not a folder of runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "said"), [("text", "No page: "), ("json", '"page": null')], ids=["text", "json"]
)
def test_a_history_that_is_read_only_is_told_without_its_page(
    tmp_path, capsys, monkeypatch, output, said
):
    ended(tmp_path, "one")

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("reports.history.overview.write_file", refuse)
    assert commands.history(["--run-dir", str(tmp_path), "--output", output]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ["history", "status"])
def test_the_folder_of_one_run_is_not_taken_for_an_empty_history(tmp_path, capsys, name):
    ended(tmp_path, "one")
    before = sorted((tmp_path / "one").iterdir())
    assert commands.call(name, ["--run-dir", tmp_path / "one"]) == 3
    said = capsys.readouterr().err.replace("\n ", "")
    assert f"is the folder of one run; give --run-dir {tmp_path}" in said
    assert sorted((tmp_path / "one").iterdir()) == before


def test_violated_controls_are_wrong_and_waived_ones_are_named():
    """A run with three violated controls must not look like one with nothing wrong."""
    amiss = dict.fromkeys("ABC", Verdict.VIOLATED) | {"D": Verdict.CONTRADICTED}
    facts = Facts(verdicts=amiss, corrections={"D": "redeploy"}, waived=("A",))
    history = History((Past("r", START, "deployment", facts),), ())
    _, row, waived, *_ = (line.text for line in describe(history, START.date()))
    assert row.split()[-1] == "4"
    assert waived == "  waived: A"
    assert "waived: A" in render(history, "runs", START.date())


def test_what_a_waiver_excused_is_remembered():
    made = waived_run()
    assert past_of(made).facts.waived == (made.controls[0].id,)
    assert past_of(sample_run()).facts.waived == ()
