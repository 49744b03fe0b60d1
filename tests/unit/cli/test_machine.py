"""doctor, init, completion and latest: what they say of this machine, and what they leave alone."""

import errno
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from drillbook.cli import doctor
from drillbook.cli.commands import COMMANDS, FILES, template
from drillbook.cli.parser import run
from drillbook.core import run_directory
from drillbook.core.errors import NoHost
from drillbook.stack.containers import compose, docker_engine
from reports.config.declarations import WaiverEntry, Words
from reports.history.runs import describe_latest

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


# init


def test_init_writes_two_files_that_set_nothing_and_overwrites_none(folder, capsys):
    assert call("init") == 0
    for name in FILES:
        assert tomllib.loads((folder / name).read_text()) == {}
    (folder / FILES[0]).write_text("number = 'mine'\n")
    assert call("init") == 0
    assert (folder / FILES[0]).read_text() == "number = 'mine'\n"
    assert capsys.readouterr().out.count("stays as it is") == 2


@pytest.mark.usefixtures("capsys")
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


# latest


def test_a_command_on_latest_says_first_which_run_that_is(folder, capsys):
    name, place = "20261126T210500Z-000004", folder / "drillbook-runs"
    (place / name).mkdir(parents=True)
    (place / "latest").symlink_to(name)
    record = {"run": {"id": name, "finished": "2026-11-26T22:05:00Z"}, "controls": []}
    record |= {"subject": {"grade": "rehearsal"}, "verdict": "satisfied"}
    (place / name / "evidence.json").write_text(json.dumps(record))
    assert call("evidence", "sign-off", str(place / "latest"), "--act=approved", "--name=Ada") == 3
    first = capsys.readouterr().err.splitlines()[0]
    said = f"is run {name}, ended 2026-11-26 22:05 UTC: satisfied, rehearsal"
    assert first == f"{place / 'latest'} {said}"
    assert describe_latest(str(place / name)) == ""
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
