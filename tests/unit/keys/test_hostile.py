"""A backup that means harm costs bounded memory and ends in one clear sentence."""

import gzip
import lzma
import os
import re
import struct
import subprocess
import sys

import pytest
from backports import zstd

from drillbook.backup import archive as archives
from drillbook.backup import stream, tables
from drillbook.backup.facts import examine
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.keys.key_check import prove
from tests.support.backups import KEYS, SAMPLES, dump

pytestmark = pytest.mark.slow

KEY = KEYS["2024-10"]
LIMIT_KIB = 100 << 10


# The most memory the process itself ever held, which ru_maxrss would mix with its parent's.
MEASURED = """
import sys
from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
code = run(COMMANDS, ["key", "check", *sys.argv[1:]])
status = open("/proc/self/status").read()
print(code, status.split("VmHWM:")[1].split()[0])
"""


def measured(tmp_path, backup):
    """Exit code, what was said, and the most memory it took, in KiB."""
    env_file = tmp_path / "key.env"
    env_file.write_text(f"ENCRYPTION_KEY={KEY}\n")
    command = [sys.executable, "-c", MEASURED, backup, "--env-file", env_file]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    *said, last = done.stdout.splitlines()
    code, used = last.split()
    return int(code), "\n".join(said) + done.stderr, int(used)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstd.compress])
def test_a_bomb_is_refused(monkeypatch, tmp_path, pack):
    monkeypatch.setattr(stream, "_HARMLESS", 1 << 20)
    backup = tmp_path / "bomb"
    backup.write_bytes(pack(dump("2024-10").encode() + bytes(4 << 20)))
    with pytest.raises(BadInput, match="unpacks to more than 200 times its size"):
        prove(backup, KEY)


@pytest.mark.parametrize("pack", [bytes, zstd.compress])
def test_an_endless_line_is_not_kept(tmp_path, pack):
    whole = dump("2024-10")
    at = whole.index("\\\\x", whole.index("COPY public.secrets_v2")) + 3
    backup = tmp_path / "backup"
    filling = os.urandom(1 << 16).hex().encode() * (18 << 4)
    backup.write_bytes(pack(whole[:at].encode() + filling + whole[at:].encode()))
    code, said, used = measured(tmp_path, backup)
    assert code == 2 or "stay shut" in said
    assert f"longer than {tables.LONGEST_ROW >> 20} MiB" in said
    assert used < LIMIT_KIB


def test_a_line_that_never_ends_outside_a_block_is_passed_over(tmp_path):
    backup = tmp_path / "backup"
    backup.write_bytes(b"-- PostgreSQL database dump\n" + b"x;" * (20 << 20))
    code, said, used = measured(tmp_path, backup)
    assert (code, "longer than any line pg_dump writes" in said) == (3, True)
    assert used < LIMIT_KIB


@pytest.mark.parametrize("size", [1 << 16])
@pytest.mark.parametrize("magic", [b"", b"PGDMP", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"])
def test_noise_is_no_backup(tmp_path, size, magic):
    backup = tmp_path / "noise"
    backup.write_bytes(magic + os.urandom(size))
    code, said, used = measured(tmp_path, backup)
    assert code in (2, 3)
    assert said.count("\n") == 1 or said.startswith("CANNOT TELL")
    assert used < LIMIT_KIB


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="not an ordinary file"):
        prove(tmp_path / "pipe", KEY)


def number(value):
    return bytes([value < 0]) + struct.pack("<I", abs(value))


def text(value):
    return number(-1) if value is None else number(len(value)) + value


def archive(version, count, entries=b""):
    head = b"PGDMP" + bytes([1, version, 0, 4, 8, 1])
    head += b"\0" if version >= 15 else number(0)
    return head + number(0) * 7 + text(b"db") + text(b"18") * 2 + number(count) + entries


ENTRY = number(1) * 2 + text(b"0") * 3 + text(b"COMMENT") + number(1) + text(b"") * 3
HOSTILE = {
    "a version of the future": (archive(99, 0), "unsupported version (1.99)"),
    "entries without end": (archive(14, (1 << 31) - 1), "could not read from input file"),
    "a text of 2 GiB": (archive(14, 1, number(1) * 2 + number(0x7FFFFFFF)), "out of memory"),
    "a statement of 2 MiB": (
        archive(
            14,
            1,
            number(1) * 2
            + text(b"0") * 3
            + text(b"TABLE DATA")
            + number(1)
            + text(b"") * 2
            + text(b"x" * (2 << 20)),
        ),
        "could not read from input file",
    ),
    "dependencies without end": (
        archive(14, 1, ENTRY + text(b"") * 4 + text(b"false") + text(b"1") * (1 << 18)),
        "could not read from input file",
    ),
    "a size beyond all bounds": (
        archive(14, 1, ENTRY + text(b"") * 4 + text(b"false") + text(b"1" * 995) * 70_000),
        "could not read from input file",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_table_of_contents_is_not_believed(tmp_path, kind):
    backup = tmp_path / "backup.dump"
    content, sentence = HOSTILE[kind]
    backup.write_bytes(content)
    code, said, used = measured(tmp_path, backup)
    assert code in (2, 3)
    assert sentence in said
    assert used < LIMIT_KIB


def heading(size):
    return (b"toc.dat".ljust(124, b"\0") + size).ljust(257, b"\0") + b"ustar".ljust(255, b"\0")


@pytest.mark.parametrize(
    "size",
    [b"\x80" + b"\xff" * 11, b"-0000001000\0", b"0o7".rjust(12), b"1_0".ljust(12), b"9" * 12],
)
def test_a_size_in_a_tar_file_is_not_believed(tmp_path, size):
    # It led beyond what an offset can be, or back to where it stands.
    backup = tmp_path / "backup.tar"
    backup.write_bytes(heading(size) + bytes(1024))
    assert examine(backup).damage


def test_a_folder_cannot_point_outside(tmp_path):
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "toc.dat").write_bytes(_pointing_outside())
    with pytest.raises(BadInput, match=r"toc\.dat names files outside of "):
        examine(backup)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_folder_holds_nothing_but_files(tmp_path, kind):
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "toc.dat").write_bytes(archive(14, 0))
    (backup / "1.dat").symlink_to("/dev/zero") if kind == "link" else os.mkfifo(backup / "1.dat")
    with pytest.raises(BadInput, match=r"holds 1\.dat, which is not an ordinary file"):
        examine(backup)


def test_an_archive_that_unpacks_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(stream, "_HARMLESS", 1 << 10)
    monkeypatch.setattr(stream, "_GREATEST_RATIO", 1)
    with pytest.raises(BadInput, match="unpacks to more than 1 times its size"):
        examine(SAMPLES / "archives" / "pg18-gzip-2024-07.dump")


def test_a_pg_restore_that_writes_nothing_is_ended(monkeypatch):
    monkeypatch.setattr(archives, "PATIENCE_S", 0.2)
    monkeypatch.setattr(archives, "pg_restore", lambda: "/bin/sleep")
    monkeypatch.setattr(archives, "_WRITE_OUT", ("600",))
    found = examine(SAMPLES / "archives" / "pg18-gzip-2024-07.dump")
    assert found.damage == "is damaged: pg_restore wrote nothing for 0 s"


def test_pg_restore_is_limited_in_memory_and_has_no_rights(monkeypatch):
    script = "echo error: $(ulimit -v) $(ulimit -t) $(id -u) >&2; exit 1"
    monkeypatch.setattr(archives, "pg_restore", lambda: "/bin/sh")
    monkeypatch.setattr(archives, "_WRITE_OUT", ("-c", script))
    found = examine(SAMPLES / "archives" / "pg18-gzip-2024-07.dump")
    *_, memory, seconds, user = found.damage.split()
    assert (memory, seconds) == (str(512 << 10), "120")
    assert user != "0"


def _pointing_outside():
    statement = b'COPY public.kms_root_config (id, "encryptedRootKey") FROM stdin;\n'
    entry = (
        number(1) * 2
        + text(b"0") * 3
        + text(b"TABLE DATA")
        + number(3)
        + text(b"") * 2
        + text(statement)
        + text(b"") * 4
        + text(b"false")
        + text(None)
        + text(b"../../../etc/passwd")
    )
    made = bytearray(archive(14, 1, entry))
    made[10] = 5
    return bytes(made)


@pytest.mark.parametrize("place", [b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 6 + b"\x54\0"])
def test_rows_where_no_file_reaches_are_damage(tmp_path, place):
    content = (SAMPLES / "archives" / "pg15-gzip-2024-07.dump").read_bytes()
    # Behind a sign that the place is known; a table's rows begin with a 1.
    places = (int.from_bytes(one, "little") for one in re.findall(rb"(?s)\x02(.{8})", content))
    last = max(one for one in places if one < len(content) and content[one] == 1)
    beyond = tmp_path / "beyond.dump"
    beyond.write_bytes(content.replace(last.to_bytes(8, "little"), place))
    assert "cannot be read to its end by pg_restore" in examine(beyond).damage
