"""doctor, init, prune and completion: what they say of this machine, and what they leave alone."""

import errno
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drillbook.cli import doctor
from drillbook.cli.commands import COMMANDS, FILES, template
from drillbook.cli.parser import run
from drillbook.core import run_directory
from drillbook.core.errors import NoHost
from drillbook.stack.containers import compose, docker_engine
from drillbook.stack.processes import why_unavailable
from reports.config.declarations import WaiverEntry, Words
from reports.history import retention
from reports.history.runs import describe_latest
from reports.session.bundle import Bundle

PROGRAM = Path(sys.executable).with_name("drillbook")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words):
    return run(COMMANDS, words)


# doctor


@pytest.fixture
def machine(monkeypatch):
    """Drivers of this machine as a test wants them, and memory enough."""
    monkeypatch.setattr("fixtures.session.workers.free_mib", lambda: 1 << 20)

    def made(**lacking):
        for driver in ("embedded", "containers"):
            found = doctor.Check(f"{driver}: all", lacking.get(driver, "ok"), "seen", "do that")
            monkeypatch.setattr(doctor, f"_{driver}", lambda found=found: iter([found]))

    return made


@pytest.mark.parametrize(
    ("lacking", "asked", "code"),
    [
        ({}, "auto", 0),
        ({"containers": "lacks"}, "auto", 0),
        ({"containers": "lacks"}, "embedded", 0),
        ({"containers": "lacks"}, "containers", 1),
        ({"embedded": "lacks", "containers": "lacks"}, "auto", 1),
    ],
)
def test_a_machine_is_ready_where_a_driver_that_is_asked_for_can_run(
    machine, folder, capsys, lacking, asked, code
):
    machine(**lacking)
    assert call("doctor", "--stack", asked) == code
    told = capsys.readouterr().out
    assert ("NOT READY" in told) == bool(code)
    for driver in lacking:
        mark = "NO" if code else "--"
        assert f"{mark}  {driver}: all" in told
        assert "seen; do that" in told


def test_a_folder_where_no_program_may_run_is_told_with_its_cure(
    machine, folder, capsys, monkeypatch
):
    def refuse():
        raise NoHost("/tmp is mounted noexec, so it cannot be run; point TMPDIR elsewhere")

    machine()
    monkeypatch.setattr(run_directory, "refuse_noexec", refuse)
    assert call("doctor", "--output", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["ready"]
    (bad,) = [one for one in told["checks"] if one["state"] == "lacks"]
    assert bad["name"] == "machine: programs"
    assert bad["next"] == "point TMPDIR elsewhere"


def test_an_engine_that_is_not_there_is_told_with_the_next_move(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = doctor._containers()
    assert (found.name, found.state) == ("containers: engine", "lacks")
    assert "docker.io, docker-cli, docker-compose" in found.next


def test_no_word_is_broken_at_the_edge_of_a_terminal(machine, folder, capsys):
    words = " ".join(f"word{number}" for number in range(30))
    lines = "".join(doctor._lines([doctor.Check("a", "lacks", words)], [], ready=False))
    assert max(map(len, lines.splitlines())) < 80
    assert " ".join(lines.split()).startswith(f"NO a {words} NOT READY")


REFERENCE = "registry.example.com/infisical:1"


@pytest.fixture
def images_here(monkeypatch):
    """An engine that has some images, can pull others, and says why not for the rest."""
    roles = {"backend": "backend", "db": "db", "redis": "redis"}
    services = {"backend": REFERENCE, "db": "postgres:14", "redis": "redis:7"}
    model = compose.Model(roles, {name: {"image": one} for name, one in services.items()}, (), ())
    monkeypatch.setattr(compose, "load", lambda *_: model)

    def made(here, pulled=()):
        known = {*pulled}
        monkeypatch.setattr(docker_engine, "present", lambda one: one in here)
        reply = "dial tcp: no such host"
        monkeypatch.setattr(
            docker_engine, "pull_trouble", lambda one: "" if one in known else reply
        )

    return made


def test_images_are_asked_for_as_a_run_does(images_here):
    images_here({compose.offline_image("db"), "redis:7"}, pulled=[REFERENCE])
    found = doctor._images()
    assert (found.state, found.sentence) == ("ok", f"the engine can pull {REFERENCE}")
    images_here({REFERENCE, "postgres:14", "redis:7"})
    assert doctor._images().sentence == "all are here"


def test_no_image_stands_in_for_the_backend(images_here):
    images_here({compose.offline_image(one) for one in ("backend", "db", "redis")})
    found = doctor._images()
    assert found.state == "lacks"
    assert found.sentence.startswith(f"image {REFERENCE} is not on this machine")
    assert found.sentence.endswith("pulled: dial tcp: no such host")
    assert f"--image {compose.offline_image('backend')}" in found.next


def test_without_bubblewrap_the_command_that_needs_it_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    why_unavailable.cache_clear()
    *_, found = doctor._extras()
    why_unavailable.cache_clear()
    assert (found.name, found.state) == ("program: bubblewrap", "optional")
    assert found.sentence.startswith("commands of a document are run by bubblewrap only")
    assert found.next == "install the package bubblewrap"


# init


def test_init_writes_two_files_that_set_nothing_and_overwrites_none(folder, capsys):
    assert call("init") == 0
    for name in FILES:
        assert tomllib.loads((folder / name).read_text()) == {}
    (folder / FILES[0]).write_text("number = 'mine'\n")
    assert call("init") == 0
    assert (folder / FILES[0]).read_text() == "number = 'mine'\n"
    assert capsys.readouterr().out.count("stays as it is") == 2


def test_init_leaves_no_empty_file_on_a_full_disk(folder, monkeypatch):
    def full(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert call("init") == 3
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize(("name", "model"), [*zip(FILES, (Words, WaiverEntry), strict=True)])
def test_init_names_every_key_that_can_be_set(name, model):
    def keys(model):
        for field, info in model.model_fields.items():
            yield info.alias or field
            for part in (info.annotation, *getattr(info.annotation, "__args__", ())):
                if hasattr(part, "model_fields"):
                    yield from keys(part)

    text = template(name)
    written = re.findall(r"(\w+)(?= = |\]|\.\w+\])", text)
    assert {*keys(model)} <= {*written}
    assert tomllib.loads(re.sub(r"(?m)^# (?=\[|\w+ = )", "", text))


# prune and latest


def write_run(place, name, finished, grade="deployment", code=1, **verdicts):
    """The record of a run as far as a history reads it."""
    record = {
        "run": {"id": name, "finished": finished.isoformat()},
        "subject": {"grade": grade},
        "controls": [{"id": one, "verdict": verdict} for one, verdict in verdicts.items()],
        "exit_code": code,
    }
    (place / name).mkdir()
    (place / name / "evidence.json").write_text(json.dumps(record))


@pytest.fixture
def runs(folder):
    """Six failed runs, ten days between each; latest names the oldest but one."""
    place = folder / "drillbook-runs"
    now = datetime.now(UTC)
    names = [f"{now - timedelta(days=10 * age):%Y%m%dT%H%M%SZ}-00000{age}" for age in range(6)]
    place.mkdir()
    for age, name in enumerate(names):
        write_run(place, name, now - timedelta(days=10 * age))
    (place / "mine").mkdir()
    (place / "20200101T000000Z-notarun").mkdir()
    (place / "history.jsonl").write_text("line\n")
    (place / "latest").symlink_to(names[4])
    return place, names


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--keep-last", "2"], {0, 1, 4}),
        (["--keep-within", "25d"], {0, 1, 2, 4}),
        (["--keep-last", "1", "--keep-within", "15d"], {0, 1, 4}),
        (["--keep-last", "0", "--dry-run"], {0, 1, 2, 3, 4, 5}),
        (["--keep-last", "0"], {4}),
    ],
)
def test_prune_keeps_what_was_said_and_what_latest_names_and_what_is_no_run(
    runs, words, kept, capsys
):
    place, names = runs
    assert call("prune", *words, "--output", "json") == 0
    left = {one.name for one in place.iterdir()}
    assert left - {*names} == {"mine", "20200101T000000Z-notarun", "history.jsonl", "latest"}
    assert left & {*names} == {names[one] for one in kept}
    told = json.loads(capsys.readouterr().out)
    assert {one["run"] for one in told["kept"]} | {*told["removed"]} == {*names}
    assert told["dry_run"] == ("--dry-run" in words)


def test_prune_keeps_what_something_rests_on(runs, capsys):
    place, names = runs
    (place / names[1] / "bundle.zip.approved.json").write_text("{}")
    proof = "20200101T000000Z-0000aa"
    write_run(place, proof, datetime(2020, 1, 1, tzinfo=UTC), **{"MIG-1": "satisfied"})
    assert call("prune", "--keep-last", "0") == 0
    told = capsys.readouterr().out
    assert f"kept: {names[1]} (signed off: approved)" in told
    assert f"kept: {proof} (`drillbook status` rests on it)" in told
    left = {one.name for one in place.iterdir()}
    assert left & {*names, proof} == {names[1], names[4], proof}


def test_prune_counts_only_runs_with_evidence_as_the_last(runs):
    place, names = runs
    tomorrow, old = datetime.now(UTC) + timedelta(days=1), time.time() - 25 * 3600
    others = [f"{tomorrow:%Y%m%dT%H%M%SZ}-{end}" for end in ("aaaaaa-matrix", "bbbbbb", "cccccc")]
    for name in (*others, "20260230T000000Z-abcdef"):
        (place / name).mkdir()
        os.utime(place / name, (old, old))
    assert call("prune", "--keep-last", "2") == 0
    left = {one.name for one in place.iterdir()}
    assert left & {*names} == {names[0], names[1], names[4]}
    assert "20260230T000000Z-abcdef" in left


def test_prune_keeps_a_run_that_may_be_under_way(runs, capsys):
    place, names = runs
    for name in names[:4]:
        (place / name / "evidence.json").unlink()
    old = time.time() - 25 * 3600
    for name in names[1:4]:
        (place / name / "logs").mkdir()
        for one in (place / name / "logs", place / name):
            os.utime(one, (old, old))
    (place / names[1] / "logs" / "db.log").write_text("under way")
    bundle = Bundle(place, "20260101T000000Z-0000bb")
    for one in (bundle.logs, bundle.path, place / names[1] / "logs"):
        os.utime(one, (old, old))
    held = run_directory.hold(place / names[2])
    assert call("prune", "--keep-last", "0") == 0
    os.close(held)
    told = capsys.readouterr().out
    for name in (*names[:3], bundle.path.name):
        assert f"kept: {name} (it may be under way)" in told
    assert f"removed: {names[3]}" in told
    bundle.close()
    assert call("prune", "--keep-last", "0") == 0
    assert not bundle.path.exists()


def test_prune_goes_on_after_a_run_that_it_cannot_remove(runs, capsys, monkeypatch):
    place, names = runs
    remove = retention.shutil.rmtree

    def fail(run):
        if run.name == names[1]:
            raise PermissionError(errno.EACCES, "Permission denied", "report.html")
        remove(run)

    monkeypatch.setattr(retention.shutil, "rmtree", fail)
    assert call("prune", "--keep-last", "1", "--output", "json") == 3
    told = json.loads(capsys.readouterr().out)
    reasons = {one["run"]: one["reason"] for one in told["kept"]}
    assert reasons[names[1]] == "not removed, or in part: report.html: Permission denied"
    assert not {names[1], names[4]} & {*told["removed"]}
    assert {one.name for one in place.iterdir()} & {*names} == reasons.keys()


def test_prune_without_a_word_of_what_to_keep_removes_nothing(runs, capsys):
    place, names = runs
    assert call("prune") == 3
    assert "say what to keep; for example: drillbook prune --keep-last" in capsys.readouterr().err
    assert {*names} <= {one.name for one in place.iterdir()}


def test_a_command_on_latest_says_first_which_run_that_is(runs, capsys):
    place, names = runs
    record = {"run": {"id": names[4], "finished": "2026-11-26T22:05:00Z"}, "controls": []}
    record |= {"subject": {"grade": "rehearsal"}, "verdict": "satisfied"}
    (place / names[4] / "evidence.json").write_text(json.dumps(record))
    assert call("evidence", "sign-off", str(place / "latest"), "--act=approved", "--name=Ada") == 3
    first = capsys.readouterr().err.splitlines()[0]
    said = f"is run {names[4]}, ended 2026-11-26 22:05 UTC: satisfied, rehearsal"
    assert first == f"{place / 'latest'} {said}"
    assert describe_latest(str(place / names[4])) == ""
    assert describe_latest(str(place / "latest" / "bundle.zip")).endswith(said)


# completion


COMPLETED = [
    ("drillbook ver", ["verify"]),
    ("drillbook evidence v", ["verify"]),
    ("drillbook verify --sta", ["--stack"]),
    ("drillbook verify --stack c", ["containers"]),
]


@pytest.mark.parametrize(("typed", "words"), COMPLETED)
def test_bash_completes_commands_options_and_words(typed, words):
    script = f"""
        PATH="{PROGRAM.parent}:$PATH"
        eval "$(drillbook completion bash)"
        COMP_WORDS=({typed}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMPREPLY=()
        _drillbook_completion drillbook
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == words
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_of_its_own(shell, capsys):
    assert call("completion", shell) == 0
    told = capsys.readouterr().out
    assert f"_DRILLBOOK_COMPLETE={shell}_complete" in told
    assert os.environ.get("_DRILLBOOK_COMPLETE") is None
    # Its help says where that script goes.
    assert call("completion", "--help") == 0
    assert f"drillbook completion {shell}" in " ".join(capsys.readouterr().out.split())
