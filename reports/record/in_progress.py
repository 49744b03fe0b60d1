"""A spec while it is under way: steps open and close, exchanges, notes and logs gather."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from reports.evidence.model import Command, Exchange, LogExcerpt, Step
from reports.verdict.verdicts import Nature, Verdict, worst

_EXCERPT_LINES = 40
_EXCERPT_CHARACTERS = 4000
OUTSIDE = {"setup": "set up", "call": "between the steps", "teardown": "tear down"}


class Clock:
    """Wall time that never jumps: one reading of the wall, then the monotonic clock."""

    def __init__(self, wall: datetime | None = None, zero: float | None = None) -> None:
        self._wall = wall or datetime.now(UTC)
        self._zero = time.perf_counter() if zero is None else zero

    @property
    def origin(self) -> tuple[datetime, float]:
        """The two readings, for another process on this machine to go by the same clock."""
        return self._wall, self._zero

    def seconds(self) -> float:
        """Since this clock was made."""
        return time.perf_counter() - self._zero

    def at(self, seconds: float) -> datetime:
        """The moment, to the millisecond."""
        moment = self._wall + timedelta(seconds=seconds)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class StepDraft:
    """A step under way, or done."""

    title: str
    started: float
    duration: float | None = None
    state: Literal["open", "held", "failed"] = "open"
    # How far it is; for the terminal alone.
    progress: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    logs: list[LogExcerpt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def freeze(self, clock: Clock, verdict: Verdict) -> Step:
        """As evidence. A failed step has the verdict of its spec; an open one did not end."""
        verdicts = {"held": Verdict.SATISFIED, "failed": verdict, "open": Verdict.NOT_RUN}
        duration = clock.seconds() - self.started if self.duration is None else self.duration
        return Step(
            title=self.title,
            started=clock.at(self.started),
            duration_s=round(duration, 3),
            verdict=verdicts[self.state],
            exchanges=tuple(self.exchanges),
            logs=tuple(self.logs),
            notes=tuple(self.notes),
            commands=tuple(self.commands),
        )


@dataclass
class SpecDraft:
    """A spec under way, or done; `verdicts` says violated for any failed assertion.

    unsafe: what it found is a matter of safety, whatever the nature of its controls.
    """

    id: str
    controls: tuple[str, ...]
    started: float
    duration: float | None = None
    phase: str = "setup"
    verdicts: list[Verdict] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unsafe: bool = False
    steps: list[StepDraft] = field(default_factory=list)
    open: list[StepDraft] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The worst of its phases; not_run when it was interrupted before it had one."""
        return worst(self.verdicts)

    def verdict_for(self, nature: Nature) -> Verdict:
        """Its verdict for a control of this nature."""
        return self.verdict.of("safety" if self.unsafe else nature)

    @property
    def under_way(self) -> str | None:
        """The title of the step under way, and how far it is; None outside of any."""
        if not self.open:
            return None
        step = self.open[-1]
        return f"{step.title}: {step.progress}" if step.progress else step.title

    def step(self, now: float) -> StepDraft:
        """The step under way; outside of any, one named after the phase."""
        if self.open:
            return self.open[-1]
        title = OUTSIDE[self.phase]
        if not self.steps or self.steps[-1].title != title:
            self.steps.append(StepDraft(title, now, state="held"))
        self.steps[-1].duration = now - self.steps[-1].started
        return self.steps[-1]


def add[Seen: (Command, Exchange)](seen: list[Seen], new: Seen) -> None:
    """Add an act or a request; to the last one when it is equal, so that polling stays readable."""
    own = {"duration_s", "count"}
    last = seen[-1] if seen else None
    if last and last.model_dump(exclude=own) == new.model_dump(exclude=own):
        total = round(last.duration_s + new.duration_s, 3)
        new = new.model_copy(update={"duration_s": total, "count": last.count + 1})
        seen.pop()
    seen.append(new)


def excerpt(service: str, text: str) -> LogExcerpt:
    """The last lines of a log, few enough for a report."""
    lines = text.rstrip("\n").split("\n")
    end = "\n".join(lines[-_EXCERPT_LINES:])[-_EXCERPT_CHARACTERS:]
    return LogExcerpt(service=service, text=end, truncated=len(end) < len(text.rstrip("\n")))
