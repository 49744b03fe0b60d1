"""A rehearsed change of release, for the record: what it took, what is otherwise than before."""

from __future__ import annotations

from pydantic import Field

from reports.part import Part


class Slow(Part):
    """A migration that was among the slowest."""

    name: str
    seconds: float


class Advice(Part):
    """A trap or an upgrade note about one of the two releases, by its name."""

    name: str
    sentence: str


class Turned(Part):
    """A control whose verdict differs between the two releases; null where there was none."""

    id: str
    title: str
    older: str | None
    newer: str | None


class Change(Part):
    """From which release to which, what was seen on the way, and what there is to know of them.

    outage_s is null where it was not measured, the least it took where outage_ended is false,
    and the most where outage_seen is false, as no read failed;
    killed, unmigrated and downgraded say in a sentence what was seen of each bad start.
    """

    older: str | None = None
    newer: str | None = None
    outage_s: float | None = None
    outage_ended: bool = True
    outage_seen: bool = True
    outage_target_s: float | None = None
    migrations: int = 0
    migrations_s: float = 0.0
    slowest: tuple[Slow, ...] = ()
    differences: tuple[str, ...] = ()
    killed: str | None = None
    unmigrated: str | None = None
    downgraded: str | None = None
    advice: tuple[Advice, ...] = ()
    turned: tuple[Turned, ...] = Field(
        default=(), description="what a run of all controls says otherwise under the newer release"
    )
    compared: tuple[str, ...] = Field(
        default=(), description="the ids of the two runs that were compared; empty: none was given"
    )
