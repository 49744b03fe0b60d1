"""What earlier runs saw, from the evidence they left in a folder.

Whether it was changed since, the seal says: a run's manifest has the digest of its evidence, and
the next run's evidence that of the manifest. history.jsonl has a line for each run, so that it is
remembered when its folder is gone; a line proves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasPath, Field, ValidationError

from drillbook.core.display import printable
from drillbook.core.files import open_file, read_file
from drillbook.core.options import QUARTER
from reports.errors import BadEvidence, Distrusted
from reports.evidence import json_file
from reports.evidence.context import EvidenceModel, Organisation, Time
from reports.evidence.json_file import LARGEST, RECORD, strict_json
from reports.evidence.model import Backend, BackupFile, DocumentFile, Grade, Objectives, Run, Seal
from reports.render.phrases import NO_CORRECTION
from reports.seal.manifest import MANIFEST, digest, parse
from reports.seal.zip_file import read_entries
from reports.verdict import Verdict

_MUTANT = re.compile(r"--mutant[= ](\S+)")
# What a command line says, that of `drillbook` and that of pytest, of what was asked.
_ROUTES = {
    "drillbook preflight": "preflight",
    "--preflight": "preflight",
    "drillbook key rekey": "rewrap",
    "--rewrapped": "rewrap",
}
# Commands that ask controls of several chapters, by the chapter that only they ask.
_COMMANDS = {"drill": "drill", "change": "rehearse", "document": "runbook run"}
LEDGER = "history.jsonl"
LARGEST_LEDGER = 256 << 20


class Facts(EvidenceModel):
    """A run in short. `question` is what it asked; runs of another question are not comparable."""

    question: str = "verify"
    driver: str | None = None
    system: str | None = None
    image: str | None = None
    digest: str | None = None
    version: str | None = None
    mutant: str | None = Field(default=None, description="a bug planted on purpose")
    reason: str | None = None
    started: Time | None = None
    duration_s: float | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    verdicts: dict[str, Verdict] = Field(default={}, description="by control")
    corrections: dict[str, str] = Field(default={}, description="by control: the better sentence")
    objectives: Objectives = Objectives()
    valid_until: date | None = Field(default=None, description="the last day it counts as current")
    valid_by: Literal["declared", "default"] = "default"
    dispose_after: date | None = None


class _Control(EvidenceModel):
    id: str
    verdict: Verdict
    chapter: str = ""
    correction: str | None = None


def _at(*path: str) -> Any:
    return Field(default=None, validation_alias=AliasPath(*path))


class Seen(EvidenceModel):
    """The part of a record that this module uses, whatever later versions add."""

    id: str = Field(validation_alias=AliasPath("run", "id"))
    finished: Time = Field(validation_alias=AliasPath("run", "finished"))
    grade: Grade = Field(validation_alias=AliasPath("subject", "grade"))
    controls: tuple[_Control, ...]
    command: str = Field(default="", validation_alias=AliasPath("run", "command"))
    selection: tuple[str, ...] = Field(default=(), validation_alias=AliasPath("run", "selection"))
    asked: tuple[str, ...] = Field(default=(), validation_alias=AliasPath("run", "asked"))
    shard: str | None = _at("run", "shard")
    reason: str | None = _at("run", "reason")
    started: Time | None = _at("run", "started")
    duration_s: float | None = _at("run", "duration_s")
    verdict: Verdict | None = None
    exit_code: int | None = None
    driver: str | None = _at("subject", "driver")
    backend: Backend = Field(default=Backend(), validation_alias=AliasPath("subject", "backend"))
    system: str | None = _at("organisation", "system")
    system_id: str | None = _at("organisation", "system_id")
    next_due: date | None = _at("schedule", "next_due")
    dispose_after: date | None = _at("retention", "dispose_after")
    objectives: Objectives = Objectives()
    seal: Seal = Seal()
    document: DocumentFile | None = _at("subject", "document")
    backup: BackupFile | None = _at("subject", "backup")

    def facts(self) -> Facts:
        """The facts of a run that are remembered."""
        planted = _MUTANT.search(self.command)
        alike = Facts.model_fields.keys() & Seen.model_fields.keys() - {"system"}
        return Facts(
            **{name: getattr(self, name) for name in alike},
            question=_question(self),
            system=Organisation(system=self.system, system_id=self.system_id).identity,
            image=self.backend.image or self.backend.command,
            digest=self.backend.digest,
            version=self.backend.version,
            mutant=planted[1] if planted else None,
            verdicts={one.id: one.verdict for one in self.controls},
            corrections={
                one.id: one.correction or NO_CORRECTION
                for one in self.controls
                if one.verdict is Verdict.CONTRADICTED
            },
            valid_until=self.next_due or (self.finished + QUARTER).date(),
            valid_by="declared" if self.next_due else "default",
        )


def _question(seen: Seen) -> str:
    """What a run asked, in words: all of the runbook, one chapter, some controls, one shard."""
    chapters = dict.fromkeys(one.chapter for one in seen.controls if one.id in seen.asked)
    routes = [name for mark, name in _ROUTES.items() if mark in seen.command]
    routes += ["live"] if seen.driver == "remote" else []
    routes += [name for chapter, name in _COMMANDS.items() if chapter in chapters]
    what = ", ".join(routes[:1] or chapters) or "verify"
    only = f" {', '.join(seen.selection)}" if seen.selection else ""
    return f"{what}{only}" + (f", shard {seen.shard}" if seen.shard else "")


class LedgerLine(EvidenceModel):
    """A run that ended, and what is remembered of it."""

    schema_: Literal["drillbook/history/1"] = Field(alias="schema")
    run: str
    finished: Time
    grade: Grade
    facts: Facts = Facts()


def ledger_path(runs: Path) -> Path:
    """Where the ledger of a folder of runs is: reports/runs has it at its side, others inside."""
    ordinary = runs.parts[-2:] == ("reports", "runs")
    return (runs.parent if ordinary else runs) / LEDGER


def load_ledger(path: Path) -> tuple[list[LedgerLine], str | None]:
    """Every line that can be read, in their order; what is wrong with the file, in a sentence."""
    try:
        data = read_file(path, LARGEST_LEDGER)
    except FileNotFoundError:
        return [], None
    except OSError as trouble:
        return [], f"{path}: {trouble.strerror}; runs whose folder is gone are not listed"
    lines, bad = [], []
    for number, text in enumerate(data.split(b"\n"), 1):
        try:
            lines += [LedgerLine.model_validate_json(text)] if text else []
        except (ValidationError, RecursionError):
            bad.append(number)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return lines, f"{path}: line {bad[0]} cannot be read{more}" if bad else None


def remember(run: Run, folder: Path) -> str | None:
    """Add the line of a run whose evidence is in the folder; why that failed, else None."""
    path = ledger_path(folder.parent)
    line = LedgerLine(
        schema="drillbook/history/1",
        run=run.run.id,
        finished=run.run.finished,
        grade=run.subject.grade,
        facts=Seen.model_validate(run.model_dump(mode="json")).facts(),
    )
    text = json.dumps(line.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
    data = f"\n{text}".encode()
    try:
        # One write: runs that end at once do not mix. A break first: it ends what a crash cut off.
        with path.open("ab", buffering=0) as file:
            whole = file.write(data) == len(data)
    except OSError as trouble:
        return f"{path}: {trouble.strerror}"
    return None if whole else f"{path}: the disk is full"


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run: when it ended, how far its evidence reaches, which controls it satisfied.

    `facts` has the rest (verdicts, objectives, how long it counts). `kept`: its evidence is in the
    folder; `intact`: and it is what its seal says it was, where it has one. `document` is the
    operator's own, where one was carried out; `backup` the one that was drilled.
    """

    id: str
    finished: Time
    grade: Grade
    satisfied: frozenset[str]
    facts: Facts = field(default_factory=Facts)
    kept: bool = True
    intact: bool = True
    document: DocumentFile | None = None
    backup: BackupFile | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, oldest first; folders whose evidence cannot be read; what else is wrong.

    `changed` are the runs that troubles accuse.
    """

    runs: tuple[Past, ...]
    unreadable: tuple[str, ...]
    troubles: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def kept(self) -> History:
        """Only the runs whose evidence is still there."""
        runs = tuple(one for one in self.runs if one.kept)
        return replace(self, runs=runs)


def last_good_drill(history: History, instance: str | None) -> Past | None:
    """The newest drill of this instance whose keys opened all, and whose backup had lost nothing.

    Only evidence that is there and unchanged counts.
    """
    return next(
        (
            past
            for past in reversed(history.runs)
            if instance
            and past.backup
            and past.backup.holds
            and past.backup.instance == instance
            and past.intact
            and not past.facts.mutant
            and "DRL-1" in past.satisfied
            and past.facts.verdicts.get("DRL-5") is not Verdict.VIOLATED
        ),
        None,
    )


def load_history(folder: Path) -> History:
    """All runs of a folder of bundles and of its ledger; without either the history is empty."""
    found: dict[str, Past] = {}
    seen: dict[str, Seen] = {}
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
        seen[record.id] = record
    lines, trouble = load_ledger(ledger_path(folder))
    gone = {line.run: _from_ledger(line) for line in lines if line.run not in found}
    runs = sorted((found | gone).values(), key=lambda one: one.finished)
    accused = list(_find_changed(folder, found, seen))
    troubles = [trouble] if trouble else []
    troubles += twice
    troubles += [
        f"run {line.run}: its record and {LEDGER} have another end of it"
        for line in lines
        if line.run in found and line.finished != found[line.run].finished
    ]
    troubles += [f"run {name}: {said}" for name, said in accused]
    changed = tuple(name for name, _ in accused)
    return History(tuple(runs), tuple(unreadable), tuple(troubles), changed)


def past_of(run: Run) -> Past:
    """A run as its record describes it."""
    return _past(Seen.model_validate(run.model_dump(mode="json")))


def name_past(past: Past | None) -> dict[str, object] | None:
    """Which run it was and when it ended, for an answer as JSON."""
    return {"run": past.id, "finished": past.finished} if past else None


def _past(seen: Seen, *, intact: bool = True) -> Past:
    facts = seen.facts()
    return Past(
        seen.id,
        seen.finished,
        seen.grade,
        _satisfied_controls(facts),
        facts,
        intact=intact,
        document=seen.document,
        backup=seen.backup,
    )


def _from_ledger(line: LedgerLine) -> Past:
    satisfied = _satisfied_controls(line.facts)
    return Past(line.run, line.finished, line.grade, satisfied, line.facts, kept=False)


def _satisfied_controls(facts: Facts) -> frozenset[str]:
    return frozenset(one for one, seen in facts.verdicts.items() if seen is Verdict.SATISFIED)


def _is_as_sealed(folder: Path, evidence: bytes) -> bool:
    """Whether evidence is what the manifest in its folder says, if there is one."""
    try:
        manifest = parse(read_file(folder / MANIFEST, LARGEST))
    except FileNotFoundError:
        return True
    except (OSError, Distrusted):
        return False
    return manifest.digests.get(RECORD) == digest([evidence])


def _find_changed(
    folder: Path, found: Mapping[str, Past], seen: Mapping[str, Seen]
) -> Iterator[tuple[str, str]]:
    """Evidence that is not what was sealed; a seal that is not the one a later run followed."""
    for name, past in found.items():
        if not past.intact:
            yield name, f"its {RECORD} and its {MANIFEST} differ: one was changed since"
    for name, record in seen.items():
        before = record.seal.previous
        if before and before.run in found and _seal(folder / before.run) != before.manifest_sha256:
            yield before.run, f"its {MANIFEST} is not the one that run {name} follows"


def _seal(folder: Path) -> str | None:
    try:
        return digest([read_file(folder / MANIFEST, LARGEST)])
    except OSError:
        return None


def describe_latest(path: str) -> str:
    """Which run a path through `latest` leads to, when it ended and how; "" for another path."""
    folders = [folder for folder in (Path(path), *Path(path).parents) if folder.name == "latest"]
    if not folders or not folders[0].is_symlink():
        return ""
    run = folders[0].readlink().name
    with suppress(OSError, ValueError, RecursionError):
        seen = Seen.model_validate(strict_json(read_file(folders[0] / RECORD, LARGEST)))
        verdict = seen.verdict.value if seen.verdict else "no verdict"
        ended = seen.finished.astimezone(UTC)
        run += f", ended {ended:%Y-%m-%d %H:%M} UTC: {verdict}, {seen.grade}"
    return printable(f"{folders[0]} is run {run}")


def load_record(origin: Path) -> Run:
    """The record a user names: evidence.json, a run's folder, or a bundle; BadEvidence else."""
    return parse_record(load_files(origin, [RECORD]), origin)


def parse_record(files: Mapping[str, bytes], origin: Path) -> Run:
    """The record among these files; BadEvidence where there is none that can be read."""
    try:
        return json_file.parse(files.get(RECORD, b""))
    except ValueError:
        raise BadEvidence(f"{origin}: no record of a run that this version can read") from None


def load_files(origin: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Those of these files that a folder or a bundle holds; of a record itself, the record."""
    if origin.is_dir():
        found = {name: origin / name for name in names}
        return {name: read_file(path, LARGEST) for name, path in found.items() if path.is_file()}
    with open_file(origin) as file:
        is_bundle = file.read(2) == b"PK"
    if is_bundle:
        return read_entries(origin, names, LARGEST)
    return {RECORD: read_file(origin, LARGEST)}
