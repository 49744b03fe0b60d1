"""The evidence of a run, frozen: the contract "drillbook/evidence/1", changed only by adding."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

from pydantic import Field

from reports.evidence.context import (
    ClockFacts,
    DataSet,
    EvidenceModel,
    Identity,
    Organisation,
    Schedule,
    SignOff,
    Time,
    Waiver,
)
from reports.verdict import (
    UNUSABLE,
    Nature,
    Severity,
    Verdict,
    exit_code,
    gates,
    overall,
)

Grade = Literal["deployment", "rehearsal"]
# Why nothing of a control, or of a spec, ran.
LEFT_OUT = "left out by a filter"
INTERRUPTED = "the run ended before it was reached"
NO_SPEC = "no spec for it was collected"
OUTSIDE = "outside the question that this run asks"
SpanKind = Literal["boot", "migrate", "dump", "restore", "step", "teardown"]


class Objectives(EvidenceModel):
    """Recovery time and recovery point, measured and wanted; the time also by its phases.

    rto_s is fetch, restore, migrate, boot and read (of a first secret through the API);
    verification_s is proof and verified, which no recovery waits for.

    rpo_s is how old the backup was at most when the recovery began (at least, where that is more
    than the target; absent where what it says of itself proves neither), newest_row_s the age of
    its newest row.
    """

    rto_s: float | None = None
    rto_target_s: float | None = None
    rpo_s: float | None = None
    rpo_target_s: float | None = None
    fetch_s: float | None = None
    proof_s: float | None = None
    restore_s: float | None = None
    migrate_s: float | None = None
    boot_s: float | None = None
    verified_s: float | None = None
    read_s: float | None = None
    verification_s: float | None = None
    newest_row_s: float | None = None

    @property
    def restored(self) -> bool:
        """Whether every row came back; without that, no target is met."""
        return self.rto_s is not None or self.restore_s is not None


class Slow(EvidenceModel):
    """A migration that was among the slowest."""

    name: str
    seconds: float


class Advice(EvidenceModel):
    """A trap or an upgrade note about one of the two releases, by its name."""

    name: str
    sentence: str


class Turned(EvidenceModel):
    """A control whose verdict differs between the two releases; null where there was none."""

    id: str
    title: str
    older: str | None
    newer: str | None


class Change(EvidenceModel):
    """From which release to which, what was seen on the way, and what there is to know of them.

    outage_s is null where it was not measured, the least it took where outage_ended is false,
    and the most where outage_seen is false, as no read failed;
    killed says in a sentence what was seen of the start that was killed.
    """

    older: str | None = None
    newer: str | None = None
    outage_s: float | None = None
    outage_ended: bool = True
    outage_seen: bool = True
    outage_target_s: float | None = None
    migrations: int = 0
    migrations_s: float = 0.0
    slowest: tuple[Slow, ...] = ()
    differences: tuple[str, ...] = ()
    killed: str | None = None
    advice: tuple[Advice, ...] = ()
    turned: tuple[Turned, ...] = Field(
        default=(), description="statements that the two compared runs judged differently"
    )
    both_judged: int | None = Field(
        default=None, description="how many statements both runs judged; null: not recorded"
    )
    compared: tuple[str, ...] = Field(
        default=(), description="the ids of the two runs that were compared; empty: none was given"
    )


class Engine(EvidenceModel):
    """The container engine, as it answers when asked."""

    name: str = "Docker Engine"
    version: str | None = None
    api: str | None = None
    compose: str | None = None
    kernel: str | None = None
    system: str | None = None


class Backend(EvidenceModel):
    """The program under test: started from an image or by a command."""

    image: str | None = None
    command: str | None = None
    digest: str | None = None
    version: str | None = None


class Server(EvidenceModel):
    """A server next to the backend, and what it answered when asked for its version."""

    version: str | None = None


class ComposeFile(EvidenceModel):
    """The compose file the stack was started from."""

    sha256: str | None = None


class DocumentSection(EvidenceModel):
    """A section that is carried out, and whether everything that was looked at held."""

    title: str
    line: int
    sha256: str
    held: bool | None = None


class DocumentFile(EvidenceModel):
    """The operator's own document that was carried out."""

    name: str
    sha256: str
    commit: str | None = Field(
        default=None, description="the commit that was checked out, if it has exactly this text"
    )
    sections: tuple[DocumentSection, ...] = ()
    changed: tuple[str, ...] = Field(
        default=(), description="sections whose text is another than when it was last proved"
    )


class Holdings(EvidenceModel):
    """How much a backup holds; without the tables that the product clears by itself."""

    rows: dict[str, int] = Field(description="by table")
    projects: dict[str, int] = Field(description="secrets by the project's id")
    names: dict[str, str] = Field(default={}, description="of projects, by id")
    bytes: int = Field(description="of all rows, as the backup writes them")
    newest: Time | None = Field(default=None, description="time of the newest row")
    instance: str | None = None
    migration: str | None = Field(default=None, description="the newest one of the product")
    changed: Time | None = Field(
        default=None,
        description="time of the newest row among those that the product does not delete by itself",
    )


class BackupFile(EvidenceModel):
    """The backup that was examined: which file exactly, and what it says of itself."""

    name: str
    sha256: str = Field(
        description="of the file; of a folder over the sorted lines '<sha256>  <name>' of its files"
    )
    bytes: int
    form: str | None = Field(default=None, description="plain, custom, directory or tar")
    compression: str | None = None
    cipher: str | None = Field(
        default=None,
        description="what the file itself was encrypted with; none: it was read as it lay; "
        "restic: its repository is; null: nothing known",
    )
    taken_at: str | None = Field(
        default=None,
        description="pg_dump's own date, by the clock of its machine, without a zone",
    )
    taken_by: str | None = Field(default=None, description="the program that made it, and version")
    server: str | None = Field(default=None, description="version of the server it was taken from")
    instance: str | None = Field(default=None, description="id of the Infisical instance it holds")
    source: Literal["file", "folder", "container", "url", "repository"] | None = Field(
        default=None, description="from what kind of place it was taken"
    )
    selection: str | None = Field(
        default=None,
        description="how it was chosen, such as newest; named: it is the one given",
    )
    population: int | None = Field(
        default=None, description="how many backups lay where it was chosen from"
    )
    passed_over: tuple[str, ...] = Field(
        default=(), description="newer ones that were not taken, each with the reason"
    )
    holds: Holdings | None = None


class Key(EvidenceModel):
    """A key by its public fingerprint; the value is in memory only."""

    name: str
    label: str
    bytes: int


class Subject(EvidenceModel):
    """What was examined. Only grade `deployment` says anything about a deployment."""

    driver: str = "none"
    grade: Grade = "rehearsal"
    backend: Backend = Backend()
    database: Server = Server()
    cache: Server = Server()
    compose: ComposeFile = ComposeFile()
    keys: tuple[Key, ...] = ()
    endpoint_note: str | None = None
    data_set: DataSet | None = None
    engine: Engine | None = None
    document: DocumentFile | None = None
    backup: BackupFile | None = None


class Previous(EvidenceModel):
    """The run sealed before this one in the same folder, by the digest of its manifest."""

    run: str
    manifest_sha256: str


class Seal(EvidenceModel):
    """Who signs the bundle, and what it follows; without a key it is unsigned."""

    key_id: str | None = Field(
        default=None,
        description="SHA-256 of the public key in DER, of the one who signs the bundle",
    )
    previous: Previous | None = None


class Tool(EvidenceModel):
    """The harness itself; commit is null outside a git checkout."""

    version: str
    commit: str | None
    dirty: bool | None


class Host(EvidenceModel):
    """The machine the harness ran on."""

    name: str
    system: str
    machine: str
    python: str
    cpus: int
    memory_bytes: int | None
    distribution: str | None = None
    kernel: str | None = None


class RunFacts(EvidenceModel):
    """Who ran what, where, when and why."""

    id: str
    started: Time
    finished: Time
    duration_s: float
    command: str
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
    workers: int = Field(default=1, description="how many processes ran specs side by side")
    interrupted: bool = False
    clock: ClockFacts = ClockFacts()
    stopped: str | None = Field(
        default=None, description="why the run could not go on (exit code 3)"
    )
    ended: str | None = Field(
        None, description="why the run ended early and decides nothing, as no stack came up"
    )


class Exchange(EvidenceModel):
    """One HTTP request, or several equal ones in a row; status is null when nothing answered."""

    method: str
    url: str
    status: int | None
    duration_s: float
    count: int = 1


class LogExcerpt(EvidenceModel):
    """The end of a service's log as it was at that moment."""

    service: str
    text: str
    truncated: bool = False


class Command(EvidenceModel):
    """An act on a service: its verb, and for `exec` what ran inside it; no secret is in it."""

    service: str | None
    act: str
    line: str | None = None
    exit_code: int | None = None
    duration_s: float = 0.0
    count: int = 1


class Step(EvidenceModel):
    """A titled part of a spec, and everything seen while it was under way."""

    title: str
    started: Time
    duration_s: float
    verdict: Verdict
    exchanges: tuple[Exchange, ...] = ()
    logs: tuple[LogExcerpt, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()


class Spec(EvidenceModel):
    """One execution of a spec for one control."""

    id: str
    verdict: Verdict
    duration_s: float
    message: str | None = None
    observations: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class Correction(EvidenceModel):
    """What the runbook should say instead: a sentence, commands that belong to it, and why."""

    sentence: str
    commands: str | None = Field(default=None, description="lines for a shell; # begins a remark")
    because: str | None = Field(default=None, description="a sentence that begins with Because")
    section: str | None = Field(
        default=None,
        description="the section of the runbook where it stands; null: the first of the control's",
    )


class Statement(EvidenceModel):
    """A line of the runbook under test that a control judges."""

    section: str
    line: int
    text: str


ExposureState = Literal["exposed", "not_exposed", "not_judged"]


class Exposure(EvidenceModel):
    """Whether the deployment under test meets the condition of a conditional control, and why."""

    state: ExposureState
    because: str
    avoid: str | None = Field(
        default=None, description="the rule that keeps a deployment from being exposed"
    )


class Control(EvidenceModel):
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
    correction: str | None = Field(
        default=None, description="the sentences of the corrections, in one text"
    )
    corrections: tuple[Correction, ...] = ()
    frameworks: dict[str, tuple[str, ...]] = Field(default={})
    duration_s: float = 0.0
    specs: tuple[Spec, ...] = ()
    chapter: str
    runbook: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    note: str | None = Field(default=None, description="why nothing of it ran")
    exposure: Exposure | None = Field(
        default=None,
        description="of a conditional control, which gates only where the deployment is exposed; "
        "null: it has no condition",
    )

    @property
    def known_weakness(self) -> bool:
        """Whether a weakness of the release was seen that this deployment is not shown to have."""
        exposed = self.exposure is None or self.exposure.state == "exposed"
        return self.verdict is Verdict.VIOLATED and not exposed


class Counts(EvidenceModel):
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


class Span(EvidenceModel):
    """Something that took time, and which worker did it."""

    name: str
    kind: SpanKind
    started: Time
    duration_s: float
    worker: str = "main"


class Leak(EvidenceModel):
    """A known secret found in a finished file, named and never shown."""

    file: str
    secret: str
    encoding: str


class Redaction(EvidenceModel):
    """How many secrets were known, how many files were searched for them, what was found."""

    secrets_known: int
    secrets_weak: int = Field(
        default=0, description="searched only where a secret stands, as any text may hold them"
    )
    scanned_files: int = 0
    leaks: tuple[Leak, ...] = ()


# The version of the rules of the signed result (reports/seal/verify_bundle.py).
RULES = 3


class Run(EvidenceModel):
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
    schedule: Schedule = Schedule()
    sign_off: SignOff = SignOff()
    seal: Seal = Seal()
    declared: dict[str, Any] = Field(
        default={}, description="the table [declared] of drillbook.toml: what only people know"
    )
    documents: tuple[str, ...] = Field(
        default=(), description="the files that were written from this record; a bundle has all"
    )
    change: Change | None = Field(
        default=None, description="the change of release that this run rehearsed"
    )
    rules: int = Field(
        default=1, ge=1, le=9999, description="the version of the rules of the signed result"
    )


def is_gating(control: Control, facts: RunFacts) -> bool:
    """Whether a control decides the exit code; a violated claim counts as a matter of safety.

    A conditional one does so only where the deployment is exposed.
    """
    if control.exposure and control.exposure.state != "exposed":
        return False
    natures: list[Nature] = [control.nature]
    natures += ["safety"] if control.verdict is Verdict.VIOLATED else []
    asked = not facts.asked or control.id in facts.asked
    return asked and any(
        gates(one, control.severity, strict=facts.strict_claims) for one in natures
    )


def gate(controls: Iterable[Control], facts: RunFacts, redaction: Redaction) -> tuple[Verdict, int]:
    """The verdict and exit code of a run; a leak fails it, and an early end never passes."""
    if redaction.leaks:
        return Verdict.VIOLATED, exit_code(Verdict.VIOLATED)
    verdict = overall(c.verdict for c in controls if c.gating and not c.waived)
    if (facts.interrupted or facts.stopped) and not exit_code(verdict):
        verdict = Verdict.NOT_RUN
    return verdict, UNUSABLE if facts.stopped else exit_code(verdict)


def count(
    controls: Sequence[Control], executed: Collection[str], specs_planned: int, specs_executed: int
) -> Counts:
    """The counts of a record; `executed` has the ids of the specs that came to a verdict.

    Not every one of them was planned: what was seen next to a spec has an id of its own.
    """
    verdicts = [control.verdict for control in controls]
    return Counts(
        planned=len(controls),
        executed=sum(any(spec.id in executed for spec in c.specs) for c in controls),
        waived=sum(control.waived for control in controls),
        specs_planned=specs_planned,
        specs_executed=specs_executed,
        **{verdict.value: verdicts.count(verdict) for verdict in Verdict},
    )
