"""What earlier runs saw, from the evidence they left in a folder.

The seal shows whether evidence was changed: a run's manifest has the digest of its evidence, and
the next run's evidence has the digest of that manifest. A run whose folder is gone is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import AliasPath, Field

from drillbook.core.display import printable
from drillbook.core.files import file_digest, open_file, read_file
from reports.config.due_dates import next_due_day
from reports.errors import BadEvidence, ReportError
from reports.evidence import json_file
from reports.evidence.context import EvidenceModel, Organisation, Time
from reports.evidence.json_file import LARGEST, RECORD, strict_json
from reports.evidence.model import (
    Backend,
    BackupFile,
    DocumentFile,
    Grade,
    Objectives,
    Previous,
    Run,
    Seal,
)
from reports.render.phrases import NO_CORRECTION, planted_bug
from reports.seal.verification import read_entries
from reports.seal.verify_bundle import MANIFEST, Tampered, read_manifest, sha256
from reports.verdict import HOLDS, PASSED, Verdict

# Parts of a command line, of `drillbook` or of pytest, by which it is known what was asked.
_ROUTES = {
    "drillbook preflight": "preflight",
    "--preflight": "preflight",
}
# Commands that ask for controls of several chapters, by the chapter that only they ask for.
_COMMANDS = {"drill": "drill", "change": "rehearse", "document": "runbook run"}


class Facts(EvidenceModel):
    """A run in short. Only runs with the same `question` can be compared."""

    question: str = "verify"
    driver: str | None = None
    system: str | None = None
    address: str | None = Field(default=None, description="of a running instance")
    image: str | None = None
    digest: str | None = None
    version: str | None = None
    mutant: str | None = Field(default=None, description="a bug planted on purpose")
    reason: str | None = None
    started: Time | None = None
    duration_s: float | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    ended_early: bool = Field(default=False, description="it was stopped or interrupted")
    verdicts: dict[str, Verdict] = Field(default={}, description="by control")
    corrections: dict[str, str] = Field(default={}, description="by control: the better sentence")
    waived: tuple[str, ...] = Field(default=(), description="controls that a waiver excused")
    objectives: Objectives = Objectives()
    valid_until: date | None = Field(default=None, description="the last day it counts as current")

    @property
    def whose(self) -> str | None:
        """The declared system, or the address of a running instance: another is another system."""
        return self.system or self.address

    @property
    def passed(self) -> bool:
        """Whether it passed; with exit code 0 it may also have judged no gating control."""
        return self.exit_code == PASSED and self.verdict is not Verdict.NOT_APPLICABLE

    @property
    def shown(self) -> Verdict | None:
        """The verdict as it is shown: a run that ended early does not show that anything holds."""
        return Verdict.NOT_RUN if self.ended_early and self.verdict in HOLDS else self.verdict

    @property
    def words(self) -> str:
        """The verdict in words."""
        if self.ended_early and self.shown is Verdict.NOT_RUN:
            return "ended early"
        return self.verdict.words if self.verdict else "none"


class _Control(EvidenceModel):
    id: str
    verdict: Verdict
    chapter: str = ""
    waived: bool = False
    correction: str | None = None


def _at(*path: str, default: Any = None) -> Any:
    """A field that is at this path of the record; without it, the default. `...`: required."""
    return Field(default=default, validation_alias=AliasPath(*path))


class Seen(EvidenceModel):
    """The part of a record that this module reads; fields that later versions add are ignored."""

    id: str = _at("run", "id", default=...)
    finished: Time = _at("run", "finished", default=...)
    grade: Grade = _at("subject", "grade", default=...)
    controls: tuple[_Control, ...]
    command: str = _at("run", "command", default="")
    selection: tuple[str, ...] = _at("run", "selection", default=())
    asked: tuple[str, ...] = _at("run", "asked", default=())
    reason: str | None = _at("run", "reason")
    started: Time | None = _at("run", "started")
    duration_s: float | None = _at("run", "duration_s")
    verdict: Verdict | None = None
    exit_code: int | None = None
    interrupted: bool = _at("run", "interrupted", default=False)
    stopped: str | None = _at("run", "stopped")
    driver: str | None = _at("subject", "driver")
    endpoint_note: str | None = _at("subject", "endpoint_note")
    backend: Backend = _at("subject", "backend", default=Backend())
    organisation: Organisation = Organisation()
    next_due: date | None = _at("schedule", "next_due")
    objectives: Objectives = Objectives()
    seal: Seal = Seal()
    document: DocumentFile | None = _at("subject", "document")
    backup: BackupFile | None = _at("subject", "backup")

    def facts(self) -> Facts:
        """The run in short."""
        alike = Facts.model_fields.keys() & Seen.model_fields.keys()
        return Facts(
            **{name: getattr(self, name) for name in alike},
            question=_question(self),
            system=self.organisation.identity,
            # The note of a running instance begins with its address.
            address=(self.endpoint_note or "").partition(",")[0] or None
            if self.driver == "remote"
            else None,
            image=self.backend.image or self.backend.command,
            digest=self.backend.digest,
            version=self.backend.version,
            mutant=planted_bug(self.command),
            ended_early=self.interrupted or bool(self.stopped),
            verdicts={one.id: one.verdict for one in self.controls},
            waived=tuple(one.id for one in self.controls if one.waived),
            corrections={
                one.id: one.correction or NO_CORRECTION
                for one in self.controls
                if one.verdict is Verdict.CONTRADICTED
            },
            valid_until=self.next_due or next_due_day(self.finished.date(), None),
        )


def _question(seen: Seen) -> str:
    """What a run asked, in words: the whole runbook, one chapter, or some controls."""
    chapters = dict.fromkeys(one.chapter for one in seen.controls if one.id in seen.asked)
    routes = [name for mark, name in _ROUTES.items() if mark in seen.command]
    routes += ["live"] if seen.driver == "remote" else []
    routes += [name for chapter, name in _COMMANDS.items() if chapter in chapters]
    what = ", ".join(routes[:1] or chapters) or "verify"
    only = f" {', '.join(seen.selection)}" if seen.selection else ""
    return f"{what}{only}"


def find_runs(name: str) -> Path:
    """The folder of runs that the user named; ReportError if it does not exist."""
    folder = Path(name)
    if not folder.is_dir():
        said = f"{folder} is not a folder of runs; drillbook verify makes one, or give --run-dir"
        raise ReportError(said)
    refuse_one_run(folder)
    return folder


def refuse_one_run(folder: Path) -> None:
    """ReportError for the folder of one run: it holds no runs, and gets no file after its seal."""
    if (folder / RECORD).is_file():
        above = folder.resolve().parent
        raise ReportError(f"{folder} is the folder of one run; give --run-dir {above}")


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run.

    intact: the evidence is what its seal says, if it has one. document: the operator's own document
    that was carried out. backup: the one that was drilled. previous: the run sealed before it.
    """

    id: str
    finished: Time
    grade: Grade
    facts: Facts = field(default_factory=Facts)
    intact: bool = True
    document: DocumentFile | None = None
    backup: BackupFile | None = None
    previous: Previous | None = None

    @property
    def satisfied(self) -> frozenset[str]:
        """The controls that came out satisfied."""
        verdicts = self.facts.verdicts.items()
        return frozenset(one for one, seen in verdicts if seen is Verdict.SATISFIED)

    @property
    def wrong(self) -> int:
        """How many controls are violated, or contradict what the runbook says."""
        verdicts = self.facts.verdicts.values()
        return len(self.facts.corrections) + list(verdicts).count(Verdict.VIOLATED)

    @property
    def comparison_key(self) -> tuple[object, ...]:
        """The facts that two runs must share to be comparable."""
        facts, remote = self.facts, self.facts.driver == "remote"
        return self.grade, facts.question, facts.whose, facts.mutant, remote

    @property
    def is_genuine(self) -> bool:
        """Whether its evidence is unchanged and no bug was planted on purpose."""
        return self.intact and not self.facts.mutant


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, oldest first; folders whose evidence cannot be read; what else is wrong."""

    runs: tuple[Past, ...]
    unreadable: tuple[str, ...]
    troubles: tuple[str, ...] = ()

    def last_comparable(self, run: Past) -> Past | None:
        """The last comparable run that ended before this one."""
        for one in reversed(self.runs):
            if one.finished < run.finished and one.comparison_key == run.comparison_key:
                return one
        return None


def last_good_drill(history: History, instance: str | None) -> Past | None:
    """The newest drill of this instance whose keys opened everything and whose backup lost nothing.

    Only unchanged evidence counts.
    """
    for past in reversed(history.runs):
        backup, lost = past.backup, past.facts.verdicts.get("DRL-5") is Verdict.VIOLATED
        is_good = past.is_genuine and "DRL-1" in past.satisfied and not lost
        if is_good and instance and backup and backup.holds and backup.instance == instance:
            return past
    return None


def load_history(folder: Path) -> History:
    """All runs of a folder; empty where there is no folder."""
    found: dict[str, Past] = {}
    unreadable, twice = [], []
    for file in sorted(folder.glob(f"*/{RECORD}")):
        if file.parent.is_symlink():
            continue
        try:
            data = read_file(file, LARGEST)
            record = Seen.model_validate(strict_json(data))
        except (OSError, ValueError, RecursionError):
            unreadable.append(file.parent.name)
            continue
        if record.id in found:
            # A copy under another name must not take the place of the run's own folder.
            twice.append(f"run {record.id}: two folders hold a record of it")
            if file.parent.name != record.id:
                continue
        found[record.id] = _past(record, intact=_is_as_sealed(file.parent, data))
    runs = sorted(found.values(), key=lambda past: past.finished)
    troubles = (*twice, *_find_changed(folder, found))
    return History(tuple(runs), tuple(unreadable), troubles)


def past_of(run: Run) -> Past:
    """A run as its record describes it."""
    return _past(Seen.model_validate(run.model_dump(mode="json")))


def name_past(past: Past | None) -> dict[str, object] | None:
    """The id of a run and when it ended, for JSON; None for no run."""
    return {"run": past.id, "finished": past.finished} if past else None


def _past(seen: Seen, *, intact: bool = True) -> Past:
    return Past(
        seen.id,
        seen.finished,
        seen.grade,
        seen.facts(),
        intact=intact,
        document=seen.document,
        backup=seen.backup,
        previous=seen.seal.previous,
    )


def _is_as_sealed(folder: Path, evidence: bytes) -> bool:
    """Whether evidence is what the manifest in its folder says; True where there is no manifest."""
    try:
        _, files = read_manifest(read_file(folder / MANIFEST, LARGEST))
    except FileNotFoundError:
        return True
    except (OSError, Tampered):
        return False
    return RECORD in files and files[RECORD][1] == sha256(evidence)


def _find_changed(folder: Path, found: Mapping[str, Past]) -> Iterator[str]:
    """A sentence on each run that is not as it was sealed, or not as a later run follows it."""
    for name, past in found.items():
        if not past.intact:
            yield f"run {name}: its {RECORD} and its {MANIFEST} differ: one was changed since"
    for name, past in found.items():
        before = past.previous
        if before and before.run in found:
            with suppress(OSError):
                if file_digest(folder / before.run / MANIFEST) == before.manifest_sha256:
                    continue
            yield f"run {before.run}: its {MANIFEST} is not the one that run {name} follows"


def describe_latest(path: str) -> str:
    """The run that a path through `latest` leads to, its end and verdict; "" for other paths."""
    folders = [folder for folder in (Path(path), *Path(path).parents) if folder.name == "latest"]
    if not folders or not folders[0].is_symlink():
        return ""
    run = folders[0].readlink().name
    with suppress(OSError, ValueError, RecursionError):
        seen = Seen.model_validate(strict_json(read_file(folders[0] / RECORD, LARGEST)))
        verdict = seen.facts().words if seen.verdict else "no verdict"
        run += f", ended {seen.finished:%Y-%m-%d %H:%M} UTC: {verdict}, {seen.grade}"
    return printable(f"{folders[0]} is run {run}")


def load_record(origin: Path) -> Run:
    """The record in an evidence.json, a run's folder or a bundle; BadEvidence for anything else."""
    return parse_record(load_files(origin, [RECORD]), origin)


def parse_record(files: Mapping[str, bytes], origin: Path) -> Run:
    """The record among these files; BadEvidence if none of them can be read as one."""
    try:
        return json_file.parse(files.get(RECORD, b""))
    except ValueError:
        raise BadEvidence(f"{origin}: no record of a run that this version can read") from None


def load_files(origin: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The named files of a folder or a bundle, as far as it has them; of evidence.json, itself."""
    if origin.is_dir():
        found = {name: origin / name for name in names}
        return {name: read_file(path, LARGEST) for name, path in found.items() if path.is_file()}
    with open_file(origin) as file:
        is_bundle = file.read(2) == b"PK"
    if is_bundle:
        return read_entries(origin, names)
    return {RECORD: read_file(origin, LARGEST)}
