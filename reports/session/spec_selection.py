"""Which specs a run executes, in which order, and why it leaves others out.

The order follows from the seed: a spec that depends on another fails sooner or later.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from random import Random

import pytest

from reports.controls import Catalogue, patterns
from reports.errors import ReportError
from reports.evidence.model import INTERRUPTED, LEFT_OUT, NO_SPEC, OUTSIDE

# The mark of a spec that changes nothing.
READING = "reading"


def shuffle(items: Iterable[pytest.Item], seed: int) -> list[pytest.Item]:
    """The specs by folder and file; the seed decides the order of folders, files and specs.

    A filter does not change the order of the remaining specs. A spec with the mark `closing` comes
    last in its folder, as it ends what the others share. Specs that share a fixture of their file
    keep their order, as one looks at what another did; so do the parameters of a spec. All specs
    with the mark `reading` stay together like one folder.
    """
    found = list(items)
    sharing = {_file(item) for item in found if shares_fixture(item)}
    return sorted(found, key=lambda item: _places(item, seed, sharing))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def shares_fixture(item: pytest.Item) -> bool:
    """Whether a test uses a fixture that is made once for its file."""
    fixtures = getattr(item, "_fixtureinfo", None)
    known = fixtures.name2fixturedefs.values() if fixtures else ()
    return any(one.scope == "module" for defined in known for one in defined)


def _places(item: pytest.Item, seed: int, sharing: set[str]) -> list[float]:
    file = _file(item)
    reads = file not in sharing and item.get_closest_marker(READING)
    folder = READING if reads else str(PurePosixPath(file).parent)
    named = [folder, file, *([] if file in sharing else [item.nodeid.partition("[")[0]])]
    first, *within = [Random(f"{seed} {name}").random() for name in named]  # noqa: S311 - an order is not a secret
    return [first, float(item.get_closest_marker("closing") is not None), *within]


@dataclass
class Plan:
    """The specs of a run by id, in order, each with the controls it checks.

    own_question: the selected controls alone decide, and chosen are these controls.
    """

    selection: tuple[str, ...] = ()
    one_question: bool = False
    own_question: bool = False
    specs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    uncollected: list[str] = field(default_factory=list)
    chosen: tuple[str, ...] = ()

    def choose(self, items: list[pytest.Item], catalogue: Catalogue) -> list[pytest.Item]:
        """Keep the specs of the selected controls, and return the others; refuse unknown ids."""
        for item in items:
            self._check(item, catalogue)
        found = list(items)
        if self.selection:
            chosen = catalogue.select(self.selection)
            items[:] = [item for item in found if chosen.intersection(controls(item))]
            if self.own_question:
                self.chosen = tuple(one for one in catalogue.ids if one in chosen)
        kept = {item.nodeid for item in items}
        return [item for item in found if item.nodeid not in kept]

    def leave_out(self, items: Iterable[pytest.Item]) -> None:
        """Note that these specs will not run."""
        self.left_out |= {
            item.nodeid: controls(item)
            for item in items
            if not self.chosen or set(self.chosen).intersection(controls(item))
        }

    def settle(self, items: Iterable[pytest.Item]) -> None:
        """Note that these specs will run."""
        self.specs = {item.nodeid: controls(item) for item in items}

    @property
    def planned(self) -> tuple[str, ...]:
        """The controls that at least one spec of this run checks."""
        return tuple(dict.fromkeys(control for named in self.specs.values() for control in named))

    @property
    def asked(self) -> tuple[str, ...]:
        """The controls that decide this run; () when all do.

        A spec that a filter leaves out still counts, so a filter never turns a gate green. With
        own_question all selected controls count, with or without a spec.
        """
        if self.chosen:
            return self.chosen
        if not self.one_question:
            return ()
        named = [*self.specs.values(), *self.left_out.values()]
        return tuple(dict.fromkeys(control for one in named for control in one))

    def place(self, spec: str) -> int:
        """The position of a spec in the plan."""
        return list(self.specs).index(spec) if spec in self.specs else len(self.specs)

    def settled_controls(self, done: Container[str]) -> set[str]:
        """The controls that are decided once these specs are done."""
        waiting = {one for spec, named in self.specs.items() if spec not in done for one in named}
        return set(self.planned) - waiting

    def reason(self, control: str) -> str:
        """Why no spec of a control was executed."""
        if any(control in named for named in self.specs.values()):
            return INTERRUPTED
        if any(control in named for named in self.left_out.values()):
            return LEFT_OUT
        if self.one_question and not self.uncollected:
            return OUTSIDE
        broken = f"; could not be collected: {', '.join(self.uncollected)}"
        return NO_SPEC + (broken if self.uncollected else "")

    def _check(self, item: pytest.Item, catalogue: Catalogue) -> None:
        named = controls(item)
        if not named:
            raise ReportError(
                f"{item.nodeid} names no control; mark it: pytest.mark.control('KEY-1')"
            )
        for control in named:
            try:
                catalogue[control]
            except ReportError as trouble:
                raise ReportError(f"{item.nodeid}: {trouble}") from None


def controls(item: pytest.Item) -> tuple[str, ...]:
    """The controls a spec is marked with, outermost first, each once."""
    marks = reversed(list(item.iter_markers("control")))
    return tuple(dict.fromkeys(str(named) for mark in marks for named in mark.args))


def plan(config: pytest.Config) -> Plan:
    """The plan that the options ask for."""
    option = config.getoption
    return Plan(
        selection=patterns(option("--controls")),
        one_question=option("--one-question") or option("--own-question"),
        own_question=option("--own-question"),
    )
