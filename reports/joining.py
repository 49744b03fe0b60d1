"""Shards of one run become one record: each control from the shard that ran it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reports.assemble import gate
from reports.errors import Unmergeable
from reports.frame import Deviations, Exclusion, PartOfRun, Scope
from reports.model import (
    Control,
    Counts,
    Objectives,
    Redaction,
    Run,
    RunFacts,
    Span,
)
from reports.plan import ELSEWHERE
from reports.shard import Shard
from reports.subject import Subject
from reports.verdict import Verdict

_IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
# What shards may differ in: each has keys and an engine of its own.
_OWN = {"keys", "engine", "endpoint_note"}
_SAME: dict[str, Callable[[Run], object]] = {
    "version or commit of Drillbook": lambda run: run.run.tool,
    "specs or catalogue": lambda run: (run.identity.pack.sha256, _catalogue(run)),
    "subject": lambda run: run.subject.model_dump(exclude=_OWN),
    "selection": lambda run: (run.run.selection, run.run.asked, run.run.strict_claims),
    "declarations": lambda run: (run.identity.declared, run.identity.number),
}


def check(runs: Sequence[Run]) -> None:
    """Unmergeable, in a sentence, unless these are different shards of one run."""
    for run in runs:
        if not run.run.shard:
            raise Unmergeable(
                f"{run.run.id} is no shard: it was run without SHARD=. Join the shards first; "
                "what comes of it can stand beside other runs"
            )
    for what, seen in _SAME.items():
        alike = [run for run in runs if what != "subject" or _examined(run)]
        for run in alike[1:]:
            if seen(run) != seen(alike[0]):
                raise Unmergeable(f"{run.run.id} differs from {alike[0].run.id} in its {what}")
    shards = [_shard(run) for run in runs]
    if len({shard.of for shard in shards}) > 1:
        raise Unmergeable(f"shards of different numbers of parts: {', '.join(map(str, shards))}")
    twice = next((str(shard) for shard in shards if shards.count(shard) > 1), None)
    if twice:
        raise Unmergeable(f"shard {twice} is there twice")


def _examined(run: Run) -> bool:
    """Whether it had a stack at all; a shard of files alone has none."""
    return run.subject.driver != "none"


def _shard(run: Run) -> Shard:
    return Shard.read(str(run.run.shard))


def _catalogue(run: Run) -> list[tuple[str, ...]]:
    return [(one.id, one.claim, one.nature, one.severity) for one in run.controls]


def join(runs: Sequence[Run], **own: Any) -> Run:
    """One record of all; own are the facts of the joined run itself: id, command, make."""
    runs = sorted(runs, key=_shard)
    controls = [
        _control(alike, runs) for alike in zip(*(one.controls for one in runs), strict=True)
    ]
    facts, redaction = _facts(runs, **own), _redaction(runs)
    verdict, code = gate(controls, facts, redaction)
    first = runs[0]
    return first.model_copy(
        update={
            "run": facts,
            "subject": _subject(runs),
            "controls": tuple(controls),
            "counts": _counts(controls),
            "timeline": tuple(sorted(_spans(runs), key=lambda span: span.started)),
            "objectives": _objectives(runs),
            "redaction": redaction,
            "verdict": verdict,
            "exit_code": code,
            "scope": _scope(first.scope, controls),
            "deviations": _deviations(first.deviations, controls),
        }
    )


def _control(alike: Sequence[Control], runs: Sequence[Run]) -> Control:
    """The control as the shard that has it saw it; the others only know that it is not theirs."""
    own = [one for one in alike if not _is_elsewhere(one)]
    if own:
        return max(own, key=lambda one: sum(spec.verdict not in _IDLE for spec in one.specs))
    there = {_shard(run).number for run in runs}
    of = _shard(runs[0]).of
    missing = ", ".join(f"{one}/{of}" for one in range(1, of + 1) if one not in there)
    note = f"missing here: shard {missing}"
    specs = tuple(spec.model_copy(update={"message": note}) for spec in alike[0].specs)
    return alike[0].model_copy(update={"note": note, "specs": specs})


def _is_elsewhere(control: Control) -> bool:
    return bool(control.specs) and all(spec.message == ELSEWHERE for spec in control.specs)


def _facts(runs: Sequence[Run], **own: Any) -> RunFacts:
    each = [run.run for run in runs]
    started, finished = min(one.started for one in each), max(one.finished for one in each)
    compared = tuple(seen for one in each for seen in one.clock.compared)
    hosts = dict.fromkeys(one.host.name for one in each)
    return each[0].model_copy(
        update={
            **own,
            "started": started,
            "finished": finished,
            "duration_s": round((finished - started).total_seconds(), 3),
            "host": each[0].host.model_copy(update={"name": ", ".join(hosts)}),
            "operator": ", ".join(dict.fromkeys(one.operator for one in each)),
            "shard": None,
            "parts": tuple(_part(run) for run in runs),
            "workers": sum(one.workers for one in each),
            "interrupted": any(one.interrupted for one in each),
            "stopped": "; ".join(one.stopped for one in each if one.stopped) or None,
            "clock": each[0].clock.model_copy(update={"compared": compared}),
        }
    )


def _part(run: Run) -> PartOfRun:
    facts = run.run
    return PartOfRun(
        id=facts.id,
        shard=str(facts.shard),
        seed=facts.seed,
        host=facts.host.name,
        started=facts.started,
        finished=facts.finished,
        secrets_known=run.redaction.secrets_known,
    )


def _subject(runs: Sequence[Run]) -> Subject:
    seen = [run.subject for run in runs if _examined(run)] or [runs[0].subject]
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
    told = [run.objectives.model_dump(exclude_none=True) for run in reversed(runs)]
    return Objectives.model_validate({name: value for one in told for name, value in one.items()})


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


def _counts(controls: Sequence[Control]) -> Counts:
    verdicts = [control.verdict for control in controls]
    specs = {spec.id: spec.verdict for control in controls for spec in control.specs}
    done = {spec for spec, verdict in specs.items() if verdict not in _IDLE}
    return Counts(
        planned=len(controls),
        executed=sum(bool(done & {spec.id for spec in one.specs}) for one in controls),
        waived=sum(control.waived for control in controls),
        specs_planned=len(specs),
        specs_executed=len(done),
        **{verdict.value: verdicts.count(verdict) for verdict in Verdict},
    )


def _scope(scope: Scope, controls: Iterable[Control]) -> Scope:
    stated = [one for one in scope.exclusions if one.source == "declared"]
    found = [
        Exclusion(what=one.id, reason=one.note or _message(one), source="run")
        for one in controls
        if one.verdict in _IDLE
    ]
    return scope.model_copy(update={"exclusions": (*stated, *found)})


def _message(control: Control) -> str | None:
    said = [spec.message for spec in control.specs if spec.verdict is control.verdict]
    return "; ".join(dict.fromkeys(message for message in said if message)) or None


def _deviations(said: Deviations, controls: Iterable[Control]) -> Deviations:
    waivers = tuple(control.waiver for control in controls if control.waiver)
    return said.model_copy(update={"waivers": waivers})
