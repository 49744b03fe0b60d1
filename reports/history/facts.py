"""What is remembered of a run, taken from its record or from as much of one as can be read."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from reports.model import Grade, Objectives
from reports.part import Part
from reports.prose import NO_CORRECTION
from reports.seal.facts import Seal
from reports.verdict import Verdict

TIME_TO_LIVE = timedelta(days=90)
_MUTANT = re.compile(r"--mutant[= ](\S+)")
_ROUTES = {"--preflight": "preflight", "fixtures.rewrap": "rewrap"}


class Facts(Part):
    """A run in short. `question` is what it asked; runs of another question are not comparable."""

    question: str = "verify"
    driver: str | None = None
    system: str | None = None
    image: str | None = None
    digest: str | None = None
    version: str | None = None
    mutant: str | None = Field(default=None, description="a bug planted on purpose")
    reason: str | None = None
    started: AwareDatetime | None = None
    duration_s: float | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    verdicts: dict[str, Verdict] = Field(default={}, description="by control")
    corrections: dict[str, str] = Field(default={}, description="by control: the better sentence")
    objectives: Objectives = Objectives()
    valid_until: date | None = Field(default=None, description="the last day it counts as current")
    valid_by: Literal["declared", "default"] = "default"
    dispose_after: date | None = None


class _Run(BaseModel):
    id: str
    finished: AwareDatetime
    started: AwareDatetime | None = None
    duration_s: float | None = None
    command: str = ""
    reason: str | None = None
    selection: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    shard: str | None = None


class _Backend(BaseModel):
    image: str | None = None
    command: str | None = None
    digest: str | None = None
    version: str | None = None


class _Subject(BaseModel):
    grade: Grade
    driver: str | None = None
    backend: _Backend = _Backend()


class _Control(BaseModel):
    id: str
    verdict: Verdict
    chapter: str = ""
    correction: str | None = None


class _Organisation(BaseModel):
    system: str | None = None
    system_id: str | None = None


class _Schedule(BaseModel):
    next_due: date | None = None


class _Retention(BaseModel):
    dispose_after: date | None = None


class Seen(BaseModel):
    """As much of a record as is asked for here, whatever later versions add."""

    run: _Run
    subject: _Subject
    controls: tuple[_Control, ...]
    verdict: Verdict | None = None
    exit_code: int | None = None
    objectives: Objectives = Objectives()
    organisation: _Organisation = _Organisation()
    schedule: _Schedule = _Schedule()
    retention: _Retention = _Retention()
    seal: Seal = Seal()

    def facts(self) -> Facts:
        """What is remembered of it."""
        run, backend, due = self.run, self.subject.backend, self.schedule.next_due
        return Facts(
            question=_question(self),
            driver=self.subject.driver,
            system=self.organisation.system_id or self.organisation.system,
            image=backend.image or backend.command,
            digest=backend.digest,
            version=backend.version,
            mutant=_mutant(run.command),
            reason=run.reason,
            started=run.started,
            duration_s=run.duration_s,
            verdict=self.verdict,
            exit_code=self.exit_code,
            verdicts={one.id: one.verdict for one in self.controls},
            corrections={
                one.id: one.correction or NO_CORRECTION
                for one in self.controls
                if one.verdict is Verdict.CONTRADICTED
            },
            objectives=self.objectives,
            valid_until=due or (run.finished + TIME_TO_LIVE).date(),
            valid_by="declared" if due else "default",
            dispose_after=self.retention.dispose_after,
        )


def _question(seen: Seen) -> str:
    """What a run asked, in words: all of the runbook, one chapter, some controls, one shard."""
    run = seen.run
    chapters = dict.fromkeys(one.chapter for one in seen.controls if one.id in run.asked)
    routes = [name for mark, name in _ROUTES.items() if mark in run.command]
    what = ", ".join(routes[:1] or chapters) or "verify"
    only = f" {', '.join(run.selection)}" if run.selection else ""
    return f"{what}{only}" + (f", shard {run.shard}" if run.shard else "")


def _mutant(command: str) -> str | None:
    found = _MUTANT.search(command)
    return found[1] if found else None
