"""Upgrade rehearsals: outages, differences, releases, refusals."""

import hashlib
import json
import re
import time
from types import SimpleNamespace

import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput, StackTrouble
from drillbook.drill import release_snapshot
from drillbook.drill.outage_probe import Outage, Probe
from drillbook.drill.release_snapshot import Look
from drillbook.drill.upgrade import Passage
from drillbook.infisical import image_tags
from drillbook.preflight import compose_checks
from drillbook.runbook import procedures
from drillbook.stack import releases
from drillbook.stack.compose_file import load
from drillbook.stack.embedded.embedded_driver import Embedded
from drillbook.stack.waiting import Start
from fixtures.session.drill_fixtures import requested_change
from fixtures.session.golden_session import Installation
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("reads", "seconds", "ended"),
    [
        ([(1.0, True), (2.0, True), (2.5, True)], 1.0, True),
        ([(1.0, True), (2.0, False), (5.5, True)], 4.5, True),
        (
            [(1.0, True), (2.0, True), (3.0, False), (4.0, True), (5.0, False), (9.0, True)],
            7.0,
            True,
        ),
        ([(1.0, True), (2.0, False), (8.0, False)], 7.0, False),
        ([], 0.0, True),
    ],
)
def test_outage_is_from_the_last_good_read_before_to_the_first_good_one_after(
    reads, seconds, ended
):
    outage = Outage(reads)
    assert (outage.seconds, outage.ended) == (seconds, ended)
    assert ("at least" in str(outage)) is not ended


def test_outage_without_a_good_read_before_it_is_not_measured():
    outage = Outage([(1.0, False), (2.0, True)])
    with pytest.raises(StackTrouble, match="unknown when the outage began"):
        _ = outage.seconds
    assert "unknown when the outage began" in str(outage)


def passage(*reads):
    return Passage(Start(True, None, 1.0, ""), Outage(list(reads)), LOOK, LOOK, (), 0.0)


LOOK = Look({}, {}, frozenset(), {})


def test_outage_between_two_good_reads_is_at_most_the_time_between_them():
    between = passage((0.0, True), (9.0, True))
    assert between.within(10)
    assert "no read failed; an outage was shorter than 9.0 s" in str(between.outage)
    with pytest.raises(StackTrouble, match="does not show that it was within its target"):
        between.within(8)


def test_outage_that_never_ended_is_over_its_target_or_unknown_and_never_infinite():
    assert passage((0.0, True), (9.0, False), (9.5, True)).within(10)
    assert not passage((0.0, True), (9.0, False), (10.5, True)).within(10)
    assert not passage((0.0, True), (10.5, False)).within(10)
    with pytest.raises(StackTrouble, match=r"at least 9\.0 s.* longer than 10 s is unknown"):
        passage((0.0, True), (9.0, False)).within(10)


class SecretRecorder(Probe):
    """A probe whose instance gives these answers in turn, then the last one forever."""

    def __init__(self, allowed_s, answers):
        self._allowed_s, self._answers = allowed_s, answers
        self.outage = Outage([(time.monotonic(), True)])
        self._client = SimpleNamespace(http=SimpleNamespace(where=None, token=None), routes=None)

    def _note(self):
        fine = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if fine is not None:
            self.outage.reads.append((time.monotonic(), fine))
        return fine


def test_reading_goes_on_until_a_secret_is_read_or_the_target_is_over():
    slow = SecretRecorder(60, [False, None, False, True])
    slow.watch_until_read()
    assert slow.outage.ended
    never = SecretRecorder(0.3, [False])
    never.watch_until_read()
    assert never.outage.seconds > 0.3
    assert not never.outage.ended


def test_differences_name_fields_settings_warnings_and_hide_what_may_be_secret():
    before = Look({"date": 1, "a": 1}, {"x": True, "encryptedY": "q", "gone": 5}, frozenset(), {})
    after = Look({"date": 2, "a": 1, "b": None}, {"x": False, "encryptedY": "r"}, {"w"}, {})
    assert release_snapshot.differences(before, after) == [
        "status b is new: null",
        "setting encryptedY: set became set",
        "setting gone is gone; it was 5",
        "setting x: true became false",
        "log of the change: new: w",
    ]


def test_of_many_differences_the_rest_is_counted():
    many = Look({f"f{n:03}": n for n in range(100)}, {}, frozenset(), {})
    found = release_snapshot.differences(Look({}, {}, frozenset(), {}), many)
    assert (len(found), found[-1]) == (41, "and 60 more")


def test_warnings_are_read_from_lines_of_the_log_that_are_json():
    lines = (
        '{"level":40,"msg":"port 80 is old"}',
        '{"level":30,"msg":"fine"}',
        "no json",
        "[1]",
        "{}",
    )
    assert list(release_snapshot.warnings("\n".join(lines))) == ["port # is old"]


def test_lost_people_are_counted_and_a_table_that_is_gone_is_none():
    before = {"users": frozenset("ab"), "identities": frozenset("c"), "old": frozenset("x")}
    after = {"users": frozenset("a"), "identities": frozenset("cd")}
    assert release_snapshot.missing_rows(before, after) == ["users: 1 of 2 are gone"]


@pytest.mark.parametrize("name", ["", "   ", "a b", "-x", "x;y", "a" * 300, "reference:9", "ü\0"])
def test_names_that_are_no_release_are_told(name):
    with pytest.raises(BadInput, match=r"^--to "):
        releases.parse(name, "--to")


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("infisical/infisical:v0.154.6", ["downgrade-refused"]),
        ("infisical/infisical:v0.146.0-postgres", ["frozen-tag", "downgrade-refused"]),
        ("infisical/infisical:latest-postgres", ["frozen-tag"]),
        ("infisical/infisical:v1.0.0", ["stray-tag"]),
        ("registry.example.com:5000/infisical/infisical:v0.161.3", ["bootstrap-token-refused"]),
        ("infisical/infisical:v0.165.16", []),
        ("infisical/infisical:v0.159.23", ["downgrade-refused"]),
        ("infisical/infisical", []),
        ("postgres:14-postgres", []),
        ("somebody/else:v1.0.0", []),
    ],
)
def test_traps_are_known_by_the_tag(image, names):
    found = [one.name for one in (*image_tags.of_tag(image), *image_tags.of_release(image))]
    assert found == names


def test_the_way_back_of_a_trap_is_a_restore_that_fails_aloud():
    (trap,) = image_tags.of_release("infisical/infisical:v0.154.6")
    words = ("stop the backend", "dump", "empty the cache", "empty database", "ON_ERROR_STOP=1")
    places = [trap.cure.find(word) for word in (*words, "start the old")]
    assert places[0] >= 0
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("image", "policy", "trapped"),
    [
        ("infisical/infisical:latest", "always", True),
        ("infisical/infisical", "always", True),
        ("infisical/infisical:latest", "missing", False),
        ("infisical/infisical:v0.154.6", "always", False),
        (f"infisical/infisical:latest@sha256:{'a' * 64}", "always", False),
    ],
)
def test_unattended_upgrades_are_found_in_a_compose_file(tmp_path, image, policy, trapped):
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n  backend:\n    image: {image}\n    pull_policy: {policy}\n")
    found = [
        str(one)
        for one in compose_checks.lint(load(file, {}), {})
        if "unattended-upgrade" in str(one)
    ]
    assert bool(found) == trapped
    assert all(one.startswith(f"{file}:4: backend, unattended") for one in found)


def rehearse(folder, *options):
    specs = sorted(map(str, ROOT.glob("suites/change/test_*")))
    words = [*specs, "--only-evidence", "--one-question", "--rehearse", "--stack=embedded"]
    words += options
    done, written = run_specs(folder / "runs", *words)
    return done, json.loads(written.read_text()) if written.exists() else None


PAIR = {"older": "reference:1", "newer": "reference:2"}
FILES = {"backup": "x", "env_file": "x"}
OTHERS = ("outage", "to_database", "from_database")
NOTHING = dict.fromkeys((*PAIR, *FILES, *OTHERS)) | {"stack": "auto"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--from was not given"),
        ({"older": "reference:1"}, "--to was not given"),
        (PAIR, "BACKUP was not given"),
        (PAIR | {"backup": "x"}, "--env-file was not given"),
        (PAIR | FILES | {"newer": "reference:1"}, "there is nothing to rehearse"),
        (PAIR | FILES | {"newer": "x:1"}, "the reference backend never becomes the product"),
        (PAIR | FILES | {"newer": "reference:7"}, "has the releases reference:1, reference:2"),
        (PAIR | FILES | {"outage": "soon"}, "--outage soon: write a duration"),
    ],
)
def test_what_cannot_be_rehearsed_is_a_sentence(given, said):
    with pytest.raises(BadInput, match=said):
        requested_change(SimpleNamespace(**(NOTHING | given)))


def test_a_record_that_cannot_be_compared_ends_the_run_before_it_begins(tmp_path):
    options = ["--from=reference:1", "--to=reference:2", "--backup=x", "--env-file=x"]
    done, evidence = rehearse(tmp_path, *options, "--verify-from=/no")
    assert (done.returncode, evidence) == (3, None)
    assert "--verify-from /no: No such file" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def users_files(module_home, module_recorder, tmp_path_factory):
    """A backup of a golden deployment, and a file with its key."""
    folder = tmp_path_factory.mktemp("users")
    backup, keys = (folder / name for name in ("old.sql", "keys.env"))
    stack = Embedded(module_home.run_id, module_recorder, module_home.path)
    try:
        deployment = Installation(stack, module_recorder, module_home.path).for_reading()
        assert procedures.back_up(stack, backup).exit_code == 0
        keys.write_text(f"ENCRYPTION_KEY={deployment.golden_settings['ENCRYPTION_KEY']}\n")
    finally:
        stack.down()
    return backup, keys


def test_a_users_backup_is_changed_and_changed_back(users_files, tmp_path):
    backup, keys = users_files
    options = [f"--backup={backup}", f"--env-file={keys}", "--outage=10m"]
    options += ["--from=reference:1", "--to=reference:2"]
    done, evidence = rehearse(tmp_path, *options)
    assert evidence, done.stdout + done.stderr
    verdicts = {one["id"]: one["verdict"] for one in evidence["controls"] if "UPG" in one["id"]}
    assert (set(verdicts.values()), done.returncode) == ({"satisfied"}, 0), verdicts
    change = evidence["change"]
    assert (change["older"], change["newer"]) == ("reference:1", "reference:2")
    assert (change["migrations"], len(change["slowest"])) == (3, 3)
    assert 0 < change["outage_s"] < 600 == change["outage_target_s"]
    assert "setting maxProjects is new: 100" in change["differences"]
    assert re.fullmatch(
        r"killed after [1-3] of 3 migrations: killed start taken up", change["killed"]
    )
    assert "Safe to deploy reference:2" in " ".join(done.stdout.split())
    assert keys.read_text().strip().partition("=")[2] not in json.dumps(evidence)


def test_record_of_a_move_names_what_was_moved(users_files, tmp_path):
    backup, keys = users_files
    options = [f"--backup={backup}", f"--env-file={keys}", "--from=reference:1"]
    done, evidence = rehearse(tmp_path, *options, "--to-database=18")
    assert evidence, done.stdout + done.stderr
    subject = evidence["subject"]
    assert subject["backup"]["sha256"] == hashlib.sha256(backup.read_bytes()).hexdigest()
    assert subject["database"]["version"].startswith("18.")
    assert subject["backend"]["image"]


def test_outage_over_the_target_that_was_given_fails_the_run(users_files, tmp_path):
    backup, keys = users_files
    options = [f"--backup={backup}", f"--env-file={keys}", "--outage=0.001s"]
    options += ["--from=reference:1", "--to=reference:2", "--controls=UPG-4"]
    done, evidence = rehearse(tmp_path, *options)
    assert evidence, done.stdout + done.stderr
    [control] = [one for one in evidence["controls"] if one["id"] == "UPG-4"]
    assert (control["verdict"], control["gating"], done.returncode) == ("violated", True, 1)
    assert "no secret could be read for" in control["specs"][0]["message"]
    assert "inf" not in control["specs"][0]["message"]
    said = " ".join(done.stdout.split())
    assert "PASSED" not in said
    assert "Safe to deploy" not in said
    assert "Do not deploy reference:2 within this target" in said
