"""One question to the server tells whether all that is sealed there is that of the backup."""

import pytest

from drillbook.drill import secret_values
from drillbook.drill.comparison import is_identical
from drillbook.drill.secret_values import SEALED

pytestmark = pytest.mark.slow

OLD = ", ".join(f'"{name}" text' for name in SEALED["secrets"])
TABLES = f"""
CREATE TABLE secrets_v2 (id uuid PRIMARY KEY, type text, key text, "encryptedValue" bytea,
  "folderId" uuid);
INSERT INTO secrets_v2 SELECT gen_random_uuid(), 'shared', 'LEDGER_' || n,
  CASE WHEN n % 7 > 0 THEN sha256(n::text::bytea) END, gen_random_uuid()
  FROM generate_series(1, 500) n;
CREATE TABLE secrets (id uuid PRIMARY KEY, type text, "folderId" uuid, {OLD});
INSERT INTO secrets SELECT gen_random_uuid(), 'shared', gen_random_uuid(), 'a', 'b', NULL
  FROM generate_series(1, 500);
CREATE TABLE kms_root_config (id uuid, "encryptedRootKey" bytea);
INSERT INTO kms_root_config VALUES (gen_random_uuid(), '\\x00ff');
"""


@pytest.fixture
def copied(isolated, tmp_path):
    """A copy, and what its backup says."""
    isolated.empty_database()
    argv = ["psql", "-U", "infisical", "-q", "infisical"]
    said = isolated.exec("db", argv, stdin=TABLES.encode())
    assert not said.stderr
    dumped = tmp_path / "backup.sql"
    isolated.exec("db", ["pg_dump", "-U", "infisical", "infisical"], stdout=dumped)
    return isolated, secret_values.try_keys(dumped, "k" * 32).values


def compared(stack, values):
    with stack.connect() as connection:
        return is_identical(connection, values)


def test_what_was_restored_untouched_is_alike(copied):
    assert compared(*copied)


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE secrets_v2 SET "encryptedValue" = '\\x00' WHERE key = 'LEDGER_8'""",
        """UPDATE secrets SET "secretValueTag" = 'c'
        WHERE id = (SELECT id FROM secrets ORDER BY random() LIMIT 1)""",
        "DELETE FROM secrets_v2 WHERE key = 'LEDGER_8'",
        "DROP TABLE secrets",
        "UPDATE secrets_v2 SET id = gen_random_uuid() WHERE key = 'LEDGER_8'",
        """UPDATE kms_root_config SET "encryptedRootKey" = '\\x00fe'""",
    ],
)
def test_one_other_seal_row_or_key_is_not_alike(copied, change):
    stack, values = copied
    stack.exec("db", ["psql", "-U", "infisical", "-q", "infisical"], stdin=change.encode())
    assert not compared(stack, values)
