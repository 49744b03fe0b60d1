"""Metrics: a file in Prometheus' text format, for the textfile collector of node_exporter.

Times are points in time and not ages, so that an alarm is raised by the clock of Prometheus even
where nothing writes this file any more. The label of an instance is `system`: Prometheus gives
`instance` to what it scrapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from drillbook.core.application import install_extra
from reports.errors import BadDeclaration
from reports.history.runs import Past
from reports.history.status import Standing
from reports.verdict.verdicts import PASSED, Verdict

_DAY_S = 86400
GAUGES = {
    "last_run_timestamp_seconds": "when a command last ran to its end",
    "last_proof_timestamp_seconds": "when a command last passed",
    "gate_exit_code": "exit code of the last run: 0 passed, 1 failed, 2 undecided, 3 stopped",
    "controls": "controls of the last run by verdict",
    "rto_seconds": "how long the recovery took that was last measured",
    "rto_target_seconds": "how long it may take",
    "rpo_seconds": "how old its backup was",
    "rpo_target_seconds": "how old it may be",
    "act_last_proof_timestamp_seconds": "when something that recurs was last shown; 0: never",
    "act_due_timestamp_seconds": "the end of the day on which it is due",
    "act_days_until_due": "days from the writing of this file until then; negative: overdue",
    "act_stale": "1 if it is overdue",
    "written_timestamp_seconds": "when this file was written",
}


def check_target(path: Path) -> None:
    """BadDeclaration where metrics cannot be written to this file."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        said = f"metrics need prometheus-client; {install_extra('notify')}"
        raise BadDeclaration(f"{path}: {said}") from None
    if not path.parent.is_dir() or path.is_dir():
        raise BadDeclaration(f"{path}: name a file in a folder that exists")


def write_metrics(
    path: Path, runs: Iterable[Past], found: Sequence[Standing], system: str, now: datetime
) -> None:
    """Write the file anew, whole or not at all; OSError where the disk refuses."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}

    def say(name: str, value: float, **labels: str) -> None:
        if name not in gauges:
            gauges[name] = Gauge(f"drillbook_{name}", GAUGES[name], [*labels], registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)

    for one in runs:
        if one.intact and not one.facts.mutant:
            # Oldest first: what a later run saw takes the place of what an earlier one did.
            whose = {"system": one.facts.system or "", "command": one.facts.question}
            _say_run(say, one, {**whose, "grade": one.grade})
    for standing in found:
        labels = {"system": system, "act": standing.act.id}
        last = standing.last.finished.timestamp() if standing.last else 0
        say("act_last_proof_timestamp_seconds", last, **labels)
        say("act_due_timestamp_seconds", _end_of(standing.due), **labels)
        say("act_days_until_due", (standing.due - now.date()).days, **labels)
        say("act_stale", standing.overdue, **labels)
    say("written_timestamp_seconds", now.timestamp())
    write_to_textfile(str(path), registry)


def _say_run(say: Callable[..., None], run: Past, labels: dict[str, str]) -> None:
    facts = run.facts
    say("last_run_timestamp_seconds", run.finished.timestamp(), **labels)
    if facts.exit_code is not None:
        say("gate_exit_code", facts.exit_code, **labels)
    if facts.exit_code == PASSED:
        say("last_proof_timestamp_seconds", run.finished.timestamp(), **labels)
    counts = Counter(facts.verdicts.values())
    for verdict in Verdict:
        say("controls", counts[verdict], **labels, verdict=verdict.value)
    for name in ("rto_s", "rto_target_s", "rpo_s", "rpo_target_s"):
        if (value := getattr(facts.objectives, name)) is not None:
            say(f"{name}econds", value, **labels)


def _end_of(day: date) -> float:
    """Midnight after a day: until then it is not overdue."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + _DAY_S
