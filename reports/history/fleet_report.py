"""`drillbook fleet report`: the last proven restore of each instance, and when the next is due.

Only a bundle counts that a trusted key signed and that names the instance inside. Neither the queue
nor the folder of a bundle is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from drillbook.core.display import write_json
from reports.config.fleet_file import Instance
from reports.errors import BadBundle, Distrusted
from reports.evidence.context import Schedule
from reports.history.runs import Past, name_past, past_of
from reports.history.status import standings
from reports.render.phrases import duration, objective_result
from reports.render.terminal import Line, wrap, write
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import intact
from reports.seal.verify_bundle import BUNDLE, Trust
from reports.verdict import FAILED, PASSED

_RED, _YELLOW = ("red", "bold"), ("yellow",)


class Bundles(NamedTuple):
    """The runs that a trusted key signed, and each bundle that does not count, with the reason."""

    runs: tuple[Past, ...]
    ignored: tuple[tuple[Path, str], ...]


def load_bundles(folders: Iterable[Path], keys: Sequence[str]) -> Bundles:
    """All bundles below these folders, checked with files of public keys; BadKey for a bad file."""
    trust, runs, ignored = Trust(keys=load_trusted_keys(*keys)), {}, []
    for bundle in sorted({path.resolve() for folder in folders for path in folder.rglob(BUNDLE)}):
        try:
            run, _ = intact(bundle, trust, "it does not count")
        except (BadBundle, Distrusted) as reason:
            ignored.append((bundle, str(reason).removeprefix(f"{bundle}: ")))
        else:
            runs[run.run.id] = past_of(run)
    return Bundles(tuple(runs.values()), tuple(ignored))


class Restore:
    """The last proven restore of an instance, and when the next is due, as of a day.

    last: the last drill of a deployment that brought everything back. times: the measured seconds,
    the wanted seconds and the result, by "rto" and "rpo".
    """

    def __init__(self, instance: Instance, runs: Iterable[Past], today: date) -> None:
        self.instance = instance
        own = [run for run in runs if run.facts.system == instance.name]
        acts = standings(own, Schedule(cadence=instance.cadence), today)
        self.standing = next(standing for standing in acts if standing.act.id == "drill")
        self.last = self.standing.last
        self.is_due = self.standing.due <= today
        self.age_days = self.standing.age_days(today)
        self.times: dict[str, tuple[float | None, float | None, str]] = {}
        for name in ("rto", "rpo"):
            measured = getattr(self.last.facts.objectives, f"{name}_s") if self.last else None
            wanted = getattr(instance, f"{name}_s")
            self.times[name] = (measured, wanted, objective_result(measured, wanted))

    @property
    def is_well(self) -> bool:
        """Whether the last proof passed, is not overdue, and is within what fleet.toml wants."""
        unmet = any(wanted and result != "met" for _, wanted, result in self.times.values())
        passed = self.last is not None and self.last.facts.passed
        return passed and not (self.standing.overdue or self.standing.failed or unmet)


def survey(instances: Iterable[Instance], bundles: Bundles, today: date) -> list[Restore]:
    """How each instance stands; those that need something come first."""
    restores = [Restore(instance, bundles.runs, today) for instance in instances]
    return sorted(restores, key=lambda each: (each.is_well, not each.is_due, each.standing.due))


def print_report(restores: Sequence[Restore], bundles: Bundles, output: str) -> int:
    """Print how each instance stands; exit code 1 unless every one is well."""
    if output == "json":
        ignored = [{"bundle": str(path), "reason": reason} for path, reason in bundles.ignored]
        instances = [_answer(each) for each in restores]
        write_json("fleet-report", bundles=len(bundles.runs), ignored=ignored, instances=instances)
    else:
        write([*_lines(restores, bundles)])
    return PASSED if all(each.is_well for each in restores) else FAILED


def _answer(each: Restore) -> dict[str, object]:
    keys = ("measured_s", "target_s", "result")
    return {
        **each.instance.model_dump(include={"name", "label", "cadence"}),
        "well": each.is_well,
        "due": each.standing.due,
        "is_due": each.is_due,
        "overdue": each.standing.overdue,
        "age_days": each.age_days,
        "verdict": each.last.facts.verdict if each.last else None,
        "proven": name_past(each.last),
        "failed": name_past(each.standing.failed),
        **{name: dict(zip(keys, times, strict=True)) for name, times in each.times.items()},
    }


def _lines(restores: Sequence[Restore], bundles: Bundles) -> Iterator[Line]:
    yield Line(f"Last proven restore of {len(restores)} instances, by {len(bundles.runs)} bundles")
    head = f"{'':<20}{'proven':<11}{'age':>5}  {'verdict':<13}{'due':<10}{'RTO':>9}{'RPO':>9}"
    yield Line(head, ("bold",))
    for each in restores:
        last, due = each.last, "OVERDUE" if each.standing.overdue else str(each.standing.due)
        when, age = (f"{last.finished:%Y-%m-%d}", f"{each.age_days} d") if last else ("never", "")
        row = f"{each.instance.name[:19]:<20}{when:<11}{age:>5}  "
        row += f"{last.facts.words if last else '-':<13}{due:<10}"
        row += "".join(f"{'-' if s is None else duration(s):>9}" for s, _, _ in each.times.values())
        yield Line(row, () if each.is_well else _RED)
        yield from (Line(f"  {remark}", _YELLOW) for remark in each.standing.remarks())
        for name, (measured, wanted, result) in each.times.items():
            if result == "missed":
                took = f"{duration(measured or 0)} / {duration(wanted or 0)}"
                yield Line(f"  {name.upper()} missed: {took}", _RED)
    ill = sum(not each.is_well for each in restores)
    yield Line(f"{ill} of {len(restores)} need something." if ill else "Every restore is proven.")
    for bundle, reason in bundles.ignored:
        yield from wrap(f"Does not count: {bundle}: {reason}", then="  ", style=_YELLOW)
