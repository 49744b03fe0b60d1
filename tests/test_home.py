"""A killed run leaves nothing after the next sweep; a living one is not touched."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fixtures.errors import NoHost
from fixtures.stack import binaries, home, postgres

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import sys, time
from tests.conftest import Deaf
from fixtures.infisical.settings import Settings
from fixtures.stack.embedded import Embedded
from fixtures.stack.home import Home, new_run_id
place = Home(new_run_id())
stack = Embedded(place.run_id, Deaf(), place.path, place.quick())
stack.up(Settings.generate())
print(place.run_id, flush=True)
time.sleep(120)
"""


@pytest.fixture
def killed_run():
    """The id of a run that was killed while its stack was up."""
    command = [sys.executable, "-c", RUN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        run_id = run.stdout.readline().strip()
        assert home.alive(run_id)
        run.send_signal(signal.SIGKILL)
    yield run_id
    home.sweep()


def processes(run_id):
    return list(home.processes_of(run_id))


def programs(run_id):
    found = set()
    for pid in processes(run_id):
        with contextlib.suppress(OSError):  # a postgres that comes and goes
            found.add(Path(f"/proc/{pid}/exe").readlink().name)
    return found


def test_a_killed_run_leaves_nothing_after_the_sweep(killed_run, living):

    assert {"postgres", "redis-server"} <= programs(killed_run), "each is known by its environment"
    assert not home.alive(killed_run)
    swept = home.sweep()
    deadline = time.monotonic() + 10
    while processes(killed_run) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes(killed_run) == []
    assert any(killed_run in name for name in swept)
    assert [one for one in home._MEMORY.glob("*") if killed_run in one.name] == []
    assert living.path.exists(), "a living run is not touched"


def test_memory_is_used_where_there_is_room_and_left_clean(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "_MEMORY", tmp_path)
    place = home.Home(home.new_run_id())
    monkeypatch.setattr(home, "_roomy", lambda _: False)
    assert place.quick() == place.path
    monkeypatch.setattr(home, "_roomy", lambda _: True)
    assert place.quick() == place.quick() == tmp_path / place.path.name
    assert [one for one in home.sweep() if str(tmp_path) in one] == []
    place.close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_home_is_gone():
    place = home.Home(home.new_run_id())
    place.close()
    place.close()
    assert not place.path.exists()
    assert not home.alive(place.run_id)


def test_a_careful_umask_does_not_shut_out_the_user_of_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(home, "_root", lambda: tmp_path)
    before = os.umask(0o077)
    try:
        place = home.Home(home.new_run_id())
        binaries._unpack(tmp_path / "programs")
    finally:
        os.umask(before)
    assert place.path.stat().st_mode & 0o777 == (0o711 if os.getuid() == 0 else 0o700)
    place.close()
    folders = [folder for folder, _, _ in (tmp_path / "programs").walk()]
    assert folders
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o755}


def test_an_unwritable_folder_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "_root", lambda: tmp_path / "missing")
    with pytest.raises(NoHost, match="point TMPDIR to a writable folder"):
        home.Home(home.new_run_id())


def test_a_free_port_is_none_that_the_kernel_hands_out():
    lowest = int(postgres._PORTS.read_text().split()[0])
    found = {postgres.free_port() for _ in range(20)}
    assert max(found) < lowest
    assert len(found) > 10


def test_where_the_kernel_hands_out_all_ports_it_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(postgres, "_PORTS", tmp_path / "range")
    for told in ("1024\t65000\n", "", "nonsense"):
        (tmp_path / "range").write_text(told)
        assert postgres.free_port() > 1023
