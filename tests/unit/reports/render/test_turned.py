"""What a record says of a rehearsed change: whether to deploy, and which statements turn."""

import json
from html import unescape

import pytest

from drillbook.drill import comparison
from reports.errors import BadEvidence
from reports.evidence.model import Backend, Change, Subject, Turned
from reports.history import compare
from reports.render import html, upgrade_text
from reports.render.terminal import summary
from reports.verdict import Verdict, is_judged
from tests.support import sample_run

RUN = sample_run.run()
FIRST = RUN.controls[0]
OTHER = Verdict.INCONCLUSIVE if FIRST.verdict is not Verdict.INCONCLUSIVE else Verdict.VIOLATED


def of_image(image, **changes):
    subject = Subject(driver="containers", grade="deployment", backend=Backend(image=image))
    return RUN.model_copy(update={"subject": subject, **changes})


def with_first(verdict):
    return (FIRST.model_copy(update={"verdict": verdict}), *RUN.controls[1:])


def test_only_statements_that_both_judged_and_that_differ_are_shown():
    newer = RUN.model_copy(update={"controls": with_first(OTHER)[:-1]})
    assert list(compare.verdict_changes(RUN, newer)) == [
        Turned(id=FIRST.id, title=FIRST.title, older=FIRST.verdict.value, newer=OTHER.value)
    ]
    assert list(compare.verdict_changes(RUN, RUN)) == []
    unjudged = RUN.model_copy(update={"controls": with_first(Verdict.NOT_RUN)})
    assert list(compare.verdict_changes(RUN, unjudged)) == []


def kept(folder, name, run):
    (folder / name).mkdir()
    (folder / name / "evidence.json").write_text(run.model_dump_json(by_alias=True))


def test_runs_are_found_by_their_image_the_newest_whole_one(tmp_path):
    whole = {"selection": (), "asked": ()}
    runs = [("a:1", whole, Verdict.VIOLATED), ("a:1", whole, FIRST.verdict)]
    runs += [("a:1", {**whole, "asked": (FIRST.id,)}, OTHER), ("b:2", whole, OTHER)]
    runs += [("a:1", {**whole, "interrupted": True}, OTHER)]
    runs += [("a:1", {**whole, "command": "drillbook verify --mutant=LosesRows"}, OTHER)]
    for number, (image, changes, verdict) in enumerate(runs):
        facts = RUN.run.model_copy(update={**changes, "id": f"run-{number}"})
        kept(tmp_path, facts.id, of_image(image, run=facts, controls=with_first(verdict)))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "evidence.json").write_text("{}")
    told = compare.compared_facts((None, None), {"older": "a:1", "newer": "b:2"}, tmp_path)
    assert told["compared"] == ("run-1", "run-3")
    judged = [one for one in RUN.controls if is_judged(one.verdict) and one.runbook]
    assert told["both_judged"] == len(judged) > 0
    assert [one["id"] for one in told["turned"]] == [FIRST.id]
    assert compare.compared_facts((None, None), {"older": "a:1", "newer": "c:3"}, tmp_path) == {}


def test_record_that_is_named_and_is_none_is_a_sentence(tmp_path):
    with pytest.raises(BadEvidence, match="--verify-to /nowhere"):
        compare.load_pair({"--verify-to": "/nowhere"}.get)
    file = tmp_path / "evidence.json"
    file.write_bytes(b"\0\1")
    with pytest.raises(BadEvidence, match="no record of a run"):
        compare.load_pair({"--verify-to": str(file)}.get)


@pytest.mark.parametrize(
    ("image", "command", "said"),
    [
        ("b:2", "drillbook verify", "its run examined b:2; give a run of .* on a:1"),
        ("a:1", "drillbook verify --mutant=LosesRows", "planted bug LosesRows; give a run"),
        ("a:1", "drillbook verify", None),
    ],
)
def test_a_named_run_of_another_image_or_with_a_bug_is_refused(tmp_path, image, command, said):
    facts = RUN.run.model_copy(update={"command": command})
    kept(tmp_path, "named", of_image(image, run=facts))
    given = {"--verify-from": str(tmp_path / "named"), "--from": "a:1", "--to": "b:2"}
    if said is None:
        assert compare.load_pair(given.get)[0]
        return
    with pytest.raises(BadEvidence, match=said):
        compare.load_pair(given.get)


def test_report_says_how_many_statements_both_runs_judged():
    run = changed({"compared": ("one", "two"), "both_judged": 7}, **HELD)
    page = html.render(run)
    assert "None of the 7 statements that both runs judged changes its verdict." in page
    assert "Runs compared" in page


def changed(facts=None, **verdicts):
    steps = RUN.controls[0].specs
    controls = tuple(
        FIRST.model_copy(update={"id": name, "verdict": verdict, "specs": steps})
        for name, verdict in verdicts.items()
    )
    facts = {"outage_s": 90.0, "outage_target_s": 60.0} | (facts or {})
    change = Change(older="a:1", newer="b:2", **facts)
    return RUN.model_copy(update={"controls": controls, "change": change, "exit_code": 0})


HELD = dict.fromkeys(("UPG-1", "UPG-2", "UPG-3"), Verdict.SATISFIED)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (HELD | {"UPG-4": Verdict.SATISFIED}, "Safe to deploy b:2"),
        (HELD | {"UPG-4": Verdict.VIOLATED}, "were allowed."),
        (HELD | {"UPG-4": Verdict.VIOLATED}, "Do not deploy b:2 within this target: the outage"),
        (HELD | {"UPG-4": Verdict.INCONCLUSIVE}, "not decided: UPG-4 could not be judged"),
        (HELD | {"UPG-2": Verdict.VIOLATED}, "Do not deploy b:2 on this data. What breaks: UPG-2"),
        (HELD | {"UPG-3": Verdict.INCONCLUSIVE}, "not decided: UPG-3 could not be judged"),
    ],
)
def test_report_says_whether_to_deploy(verdicts, said):
    run = changed(**verdicts)
    assert said in upgrade_text.sentence(run)
    assert upgrade_text.sentence(run) in unescape(html.render(run))
    assert said in " ".join(line.text for line in summary(run, "report.html")).replace("  ", " ")


@pytest.mark.parametrize("code", [1, 2, 3])
def test_nothing_is_safe_to_deploy_after_a_run_that_did_not_pass(code):
    run = changed(**HELD, **{"UPG-4": Verdict.SATISFIED, "UPG-5": Verdict.VIOLATED})
    said = upgrade_text.sentence(run.model_copy(update={"exit_code": code}))
    assert said.startswith("It is not shown that b:2 is safe to deploy: every secret survives")
    assert "yet the run did not pass. For 1 min 30 s no one can read a secret" in said


def test_secrets_that_the_release_removes_are_not_said_to_survive():
    verdicts = HELD | {"UPG-4": Verdict.SATISFIED}
    removed = changed(
        {"differences": ("other", comparison.describe_removal(["one", "two"]))}, **verdicts
    )
    said = "every secret survives but the older of those that have one name in a folder, which b:2 "
    assert said in upgrade_text.sentence(removed)
    kept = upgrade_text.sentence(changed({"differences": ("other",)}, **verdicts))
    assert "every secret survives, a bad start heals" in kept


def test_target_of_the_outage_decides_only_where_one_was_given():
    untold = {"outage_target_s": None}
    run = changed(untold, **HELD, **{"UPG-4": Verdict.NOT_APPLICABLE})
    assert upgrade_text.sentence(run).startswith("Safe to deploy b:2")


def test_outage_that_did_not_end_took_at_least_what_was_measured():
    run = changed({"outage_ended": False}, **HELD, **{"UPG-4": Verdict.VIOLATED})
    assert "For at least 1 min 30 s no one can read a secret" in upgrade_text.sentence(run)


def test_outage_that_no_read_saw_took_at_most_what_was_measured():
    run = changed({"outage_seen": False}, **HELD, **{"UPG-4": Verdict.SATISFIED})
    assert "For at most 1 min 30 s no one can read a secret" in upgrade_text.sentence(run)


def test_report_says_how_to_go_back():
    told = dict(upgrade_text.rows(changed({}, **HELD).change))["Going back"]
    assert "restore that backup into an empty database with psql -v ON_ERROR_STOP=1" in told
    assert told.index("dump what is there into a new file") < told.index("restore that backup")


def test_without_a_change_nothing_is_said_of_one():
    assert upgrade_text.sentence(RUN) == ""
    assert "The change of image" not in html.render(RUN)
    assert "change" not in json.loads(RUN.model_dump_json(exclude_none=True))
