"""The evidence of a run, frozen: the contract "drillbook/evidence/1", changed only by adding."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from reports.verdict import Nature, Severity, Verdict

Grade = Literal["deployment", "rehearsal"]
SpanKind = Literal["boot", "migrate", "dump", "restore", "step", "teardown"]


class Part(BaseModel):
    """A frozen piece of evidence. Readers ignore fields that later versions add."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)


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


class RunFacts(Part):
    """Who ran what, where, when and why."""

    id: str
    started: AwareDatetime
    finished: AwareDatetime
    duration_s: float
    command: str
    reason: str | None
    seed: int
    tool: Tool
    host: Host
    operator: str
    strict_claims: bool = False
    selection: tuple[str, ...] = Field(default=(), description="--controls; empty means all")
    interrupted: bool = False
    stopped: str | None = Field(
        default=None, description="why the run could not go on (exit code 3)"
    )


class Backend(Part):
    """The program under test: started from an image or by a command."""

    image: str | None = None
    command: str | None = None
    digest: str | None = None
    version: str | None = None


class Server(Part):
    """A server beside the backend, and what it answered when asked for its version."""

    version: str | None = None


class ComposeFile(Part):
    """The compose file the stack was started from."""

    sha256: str | None = None


class Key(Part):
    """A key by its public fingerprint; the value is in memory only."""

    name: str
    label: str
    bytes: int


class Subject(Part):
    """What was examined. Only grade `deployment` says anything about a deployment."""

    driver: str = "none"
    grade: Grade = "rehearsal"
    backend: Backend = Backend()
    database: Server = Server()
    cache: Server = Server()
    compose: ComposeFile = ComposeFile()
    keys: tuple[Key, ...] = ()
    endpoint_note: str | None = None


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


class Step(Part):
    """A titled part of a spec, and everything seen while it was under way."""

    title: str
    started: AwareDatetime
    duration_s: float
    verdict: Verdict
    exchanges: tuple[Exchange, ...] = ()
    logs: tuple[LogExcerpt, ...] = ()
    notes: tuple[str, ...] = ()


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
    observed: str | None = None
    correction: str | None = None
    frameworks: dict[str, tuple[str, ...]] = {}
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


class Objectives(Part):
    """Recovery time and recovery point, measured and wanted."""

    rto_s: float | None = None
    rto_target_s: float | None = None
    rpo_s: float | None = None
    rpo_target_s: float | None = None


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
