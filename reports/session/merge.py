"""`drillbook evidence merge`: joins shards to one record, or puts other runs into a matrix.

A record has one subject and so one verdict; a matrix has none of its own. Each control is taken
from the shard that ran it. The merged folders stay unchanged; each shard searched its own files for
its own secrets.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drillbook.core.files import file_digest
from reports.config.declarations import is_separated, list_exclusions, uuid_of_run
from reports.errors import ReportError
from reports.evidence import json_file
from reports.evidence.context import PartOfRun, SignOff
from reports.evidence.findings import judge, match_keys
from reports.evidence.json_file import RECORD
from reports.evidence.model import (
    ELSEWHERE,
    Control,
    Objectives,
    Redaction,
    Run,
    RunFacts,
    Span,
    Subject,
    count,
    gate,
    is_gating,
)
from reports.history.compare import describe, files, matrix
from reports.history.runs import refuse_one_run
from reports.record import run_metadata
from reports.redaction.redactor import Redactor
from reports.render.phrases import planted_bug
from reports.render.terminal import Line, write
from reports.seal.sealer import contents, make_sealer, refuse_changes
from reports.session.bundle import Bundle, new_id
from reports.session.spec_selection import Shard
from reports.verdict import HOLDS, IDLE, PASSED, worst

# What shards may differ in: each has keys and an engine of its own.
_OWN = {"keys", "engine", "endpoint_note"}
_SAME: dict[str, Callable[[Run], object]] = {
    "version or commit of Drillbook": lambda run: run.run.tool,
    "specs or catalogue": lambda run: (run.identity.pack.sha256, _catalogue(run)),
    "subject": lambda run: run.subject.model_dump(exclude=_OWN),
    "selection": lambda run: (run.run.selection, run.run.asked, run.run.strict_claims),
    "declarations": lambda run: (run.identity.declared, run.identity.number),
}


def refuse_unlike(runs: Sequence[Run]) -> None:
    """ReportError unless these are different shards of one run, without a planted bug."""
    for run in runs:
        if not run.run.shard:
            raise ReportError(
                f"{run.run.id} is not a shard: it was run without --shard. Join the shards first; "
                "what comes of it can stand next to other runs"
            )
        _refuse_bug(run, "joined record")
    for what, seen in _SAME.items():
        alike = [run for run in runs if what != "subject" or _has_stack(run)]
        for run in alike[1:]:
            if seen(run) != seen(alike[0]):
                raise ReportError(f"{run.run.id} differs from {alike[0].run.id} in its {what}")
    shards = [_shard(run) for run in runs]
    if len({shard.of for shard in shards}) > 1:
        raise ReportError(f"shards of different numbers of parts: {', '.join(map(str, shards))}")
    twice = next((str(shard) for shard in shards if shards.count(shard) > 1), None)
    if twice:
        raise ReportError(f"shard {twice} is there twice")


def _refuse_bug(run: Run, what: str) -> None:
    """ReportError for a run with a planted bug."""
    if bug := planted_bug(run.run.command):
        raise ReportError(
            f"{run.run.id} has the planted bug {bug}, which a {what} would not name; leave it out"
        )


def _has_stack(run: Run) -> bool:
    """Whether it had a stack at all; a shard of files alone has none."""
    return run.subject.driver != "none"


def _shard(run: Run) -> Shard:
    return Shard.parse(str(run.run.shard))


def _catalogue(run: Run) -> list[tuple[str, ...]]:
    return [(one.id, one.claim, one.nature, one.severity) for one in run.controls]


def join(runs: Sequence[Run], **own: Any) -> Run:
    """One record of all; own are the facts of the joined run itself: id, command, make."""
    runs = sorted(runs, key=_shard)
    controls = [
        _control(alike, runs) for alike in zip(*(one.controls for one in runs), strict=True)
    ]
    facts, redaction = _facts(runs, **own), _redaction(runs)
    controls = [one.model_copy(update={"gating": is_gating(one, facts)}) for one in controls]
    verdict, code = gate(controls, facts, redaction)
    specs = {spec.id: spec.verdict for control in controls for spec in control.specs}
    done = {spec for spec, verdict in specs.items() if verdict not in IDLE}
    # Every shard knows the specs of all.
    planned = max(run.counts.specs_planned for run in runs)
    executed = sum(run.counts.specs_executed for run in runs)
    first, subject = runs[0], _subject(runs)
    stated = [one for one in first.scope.exclusions if one.source == "declared"]
    waivers = tuple(control.waiver for control in controls if control.waiver)
    joined = first.model_copy(
        update={
            "run": facts,
            "subject": subject,
            "controls": tuple(controls),
            "counts": count(controls, done, planned, executed),
            "timeline": tuple(sorted(_spans(runs), key=lambda span: span.started)),
            "objectives": _objectives(runs),
            "redaction": redaction,
            "verdict": verdict,
            "exit_code": code,
            "scope": first.scope.model_copy(
                update={"exclusions": (*stated, *list_exclusions(controls))}
            ),
            "key_register": match_keys(first.key_register, subject.keys, facts.finished.date()),
            "sign_off": _sign_off(runs),
            "deviations": first.deviations.model_copy(update={"waivers": waivers}),
        }
    )
    return judge(joined)


def _control(alike: Sequence[Control], runs: Sequence[Run]) -> Control:
    """The control of the shard that ran it, with what others saw of it next to their specs."""
    own = [one for one in alike if {spec.message for spec in one.specs} != {ELSEWHERE}]
    if own:
        return _with_accusations(own)
    there = {_shard(run).number for run in runs}
    of = _shard(runs[0]).of
    missing = ", ".join(f"{one}/{of}" for one in range(1, of + 1) if one not in there)
    note = f"missing here: shard {missing}"
    specs = tuple(spec.model_copy(update={"message": note}) for spec in alike[0].specs)
    return alike[0].model_copy(update={"note": note, "specs": specs})


def _with_accusations(own: Sequence[Control]) -> Control:
    """The control of the shard that has its specs, with what was seen of it in other shards."""

    def completeness(one: Control) -> tuple[int, int]:
        is_whole = all(spec.message != ELSEWHERE for spec in one.specs)
        executed = sum(spec.verdict not in IDLE for spec in one.specs)
        return len(one.specs) if is_whole else 0, executed

    whole = max(own, key=completeness)
    known = {spec.id for spec in whole.specs}
    seen = {
        spec.id: spec
        for one in own
        for spec in one.specs
        if spec.id not in known and spec.message != ELSEWHERE
    }
    specs = (*whole.specs, *seen.values())
    verdict, waiver = worst(spec.verdict for spec in specs), whole.waiver
    if waiver and waiver.state == "not_needed" and verdict not in HOLDS:
        waiver = waiver.model_copy(update={"state": "in_force"})
    waived = bool(waiver and waiver.state == "in_force")
    judged = {"verdict": verdict, "waiver": waiver, "waived": waived}
    return whole.model_copy(update={"specs": specs} | judged)


def _facts(runs: Sequence[Run], **own: Any) -> RunFacts:
    each = [run.run for run in runs]
    started, finished = min(one.started for one in each), max(one.finished for one in each)
    compared = tuple(seen for one in each for seen in one.clock.compared)
    hosts = tuple(dict.fromkeys(one.host for one in each))
    names = ", ".join(dict.fromkeys(one.name for one in hosts))
    return each[0].model_copy(
        update={
            **own,
            "started": started,
            "finished": finished,
            "duration_s": round((finished - started).total_seconds(), 3),
            "host": each[0].host.model_copy(update={"name": names}),
            "hosts": hosts if len(hosts) > 1 else (),
            "operator": ", ".join(dict.fromkeys(one.operator for one in each)),
            "shard": None,
            "parts": tuple(_part(run) for run in runs),
            "workers": sum(one.workers for one in each),
            "interrupted": any(one.interrupted for one in each),
            "stopped": "; ".join(one.stopped for one in each if one.stopped) or None,
            "clock": each[0].clock.model_copy(update={"compared": compared}),
        }
    )


def _sign_off(runs: Sequence[Run]) -> SignOff:
    """Who is to sign, and everyone who executed a part; by log-in name where no one was named."""
    said = [run.sign_off for run in runs]
    named = [one.executed_by for one in said if one.executed_by]
    everyone = dict.fromkeys(run.sign_off.executed_by or run.run.operator for run in runs)
    separated = is_separated(said[0].approved.name, "; ".join(named))
    if separated and len(named) < len(said):
        separated = None
    together = {"executed_by": "; ".join(everyone) if named else None, "separated": separated}
    return said[0].model_copy(update=together)


def _part(run: Run) -> PartOfRun:
    facts = run.run.model_dump(include={"id", "shard", "seed", "started", "finished"})
    return PartOfRun(**facts, host=run.run.host.name, secrets_known=run.redaction.secrets_known)


def _subject(runs: Sequence[Run]) -> Subject:
    seen = [run.subject for run in runs if _has_stack(run)] or [runs[0].subject]
    keys = dict.fromkeys(key for one in seen for key in one.keys)
    engines = {one.engine for one in seen}
    engine = engines.pop() if len(engines) == 1 else None
    return seen[0].model_copy(update={"keys": tuple(keys), "engine": engine})


def _spans(runs: Iterable[Run]) -> Iterable[Span]:
    for run in runs:
        for span in run.timeline:
            yield span.model_copy(update={"worker": f"{run.run.shard} {span.worker}"})


def _objectives(runs: Sequence[Run]) -> Objectives:
    """Each objective from the shard that measured it."""
    each = [run.objectives.model_dump(exclude_none=True) for run in reversed(runs)]
    return Objectives.model_validate({name: value for one in each for name, value in one.items()})


def _redaction(runs: Sequence[Run]) -> Redaction:
    """Every shard has searched its own files for its own secrets, before any was joined."""
    return Redaction(
        secrets_known=sum(run.redaction.secrets_known for run in runs),
        secrets_weak=sum(run.redaction.secrets_weak for run in runs),
        scanned_files=sum(run.redaction.scanned_files for run in runs),
        leaks=tuple(
            leak.model_copy(update={"file": f"shard {run.run.shard}: {leak.file}"})
            for run in runs
            for leak in run.redaction.leaks
        ),
    )


def main(given: SimpleNamespace) -> int:
    """Join the given folders; the exit code of the joined run, 0 for a matrix of other runs."""
    folders = list(dict.fromkeys(Path(name).resolve() for name in given.runs))
    run_dir, quiet = Path(given.run_dir), bool(given.quiet)
    if len(folders) < 2:
        raise ReportError("name the shards, or runs: drillbook evidence merge folder folder ...")
    runs = [_load(folder) for folder in folders]
    refuse_one_run(run_dir)
    run_id = new_id(datetime.now(UTC))
    command = shlex.join(["drillbook", "evidence", "merge", *(run.run.id for run in runs)])
    if not any(run.run.shard for run in runs):
        if given.signing_key or given.signing_key_env or given.tsa:
            sys.stderr.write(
                "drillbook evidence merge: a matrix is neither signed nor time-stamped: it names "
                "each run's evidence by SHA-256\n"
            )
        lines = _side_by_side(runs, folders, run_dir, id=run_id, command=command)
        write(lines[-1:] if quiet else lines)
        return PASSED
    refuse_unlike(runs)
    run = join(runs, id=run_id, command=command)
    fresh = {"uuid": uuid_of_run(run_id), "previous_run": run_metadata.previous_run(run_dir)}
    joined = run.model_copy(update={"identity": run.identity.model_copy(update=fresh)})
    sealer = make_sealer(given.signing_key, given.signing_key_env, given.tsa)
    bundle = Bundle(run_dir, joined.run.id, sealer)
    try:
        for part, folder in zip(runs, folders, strict=True):
            _copy_logs(folder, bundle.logs / str(part.run.shard).replace("/", "-of-"))
        # Each part was searched for its own secrets, which are not known here.
        written = bundle.write(Redactor(), lambda _: joined)
    except (OSError, ReportError):
        # The parts still have everything.
        shutil.rmtree(bundle.path, ignore_errors=True)
        raise
    finally:
        bundle.close()
    report = str(bundle.path / "report.html")
    write(bundle.conclude(written, report, quiet=quiet, verbose=bool(given.verbose)))
    return bundle.exit_code(written)


def _copy_logs(folder: Path, target: Path) -> None:
    """Copy the logs that the bundle of a part has; a link may lead to a private file."""
    for name, path in contents(folder).items():
        if name.startswith("logs/"):
            copy = target / name.removeprefix("logs/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy, follow_symlinks=False)


def _side_by_side(
    runs: Sequence[Run], folders: Sequence[Path], run_dir: Path, **own: str
) -> list[Line]:
    """Write the matrix to a folder of its own, and describe it."""
    ids = [run.run.id for run in runs]
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise ReportError(f"run {twice[0]} is there twice")
    for run in runs:
        _refuse_bug(run, "matrix")
    digests = {
        run.run.id: file_digest(folder / RECORD) for run, folder in zip(runs, folders, strict=True)
    }
    made = matrix(runs, digests=digests, **own)
    place = run_dir / f"{made.id}-matrix"
    place.mkdir(parents=True)
    for name, data in files(made).items():
        (place / name).write_bytes(data)
    return [*describe(made), Line(f"Matrix: {place / 'matrix.html'}")]


def _load(folder: Path) -> Run:
    """The record of a run; ReportError where there is none, or the folder was changed."""
    record = folder / RECORD
    if not record.is_file():
        raise ReportError(f"{folder} is not a folder of a run: it has no {RECORD}")
    refuse_changes(folder)
    try:
        run = json_file.load(record)
        if run.run.shard:
            Shard.parse(run.run.shard)
    except (ValueError, ReportError):
        raise ReportError(f"{record}: no record that this version can read") from None
    return run
