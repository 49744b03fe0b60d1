"""Which key opens a backup, proven on rows that real versions of the product wrote."""

import gzip
from pathlib import Path

import pytest

from fixtures.data.rows import read_rows
from fixtures.keyproof import prove

SAMPLES = Path(__file__).parent / "samples"
# Throw-away keys the samples were made under; they protect nothing of anybody's.
KEYS = {
    "2024-07": "23222d93c9ecca4c527f78692803532e",
    "2024-10": "87acc8bb528b681ae0b8c6745b8a2f5f",
    "2026-07": "2e0736ede8c47eaf3b92fb805433ccc0",
}
VERSIONS = sorted(KEYS)


def sample(version):
    return SAMPLES / f"rows-{version}.sql"


@pytest.mark.parametrize("version", VERSIONS)
def test_its_own_key_opens_a_backup(version):
    proof = prove(sample(version), KEYS[version])
    assert proof.opens_everything
    assert proof.secrets + proof.older_secrets > 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "change", [str.upper, lambda key: key[::-1], lambda key: key[:-1], lambda _key: ""]
)
def test_any_other_key_opens_nothing(version, change):
    proof = prove(sample(version), change(KEYS[version]))
    assert proof.opens_nothing
    assert not proof.opens_everything


@pytest.mark.parametrize("key", ["{}\n", "  {} "])
def test_white_space_around_a_key_does_not_count(key):
    assert prove(sample("2024-10"), key.format(KEYS["2024-10"])).opens_everything


def test_secrets_of_older_projects_are_counted_and_not_opened():
    proof = prove(sample("2024-07"), KEYS["2024-07"])
    assert (proof.projects, proof.secrets) == (0, 0)
    assert proof.older_secrets > 0


def test_one_altered_value_is_one_that_does_not_open(tmp_path):
    text = sample("2024-10").read_text()
    rows = text.index("COPY public.secrets_v2")
    at = text.index("\\\\x", rows) + 40
    other = text[:at] + ("1" if text[at] != "1" else "0") + text[at + 1 :]
    backup = tmp_path / "altered.sql"
    backup.write_text(other)
    proof = prove(backup, KEYS["2024-10"])
    assert proof.secrets_opened == proof.secrets - 1
    assert not proof.opens_everything


def test_a_compressed_backup_is_read(tmp_path):
    backup = tmp_path / "backup.sql.gz"
    backup.write_bytes(gzip.compress(sample("2026-07").read_bytes()))
    assert prove(backup, KEYS["2026-07"]).opens_everything


def test_an_empty_backup_proves_nothing(tmp_path):
    backup = tmp_path / "empty.sql"
    backup.touch()
    proof = prove(backup, KEYS["2024-10"])
    assert not proof.opens_everything
    assert proof.opens_nothing


def test_a_proof_shows_no_value_and_no_key():
    shown = repr(prove(sample("2024-10"), KEYS["2024-10"]))
    assert KEYS["2024-10"] not in shown
    assert "secret" in shown


def test_rows_are_read_as_they_were_written(tmp_path):
    backup = tmp_path / "rows.sql"
    backup.write_text('COPY public.t (id, "a b", c) FROM stdin;\n1\t\\N\tx\\ty\\\\z\n\\.\n')
    wanted = {"t": ("c", "a b", "later")}
    assert list(read_rows(backup, wanted)) == [("t", {"c": "x\ty\\z", "a b": None, "later": None})]
