"""Archives of PostgreSQL 14 to 18, in every form and packing pg_dump has."""

import gzip
import shutil
import tarfile

import pytest

from fixtures.errors import BadInput
from fixtures.keyproof import examine, prove, toc
from fixtures.stack.home import Home, new_run_id
from fixtures.stack.postgres import Postgres
from tests.backups import KEYS, SAMPLES, SECRETS, VERSIONS, rows, tables

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
def test_a_cut_archive_never_opens_everything(tmp_path, name):
    archive = SAMPLES / "archives" / name
    whole = archive.read_bytes()
    if name.endswith(".gz"):
        whole = gzip.decompress(whole)
    # The last blocks of a tar file are empty, and pg_dump's own end is among them.
    last = len(whole.rstrip(b"\0")) if name.endswith(".tar.gz") else len(whole) - 1
    backup = tmp_path / "cut"
    for end in (*range(600, last, last // 40), last):
        backup.write_bytes(whole[:end])
        assert not prove(backup, KEYS[version_of(archive)]).opens_everything, end
        assert examine(backup).damage, end


def test_a_folder_without_one_of_its_files_is_not_whole(tmp_path):
    with tarfile.open(SAMPLES / "archives" / "pg18-zstd-2024-10-folder.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    (backup,) = tmp_path.iterdir()
    gone = sorted(backup.glob("*.dat.zst"))[0]
    gone.unlink()
    assert "lacks" in examine(backup).damage
    (tmp_path / "elsewhere").write_bytes(b"")
    gone.symlink_to(tmp_path / "elsewhere")
    assert "lacks" in examine(backup).damage
    shutil.move(backup / "toc.dat", tmp_path / "toc.dat")
    with pytest.raises(BadInput, match=r"holds no toc\.dat"):
        examine(backup)


class Places(toc._Reader):
    """Notes where the table of contents begins, and where it says how its places are known."""

    def _entries(self):
        self.begin, self.known = self._file.tell(), []
        return super()._entries()

    def _place(self):
        self.known.append(self._file.tell())
        return super()._place()


def appended(path):
    """An archive as pg_dump 16 and later writes it to a standard output that is a file.

    The first table of contents knows no places, and a second one, which does, ends the file.
    """
    content = path.read_bytes()
    with path.open("rb") as file:
        reader = Places(file, path.name, False)
        end = reader.contents().end
    first = bytearray(content)
    for at in reader.known:
        first[at] = 1
    return bytes(first), content[reader.begin : end]


@pytest.mark.parametrize("name", ["pg16-gzip-2024-07", "pg17-lz4-2026-07", "pg18-zstd-2026-07"])
def test_an_archive_with_its_contents_once_more_at_the_end_is_read(tmp_path, name):
    backup, version = tmp_path / "backup.dump", name[-7:]
    first, second = appended(SAMPLES / "archives" / f"{name}.dump")
    backup.write_bytes(first + second)
    checked(backup, version)
    # What is missing of the second one, nobody needs.
    backup.write_bytes(first + second[:9])
    checked(backup, version)
    with (SAMPLES / "archives" / f"{name}.dump").open("rb") as file:
        last = toc.contents(file, name).last
    backup.write_bytes(first[:last] + second)
    assert prove(backup, KEYS[version]).damage
    assert examine(backup).damage
