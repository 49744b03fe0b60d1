"""Read what no start and no upgrade may change, and name what differs between two states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from drillbook.backup.restore import HOW, LEAST_S, has_table, inquiry
from drillbook.drill import api_readers
from drillbook.infisical.schema import CLEARED, OWNERS, PASSING, REMOVED, UNCHANGED
from drillbook.stack.isolated import Isolated

# Columns of rows by id, by table; and the roles of a member by project and id.
Kept = Mapping[str, Mapping[str, Mapping[str, Any]]]
_ROLES = {"identity": "the roles of machines", "user": "the roles of people"}
# A release may merge two users of one address.
_MAY_GO = _ROLES["user"]
_COLUMNS = """
SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND column_name = ANY(%s)"""


def read_kept(stack: Isolated, within_s: float = LEAST_S) -> Kept:
    """What a copy's database holds now of the rows and columns that stay as they are.

    within_s limits the whole reading, in seconds; NotReady after it.
    """
    with inquiry(stack.connect, within_s, HOW) as connection:
        return read(connection)


def removed_ids(connection: psycopg.Connection) -> Iterator[str]:
    """The ids of rows that the product or an upgrade removes by itself."""
    for tables, asked in REMOVED:
        if all(has_table(connection, table) for table in tables):
            yield from (id_ for (id_,) in connection.execute(asked.encode()))


def read(connection: psycopg.Connection) -> Kept:
    """As `read_kept`, over a connection to the copy."""
    kept: dict[str, dict[str, dict[str, Any]]] = {}
    passing = set(removed_ids(connection))
    for table, columns in UNCHANGED.items():
        wanted = [*dict.fromkeys(("id", *columns, *OWNERS, *PASSING))]
        found = [name for (name,) in connection.execute(_COLUMNS.encode(), (table, wanted))]
        if "id" not in found:
            continue
        rows = kept.setdefault(table, {})
        listed = sql.SQL(", ").join(map(sql.Identifier, found))
        asked = sql.SQL("SELECT {} FROM public.{}").format(listed, sql.Identifier(table))
        with connection.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(asked):
                id_, *owners = (str(row.get(name)) for name in ("id", *OWNERS))
                if any(map(row.get, PASSING)) or not passing.isdisjoint((id_, *owners)):
                    passing.add(id_)
                else:
                    rows[id_] = {name: row[name] for name in columns if name in row}
    kept |= {name: {} for name in _ROLES.values()}
    for one in chain(*api_readers.members(connection).values()):
        if passing.isdisjoint((one.id, one.project)):
            kept[_ROLES[one.kind]][f"{one.project} {one.id}"] = {"roles": one.roles}
    return kept


def changes(before: Kept, after: Kept) -> list[str]:
    """The tables that lost rows, and the columns with other values, with how many rows.

    A table or column that is gone may have another name now, so it is not compared.
    """
    found = []
    for table, was in before.items():
        now = after.get(table, was)
        lost = len(was.keys() - now.keys())
        if lost and table != _MAY_GO and not CLEARED.match(table):
            found.append(f"{table}: {lost} of {len(was)} rows are gone")
        both = was.keys() & now.keys()
        for column in dict.fromkeys(chain.from_iterable(was.values())):
            pairs = ((was[id_], now[id_]) for id_ in both)
            changed = sum(column in new and new[column] != old[column] for old, new in pairs)
            if changed:
                found.append(f"{table}.{column}: changed in {changed} of {len(was)} rows")
    return found
