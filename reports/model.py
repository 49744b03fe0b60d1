"""The evidence of a run, frozen: the contract "drillbook/evidence/1", changed only by adding."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from reports.change import Change
from reports.frame import (
    ClockFacts,
    Deviations,
    Environment,
    Identity,
    Method,
    Organisation,
    PartOfRun,
    Person,
    Retention,
    Schedule,
    Scope,
    SignOff,
    Waiver,
)
from reports.objectives import Objectives as Objectives
from reports.part import Part
from reports.seal.facts import Seal
from reports.subject import Backend as Backend
from reports.subject import ComposeFile as ComposeFile
from reports.subject import Grade as Grade
from reports.subject import Key as Key
from reports.subject import Server as Server
from reports.subject import Subject as Subject
from reports.verdict import Nature, Severity, Verdict

SpanKind = Literal["boot", "migrate", "dump", "restore", "step", "teardown"]


class Tool(Part):
    """The harness itself; commit is null outside a git checkout."""

    version: str
    commit: str | None
    dirty: bool | None


class Host(Part):
    """The machine the harness ran on."""

    name: str
    system: str
    machine: str
    python: str
    cpus: int
    memory_bytes: int | None
    distribution: str | None = None
    kernel: str | None = None


class RunFacts(Part):
    """Who ran what, where, when and why."""

    id: str
    started: AwareDatetime
    finished: AwareDatetime
    duration_s: float
    command: str
    make: str | None = Field(default=None, description="the make command line, if make called")
    reason: str | None
    seed: int
    tool: Tool
    host: Host
    operator: str
    strict_claims: bool = False
    certified: bool = Field(default=False, description="without waivers, filters, local changes")
    selection: tuple[str, ...] = Field(default=(), description="--controls; empty means all")
    asked: tuple[str, ...] = Field(
        default=(),
        description="the controls of the one question this run asks, which alone decide the exit "
        "code; empty means all",
    )
    shard: str | None = Field(default=None, description="which part of how many this run is")
    parts: tuple[PartOfRun, ...] = Field(default=(), description="the shards a run was joined from")
    workers: int = Field(default=1, description="how many processes ran specs side by side")
    interrupted: bool = False
    clock: ClockFacts = ClockFacts()
    stopped: str | None = Field(
        default=None, description="why the run could not go on (exit code 3)"
    )


class Exchange(Part):
    """One HTTP request, or several equal ones in a row; status is null when nothing answered."""

    method: str
    url: str
    status: int | None
    duration_s: float
    count: int = 1


class LogExcerpt(Part):
    """The end of a service's log as it was at that moment."""

    service: str
    text: str
    truncated: bool = False


class Command(Part):
    """An act on a service: its verb, and for `exec` what ran inside it; no secret is in it."""

    service: str | None
    act: str
    line: str | None = None
    exit_code: int | None = None
    duration_s: float = 0.0
    count: int = 1


class Step(Part):
    """A titled part of a spec, and everything seen while it was under way."""

    title: str
    started: AwareDatetime
    duration_s: float
    verdict: Verdict
    exchanges: tuple[Exchange, ...] = ()
    logs: tuple[LogExcerpt, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()


class Spec(Part):
    """One execution of a spec for one control."""

    id: str
    verdict: Verdict
    duration_s: float
    message: str | None = None
    observations: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class Control(Part):
    """One statement, its verdict, and what its specs saw."""

    id: str
    title: str
    claim: str
    nature: Nature
    severity: Severity
    gating: bool
    verdict: Verdict
    waived: bool = False
    waiver: Waiver | None = None
    observed: str | None = None
    correction: str | None = None
    frameworks: dict[str, tuple[str, ...]] = Field(default={})
    duration_s: float = 0.0
    specs: tuple[Spec, ...] = ()
    chapter: str
    runbook: tuple[str, ...] = ()
    note: str | None = Field(default=None, description="why nothing of it ran")


class Counts(Part):
    """Controls by verdict; planned is the whole catalogue, executed those of which a spec ran."""

    planned: int
    executed: int
    satisfied: int
    contradicted: int
    violated: int
    inconclusive: int
    not_run: int
    not_applicable: int
    waived: int = 0
    specs_planned: int = 0
    specs_executed: int = 0


class Span(Part):
    """Something that took time, and which worker did it."""

    name: str
    kind: SpanKind
    started: AwareDatetime
    duration_s: float
    worker: str = "main"


class Leak(Part):
    """A known secret found in a finished file, named and never shown."""

    file: str
    secret: str
    encoding: str


class Redaction(Part):
    """How many secrets were known, how many files were searched for them, what was found."""

    secrets_known: int
    secrets_weak: int = Field(
        default=0, description="searched only where a secret stands, as any text may hold them"
    )
    scanned_files: int = 0
    leaks: tuple[Leak, ...] = ()


class Run(Part):
    """The whole record of a run."""

    schema_: Literal["drillbook/evidence/1"] = Field(default="drillbook/evidence/1", alias="schema")
    run: RunFacts
    subject: Subject
    controls: tuple[Control, ...]
    counts: Counts
    timeline: tuple[Span, ...]
    objectives: Objectives
    redaction: Redaction
    verdict: Verdict
    exit_code: int
    identity: Identity = Identity()
    organisation: Organisation = Organisation()
    people: tuple[Person, ...] = ()
    schedule: Schedule = Schedule()
    scope: Scope = Scope()
    environment: Environment = Environment()
    method: Method = Method()
    deviations: Deviations = Deviations()
    sign_off: SignOff = SignOff()
    retention: Retention = Retention()
    seal: Seal = Seal()
    documents: tuple[str, ...] = Field(
        default=(), description="the files that were written from this record; a bundle has all"
    )
    change: Change | None = Field(
        default=None, description="the change of release that this run rehearsed"
    )
