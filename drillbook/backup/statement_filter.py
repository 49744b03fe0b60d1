"""Which statements of a dump are carried out, which are left out, and which no backup contains.

The list is what pg_dump writes for tables, their data and what depends on them. It is the first of
two locks. The second is the role that runs the statements (stack/isolated.py): whatever
gets past this list, that role may do nothing outside its own database.
"""

from __future__ import annotations

import re
from typing import Literal

from drillbook.backup.sql import Hostile, Statement

Judgement = Literal["run", "leave out"]

_KINDS = (
    "TABLE|UNLOGGED TABLE|UNIQUE INDEX|INDEX|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|AGGREGATE|"
    "TRIGGER|CONSTRAINT TRIGGER|VIEW|MATERIALIZED VIEW|SCHEMA|COLLATION|STATISTICS|RULE|POLICY|"
    "TEXT SEARCH CONFIGURATION|TEXT SEARCH DICTIONARY"
)
# Extensions PostgreSQL itself calls trusted: nothing in them leaves the database.
_TRUSTED = {
    *("plpgsql", "pgcrypto", "citext", "uuid-ossp", "pg_trgm", "btree_gin", "btree_gist"),
    *("hstore", "ltree", "fuzzystrmatch", "unaccent", "tablefunc", "intarray", "cube", "seg"),
}
_LANGUAGES = {"sql", "plpgsql"}
_RUN = re.compile(
    rf"CREATE (?:OR REPLACE )?(?:{_KINDS})\b|ALTER (?:{_KINDS})\b|DROP (?:{_KINDS})\b|COMMENT ON "
    r"|INSERT INTO |REFRESH MATERIALIZED VIEW |SELECT PG_CATALOG\.SETVAL\(''|"
    r"SELECT PG_CATALOG\.SET_CONFIG\('', '', FALSE\)$|SET (?:CLIENT_ENCODING|XMLOPTION|"
    r"STANDARD_CONFORMING_STRINGS|CHECK_FUNCTION_BODIES|CLIENT_MIN_MESSAGES|ROW_SECURITY|"
    r"DEFAULT_TABLE_ACCESS_METHOD|DEFAULT_WITH_OIDS) ?(?:=|TO)"
)
# Limits are the harness's own, owners and privileges are those of the one role there is.
_LEFT_OUT = re.compile(
    r"SET (?:STATEMENT|LOCK|IDLE_IN_TRANSACTION_SESSION|TRANSACTION)_TIMEOUT ?=|"
    r"SET DEFAULT_(?:TABLESPACE|TOAST_COMPRESSION) ?=|ALTER [^;]* OWNER TO |GRANT |REVOKE |"
    r"(?:RE)?SET (?:SESSION AUTHORIZATION|ROLE)\b|ALTER DEFAULT PRIVILEGES |"
    r"COMMENT ON (?:EXTENSION|SCHEMA|DATABASE) |DROP EXTENSION IF EXISTS |"
    r"SELECT \* FROM PG_CATALOG\.PG_RESTORE_(?:RELATION|ATTRIBUTE)_STATS\([^()]*\)$"
)
_WORDS = re.compile(
    "ABORT|ALTER|ANALYZE|BEGIN|CHECKPOINT|CLOSE|CLUSTER|COMMENT|COMMIT|CREATE|DEALLOCATE|DECLARE|"
    "DELETE|DISCARD|DROP|END|FETCH|IMPORT|INSERT|LISTEN|LOCK|MERGE|MOVE|NOTIFY|PREPARE|REASSIGN|"
    "REINDEX|RELEASE|RESET|ROLLBACK|SAVEPOINT|SECURITY|SET|SHOW|START|TABLE|TRUNCATE|UNLISTEN|"
    "UPDATE|VACUUM|VALUES"
)
_REASONS = (
    ("COPY .* (?:FROM|TO) PROGRAM", "has the server run a program"),
    ("COPY .* (?:FROM|TO) ''", "has the server read or write a file"),
    ("COPY ", "is a COPY that pg_dump does not write"),
    ("ALTER SYSTEM", "changes the server's own settings"),
    ("(?:CREATE|ALTER|DROP) (?:ROLE|USER|GROUP)", "makes or changes a role"),
    ("(?:CREATE|ALTER|DROP) (?:DATABASE|TABLESPACE)", "reaches beyond the database it restores"),
    ("CREATE (?:SERVER|FOREIGN|SUBSCRIPTION|USER MAPPING)", "connects to another server"),
    ("CREATE EVENT TRIGGER", "would act on every later statement"),
    ("(?:CREATE (?:OR REPLACE )?(?:TRUSTED )?(?:PROCEDURAL )?LANGUAGE|LOAD)", "loads program code"),
    ("(?:DO|CALL|EXECUTE|SELECT|WITH|EXPLAIN)\\b", "runs code that is not part of a backup"),
)


def judge(statement: Statement) -> Judgement:
    """Whether a statement is run or left out; Hostile names its line and what it would do."""
    words = statement.bare.upper()
    if statement.table is not None:
        return "run"
    if _LEFT_OUT.match(words):
        return "leave out"
    if words.startswith("CREATE EXTENSION "):
        return _extension(statement)
    if not _RUN.match(words):
        raise Hostile(statement.line, _reason(words))
    if re.match("CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|AGGREGATE) ", words):
        _check_language(statement)
    if words.startswith("SET STANDARD_CONFORMING_STRINGS") and not words.endswith("ON"):
        raise Hostile(statement.line, "changes what a quote means")
    return "run"


def _reason(words: str) -> str:
    for pattern, what in _REASONS:
        if re.match(pattern, words):
            return what
    # Where the heading of a table was lost, its rows stand here: only SQL's own words are shown.
    first = (words.split() or [""])[0]
    if _WORDS.fullmatch(first):
        return f"begins with {first}, as no statement of pg_dump's does"
    return "begins as no statement of pg_dump's does"


def _extension(statement: Statement) -> Judgement:
    name = statement.bare.split("WITH")[0].split()[-1].strip('"').lower()
    if name not in _TRUSTED:
        raise Hostile(statement.line, f"installs the extension {name[:40]}, which is not trusted")
    return "leave out" if name == "plpgsql" else "run"


def _check_language(statement: Statement) -> None:
    """A function names its language once, unquoted, and it is one the server keeps in bounds."""
    names = re.findall(r"\bLANGUAGE (\S+)", statement.bare, re.IGNORECASE)
    unknown = [name for name in names if name.strip('"').lower() not in _LANGUAGES]
    if unknown or not names:
        language = (unknown or ["no language"])[0][:40]
        raise Hostile(
            statement.line, f"makes a function in {language}, which is not kept in bounds"
        )
