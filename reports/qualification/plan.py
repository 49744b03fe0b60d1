"""Which controls are put before which bug, and what a healthy stack is known to say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from drillbook.core.application import ROOT
from reports.controls.catalogue import Catalogue
from reports.evidence.model import Run
from reports.qualification.judgement import Seen
from reports.qualification.planted_bugs import PlantedBug
from reports.qualification.trial import Trial
from reports.verdict.verdicts import Verdict

PREDICTED = ROOT / "tests" / "predicted.toml"
_TABLES = {"embedded": "reference", "files": "reference", "remote": "rehearsal"}
# Where containers merely come along, so many healthy ones tell what they say.
_ALONG = 2
# A healthy embedded run without another next to it takes as many processes.
_ALONE = 2
# Planted in procedures, a bug shows on any stack that is driven by them.
_ANYWHERE = ("procedure", "network")


def load_predictions(driver: str, catalogue: Catalogue, path: Path = PREDICTED) -> dict[str, Seen]:
    """What measurements of the product predict of a healthy stack; {} for an unknown driver."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    predicted = tables.get(_TABLES.get(driver, driver), {})
    seen = {}
    for control, (verdict, *words) in predicted.items():
        observed = "; ".join(catalogue.sentence(word, [control]) for word in words) or None
        seen[control] = Seen(verdict=Verdict(verdict), observed=observed)
    return seen


def healthy_trials(
    bugs: Sequence[PlantedBug], stack: str, runs: int, image: str | None, some: bool = False
) -> list[Trial]:
    """So many runs of every driver that a bug is planted on; the number is the seed.

    Where containers merely come along, or only some bugs are planted in them, a healthy one is
    asked only what these bugs are about.
    """
    drivers = {driver_for(one, stack) for one in bugs}
    here = [one for one in bugs if driver_for(one, stack) == "containers"]
    few = tuple(dict.fromkeys(one.control for one in here))
    asked = {"containers": few if some or stack == "auto" else ()}
    # One alone would keep the others waiting: its specs are shared.
    workers = {"embedded": _ALONE} if runs == 1 else {}
    return [
        Trial(
            driver,
            None,
            asked.get(driver, ()),
            number,
            image if driver == "containers" else None,
            workers=workers.get(driver, 1),
        )
        for driver in ("embedded", "containers", "remote")
        if driver in drivers
        for number in range(
            1, (min(runs, _ALONG) if (stack, driver) == ("auto", "containers") else runs) + 1
        )
    ]


def trials(
    bugs: Iterable[PlantedBug],
    took: Mapping[str, float],
    stack: str,
    image: str | None,
) -> list[Trial]:
    """One for each bug that is not equivalent and can be planted here, the longest first.

    took: seconds of each control on a healthy stack.
    """
    found = []
    for one in bugs:
        driver = driver_for(one, stack)
        if driver and not one.equivalent:
            with_image = image if driver == "containers" else None
            # Files and a rehearsed address are looked at in a moment: all of it is asked.
            whole = driver in ("files", "remote")
            controls = () if whole else (one.control,)
            found.append(Trial(driver, one.name, controls, image=with_image))

    def expected_s(one: Trial) -> float:
        return sum(took.get(name, 1.0) for name in one.controls)

    return sorted(found, key=expected_s, reverse=True)


def driver_for(one: PlantedBug, stack: str) -> str | None:
    """The driver a bug is planted on in a qualification of this stack; None: on none."""
    if stack == "containers":
        anywhere = one.where in _ANYWHERE and one.driver != "remote"
        return "containers" if one.driver == "containers" or anywhere else None
    if one.where == "file":
        return "files"
    return None if (stack, one.driver) == ("embedded", "containers") else one.driver


def durations(runs: Iterable[Run]) -> dict[str, float]:
    """Seconds each control took on a healthy stack, where a spec of it ran."""
    return {
        control.id: control.duration_s
        for run in runs
        for control in run.controls
        if control.verdict not in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
    }
