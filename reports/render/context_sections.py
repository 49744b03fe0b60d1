"""The facts of a run other than its verdicts, as rows of name and value; None means not stated.

Every document shows these rows in the same words: stated ones as a table, the others as a list of
names, so that a reader sees the gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from reports.controls import load_mappings
from reports.evidence.context import ClockFacts, DataSet
from reports.evidence.model import BackupFile, Engine, Host, Run
from reports.render import upgrade_text
from reports.render.phrases import describe_subject, duration, is_rehearsal, seal
from reports.verdict import IDLE

Row = tuple[str, str | None]


def _if_any(name: str, value: str | None) -> list[Row]:
    """The row, or nothing without a value: most runs have no such thing, so it is not a gap."""
    return [(name, value)] if value else []


def with_value(rows: list[Row]) -> list[tuple[str, str]]:
    """The rows that have a value."""
    return [(name, value) for name, value in rows if value]


def names_without_value(rows: list[Row]) -> str:
    """The names of the rows without a value, in one line; empty if each row has one."""
    return ", ".join(name.lower() for name, value in rows if not value)


def sections(run: Run) -> list[tuple[str, list[Row]]]:
    """All rows by title, in the order of every document."""
    change = list(upgrade_text.rows(run.change)) if run.change else []
    titled = [
        ("Whose system, as declared", organisation(run)),
        ("What was examined", subject(run)),
        ("The change that was rehearsed", change),
        ("What else is declared", list(_rows("", run.declared))),
        ("Where it ran", surroundings(run)),
        ("How it was called", call(run)),
    ]
    return [(title, rows) for title, rows in titled if rows]


def heading(run: Run) -> list[Row]:
    """The rows at the top of every document."""
    wanted = {"Organisation", "System", "Due again"}
    return [
        *(row for row in organisation(run) if row[0] in wanted),
        ("Examined", describe_subject(run.subject)),
        ("Grade", f"{run.subject.grade}, driver {run.subject.driver}"),
        *_if_any("Runbook under test", _tested(run)),
        ("Run", run.run.id),
        ("When", f"{moment(run.run.started)}, for {duration(run.run.duration_s)}"),
        ("Executed by", run.run.operator),
        ("Reason", run.run.reason or "not stated"),
    ]


def organisation(run: Run) -> list[Row]:
    """Whose system it is, and when its next run is due."""
    said = run.organisation
    return [
        ("Organisation", said.name),
        ("System", _join(said.system, said.system_id)),
        ("Repeated", run.schedule.cadence),
        ("Due again", day(run.schedule.next_due)),
    ]


def subject(run: Run) -> list[Row]:
    """What was examined, as its servers answered."""
    seen, document = run.subject, run.subject.document
    return [
        ("Backend", seen.backend.image or seen.backend.command),
        ("Backend digest", seen.backend.digest),
        ("Backend version", seen.backend.version),
        ("Database", seen.database.version),
        ("Cache", seen.cache.version),
        *_if_any("Runbook under test", _tested(run)),
        *_if_any("Compose file, SHA-256", seen.compose.sha256),
        *_if_any("Document, SHA-256", document.sha256 if document else None),
        *_if_any("Document, commit", document.commit if document else None),
        *_if_any("Changed since last proved", "; ".join(document.changed) if document else None),
        *(_backup(seen.backup) if seen.backup else ()),
        ("Data", _data(seen.data_set)),
        *_if_any("Note", seen.endpoint_note),
    ]


def _tested(run: Run) -> str | None:
    """The document whose statements are judged; None if it was not named."""
    book = run.identity.runbook
    return f"{book.file}, which comes with Drillbook, SHA-256 {book.sha256}" if book else None


def surroundings(run: Run) -> list[Row]:
    """Where the run took place, on which machine, and by which clock, as measured."""
    host = run.run.host
    return [
        ("Driver", run.subject.driver),
        *_if_any("Engine", _engine(run.subject.engine)),
        ("Machine", _machine(host)),
        ("System", _join(host.distribution, host.system)),
        ("Python", host.python),
        ("Clock", _clock(run.run.clock)),
    ]


def _machine(host: Host) -> str:
    memory = f", {host.memory_bytes / 2**30:.0f} GiB" if host.memory_bytes else ""
    return f"{host.name}, {host.machine}, {host.cpus} CPUs{memory}"


def call(run: Run) -> list[Row]:
    """How the run was called, by whom, when, and with which statements and specs."""
    facts, pack = run.run, run.identity.pack
    commit = facts.tool.commit or "no commit known"
    changed = ", with local changes" if facts.tool.dirty else ""
    return [
        ("Run", facts.id),
        *_if_any("Run before", run.identity.previous_run),
        ("Started", moment(facts.started)),
        ("Finished", f"{moment(facts.finished)}, after {duration(facts.duration_s)}"),
        ("Executed by", facts.operator),
        ("Reason", facts.reason),
        ("Command", facts.command),
        ("Seed", str(facts.seed)),
        *_if_any("Only these controls", ", ".join(facts.selection) or None),
        ("Seal", seal(run)),
        ("Specs", f"{run.counts.specs_executed} of {run.counts.specs_planned} executed"),
        ("Certified", "yes: no waivers, filters or local changes" if facts.certified else "no"),
        ("Drillbook", f"{facts.tool.version}, {commit}{changed}"),
        (
            "Statements and specs",
            _join(pack.name, f"SHA-256 {pack.sha256}" if pack.sha256 else None),
        ),
        *_if_any("The question asked", ", ".join(facts.asked) or None),
        *_if_any("Declared in", run.identity.declared.file if run.identity.declared else None),
    ]


def frameworks(run: Run) -> list[dict[str, Any]]:
    """The clauses of each framework for which a control of this run came to a verdict.

    Each has the ids of its controls with their verdicts; of a rehearsal, with None.
    """
    rehearsal = is_rehearsal(run)
    judged = {one.id: one.verdict for one in run.controls if one.verdict not in IDLE}
    found = []
    for framework in load_mappings():
        rows = [
            {
                "id": clause.id,
                "asks": clause.asks,
                "open": clause.open,
                "seen": [
                    [one, None if rehearsal else judged[one].value]
                    for one in clause.controls
                    if one in judged
                ],
            }
            for clause in framework.clause
            if not judged.keys().isdisjoint(clause.controls)
        ]
        if rows:
            found.append({"name": framework.name, "read": framework.read, "rows": rows})
    return found


def keys(run: Run) -> list[tuple[str, str]]:
    """The keys by their public labels."""
    return [(key.name, f"{key.label}, {key.bytes} bytes") for key in run.subject.keys]


def _rows(name: str, value: Any) -> Iterator[Row]:
    """A declared value below its name; each entry of a table, and of a list of tables, is a row."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _rows(f"{name}.{key}".lstrip("."), one)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for number, one in enumerate(value, 1):
            yield from _rows(f"{name} {number}", one)
    elif isinstance(value, list):
        yield name, "; ".join(map(_as_text, value)) or None
    else:
        yield name, _as_text(value)


def _as_text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def separation(run: Run) -> str:
    """Whether the approver is someone other than the person who executed the run."""
    said = {
        True: "The approver did not execute the run.",
        False: "The approver executed the run: approval is not independent.",
        None: "Whether the approver executed the run is not known: one of the names is missing.",
    }
    return said[run.sign_off.separated]


def moment(when: datetime) -> str:
    """24 November 2026, 16:05:12 UTC."""
    return when.astimezone(UTC).strftime("%d %B %Y, %H:%M:%S UTC").lstrip("0")


def day(when: date | None) -> str | None:
    """24 November 2026."""
    return when.strftime("%d %B %Y").lstrip("0") if when else None


def _join(*parts: str | None) -> str | None:
    return ", ".join(part for part in parts if part) or None


def _data(seen: DataSet | None) -> str | None:
    if seen is None:
        return None
    counts = ((seen.rows, "rows"), (seen.canaries, "values to compare"), (seen.bytes, "bytes"))
    stated = [f"{count:,} {what}" for count, what in counts if count is not None]
    return _join(seen.kind, seen.description, *stated)


def _backup(seen: BackupFile) -> list[Row]:
    """Which backup it was; facts that the backup does not state are gaps."""
    kept = _join(seen.form, seen.compression)
    cipher = "nothing: the file was read as it lay" if seen.cipher == "none" else seen.cipher
    taken = f"{seen.taken_at}, by the clock of its machine" if seen.taken_at else None
    among = f"of {seen.population} that lay there" if (seen.population or 0) > 1 else None
    chosen = "named by the operator" if seen.selection == "named" else seen.selection
    return [
        ("Backup", _join(f"{seen.name}, {seen.bytes:,} bytes", kept)),
        ("Backup, SHA-256", seen.sha256),
        ("Backup encrypted with", cipher),
        ("Backup found in", seen.source and f"a {seen.source}"),
        ("Backup chosen", _join(chosen, among)),
        *_if_any("Newer, and not taken", "; ".join(seen.passed_over)),
        ("Backup taken from", _join(seen.server, seen.instance and f"instance {seen.instance}")),
        ("Backup taken on", taken),
        ("Backup taken by", seen.taken_by),
    ]


def _engine(seen: Engine | None) -> str | None:
    if seen is None:
        return None
    parts = {"": seen.version, "API ": seen.api, "compose ": seen.compose, "kernel ": seen.kernel}
    stated = [f"{name}{value}" for name, value in parts.items() if value]
    return _join(f"{seen.name} {stated[0]}" if stated else seen.name, *stated[1:], seen.system)


def _clock(seen: ClockFacts) -> str:
    kept = {
        True: f"kept synchronised, off by at most {seen.max_error_s or 0:.3f} s",
        False: "not synchronised, says the kernel",
        None: "whether it is synchronised is not known",
    }
    stated = [f"{seen.source}; {kept[seen.synchronised]}"]
    stated += [
        f"{one.source} {one.offset_s:+.3f} s (± {one.uncertainty_s:.3f} s)"
        + (", the same clock" if one.same_machine else "")
        for one in seen.compared[-1:]
    ]
    return "; ".join(stated)
