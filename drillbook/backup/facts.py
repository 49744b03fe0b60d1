"""The facts that a backup states: its instance, its versions, whether it is whole, and its age.

Drills, preflight and live share one rule for its age. It is at most as old as its newest row, or as
pg_dump's own date (in an archive or a verbose dump).
It is at least as old as a time in its file's name, the time in gzip's header, or that of its file.
A copy, or a backup that is renamed or packed again, has a new name, header and file, so these never
prove that it is fresh. A time without a zone may be off by the largest difference of zones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.backup.archive import Form
from drillbook.backup.tables import Dump, moment, open_dump, text
from drillbook.core.errors import StackTrouble
from drillbook.core.signatures import GZIP
from drillbook.infisical import schema

# The time of a copy whose original has none, in seconds since 1970: its newest row counts instead.
UNDATED = 0.0
_DUMPED = "pg_dump dates it"
# The length of a zone with minutes; a shorter zone brings digits of the time along, harmlessly.
_ZONE = 6
# No zone is further ahead of UTC, or further behind.
_AHEAD, _BEHIND = timedelta(hours=14), timedelta(hours=12)
# A clock may be wrong by so much; a later time is in the future.
_SKEW = timedelta(minutes=5)
_NAMED = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
    r"(?:[T_ .-]?([01]\d|2[0-3])[-_:h.]?([0-5]\d)(?:[-_:m.]?([0-5]\d))?(Z|UTC)?)?(?!\d)"
)
_GZIP_TIMED = 8


@dataclass(frozen=True, slots=True)
class Backup:
    """The facts that a backup states; None or empty where it does not state one.

    server and dumped_by are PostgreSQL's versions; dumped_at is pg_dump's own time, as archives and
    verbose plain dumps carry it, by the clock of the machine that ran it, without a zone; newest is
    the newest time found in the rows that were read, so the backup is not older than that; changed
    is the newest among the rows that the product does not delete by itself;
    schema is the name of the product's newest migration; damage says where it is cut or broken,
    lacks which tables are made without their rows, each else empty; rows counts each table's rows;
    orders says why no restore may follow it, empty for data that is whole; beyond says that it
    makes databases, too, else empty; not_restored what a restore leaves out, else empty; gaps says
    what makes an instance that is restored from it unusable, though no row is broken; rows_alone
    that it creates no table for its rows.
    """

    path: Path
    size: int
    form: Form
    packed: str = ""
    server: str | None = None
    dumped_by: str | None = None
    dumped_at: datetime | None = None
    newest: datetime | None = None
    instance: str | None = None
    schema: str | None = None
    migrations: int = 0
    labels: tuple[str, ...] = ()
    damage: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    orders: str = ""
    beyond: str = ""
    changed: datetime | None = None
    not_restored: str = ""
    lacks: str = ""
    gaps: tuple[str, ...] = ()
    rows_alone: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, as far as a reader can know without restoring."""
        return not (self.damage or self.lacks)

    @property
    def unfit(self) -> str:
        """Why it is not a whole backup of data alone; empty if it is, maybe with its database."""
        return self.damage or (self.lacks if self.beyond else self.orders)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong with it, as ends of a sentence about it; a cut one lacks what follows."""
        if self.damage:
            return (f"is cut short or damaged: it {self.damage}",)
        return (self.unfit,) if self.unfit else self.gaps

    def stops_psql(self, server: str | None) -> str:
        """Why psql stops at its first error in this file on such a server; empty if unknown.

        pg_dump writes this setting since 17, whatever the release of the server that it dumps.
        """
        by, on = (_release(version) for version in (self.dumped_by, server))
        if self.form != "plain" or not (by >= _LIMITS_TRANSACTIONS > on > 0):
            return ""
        return (
            f"pg_dump {by} made it: on PostgreSQL {on}, psql -v ON_ERROR_STOP=1 stops at its line "
            f"SET transaction_timeout, which Drillbook leaves out: dump it by pg_dump {on}, or "
            "restore what sed '1,40{/^SET transaction_timeout/d}' makes of it"
        )


_LIMITS_TRANSACTIONS = 17


def _release(version: str | None) -> int:
    number = re.match(r"\d+", version or "")
    return int(number[0]) if number else 0


def examine(backup: Path) -> Backup:
    """Facts about a backup; BadInput where it is not one."""
    with open_dump(backup) as dump:
        return facts(dump, backup)


def facts(dump: Dump, backup: Path) -> Backup:
    """The facts of a backup that is open."""
    migrations = [text(row[0]) or "" for row in dump.rows(*schema.MIGRATIONS)]
    changed = max(_moments(dump, schema.LASTING_TIMES), default=None)
    return Backup(
        path=backup,
        size=dump.size,
        form=dump.form,
        packed=dump.packed,
        server=dump.server,
        dumped_by=dump.dumped_by,
        dumped_at=dump.dumped_at,
        newest=max([*filter(None, [changed]), *_moments(dump, schema.PASSING_TIMES)], default=None),
        instance=next(_texts(dump, schema.INSTANCES), None),
        schema=max(migrations, default=None),
        migrations=len(migrations),
        labels=tuple(_texts(dump, schema.LABELS)),
        damage=dump.damage,
        rows=dump.counts,
        orders=dump.orders(),
        beyond=dump.beyond(),
        changed=changed,
        not_restored=dump.omissions(),
        lacks=dump.lacks(),
        gaps=tuple(_gaps(dump)),
        rows_alone=dump.rows_alone,
    )


def has_root_keys(dump: Dump) -> bool:
    """Whether a backup is of a release with a root key, as its tables or its migrations show."""
    migrations = dump.rows(*schema.MIGRATIONS)
    return bool(dump.tables & schema.OF_ROOT_KEYS) or any(
        re.match(schema.MADE_ROOT_KEYS, name or b"") for (name,) in migrations
    )


def _gaps(dump: Dump) -> Iterator[str]:
    if dump.rows_alone:
        yield "holds rows and no table for them: dump again, by pg_dump without --data-only"
    if any(locked == b"1" for (locked,) in dump.rows(*schema.LOCKED)):
        yield (
            f"was dumped during a migration, or after one was killed ({schema.MIGRATION_LOCK} has "
            "is_locked = 1): look whether the instance starts, and dump again"
        )
    if not dump.counts.get(schema.PROJECTS.table):
        # An instance without a project may not be set up yet.
        return
    if dump.keyless and not dump.damage:
        yield "makes its tables without their keys: dump again, by pg_dump without --section"
    needed = dict(schema.WITHOUT_ROWS)
    if any(key for (key,) in dump.rows(*schema.KMS_USED)):
        needed |= schema.WITHOUT_KEYS
    for table, result in needed.items():
        always = table in schema.ALWAYS_FILLED
        if table == schema.ROOTS.table and not has_root_keys(dump):
            continue
        # A missing table is found by the foreign keys that refer to it; none refers to these.
        if not dump.counts.get(table, 0 if always else 1):
            yield (
                f"holds no row of {table}: an instance restored from it {result}; dump again, "
                "whole, and look whether the instance itself has such a row"
            )


def _moments(dump: Dump, reads: Iterable[schema.Rows]) -> Iterator[datetime]:
    """The newest time of each column and zone; within a zone times sort as they are written.

    A minus or plus before the zone sorts before the dot of a fraction. Other values end otherwise,
    and so do not mix with times.
    """
    newest: dict[tuple[int, bytes], bytes] = {}
    for read in reads:
        for row in dump.rows(*read):
            for at, value in enumerate(row):
                if value and value > newest.get(key := (at, value[-_ZONE:]), b""):
                    newest[key] = value
    yield from filter(None, map(moment, newest.values()))


def _texts(dump: Dump, read: schema.Rows) -> Iterator[str]:
    return (value for row in dump.rows(*read) if (value := text(row[0])))


@dataclass(frozen=True, slots=True)
class Age:
    """The least and the greatest age of a backup in seconds; most_s is None without a bound.

    said names every time that was found, for a report. file_s is the age of its file, which a copy
    of an old backup has as well; None where it is unknown.
    """

    least_s: float
    most_s: float | None
    said: tuple[str, ...]
    file_s: float | None = None

    def within(self, target_s: float) -> bool | None:
        """Whether it is at most this old; None where its times prove neither."""
        if self.most_s is not None and self.most_s <= target_s:
            return True
        return False if self.least_s > target_s else None

    def prove(self, target_s: float, what: str = "the backup") -> bool:
        """Whether it is at most this old; StackTrouble where its times prove neither."""
        if (young := self.within(target_s)) is None:
            raise StackTrouble(self.doubt(what, f"{target_s / 3600:.3g} h"))
        return young

    def doubt(self, what: str, target: str) -> str:
        """A sentence: its times do not prove that it is at most this old, and what would."""
        reason = (
            "pg_dump's date has no zone, so it may be up to 14 h older: check sooner after the "
            "dump, or allow more"
            if any(said.startswith(_DUMPED) for said in self.said)
            else "a copy has a new file time, so only rows and pg_dump's own date count; dump with "
            "-Fc or --verbose"
        )
        return f"{what} is not proven to be at most {target} old ({self}): {reason}"

    def is_young_file(self, target_s: float) -> bool:
        """Whether no time is older than this, that of its file is not, and nothing proves more.

        So it is with a plain dump of an instance in which no one changed anything.
        """
        dated = any(said.startswith(_DUMPED) for said in self.said)
        is_young = self.file_s is not None and self.file_s <= target_s
        return is_young and not dated and self.within(target_s) is None

    @property
    def in_future(self) -> bool:
        """Whether its times are later than now."""
        return self.least_s < -_SKEW.total_seconds()

    def __str__(self) -> str:
        return ", ".join(self.said)


def age(
    facts: Backup | None,
    file: Path,
    changed: float | None,
    now: datetime,
) -> Age:
    """The age of a backup at a moment.

    facts is what was read of it; changed the time of its file, or of the original it was copied
    from, in seconds since 1970, UNDATED or None where it is unknown.
    """
    not_before: list[datetime] = []
    not_after: list[datetime] = []
    words: list[str] = []

    def note(what: str, earliest: datetime | None, latest: datetime | None, at: datetime) -> None:
        words.append(f"{what} {_ago(now - at)}")
        if earliest:
            not_before.append(earliest)
        if latest:
            not_after.append(latest)

    if facts and facts.newest:
        # A row from the future proves nothing.
        early = facts.newest if facts.newest <= now + _SKEW else None
        note("its newest row is from", early, None, facts.newest)
    if facts and facts.dumped_at:
        dated = facts.dumped_at.replace(tzinfo=UTC)
        latest_dump = _bound(dated, _shift(dated, _BEHIND), now)
        note(_DUMPED, _shift(dated, -_AHEAD), latest_dump, dated)
    for earliest, latest in _named(file.name):
        note("its name says", None, _bound(earliest, latest, now), earliest)
    if packed := packed_at(file):
        note("its gzip header is from", None, packed, packed)
    file_s = None
    if changed not in (None, UNDATED) and (at_file := _date(changed)):
        file_s = (now - at_file).total_seconds()
        note("its file is from", None, at_file, at_file)
    latest = min(not_after, default=now)
    if not not_before:
        return Age((now - latest).total_seconds(), None, tuple(words), file_s)
    # Where they contradict each other, either may be wrong.
    earliest, latest = sorted((max(not_before), latest))
    least_s, most_s = (now - latest).total_seconds(), (now - earliest).total_seconds()
    return Age(least_s, most_s, tuple(words), file_s)


def _bound(at: datetime, latest: datetime, now: datetime) -> datetime:
    """The latest moment that a time without a zone may mean, which is not later than now.

    A time that lies in the future in every zone keeps its own.
    """
    return latest if _shift(at, -_AHEAD) > now + _SKEW else min(latest, now)


def stated_time(
    name: str, changed: float | None, packed: datetime | None = None
) -> tuple[datetime, datetime]:
    """When a backup was made, as its name, header or file states, and the time of its file.

    The earliest counts, since a copy has a new time. Backups of one place are sorted by these.
    changed is the time of its file, in seconds since 1970; packed that in the header of gzip,
    where it is known: a remote file is not read for it.
    """
    at_file = _date(changed or 0.0)
    stated = [at for at in (time_in_name(name), packed, at_file if changed else None) if at]
    at_file = at_file or datetime.fromtimestamp(0, UTC)
    return min(stated, default=at_file), at_file


def time_in_name(name: str) -> datetime | None:
    """The time in a file's name, read as UTC; None if it has none."""
    return next((at for at, _ in _named(name)), None)


def _date(seconds: float) -> datetime | None:
    """A time in seconds since 1970; None where no calendar has it, which a file may still state."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _shift(at: datetime, by: timedelta) -> datetime:
    """A moment so much later; the moment itself at the ends of the calendar."""
    try:
        return at + by
    except OverflowError:
        return at


def _named(name: str) -> Iterator[tuple[datetime, datetime]]:
    """The first time in a file's name, read as UTC, and the latest moment that it may mean."""
    for match in _NAMED.finditer(name):
        year, month, day, hour, minute, second, zone = match.groups()
        try:
            at = datetime(int(year), int(month), int(day), tzinfo=UTC)
        except ValueError:
            continue
        if hour is None:
            yield at, at + timedelta(days=1) + _BEHIND
        else:
            at += timedelta(hours=int(hour), minutes=int(minute), seconds=int(second or 0))
            yield at, at if zone else at + _BEHIND
        return


def packed_at(file: Path) -> datetime | None:
    """The time in the header of a gzip file; None where there is none."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        head = stream.read(_GZIP_TIMED)
    seconds = int.from_bytes(head[4:], "little")
    if not head.startswith(GZIP) or len(head) < _GZIP_TIMED or not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _ago(age: timedelta) -> str:
    minutes = abs(age.total_seconds()) / 60
    words = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
    words = words if minutes < 72 * 60 else f"{minutes / 60 / 24:.0f} days"
    return f"{words} from now" if age < -_SKEW else f"{words} ago"
