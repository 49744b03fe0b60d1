"""What never ends, or is too large, is refused before it is read; each reader says so and ends."""

import errno
import os
from contextlib import nullcontext

import pytest

from drillbook.core.errors import BadInput
from drillbook.core.files import new_file, open_file, open_mode, read_file, refuse_open, write_file
from tests.support import commands


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_only_ordinary_files_are_opened(pipe, name):
    place = pipe if name == "pipe" else pipe.parent / name
    with pytest.raises(OSError, match="may never end"):
        open_file(place)
    with pytest.raises(IsADirectoryError):
        open_file(pipe.parent)


def test_file_of_at_most_so_many_bytes_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 9)
    assert read_file(tmp_path / "a", 9) == b"x" * 9
    with pytest.raises(OSError, match="not sane"):
        read_file(tmp_path / "a", 8)


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path, monkeypatch):
    write_file(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "a", b"new")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"old")]


def test_of_a_new_file_nothing_is_left_by_a_killed_process(tmp_path):
    try:
        os.close(os.open(tmp_path, os.O_WRONLY | os.O_TMPFILE))
    except OSError:
        pytest.skip("this file system has no files without a name")
    with new_file(str(tmp_path / "a")) as file:
        file.write(b"secret")
        file.flush()
        assert list(tmp_path.iterdir()) == []
    assert (tmp_path / "a").read_bytes() == b"secret"


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_new_file_gets_its_name_at_the_end_unless_it_is_taken(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    with new_file(str(tmp_path / "a")) as file:
        file.write(b"x")
    assert ((tmp_path / "a").read_bytes(), open_mode(tmp_path / "a")) == (b"x", "")
    with pytest.raises(BadInput, match="b exists by now"), new_file(str(tmp_path / "b")):
        (tmp_path / "b").write_bytes(b"y")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "b").read_bytes() == b"y"


def full(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


READERS = {
    "verify-evidence": lambda path: commands.verify([path, "--unsigned"]),
    "previous": lambda path: commands.verify([path, "--unsigned", f"--previous={path}"]),
    "key": lambda path: commands.verify([path, f"--pubkey={path}"]),
    "certificate": lambda path: commands.verify([path, f"--tsa-cert={path}"]),
    "sign-off": lambda path: commands.sign_off([path, "--act=approved", "--name=x", "--anyway"]),
    "timestamp": lambda path: commands.seal(["timestamp", path]),
    "export": lambda path: commands.export(["oscal", path]),
    "report": lambda path: commands.render([path]),
    "history": lambda path: commands.history([f"--run-dir={path}"]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_each_reader_of_bundles_and_records_refuses_a_pipe_and_a_device(pipe, capsys, reader, name):
    assert READERS[reader](str(pipe) if name == "pipe" else name) == 3
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) <= 3
    assert "Traceback" not in said


@pytest.mark.parametrize(("mode", "shown"), [(0o600, ""), (0o640, "640"), (0o604, "604")])
def test_mode_of_an_open_file_is_shown(tmp_path, mode, shown):
    (file := tmp_path / "keys.env").touch()
    file.chmod(mode)
    assert open_mode(file) == shown
    with pytest.raises(BadInput, match="run chmod 600") if shown else nullcontext():
        refuse_open(file, "keys")
