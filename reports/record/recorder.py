"""The recorder of a run: what drivers, clients and specs report, redacted as it comes in.

A spec is a draft while it runs: steps open and close, and requests, notes and logs are added.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast, get_args

from reports.errors import ReportError, near
from reports.evidence.context import Comparison, EvidenceModel
from reports.evidence.model import (
    Change,
    Command,
    Exchange,
    Exposure,
    ExposureState,
    LogExcerpt,
    Objectives,
    Span,
    SpanKind,
    Step,
    Subject,
)
from reports.redaction.redactor import Redactor
from reports.verdict import Nature, Verdict, worst

_EXCERPT_LINES = 40
_EXCERPT_CHARACTERS = 4000
OUTSIDE = {"setup": "set up", "call": "between the steps", "teardown": "tear down"}


class Clock:
    """Wall time that never jumps: the wall clock is read once, then the monotonic clock counts."""

    def __init__(self, wall: datetime | None = None, zero: float | None = None) -> None:
        self._wall = wall or datetime.now(UTC)
        self._zero = time.perf_counter() if zero is None else zero

    @property
    def origin(self) -> tuple[datetime, float]:
        """The first two readings, with which another process on this machine has the same clock."""
        return self._wall, self._zero

    def seconds(self) -> float:
        """The seconds since this clock was made."""
        return time.perf_counter() - self._zero

    def at(self, seconds: float) -> datetime:
        """The moment that many seconds after the start, to the millisecond."""
        moment = self._wall + timedelta(seconds=seconds)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class StepDraft:
    """A step that runs or has ended."""

    title: str
    started: float
    duration: float | None = None
    state: Literal["open", "held", "failed"] = "open"
    # For the terminal only; it is not evidence.
    progress: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    logs: list[LogExcerpt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def freeze(self, clock: Clock, verdict: Verdict) -> Step:
        """The step as evidence; a failed one has the verdict of its spec, an open one not_run."""
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
    """A spec that runs or has ended. `verdicts` has violated for each failed assertion.

    unsafe: its findings are a matter of safety, even if its controls are claims. exposure: whether
    the deployment meets the condition of its control, if that has one.
    """

    id: str
    controls: tuple[str, ...]
    started: float
    duration: float | None = None
    phase: str = "setup"
    verdicts: list[Verdict] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    # What its set-up waits for, for the terminal alone.
    waiting: str = ""
    unsafe: bool = False
    exposure: Exposure | None = None
    steps: list[StepDraft] = field(default_factory=list)
    open: list[StepDraft] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its phases; not_run if it was interrupted before the first."""
        return worst(self.verdicts)

    def verdict_for(self, nature: Nature) -> Verdict:
        """Its verdict for a control of this nature."""
        return self.verdict.of("safety" if self.unsafe else nature)

    def step(self, now: float) -> StepDraft:
        """The current step; between steps, one that is named after the phase."""
        if self.open:
            return self.open[-1]
        title = OUTSIDE[self.phase]
        if not self.steps or self.steps[-1].title != title:
            self.steps.append(StepDraft(title, now, state="held"))
        self.steps[-1].duration = now - self.steps[-1].started
        return self.steps[-1]


def add[Seen: (Command, Exchange)](seen: list[Seen], new: Seen) -> None:
    """Add a command or a request; equal ones in a row are counted as one, as in polling."""
    own = {"duration_s", "count"}
    last = seen[-1] if seen else None
    if last and last.model_dump(exclude=own) == new.model_dump(exclude=own):
        total = round(last.duration_s + new.duration_s, 3)
        new = new.model_copy(update={"duration_s": total, "count": last.count + 1})
        seen.pop()
    seen.append(new)


def excerpt(service: str, text: str) -> LogExcerpt:
    """The last lines of a log, short enough for a report."""
    lines = text.rstrip("\n").split("\n")
    end = "\n".join(lines[-_EXCERPT_LINES:])[-_EXCERPT_CHARACTERS:]
    return LogExcerpt(service=service, text=end, truncated=len(end) < len(text.rstrip("\n")))


def wall_clock_s(specs: Iterable[SpecDraft], now: float) -> float:
    """The seconds in which at least one of these specs ran; now ends one that still runs."""
    total = until = 0.0
    for spec in sorted(specs, key=lambda draft: draft.started):
        end = now if spec.duration is None else spec.started + spec.duration
        total += max(0.0, end - max(until, spec.started))
        until = max(until, end)
    return total


class Recorder:
    """Collects what a run observes; safe to use from threads."""

    def __init__(self, seed: int = 0, clock: Clock | None = None) -> None:
        self.seed = seed
        self.clock = clock or Clock()
        self.redactor = Redactor()
        self.logs: Path | None = None
        self.trouble: OSError | None = None
        self.specs: list[SpecDraft] = []
        self.spans: list[Span] = []
        self.facts: dict[str, object] = {}
        self.measured: dict[str, float] = {}
        self.changed: dict[str, object] = {}
        self.clocks: list[Comparison] = []
        self.tell_progress: Callable[[str], None] = lambda _spec: None
        self._spec: SpecDraft | None = None
        self._lock = threading.RLock()
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

    def secret(self, name: str, value: str) -> None:
        """Make a value known, so that it is redacted and searched for in the finished bundle."""
        self.redactor.add(name, value)

    def exchange(self, method: str, url: str, status: int | None, duration_s: float) -> None:
        """Note one HTTP request and its answer (status None: no answer) in the current step."""
        seen = Exchange(
            method=method,
            url=self.redactor.text(url),
            status=status,
            duration_s=round(duration_s, 3),
        )
        self._leave(lambda step: add(step.exchanges, seen))

    def note(self, text: str) -> None:
        """Add a line of the operator's log to the current step."""
        text = self.redactor.text(text)
        self._leave(lambda step: step.notes.append(text))

    def _leave(self, put: Callable[[StepDraft], None]) -> None:
        with self._lock:
            if self._spec is not None:
                put(self._spec.step(self.clock.seconds()))

    def progress(self, text: str) -> None:
        """Say how far the current step or set-up is: for the terminal, not for the record."""
        with self._lock:
            if self._spec is None:
                return
            if self._spec.open:
                self._spec.open[-1].progress = self.redactor.text(text)
            else:
                self._spec.waiting = self.redactor.text(text)
            spec = self._spec.id
        self.tell_progress(spec)

    def command(
        self, service: str | None, act: str, line: str | None, status: int | None, taken_s: float
    ) -> None:
        """Note what was done to a service (exec, restart, ...) in the current step."""
        done = Command(
            service=service,
            act=act,
            line=self.redactor.text(line) if line else None,
            exit_code=status,
            duration_s=round(taken_s, 3),
        )
        self._leave(lambda step: add(step.commands, done))

    def compare_clock(
        self, source: str, offset_s: float, uncertainty_s: float, *, same_machine: bool | None
    ) -> None:
        """State how far ahead of ours another clock is."""
        seen = Comparison(
            source=source,
            offset_s=round(offset_s, 6),
            uncertainty_s=round(uncertainty_s, 6),
            same_machine=same_machine,
        )
        with self._lock:
            self.clocks.append(seen)

    @contextmanager
    def span(self, name: str, kind: str) -> Iterator[None]:
        """Time a boot, migrate, dump, restore or teardown for the timeline."""
        if kind not in get_args(SpanKind):
            raise ReportError(f"span kind {kind!r}; {near(kind, get_args(SpanKind))}")
        started = self.clock.seconds()
        try:
            yield
        finally:
            self._add_span(self.redactor.text(name), kind, started)

    def log(self, service: str, text: str) -> None:
        """Append a service's log to the bundle, and its last lines to the current step."""
        text = self.redactor.text(text)
        with self._lock:
            owner = "the run"
            if self._spec is not None and text.strip():
                owner = self._spec.id
                self._spec.step(self.clock.seconds()).logs.append(excerpt(service, text))
            if self.logs is not None:
                head = f"=== {self.clock.at(self.clock.seconds())}, {owner}"
                self._put(self.logs / f"{service}.log", f"{head}\n{text}\n", "a")

    def attach(self, name: str, text: str) -> None:
        """Write a text that was made during the run to the run's folder, redacted."""
        if self.logs is not None:
            with self._lock:
                self._put(self.logs.parent / name, self.redactor.text(text), "w")

    def subject(self, **facts: object) -> None:
        """State what is examined: driver, grade, backend, database, cache, keys, data_set, ..."""
        self._state(Subject, self.facts, facts)

    def change(self, **facts: object) -> None:
        """State a fact about the rehearsed change of release."""
        self._state(Change, self.changed, facts)

    def objectives(self, **seconds: float) -> None:
        """State a measured or wanted recovery time or point (rto_s, rto_target_s, rpo_s, ...)."""
        self._state(Objectives, self.measured, seconds)

    def _state(
        self, model: type[EvidenceModel], known: dict[str, Any], facts: Mapping[str, object]
    ) -> None:
        """Keep facts that are fields of the model; ReportError for one that is not."""
        for name in facts:
            if name not in model.model_fields:
                said = model.__name__.lower()
                raise ReportError(f"{said}({name}=...); {near(name, model.model_fields)}")
        model.model_validate(facts)
        with self._lock:
            known.update(facts)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A titled part of the current spec."""
        draft = StepDraft(self.redactor.text(title), self.clock.seconds())
        spec = self._spec
        if spec is not None:
            spec.steps.append(draft)
            spec.open.append(draft)
        try:
            yield
            draft.state = "held"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            draft.state = "failed"
            raise
        finally:
            draft.duration = self.clock.seconds() - draft.started
            if spec is not None:
                spec.open.remove(draft)
                self._add_span(draft.title, "step", draft.started)

    def begin(self, spec: str, controls: tuple[str, ...]) -> None:
        """A spec starts."""
        with self._lock:
            self._spec = SpecDraft(spec, controls, self.clock.seconds())
            self.specs.append(self._spec)

    def phase(self, name: str) -> None:
        """The current spec begins its setup, call or teardown."""
        if self._spec is not None:
            self._spec.phase = name

    def judge(self, verdict: Verdict, message: str | None) -> None:
        """The current phase ended with this verdict."""
        if self._spec is not None:
            self._spec.verdicts.append(verdict)
            if message:
                self._spec.messages.append(self.redactor.text(message))

    def observe(self, word: str) -> None:
        """The current spec saw something that is in the vocabulary of observations."""
        if self._spec is not None and word not in self._spec.words:
            self._spec.words.append(word)

    def exposure(self, state: ExposureState, because: str) -> None:
        """Whether the operator's deployment meets the condition of the current spec's control."""
        if self._spec is not None:
            self._spec.exposure = Exposure(state=state, because=self.redactor.text(because))

    def mark_unsafe(self) -> None:
        """The findings of the current spec are a matter of safety, even if it checks a claim."""
        if self._spec is not None:
            self._spec.unsafe = True

    def accuse(self, control: str, title: str, said: str) -> bool:
        """Record that a control is violated, even if the current spec checks another one.

        The evidence is that of an additional spec, named after both. False if no spec is running,
        because then it would not be judged.
        """
        with self._lock:
            if self._spec is None:
                return False
            name, said = f"{self._spec.id} ({title})", self.redactor.text(said)
            found = next((one for one in self.specs if one.id == name), None)
            if found is None:
                found = SpecDraft(name, (control,), self.clock.seconds(), duration=0.0)
                found.verdicts.append(Verdict.VIOLATED)
                found.steps.append(StepDraft(title, found.started, 0.0, "failed"))
                self.specs.append(found)
            found.messages.append(said)
        return True

    def end(self) -> None:
        """The current spec has ended, including its teardown."""
        with self._lock:
            if self._spec is not None:
                self._spec.duration = self.clock.seconds() - self._spec.started
                self._spec = None

    @property
    def under_way(self) -> tuple[str, float] | None:
        """The title of the current step and its seconds so far, for the terminal."""
        spec, now = self._spec, self.clock.seconds()
        if spec is None:
            return None
        if not spec.open:
            waiting = f": {spec.waiting}" if spec.waiting and spec.phase == "setup" else ""
            return f"{OUTSIDE[spec.phase]}{waiting}", now - spec.started
        step = spec.open[-1]
        title = f"{step.title}: {step.progress}" if step.progress else step.title
        return title, now - step.started

    def _add_span(self, name: str, kind: str, started: float) -> None:
        span = Span(
            name=name,
            kind=cast(SpanKind, kind),
            started=self.clock.at(started),
            duration_s=round(self.clock.seconds() - started, 3),
            worker=self._worker,
        )
        with self._lock:
            self.spans.append(span)

    def _put(self, path: Path, text: str, mode: Literal["a", "w"]) -> None:
        """Write to disk at once; a full disk is reported later, so that it hides no finding."""
        try:
            path.parent.mkdir(exist_ok=True)
            with path.open(mode, encoding="utf-8") as file:
                # Workers write to the same file, and a log may be longer than one write.
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(text)
        except OSError as trouble:
            self.trouble = trouble
