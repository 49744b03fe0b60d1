"""A killed run leaves nothing after the next sweep; a living one is not touched."""

import contextlib
import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.core import docker_cli, run_directory
from drillbook.core.application import ROOT
from drillbook.core.errors import NoHost, NotReady, StackTrouble
from drillbook.stack import driver_selection, processes
from drillbook.stack.containers import compose, docker_engine
from drillbook.stack.embedded import servers
from drillbook.stack.waiting import wait_until
from fixtures.session import stacks

RUN = """
import sys, time
from pathlib import Path
from drillbook.core import run_directory
run_directory._root = lambda: Path(sys.argv[1])
from tests.support.recorder import SecretRecorder
from drillbook.infisical.settings import Settings
from drillbook.stack.embedded.embedded_driver import Embedded
from drillbook.core.run_directory import Home, new_run_id
place = Home(new_run_id())
stack = Embedded(place.run_id, SecretRecorder(), place.path)
stack.up(Settings.generate())
print(place.run_id, flush=True)
time.sleep(120)
"""


@pytest.fixture
def killed_run(monkeypatch):
    """The id of a run that was killed while its stack was up.

    It lies in a folder of its own, where no sweep of another test's run finds it first.
    """
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    folder.chmod(0o711)
    monkeypatch.setattr(run_directory, "_root", lambda: folder)
    command = [sys.executable, "-c", RUN, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        run_id = run.stdout.readline().strip()
        assert run_directory.alive(run_id)
        run.send_signal(signal.SIGKILL)
    yield run_id
    run_directory.sweep()
    shutil.rmtree(folder)


def living_processes(run_id):
    return list(run_directory.processes_of(run_id))


def programs(run_id):
    found = set()
    for pid in living_processes(run_id):
        with contextlib.suppress(OSError):  # a postgres that comes and goes
            found.add(Path(f"/proc/{pid}/exe").readlink().name)
    return found


def test_a_killed_run_leaves_nothing_after_the_sweep(killed_run, living):

    assert {"postgres", "redis-server"} <= programs(killed_run), "each is known by its environment"
    assert not run_directory.alive(killed_run)
    swept = run_directory.sweep()
    wait_until(lambda: not living_processes(killed_run), 60)
    assert living_processes(killed_run) == []
    assert any(killed_run in name for name in swept)
    assert living.path.exists(), "a living run is not touched"


def test_a_closed_home_is_gone():
    place = run_directory.Home(run_directory.new_run_id())
    place.close()
    place.close()
    assert not place.path.exists()
    assert not run_directory.alive(place.run_id)


def test_a_careful_umask_does_not_shut_out_the_user_of_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(run_directory, "_root", lambda: tmp_path)
    before = os.umask(0o077)
    try:
        place = run_directory.Home(run_directory.new_run_id())
        monkeypatch.setattr(run_directory, "cache_folder", lambda: tmp_path)
        programs = servers.postgres_bin.__wrapped__().parent
    finally:
        os.umask(before)
    assert place.path.stat().st_mode & 0o777 == (0o711 if os.getuid() == 0 else 0o700)
    place.close()
    folders = [folder for folder, _, _ in programs.walk()]
    assert folders
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o755}


def test_an_unwritable_folder_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(run_directory, "_root", lambda: tmp_path / "missing")
    with pytest.raises(NoHost, match="point TMPDIR to a writable folder"):
        run_directory.Home(run_directory.new_run_id())


def test_programs_that_do_not_fit_are_told_with_the_cause(monkeypatch, tmp_path):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / "program").touch()
    monkeypatch.setattr(run_directory, "cache_folder", lambda: tmp_path)
    copy = partial(shutil.copytree, tmp_path / "wheel", copy_function=full)
    with pytest.raises(NoHost, match=r"be unpacked to .*No space left on device; free some space"):
        run_directory.install("programs", lambda fresh: copy(fresh / "wheel"))


def test_a_free_port_is_none_that_the_kernel_hands_out():
    lowest = int(processes._PORT_RANGE.read_text().split()[0])
    found = {processes.free_port() for _ in range(20)}
    assert max(found) < lowest
    assert len(found) > 10


def test_where_the_kernel_hands_out_all_ports_it_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_PORT_RANGE", tmp_path / "range")
    for told in ("1024\t65000\n", "", "nonsense"):
        (tmp_path / "range").write_text(told)
        assert processes.free_port() > 1023


def test_a_port_is_given_once(monkeypatch):
    given = processes.free_port()
    drawn = itertools.count(given - processes._LOWEST_PORT)
    monkeypatch.setattr(processes.secrets, "randbelow", lambda _: next(drawn))
    assert processes.free_port() != given
    assert next(drawn) > given - processes._LOWEST_PORT + 1


def test_a_port_that_another_run_has_chosen_is_its_own_until_that_ends(monkeypatch):
    chooses = (
        "from drillbook.stack.processes import free_port; print(free_port(), flush=True); input()"
    )
    command = [sys.executable, "-c", chooses]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as other:
        taken = int(other.stdout.readline())
        monkeypatch.setattr(processes, "_bind", lambda _: taken)
        with pytest.raises(NoHost, match="no loopback port is free"):
            processes.free_port()
        other.communicate("\n")
    assert processes.free_port() == taken


def test_a_process_is_told_from_a_later_one_of_its_number():
    me = os.getpid()
    assert run_directory.birth(me) == run_directory.birth(me) != ""
    with subprocess.Popen(["sleep", "60"]) as other:
        assert run_directory.birth(other.pid) != run_directory.birth(me)
        there = {
            docker_engine.PID: str(other.pid),
            docker_engine.BORN: run_directory.birth(other.pid),
        }
        assert docker_engine._lives(there)
        assert not docker_engine._lives({**there, docker_engine.BORN: run_directory.birth(me)})
        other.kill()
    assert not docker_engine._lives(there)
    assert not docker_engine._lives({})


def test_where_nothing_may_run_the_run_does_not_begin(monkeypatch):
    told = SimpleNamespace(f_flag=os.ST_NOEXEC)
    monkeypatch.setattr(run_directory.os, "statvfs", lambda _: told)
    with pytest.raises(NoHost, match=r"is mounted noexec.*point TMPDIR to a folder where"):
        driver_selection.choose("embedded", None, None)


@pytest.mark.parametrize(
    ("labels", "command", "ours"),
    [
        ({"io.drillbook.image": "1"}, ["python3", "-m", "fixtures.reference"], True),
        ({"io.drillbook.image": "1"}, ["node", "main.mjs"], False),
        ({}, ["python3", "-m", "fixtures.reference"], False),
        (None, None, False),
    ],
)
def test_an_image_on_a_base_of_ours_is_not_the_reference_backend(
    monkeypatch, labels, command, ours
):
    told = {"Labels": labels, "Entrypoint": None, "Cmd": command}
    monkeypatch.setattr(compose.docker_engine, "configuration", lambda _: told)
    assert compose.is_reference("some/image") is ours


class Recording:
    def __init__(self):
        self.notes, self.logs = [], []

    def note(self, text):
        self.notes.append(text)

    def log(self, service, text):
        self.logs.append((service, text))


def test_a_log_that_cannot_be_read_is_missed_aloud():
    record = Recording()

    def read():
        raise StackTrouble("the container is gone")

    stacks.keep_log(record, "db", read)
    words = "db: what it printed could not be read: StackTrouble: the container is gone"
    assert record.notes == [words]
    assert record.logs == [("db", words)]


def test_a_command_that_hangs_has_an_end(monkeypatch):
    monkeypatch.setattr(processes, "COMMAND_S", 0.2)
    with pytest.raises(NotReady, match=r"pg_dump has not ended in 0\.2 s"):
        processes.call_program(["sleep", "60"], ("pg_dump",), {}, None, None)


def test_making_a_cluster_has_an_end(monkeypatch, living):
    monkeypatch.setattr(servers, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(servers, "cache_folder", lambda: living.path)
    with pytest.raises(StackTrouble, match="initdb has not ended in 0"):
        servers.Postgres(living.path, {}).start("password")


def test_a_docker_program_that_hangs_is_one_sentence(monkeypatch, tmp_path):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 60\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NoHost, match=r"docker version has not ended in 0\.2 s"):
        docker_cli.program("version", within_s=0.2)
    monkeypatch.setattr(processes, "COMMAND_S", 0.2)
    with pytest.raises(StackTrouble, match=r"psql has not ended in 0\.2 s"):
        docker_engine.execute(SimpleNamespace(id="1", name="drill-db"), ["psql"], None, None)


def test_a_run_of_which_nothing_can_be_known_is_taken_for_alive(monkeypatch):
    home = run_directory.Home(run_directory.new_run_id())
    try:

        def full(*_args, **_named):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(Path, "open", full)
        assert run_directory.alive(home.run_id)
    finally:
        monkeypatch.undo()
        home.close()
    assert not run_directory.alive(home.run_id)


def test_a_leftover_that_cannot_be_removed_is_left_to_the_next_sweep(monkeypatch):
    left = [
        docker_engine.Resource(kind, f"{kind} of {run}", run)
        for kind in ("volume", "container")
        for run in ("dead", "alive")
    ]
    tried = []

    def remove(resource):
        tried.append(resource.name)
        if resource.kind == "container":
            raise StackTrouble("removal is in progress elsewhere")
        return True

    monkeypatch.setattr(docker_engine, "resources", lambda _: left)
    monkeypatch.setattr(docker_engine, "_remove", remove)
    swept = docker_engine.sweep(lambda run: run == "alive")
    assert tried == ["container of dead", "volume of dead"]
    assert swept == ["volume volume of dead"]


def test_two_containers_of_one_image_are_two_machines(monkeypatch):
    label = docker_engine.host.__wrapped__
    monkeypatch.setattr(Path, "readlink", lambda _: Path("pid:[1]"))
    first = label()
    monkeypatch.setattr(Path, "readlink", lambda _: Path("pid:[2]"))
    assert label() != first
