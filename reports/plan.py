"""What a run means to execute, and why anything it leaves out was left out."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

import pytest

from reports.catalogue import Catalogue
from reports.errors import UnknownControl
from reports.shard import Shard

LEFT_OUT = "left out by a filter"
ELSEWHERE = "another shard runs it"
INTERRUPTED = "the run ended before it was reached"
NO_SPEC = "no spec for it was collected"
OUTSIDE = "outside the question that this run asks"


@dataclass
class Plan:
    """The specs of a run by id, in order, each with the controls it checks."""

    selection: tuple[str, ...] = ()
    one_question: bool = False
    shard: Shard | None = None
    specs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    uncollected: list[str] = field(default_factory=list)

    def choose(self, items: list[pytest.Item], catalogue: Catalogue) -> list[pytest.Item]:
        """Keep the specs of the selected controls; return the others. Unknown ids are refused."""
        for item in items:
            self._check(item, catalogue)
        found = list(items)
        if self.selection:
            chosen = catalogue.select(self.selection)
            items[:] = [item for item in found if chosen.intersection(controls(item))]
        if self.shard:
            whole, items[:] = list(items), self.shard.chosen(items)
            self.elsewhere |= {item.nodeid for item in whole} - {item.nodeid for item in items}
        kept = {item.nodeid for item in items}
        return [item for item in found if item.nodeid not in kept]

    def leave_out(self, items: Iterable[pytest.Item]) -> None:
        """These will not run."""
        self.left_out |= {item.nodeid: controls(item) for item in items}

    def settle(self, items: Iterable[pytest.Item]) -> None:
        """These will."""
        self.specs = {item.nodeid: controls(item) for item in items}

    @property
    def planned(self) -> tuple[str, ...]:
        """The controls that at least one spec of this run checks."""
        return tuple(dict.fromkeys(control for named in self.specs.values() for control in named))

    @property
    def asked(self) -> tuple[str, ...]:
        """The controls of the one question this run asks; () when it asks about everything.

        What a filter leaves out was still asked, so a filter never turns a gate green.
        """
        if not self.one_question:
            return ()
        named = [*self.specs.values(), *self.left_out.values()]
        return tuple(dict.fromkeys(control for one in named for control in one))

    def place(self, spec: str) -> int:
        """Where a spec stands among the others, whenever it ran."""
        return list(self.specs).index(spec) if spec in self.specs else len(self.specs)

    def settled(self, done: Container[str]) -> set[str]:
        """The controls of which nothing more will be learnt once these specs are done."""
        waiting = {one for spec, named in self.specs.items() if spec not in done for one in named}
        return set(self.planned) - waiting

    def reason(self, control: str) -> str:
        """Why nothing of a control was executed."""
        if any(control in named for named in self.specs.values()):
            return INTERRUPTED
        if out := [spec for spec, named in self.left_out.items() if control in named]:
            return self.absent(out[0])
        if self.one_question and not self.uncollected:
            return OUTSIDE
        broken = f"; could not be collected: {', '.join(self.uncollected)}"
        return NO_SPEC + (broken if self.uncollected else "")

    def absent(self, spec: str) -> str:
        """Why a spec was left out."""
        return ELSEWHERE if spec in self.elsewhere else LEFT_OUT

    def _check(self, item: pytest.Item, catalogue: Catalogue) -> None:
        named = controls(item)
        if not named:
            raise UnknownControl(
                f"{item.nodeid} names no control; mark it: pytest.mark.control('KEY-1')"
            )
        for control in named:
            try:
                catalogue[control]
            except UnknownControl as trouble:
                raise UnknownControl(f"{item.nodeid}: {trouble}") from None


def controls(item: pytest.Item) -> tuple[str, ...]:
    """The controls a spec is marked with, outermost first, each once."""
    marks = reversed(list(item.iter_markers("control")))
    return tuple(dict.fromkeys(str(named) for mark in marks for named in mark.args))


def plan(config: pytest.Config) -> Plan:
    """What the options ask for; BadShard if --shard is none."""
    option = config.getoption
    return Plan(
        selection=patterns(option("--controls")),
        one_question=option("--one-question"),
        shard=Shard.read(option("--shard")) if option("--shard") else None,
    )


def patterns(option: str) -> tuple[str, ...]:
    """What --controls selects, by the commas between."""
    return tuple(pattern.strip() for pattern in option.split(",") if pattern.strip())
