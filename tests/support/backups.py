"""Plain dumps made of rows that real releases of the product wrote, with throw-away keys."""

import re

from drillbook.core.application import ROOT

SAMPLES = ROOT / "tests" / "samples"
HEAD = (
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict aaaa\n\n"
    "-- Dumped from database version 14.23\n-- Dumped by pg_dump version 14.23\n\n"
    "SET lock_timeout = 0;\n\n"
)
TAIL = "\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict aaaa\n\n"
# Throw-away keys of the samples; they protect nothing.
KEYS = {
    "2024-07": "23222d93c9ecca4c527f78692803532e",
    "2024-10": "87acc8bb528b681ae0b8c6745b8a2f5f",
    "2026-07": "2e0736ede8c47eaf3b92fb805433ccc0",
}
# The key of the backup of May 2024, which has no root key.
KEY_OF_MAY_2024 = "bfcd389dcec1ed096c72f8788c922a98"
# The number of secrets with a value; ROWS also counts empty ones, which may have none.
SECRETS = {"2024-07": 10, "2024-10": 8, "2026-07": 2}
ROWS = {"2024-07": 10, "2024-10": 10, "2026-07": 2}
VERSIONS = sorted(KEYS)
KEY_OF_A_TABLE = (
    "ALTER TABLE ONLY public.projects\n    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);\n"
)
_BLOCK = re.compile(r"COPY public\.(\w+) \(([^\n]*)\) FROM stdin;\n(.*?)^\\\.$", re.DOTALL | re.M)


def rows(version):
    return (SAMPLES / f"rows-{version}.sql").read_text()


def dump(version):
    return HEAD + rows(version) + TAIL


def tables(version):
    """Statements that create tables for these rows, with columns of type bytea or text."""
    made = []
    for name, columns, block in _BLOCK.findall(rows(version)):
        values = [line.split("\t") for line in block.split("\n") if line]
        types = [
            f"{column} {'bytea' if any(v[at].startswith('\\\\x') for v in values) else 'text'}"
            for at, column in enumerate(columns.split(", "))
        ]
        made.append(f"CREATE TABLE public.{name} ({', '.join(types)});\n")
    return "".join(made)


def whole(version):
    """A backup with the tables and their rows."""
    return HEAD + tables(version) + rows(version) + KEY_OF_A_TABLE + TAIL


def without_rows(version, table):
    """A backup with all its tables, made by pg_dump --exclude-table-data of one of them."""
    text = _BLOCK.sub(lambda block: "" if block[1] == table else block[0], rows(version))
    return HEAD + tables(version) + text + KEY_OF_A_TABLE + TAIL
