"""Rehearse a move to another PostgreSQL release: dump, restore on a copy, and go back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from drillbook.backup.restore import inquiry
from drillbook.core.bugs import seam
from drillbook.core.errors import StackTrouble
from drillbook.drill.comparison import Copy, read_value
from drillbook.drill.drill import Drill, Order, describe_unfit
from drillbook.drill.outage_probe import Probe, clock
from drillbook.runbook import procedures
from drillbook.stack.containers.compose import MOUNTED_ABOVE
from drillbook.stack.isolated import Isolated
from drillbook.stack.waiting import Start

_HERE = "FROM pg_database WHERE datname = current_database()"
# What a database has besides its rows, each part as one value to compare. From 18 on, PostgreSQL
# lists NOT NULL among the constraints. Releases also differ in whether they list the trigger of a
# partitioned table for each partition, and in how many foreign keys they make for the partitions of
# a referenced table.
_PARTS = {
    "encoding": f"SELECT pg_encoding_to_char(encoding) {_HERE}",
    "collation": f"SELECT datcollate || ', ' || datctype {_HERE}",
    "owner of the database": f"SELECT pg_get_userbyid(datdba) {_HERE}",
    "extensions": "SELECT array_agg(extname::text) FROM pg_extension",
    "owners": (
        "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)::text) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace"
    ),
    "tables, indexes, sequences and views": (
        "SELECT array_agg(relkind::text || ' ' || relname) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace"
    ),
    "constraints": (
        "SELECT array_agg(conrelid::regclass::text || ' ' || conname) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conparentid = 0"
    ),
    "triggers": (
        "SELECT array_agg(tgrelid::regclass::text || ' ' || tgname) FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgparentid = 0"
    ),
    "sequences": (
        "SELECT array_agg(sequencename || ' ' || coalesce(last_value, 0)::text) "
        "FROM pg_sequences WHERE schemaname = 'public'"
    ),
}
_MOST = 5


def describe(stack: Isolated) -> dict[str, Any]:
    """A description of a copy's database without its rows and its release, by name of the part."""
    with inquiry(stack.connect) as connection:
        found = {}
        for name, query in _PARTS.items():
            held = read_value(connection, query)
            found[name] = sorted(held) if isinstance(held, list) else held
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The parts that differ, one sentence each, with what is gone and what is new."""
    found = []
    for name, was in before.items():
        now = after.get(name)
        if was == now:
            continue
        if isinstance(was or now, list):
            # PostgreSQL answers NULL where there is none of a kind.
            held, holds = {*(was or ())}, {*(now or ())}
            found.append(f"{name}: gone: {_names(held - holds)}; new: {_names(holds - held)}")
        else:
            found.append(f"{name}: {was} became {now}")
    return found


def _names(found: Set[str]) -> str:
    return ", ".join(sorted(found)[:_MOST]) or "nothing"


@seam("restore_for_move")
def restore_new(drill: Drill) -> Copy:
    """Restore the dump of the old database into the new one."""
    return drill.restore()


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a move: the restored copy, its start, and seconds without service.

    start is None if the restore failed. before and after describe the two databases.
    """

    copy: Copy
    start: Start | None
    seconds: float
    dump_s: float
    before: Mapping[str, Any] = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)

    @property
    def serves(self) -> bool:
        """Whether the backend serves from the new database."""
        return self.start is not None and self.start.serves

    @property
    def differences(self) -> list[str]:
        """The parts in which the new database differs from the old one, apart from its release."""
        return differences(self.before, self.after)


class DatabaseMove:
    """A copy of a backup in one PostgreSQL release, moved into another; the old copy stays."""

    def __init__(self, old: Drill, begin: Callable[[Order], Drill]) -> None:
        self.old = old
        self._begin = begin
        self._new: Drill | None = None
        self._moved: Moved | None = None

    @property
    def new(self) -> Drill:
        """The copy in the new release; StackTrouble before the move."""
        if self._new is None:
            raise StackTrouble("nothing was moved yet")
        return self._new

    def start_old(self) -> None:
        """Restore the backup into the old PostgreSQL, start the backend and compare; only once.

        StackTrouble if the backend does not serve it whole: a move then shows nothing.
        """
        start = self.old.bring_up()
        # Specs run in any order, and after the move this backend is stopped.
        found = self.old.compare_first() if start.serves else None
        if why := describe_unfit(start, found):
            raise StackTrouble(why)

    def move(self) -> Moved:
        """Stop the backend, dump, restore into the new release, start and read a secret; only once.

        The old database stays unchanged. StackTrouble if the dump fails or no secret can be read.
        """
        if self._moved is None:
            self.start_old()
            self._moved = self._move()
        return self._moved

    def _move(self) -> Moved:
        old, dump = self.old, self.old.place.path / "move.sql"
        # A move that failed before left a copy.
        self.close()
        began = clock()
        old.stack.stop("backend")
        command = procedures.back_up(old.stack, dump)
        if command.exit_code:
            raise StackTrouble(f"the dump of the old database ended with {command.exit_code}")
        dump_s, before = clock() - began, describe(old.stack)
        new = self._new = self._begin(replace(old.order, backup=dump, files=(), origin=None))
        copy, start, after = restore_new(new), None, {}
        if not copy.trouble:
            after = describe(new.stack)
            start = new.start()
            if start.serves:
                # Reads each place until one gives its values, and raises if none does.
                Probe(new)
        return Moved(copy, start, round(clock() - began, 1), round(dump_s, 1), before, after)

    def missing_secrets(self) -> list[str]:
        """The ids of secrets that the new database lacks or holds with another value."""
        old, new = self.old.try_keys().values.digests, self.new.try_keys().values.digests
        return sorted(id_ for id_, held in old.items() if new.get(id_) != held)

    def go_back(self) -> Start:
        """Start the backend on the unchanged old database again."""
        self.old.log_out()
        return self.old.deploy(self.old.settings)

    def releases(self) -> tuple[str, str]:
        """The releases that the old and the new server report."""
        return self.old.stack.versions().database, self.new.stack.versions().database

    def steps(self) -> list[str]:
        """The steps of the move for the operator, with the times measured here."""
        moved, (was, now) = self.move(), self.releases()
        role, database = self.old.stack.owner
        major = now.partition(".")[0]
        above = "/var/lib/postgresql" if int(major) >= MOUNTED_ABOVE else "/var/lib/postgresql/data"
        prompt = f"docker compose exec -T <service of the database> psql -U {role} -d {database}"
        return [
            f"from PostgreSQL {was} to {now}; secrets were unreadable for "
            f"{'' if moved.serves else 'at least '}{moved.seconds} s here (of these "
            f"{moved.dump_s} s for the dump)",
            "(1) stop the backend: docker compose stop <service of the backend>",
            f"(2) dump, with your POSTGRES_USER and POSTGRES_DB where they are not {role} and "
            f"{database}, to a file that only you can read: (umask 077; docker compose exec -T "
            f"<service of the database> pg_dump -U {role} {database} > move.sql)",
            "(3) prove the dump: drillbook key check move.sql --env-file keys.env",
            f"(4) name postgres:{major} and a new volume at {above}, so that the old volume stays "
            "as it is; start the database alone: docker compose up -d --wait "
            "<service of the database> (a redeployment in Coolify starts the backend too, which "
            "makes tables, and lets anyone sign up as administrator: close the public address "
            "first, then stop the backend again, empty the cache, drop and create the database)",
            f"(5) restore: {prompt} -v ON_ERROR_STOP=1 < move.sql",
            "(6) only if that ended with exit code 0, start the backend; read and write a secret; "
            "restart, and read it again",
            "(7) back up and drill once more before the old volume goes; delete move.sql",
            "the way back: stop the backend, empty the cache (redis-cli FLUSHALL must print OK; "
            "it empties the whole server), then the old image with the old volume; what was "
            "written since (6) is not in it",
        ]

    def close(self) -> None:
        """Remove the new copy; the old one belongs to its drill."""
        if self._new:
            self._new.close()
