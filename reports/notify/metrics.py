"""Metrics in Prometheus' text format, for the textfile collector of node_exporter.

They are points in time and not ages, so that Prometheus raises the alarm by its own clock even if
nothing writes the file any more. The label of an instance is `system`, because Prometheus gives the
label `instance` to what it scrapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

from drillbook.core.application import install_extra
from drillbook.core.errors import BadInput
from drillbook.core.files import write_file
from reports.history.runs import Past
from reports.history.status import Standing

_RUN, _ACT = ("system", "command", "grade"), ("system", "act")
_DAY_S = 86400
# The labels of each gauge.
GAUGES = {
    "last_proof_timestamp_seconds": _RUN,
    "gate_exit_code": _RUN,
    "rto_seconds": _RUN,
    "rto_target_seconds": _RUN,
    "rpo_seconds": _RUN,
    "rpo_target_seconds": _RUN,
    "act_last_proof_timestamp_seconds": _ACT,
    "act_due_timestamp_seconds": _ACT,
    "written_timestamp_seconds": (),
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
        need = "--metrics needs prometheus-client"
        raise BadInput(f"{need}; {install_extra('notify')}") from None
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(f"drillbook_{name}", "see docs/monitoring.md", labels, registry=registry)
        for name, labels in GAUGES.items()
    }
    # Oldest first, so that a later run replaces the values of an earlier one. A date in the
    # future, by a wrong clock, would keep every later run out of sight.
    for run in (run for run in runs if run.is_genuine and run.finished.date() <= now.date()):
        facts, times = run.facts, run.facts.objectives
        values = {
            "last_proof_timestamp_seconds": run.finished.timestamp() if facts.passed else None,
            "gate_exit_code": facts.exit_code,
            "rto_seconds": times.rto_s,
            "rto_target_seconds": times.rto_target_s,
            "rpo_seconds": times.rpo_s,
            "rpo_target_seconds": times.rpo_target_s,
        }
        for name, value in values.items():
            if value is not None:
                gauges[name].labels(facts.system or "", facts.question, run.grade).set(value)
    for act in acts:
        last = act.last.finished.timestamp() if act.last else 0
        gauges["act_last_proof_timestamp_seconds"].labels(system, act.act.id).set(last)
        # The midnight after the day: until then it is not overdue.
        due = datetime.combine(act.due, time(), UTC).timestamp() + _DAY_S
        gauges["act_due_timestamp_seconds"].labels(system, act.act.id).set(due)
    gauges["written_timestamp_seconds"].set(now.timestamp())
    # Another user's node_exporter reads it, and a unit has a umask of 077.
    write_file(path, generate_latest(registry), 0o644)
