"""How much a backup holds, and what of it has become less since an earlier one; without a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drillbook.backup.facts import Backup
from drillbook.backup.tables import Dump
from drillbook.infisical import schema
from drillbook.keys.hierarchy import EncryptedBackup

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a backup holds, in numbers: rows by table, secrets by project, bytes of all rows.

    Only tables count that the product does not clear by itself. newest is the time of the newest
    row that was read; migration the product's newest; names what projects are called, by id.
    """

    rows: Mapping[str, int]
    projects: Mapping[str, int]
    bytes: int
    newest: datetime | None = None
    instance: str | None = None
    migration: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> int:
        """All secrets, of both generations, with those that have no value."""
        return sum(self.rows.get(table, 0) for table in schema.SECRETS)


def take_inventory(dump: Dump, facts: Backup) -> Inventory:
    """The inventory of an opened backup."""
    backup = EncryptedBackup(dump)
    counts = Counter(at for at, _, _ in backup.secrets())
    return Inventory(
        {table: count for table, count in dump.counts.items() if not schema.CLEARED.match(table)},
        {project.id: counts[at] for at, project in enumerate(backup.projects)},
        sum(one.end - one.start for one in dump.blocks if not schema.CLEARED.match(one.table)),
        facts.newest,
        facts.instance,
        facts.schema,
        {project.id: project.name for project in backup.projects},
    )


def find_losses(before: Inventory, when: str, now: Inventory, share: float) -> list[str]:
    """What fell by more than a share of it since an earlier backup, each in one sentence.

    when says which backup that was. A table that another release may have replaced does not count;
    nor does a newest row that is up to a day older, as it is where the newest was deleted.
    """
    if before.instance and before.instance != now.instance:
        other = f"of instance {now.instance or 'not said'}, and the backup of {when}"
        return [f"it is {other} is of {before.instance}"]
    losses = [
        f"{what}: {then:,} in the backup of {when}, {left:,} now"
        for what, then, left in _pairs(before, now)
        if left < then * (1 - share)
    ]
    back = before.newest and (now.newest is None or before.newest - now.newest > _A_DAY)
    if before.newest and back and share < 1:
        row = f"of {now.newest:%Y-%m-%d %H:%M} UTC" if now.newest else "without a time"
        then = f"{before.newest:%Y-%m-%d %H:%M} UTC in the backup of {when}"
        losses.append(f"the newest row is {row}, and was of {then}")
    return losses


def _pairs(before: Inventory, now: Inventory) -> Iterator[tuple[str, int, int]]:
    yield "secrets", before.secrets, now.secrets
    for id_, count in before.projects.items():
        yield f"secrets of project {before.names.get(id_) or id_}", count, now.projects.get(id_, 0)
    for table, count in before.rows.items():
        same = table in now.rows or before.migration == now.migration
        if same and table not in schema.SECRETS:
            yield f"rows of {table}", count, now.rows.get(table, 0)
    yield "bytes of rows", before.bytes, now.bytes
