"""Archives of PostgreSQL 14 to 18, in every form and packing pg_dump has."""

import gzip
import shutil
import tarfile
from contextlib import nullcontext

import pytest

from drillbook.backup import archive as archives
from drillbook.backup.facts import examine
from drillbook.core.errors import BadInput
from drillbook.core.run_directory import Home, new_run_id
from drillbook.keys.key_check import prove
from drillbook.stack.embedded.servers import Postgres
from tests.support.backups import KEYS, SAMPLES, SECRETS, VERSIONS, rows, tables

pytestmark = pytest.mark.slow

ARCHIVES = sorted((SAMPLES / "archives").iterdir())
FORMS = {
    "custom": ["-Fc"],
    "unpacked": ["-Fc", "-Z0"],
    "tar": ["-Ft"],
    "plain": ["-Fp"],
    "verbose": ["-Fp", "-v"],
}


def version_of(path):
    return next(version for version in VERSIONS if version in path.name)


def checked(backup, version):
    """The facts, once the right key has opened everything and a wrong one nothing."""
    proof = prove(backup, KEYS[version])
    assert proof.opens_everything
    assert proof.secrets == SECRETS[version]
    assert prove(backup, KEYS[version][::-1]).opens_nothing
    found = examine(backup)
    assert found.complete
    assert found.rows["kms_root_config"] == 1
    return found


@pytest.fixture(scope="module")
def server():
    home = Home(new_run_id())
    postgres = Postgres(home.path, {"PATH": "/usr/bin:/bin"})
    try:
        postgres.start("throwaway")
        statements = (tables("2024-07") + rows("2024-07")).encode()
        argv = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-U", "infisical", "infisical"]
        assert postgres.exec(argv, statements, None).exit_code == 0
        yield postgres
    finally:
        postgres.stop()
        home.close()


@pytest.mark.parametrize("form", FORMS)
def test_what_pg_dump_14_writes_to_a_pipe_is_read(server, tmp_path, form):
    backup = tmp_path / "backup"
    argv = ["pg_dump", "-U", "infisical", *FORMS[form], "infisical"]
    assert server.exec(argv, None, backup).exit_code == 0
    found = checked(backup, "2024-07")
    assert found.server.startswith("14.")
    assert (found.dumped_at is None) == (form == "plain")


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name)
def test_what_later_versions_write_is_read(tmp_path, archive):
    backup = archive
    if "folder" in archive.name:
        with tarfile.open(archive) as packed:
            packed.extractall(tmp_path, filter="data")
        (backup,) = tmp_path.iterdir()
    found = checked(backup, version_of(archive))
    assert archive.name.startswith(f"pg{found.server.split('.')[0]}-")
    assert found.dumped_at.year == 2026


def test_a_packed_archive_is_unpacked_first(tmp_path):
    backup = tmp_path / "backup.dump.gz"
    backup.write_bytes(gzip.compress((SAMPLES / "archives/pg18-gzip-2024-07.dump").read_bytes()))
    assert checked(backup, "2024-07").packed == "gzip"


@pytest.mark.parametrize("name", ["pg18-gzip-2024-07.dump", "pg18-2024-10.tar.gz"])
def test_a_cut_archive_never_opens_everything(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archives, "_LITTLE_PATIENCE_S", 0.3)
    archive = SAMPLES / "archives" / name
    whole = archive.read_bytes()
    if name.endswith(".gz"):
        whole = gzip.decompress(whole)
    # The last blocks of a tar file are empty, and pg_dump's own end is among them.
    last = len(whole.rstrip(b"\0")) if name.endswith(".tar.gz") else len(whole) - 1
    backup = tmp_path / "cut"
    for end in (*range(600, last, last // 10), last):
        backup.write_bytes(whole[:end])
        assert not prove(backup, KEYS[version_of(archive)]).opens_everything, end
        assert examine(backup).damage, end


def test_a_folder_without_one_of_its_files_is_not_whole(tmp_path):
    with tarfile.open(SAMPLES / "archives" / "pg18-zstd-2024-10-folder.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    (backup,) = tmp_path.iterdir()
    gone = sorted(backup.glob("*.dat.zst"))[0]
    content = gone.read_bytes()
    gone.unlink()
    assert f'could not open input file "{gone.with_suffix("")}' in examine(backup).damage
    (tmp_path / "elsewhere").write_bytes(content)
    gone.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=f"holds {gone.name}, which is not an ordinary file"):
        examine(backup)
    gone.unlink()
    gone.write_bytes(content)
    assert examine(backup).complete
    shutil.move(backup / "toc.dat", tmp_path / "toc.dat")
    with pytest.raises(BadInput, match=r"holds no toc\.dat"):
        examine(backup)


@pytest.mark.parametrize("name", ["pg18-zstd-2024-10-folder", "pg17-lz4-2024-10-folder", "gzip"])
def test_a_folder_with_a_cut_file_is_not_whole(tmp_path, name, server):
    if name == "gzip":
        backup = tmp_path / "backup"
        argv = ["pg_dump", "-U", "infisical", "-Fd", "-f", str(backup), "infisical"]
        tmp_path.chmod(0o777)
        tmp_path.parent.chmod(0o755)
        tmp_path.parent.parent.chmod(0o755)
        assert server.exec(argv, None, None).exit_code == 0
    else:
        with tarfile.open(SAMPLES / "archives" / f"{name}.tar.gz") as packed:
            packed.extractall(tmp_path, filter="data")
        (backup,) = tmp_path.iterdir()
    assert not examine(backup).damage
    for file in sorted(backup.glob("*.dat.*"))[:6]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert examine(backup).damage, file.name
        file.write_bytes(content)


def test_without_the_wheel_a_new_pg_restore_of_the_path_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(archives.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "pg_restore"
    for release, taken in ((None, False), ("16.10", False), ("18.1 (Debian 18.1-1)", True)):
        if release:
            program.write_text(f"#!/bin/sh\necho 'pg_restore (PostgreSQL) {release}'\n")
            program.chmod(0o755)
        archives.pg_restore.cache_clear()
        with nullcontext() if taken else pytest.raises(BadInput, match="PostgreSQL 17 or newer"):
            assert archives.pg_restore() == program
    archives.pg_restore.cache_clear()
