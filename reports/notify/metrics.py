"""Metrics in Prometheus' text format, for the textfile collector of node_exporter.

They are points in time and not ages, so that Prometheus raises the alarm by its own clock even if
nothing writes the file any more. An instance is `system`: the label `instance` is Prometheus' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from drillbook.core.application import install_extra
from drillbook.core.errors import BadInput
from drillbook.core.files import write_file
from reports.history.runs import Past
from reports.history.status import Standing

_HELP = "see docs/monitoring.md"
OF_RUN: dict[str, Callable[[Past], float | None]] = {
    "last_proof_timestamp_seconds": lambda run: (
        run.finished.timestamp() if run.facts.passed else None
    ),
    "gate_exit_code": lambda run: run.facts.exit_code,
    "rto_seconds": lambda run: run.facts.objectives.rto_s,
    "rto_target_seconds": lambda run: run.facts.objectives.rto_target_s,
    "rpo_seconds": lambda run: run.facts.objectives.rpo_s,
    "rpo_target_seconds": lambda run: run.facts.objectives.rpo_target_s,
}
OF_ACT: dict[str, Callable[[Standing], float]] = {
    "act_last_proof_timestamp_seconds": lambda act: (
        act.last.finished.timestamp() if act.last else 0
    ),
    # The midnight after the day: until then it is not overdue.
    "act_due_timestamp_seconds": lambda act: datetime.combine(
        act.due + timedelta(1), time(), UTC
    ).timestamp(),
}


def write_metrics(
    path: Path, system: str, runs: Iterable[Past], acts: Sequence[Standing], now: datetime
) -> None:
    """Write the file of metrics, whole or not at all; docs/monitoring.md has what each says.

    system: the declared system, which the acts are of. OSError if the disk refuses.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ImportError:
        raise BadInput(f"--metrics: {install_extra('notify')}") from None
    registry = CollectorRegistry()
    # Oldest first, so that a later run replaces the values of an earlier one. A date in the
    # future, by a wrong clock, would keep every later run out of sight.
    counted = [run for run in runs if run.is_genuine and run.finished.date() <= now.date()]
    for name, of_run in OF_RUN.items():
        gauge = Gauge(f"drillbook_{name}", _HELP, ("system", "command", "grade"), registry=registry)
        for run in counted:
            if (value := of_run(run)) is not None:
                gauge.labels(run.facts.system or "", run.facts.question, run.grade).set(value)
    for name, of_act in OF_ACT.items():
        gauge = Gauge(f"drillbook_{name}", _HELP, ("system", "act"), registry=registry)
        for act in acts:
            gauge.labels(system, act.act.id).set(of_act(act))
    Gauge("drillbook_written_timestamp_seconds", _HELP, registry=registry).set(now.timestamp())
    # Another user's node_exporter reads it, and a unit has a umask of 077.
    write_file(path, generate_latest(registry), 0o644)
