"""Shards joined say what one run would have said; what does not belong together is refused."""

import errno
import json
import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from drillbook.core.application import ROOT
from reports.errors import ReportError
from reports.evidence.model import Run
from reports.render.context_sections import surroundings
from reports.seal.manifest import MANIFEST
from reports.session import merge
from reports.session.spec_selection import Shard
from tests.support.commands import call
from tests.support.own_suite import COMMAND, control_table, make_suite

pytestmark = pytest.mark.slow

SPECS = """
import pytest
@pytest.fixture(autouse=True)
def _driver(record): record.subject(driver="embedded")
def control(*numbers): return pytest.mark.control(*(f"KEY-{number}" for number in numbers))
@control(1)
def test_one(record):
    with record.span("backend", "boot"): record.log("backend", "hello")
@control(1, 2)
def test_two(): pass
@control(2)
def test_three(): assert 0
@control(3)
def test_four(record): record.objectives(rto_s=3.0)
@control(4)
def test_five(): raise OSError
@control(5)
@pytest.mark.xdist_group("pair")
def test_six(): pass
@control(6)
@pytest.mark.xdist_group("pair")
def test_seven(): pass
"""
PARTS = ("1/3", "2/3", "3/3")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The same specs run whole and in three parts; the folder of each run."""
    home = tmp_path_factory.mktemp("merge")
    make_suite(home, *(control_table(f"KEY-{number}") for number in range(1, 7)))
    (home / "suites/test_specs.py").write_text(SPECS)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    for part in ("whole", *PARTS):
        chosen = [f"--run-dir=run {part[0]}", *([f"--shard={part}"] if "/" in part else [])]
        command = [*COMMAND, "suites", *chosen]
        subprocess.run(command, cwd=home, env=env, capture_output=True, check=False)
    return {part: home / f"run {part[0]}" / "latest" for part in ("whole", *PARTS)}


@pytest.fixture
def parts(ran, tmp_path):
    """Copies of the shards, to be spoilt."""
    made = [tmp_path / f"part {part[0]}" for part in PARTS]
    for part, place in zip(PARTS, made, strict=True):
        shutil.copytree(ran[part], place)
    return made


@pytest.fixture
def merged(tmp_path, capsys):
    def run(*folders):
        code = call("evidence merge", [*map(str, folders), f"--run-dir={tmp_path / 'joined'}"])
        said = capsys.readouterr()
        return code, said.err.strip() or record(tmp_path / "joined" / "latest")

    return run


def record(folder):
    return json.loads((folder / "evidence.json").read_text(encoding="utf-8"))


def test_everyone_who_executed_a_part_executed_the_run(parts, merged):
    """And an approver who is one of them is not independent, whichever part it was."""
    for name, place in zip(("Ada", None, "Grace"), parts, strict=True):
        change(
            place,
            lambda said, name=name: said.update(
                run=said["run"] | {"operator": name or "root"},
                sign_off={"executed_by": name, "approved": {"name": "Grace"}, "separated": True},
            ),
        )
    _, found = merged(*parts)
    assert found["run"]["operator"] == "Ada, root, Grace"
    assert found["sign_off"]["executed_by"] == "Ada; root; Grace"
    assert found["sign_off"]["separated"] is False


def test_each_machine_of_the_parts_is_listed_where_they_differ(parts, merged):
    _, found = merged(*parts)
    assert found["run"]["hosts"] == []
    for number, place in enumerate(parts):
        machine = {"name": f"m{min(number, 1)}", "cpus": 2 + min(number, 1), "memory_bytes": None}
        change(place, lambda said, own=machine: said["run"]["host"].update(own))
    _, found = merged(*parts)
    assert found["run"]["host"]["name"] == "m0, m1"
    assert [(one["name"], one["cpus"]) for one in found["run"]["hosts"]] == [("m0", 2), ("m1", 3)]
    rows = dict(surroundings(Run.model_validate(found)))
    kind = found["run"]["host"]["machine"]
    assert rows["Machine"] == f"m0, {kind}, 2 CPUs; m1, {kind}, 3 CPUs"
    assert ";" not in rows["Python"]


def change(folder, edit):
    """Have a record say something else, in a folder that was never sealed."""
    found = record(folder)
    edit(found)
    (folder / "evidence.json").write_text(json.dumps(found))
    (folder / MANIFEST).unlink(missing_ok=True)


def judged(found):
    return [
        [one["id"], one["verdict"], [[spec["id"], spec["verdict"]] for spec in one["specs"]]]
        for one in found["controls"]
    ]


def test_joined_shards_say_what_one_run_says(ran, parts, merged):
    code, found = merged(*reversed(parts))
    expected = record(ran["whole"])
    assert judged(found) == judged(expected)
    for name in ("counts", "verdict", "exit_code", "objectives"):
        assert found[name] == expected[name], name
    assert code == expected["exit_code"] == 1
    assert [part["shard"] for part in found["run"]["parts"]] == list(PARTS)
    assert (found["run"]["shard"], found["run"]["workers"]) == (None, 3)
    ids = " ".join(part["id"] for part in reversed(found["run"]["parts"]))
    assert found["run"]["command"] == f"drillbook evidence merge {ids}"


def test_shard_judges_whole_controls_and_decides_nothing_alone(parts):
    judged = [
        sorted(one["id"] for one in record(part)["controls"] if one["verdict"] != "not_run")
        for part in parts
    ]
    assert sorted(judged) == [["KEY-1", "KEY-2"], ["KEY-3", "KEY-4"], ["KEY-5", "KEY-6"]]
    idle = next(part for part, ids in zip(parts, judged, strict=True) if "KEY-5" in ids)
    assert (record(idle)["verdict"], record(idle)["exit_code"]) == ("not_run", 2)
    reasons = {spec["message"] for one in record(idle)["controls"] for spec in one["specs"]}
    assert reasons == {None, "another shard runs it"}


def test_quiet_says_the_result_alone(parts, tmp_path, capsys):
    said = {}
    for how in ("--quiet", "", "--verbose"):
        given = [*map(str, parts), f"--run-dir={tmp_path / f'joined{how}'}", *filter(None, [how])]
        call("evidence merge", given)
        said[how] = capsys.readouterr().out
    assert "Report: " in said["--quiet"]
    assert len(said["--quiet"]) < len(said[""]) <= len(said["--verbose"])


def test_missing_shard_is_named_and_nothing_of_it_is_known(parts, merged):
    _code, found = merged(*parts[:2])
    notes = {one["note"] for one in found["controls"] if one["verdict"] == "not_run"}
    assert notes == {"missing here: shard 3/3"}
    assert found["counts"]["not_run"] == 2


def test_logs_and_timeline_say_of_which_shard_they_are(parts, merged, tmp_path):
    _code, found = merged(*parts)
    (log,) = (tmp_path / "joined" / "latest" / "logs").rglob("backend.log")
    assert "hello" in log.read_text()
    boot = next(span for span in found["timeline"] if span["kind"] == "boot")
    assert boot["worker"] == f"{log.parent.name.replace('-of-', '/')} main"


def test_a_log_that_cannot_be_copied_leaves_no_half_of_a_run(parts, merged, tmp_path, monkeypatch):
    def fail(_source, target, **_how):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(merge.shutil, "copy2", fail)
    code, told = merged(*parts)
    assert (code, "No space left on device" in told) == (3, True)
    assert [*(tmp_path / "joined").iterdir()] == []


def test_a_link_in_a_part_leads_nothing_into_the_joined_bundle(parts, merged, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("hunter2")
    logs = [part / "logs" for part in parts]
    without = next(place for place in logs if not any(place.glob("*")))
    shutil.rmtree(without, ignore_errors=True)
    without.symlink_to(private)
    for place in logs:
        if place != without:
            place.mkdir(exist_ok=True)
            (place / "file.log").symlink_to(private / "key")
            (place / "folder").symlink_to(private)
    merged(*parts)
    joined = tmp_path / "joined" / "latest"
    assert any((joined / "logs").rglob("backend.log"))
    files = [path for path in joined.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_a_joined_record_claims_only_the_searches_of_its_parts(parts, merged, tmp_path):
    _code, found = merged(*parts)
    searched = sum(record(part)["redaction"]["scanned_files"] for part in parts)
    assert found["redaction"]["scanned_files"] == searched
    page = (tmp_path / "joined" / "latest" / "report.html").read_text()
    assert f"{searched} files of the parts were searched by each part" in page
    assert "were not searched again." in page
    assert "finished files were searched" not in page


def test_leak_in_a_shard_fails_the_joined_run(parts, merged):
    leak = {"file": "logs/db.log", "secret": "PW", "encoding": "plain"}
    change(parts[2], lambda found: found["redaction"].update(leaks=[leak]))
    code, found = merged(*parts)
    assert (code, found["verdict"]) == (1, "violated")
    assert found["redaction"]["leaks"] == [{**leak, "file": "shard 3/3: logs/db.log"}]


def test_a_part_without_a_stack_belongs_to_any_subject(parts, merged):
    change(parts[1], lambda found: found["subject"].update(driver="none"))
    assert merged(*parts)[1]["subject"]["driver"] == "embedded"


def accuse(found):
    control = of_key_5(found)
    seen = {**control["specs"][0], "id": "test_one (seen)", "verdict": "violated"}
    control["specs"].append({**seen, "message": "it was seen beside a spec"})
    control["verdict"] = "violated"


def of_key_5(found):
    return next(one for one in found["controls"] if one["id"] == "KEY-5")


def test_what_is_seen_elsewhere_makes_a_claim_gate_and_a_waiver_needed(parts, merged):
    waiver = {
        "control": "KEY-5",
        "reason": "known",
        "owner": "Ada",
        "approved_by": "Grace",
        "expires": "2999-01-01",
        "state": "not_needed",
    }
    said = {"nature": "claim", "gating": False, "waiver": waiver}
    for part in parts:
        change(part, lambda found: of_key_5(found).update(said))
    before = merged(*parts)[1]
    change(next(part for part in parts if "KEY-1" in has(part)), accuse)
    after = merged(*parts)[1]
    states = [
        (of_key_5(one)["gating"], of_key_5(one)["waived"], of_key_5(one)["waiver"]["state"])
        for one in (before, after)
    ]
    assert states == [(False, False, "not_needed"), (True, True, "in_force")]
    assert after["counts"]["waived"] == 1
    for name in ("specs_planned", "specs_executed"):
        assert after["counts"][name] == before["counts"][name]


def test_what_a_shard_saw_of_a_control_that_another_has_is_kept(parts, merged):
    _, before = merged(*parts)
    other = next(part for part in parts if "KEY-1" in has(part))
    change(other, accuse)
    code, found = merged(*parts)
    (was,), (now,) = (
        [one for one in judged(each) if one[0] == "KEY-5"] for each in (before, found)
    )
    assert now == ["KEY-5", "violated", [*was[2], ["test_one (seen)", "violated"]]]
    assert code == 1


def has(part):
    return [one["id"] for one in record(part)["controls"] if one["verdict"] != "not_run"]


def test_more_parts_than_groups_leave_some_with_nothing():
    marks = {"a": ["K-1"], "b": ["K-1", "K-2"], "c": ["K-3"]}
    items = [
        SimpleNamespace(
            nodeid=name,
            iter_markers=lambda kind, ids=ids: (
                [pytest.mark.control(*ids).mark] if kind == "control" else []
            ),
        )
        for name, ids in marks.items()
    ]
    chosen = [[one.nodeid for one in Shard(number, 4).choose(items)] for number in range(1, 5)]
    assert chosen == [["a", "b"], ["c"], [], []]


def _other_claim(found):
    found["controls"][0]["claim"] = "It does not."


def _other_commit(found):
    found["run"]["tool"]["commit"] = "0" * 40


def _other_subject(found):
    found["subject"]["backend"]["digest"] = "sha256:1"


def _other_selection(found):
    found["run"]["selection"] = ["KEY-1"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_other_claim, "differs from"),
        (_other_commit, "in its version or commit of Drillbook"),
        (_other_subject, "in its subject"),
        (_other_selection, "in its selection"),
        (lambda found: found["run"].update(command="verify --mutant X"), "has the planted bug X"),
        (lambda found: found["run"].update(shard="2/4"), "shards of different numbers of parts"),
        (lambda found: found["run"].update(shard="1/3"), "shard 1/3 is there twice"),
        (lambda found: found["run"].update(shard=None), "is not a shard"),
        (lambda found: found["run"].update(shard="2 of 2"), "no record that this version can read"),
        (lambda found: found.pop("counts"), "no record that this version can read"),
    ],
)
def test_mixtures_are_refused_in_one_sentence(parts, merged, edit, said):
    change(parts[1], edit)
    code, told = merged(*parts)
    assert code == 3
    assert told.startswith("drillbook evidence merge: ")
    assert said in told
    assert "Traceback" not in told


def test_changed_or_missing_folder_is_refused(parts, merged, tmp_path):
    assert merged(parts[0])[1].startswith("drillbook evidence merge: name the shards")
    assert "nowhere does not exist" in merged(parts[0], tmp_path / "nowhere")[1]
    (parts[1] / "report.html").write_text("nicer")
    code, told = merged(*parts)
    assert (code, "changed since it was sealed" in told) == (3, True)


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "2", "a/b", "1/1000", "1/2/3", "-1/2", "²/3"])
def test_nonsense_is_no_shard(text):
    with pytest.raises(ReportError, match="such as 2/5"):
        Shard.parse(text)
