"""The planted bugs as this side sees them: a list that fixtures/mutants prints about itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase

from drillbook.core.application import ROOT
from reports.errors import ReportError, near
from reports.evidence.context import EvidenceModel

REFERENCE = "drillbook/reference:latest"
# --mutants none: generated bugs alone.
NONE = "none"


class Unqualifiable(ReportError):
    """The qualification cannot start or be read; the message says what to do."""


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
