"""The planted bugs as fixtures/mutants lists them, and which controls are put before which."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable, near
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Run
from reports.qualification.trial import Trial
from reports.verdict.verdicts import Verdict

# --mutants none: generated bugs alone.
NONE = "none"
# Where containers merely come along, so many healthy ones tell what they say.
_ALONG = 2
# A healthy embedded run without another next to it takes as many processes.
_ALONE = 2
# Planted in procedures, a bug shows on any stack that is driven by them.
_ANYWHERE = ("procedure", "network")


class PlantedBug(EvidenceModel):
    """A planted bug: the control meant to catch it, where it is planted, and why it must die."""

    name: str
    control: str
    where: str
    driver: str
    sentence: str
    turns: str | None = None
    says: str | None = None
    equivalent: str | None = None


class KnownBugs(EvidenceModel):
    """Every planted bug, and how many stacks of a driver this machine carries side by side."""

    workers: dict[str, int]
    absent: dict[str, str]
    mutants: tuple[PlantedBug, ...]


def list_bugs(image: str | None) -> KnownBugs:
    """Ask fixtures/mutants, which this package must not import."""
    command = [sys.executable, "-m", "fixtures.mutants", *([image] if image else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unqualifiable(f"the planted bugs cannot be listed: {last[0]}")
    return KnownBugs.model_validate(json.loads(done.stdout))


def choose(found: Iterable[PlantedBug], patterns: Iterable[str]) -> list[PlantedBug]:
    """The bugs whose names, controls or places fit one of the patterns; each must fit some."""
    every = list(found)
    wanted = [one for one in patterns if one]
    if not wanted:
        return every
    for pattern in wanted:
        if not any(_fits(one, pattern) for one in every):
            names = [one.name for one in every]
            raise Unqualifiable(f"--mutants {pattern} fits none; {near(pattern, names)}")
    return [one for one in every if any(_fits(one, pattern) for pattern in wanted)]


def _fits(one: PlantedBug, pattern: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in (one.name, one.control, one.where))


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
