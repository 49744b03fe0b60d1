"""recover and check-key on a disk that is full or fails: one sentence, 3, nothing left."""

import errno
import os

import fsspec
import pytest

from drillbook.backup import tables as dump_module
from drillbook.backup.fetch import fetch_backup
from drillbook.core.errors import BadInput
from drillbook.keys.decrypt_secrets import Reader
from tests.support.commands import check_key, recover
from tests.support.run_commands import WAYS, alone, files, limited, words

__all__ = ["files"]


def told(capsys, code, said, before, files):
    """One sentence, and nothing that was not there before."""
    printed = capsys.readouterr()
    assert code == 3
    assert said in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert sorted(files.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_recover_on_a_full_disk_leaves_nothing(files, way):
    before = sorted(files.iterdir())
    code, said = alone("recover", *words("recover", "out.json", *WAYS[way]), preexec_fn=limited)
    assert code == 3, said
    assert said.startswith(
        "drillbook key recover: out.json cannot be written: File too large; nothing was left"
    )
    assert said.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_a_copy_that_does_not_fit_is_told(files, monkeypatch):
    honest = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda _handle, *_mode, **_how: honest(full, "wb", 0))
    full = os.open("/dev/full", os.O_WRONLY)
    storage = fsspec.filesystem("memory")
    storage.pipe_file("/disk/full.sql", b"rows")
    words = r"does not fit into .*TMPDIR to space: No space"
    with pytest.raises(BadInput, match=words), fetch_backup("memory://disk/full.sql", print):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("act", ["fsync", "link"])
@pytest.mark.parametrize("way", WAYS)
def test_what_fails_at_the_very_end_leaves_nothing(files, capsys, monkeypatch, act, way):
    def failing(*_given, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, act, failing)
    monkeypatch.setattr("pathlib.Path.rename", failing)
    before = sorted(files.iterdir())
    code = recover(words("recover", "out.json", *WAYS[way]))
    told(capsys, code, "out.json cannot be written: No space left on device", before, files)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("none/out", "the folder none does not exist"),
        ("keys.env/out", "the folder keys.env does not exist"),
        (".", ". is a folder; give the name of a file in it"),
        ("x" * 300, "File name too long"),
        ("~nobody-of-this-name/out", "the home folder of an unknown user"),
    ],
)
def test_a_place_where_nothing_can_be_made_is_told(files, capsys, out, said):
    before = sorted(files.iterdir())
    told(capsys, recover(words("recover", out, "--plaintext")), said, before, files)


def test_a_folder_that_may_not_be_written_is_told(files, capsys, monkeypatch):
    really = os.open

    def forbidden(path, flags, *given, **named):
        if flags & (os.O_CREAT | os.O_WRONLY):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(path, flags, *given, **named)

    before = sorted(files.iterdir())
    monkeypatch.setattr(os, "open", forbidden)
    code = recover(words("recover", "out.json", *WAYS["in the clear"]))
    monkeypatch.undo()
    told(capsys, code, "no file can be made in .: Permission denied", before, files)


def failing_later(honest):
    """Chunks of a file on a disk that gives out some bytes and then none any more."""

    def chunks(*given):
        yield next(honest(*given))[:300]
        raise OSError(errno.EIO, "Input/output error")

    return chunks


@pytest.mark.parametrize("way", WAYS)
def test_a_backup_that_cannot_be_read_on_is_told_and_nothing_written(
    files, capsys, monkeypatch, way
):
    before, seen = sorted(files.iterdir()), []

    def secrets(_reader):
        seen.append("begun")
        raise OSError(errno.EIO, "Input/output error")
        yield

    monkeypatch.setattr(Reader, "secrets", secrets)
    code = recover(words("recover", "out.json", *WAYS[way]))
    told(capsys, code, "backup backup.sql: Input/output error; check it", before, files)
    assert seen == ["begun"]


def test_a_disk_that_fails_among_the_rows_is_no_wrong_key(files, capsys, monkeypatch):
    monkeypatch.setattr(dump_module, "chunks", failing_later(dump_module.chunks))
    before = sorted(files.iterdir())
    said = "backup backup.sql: Input/output error; check it"
    told(capsys, check_key(words("check_key")), said, before, files)
    told(capsys, recover(words("recover", "o", *WAYS["in the clear"])), said, before, files)


def test_where_it_is_unpacked_is_told_when_that_is_full(files, capsys, monkeypatch):
    import gzip

    class Full:
        def write(self, _data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def tell(self):
            return 0

    packed = files / "backup.sql"
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    monkeypatch.setattr(dump_module, "_spool", Full)
    before = sorted(files.iterdir())
    code = recover(words("recover", "out.json", *WAYS["for a recipient"]))
    told(
        capsys,
        code,
        "backup.sql: No space left on device; check it, and the space in",
        before,
        files,
    )


@pytest.mark.parametrize("way", WAYS)
def test_an_interruption_leaves_nothing(files, capsys, monkeypatch, way):
    def secrets(_reader):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Reader, "secrets", secrets)
    before = sorted(files.iterdir())
    code = recover(words("recover", "out.json", *WAYS[way]))
    told(capsys, code, "interrupted; nothing was written", before, files)


def test_an_interruption_does_not_deny_what_standard_output_has(files, capfd, monkeypatch):
    honest = Reader.secrets

    def secrets(reader):
        yield next(honest(reader))
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "secrets", secrets)
    code = recover(words("recover", "-", "--plaintext"))
    printed = capfd.readouterr()
    assert code == 3
    assert '"secrets"' in printed.out
    assert "interrupted; standard output may have a part of the secrets" in printed.err
