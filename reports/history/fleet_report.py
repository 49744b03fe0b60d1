"""`drillbook fleet plan` and `fleet report`: the last proven restore of each instance.

Only a bundle counts that a trusted key signed and that names the instance inside. Neither the queue
nor the folder of a bundle is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from drillbook.core.display import write_json
from drillbook.core.files import open_file, write_file
from reports.config.fleet_file import Instance
from reports.errors import BadBundle, Distrusted, ReportError
from reports.evidence.context import Schedule
from reports.evidence.model import Objectives
from reports.history.runs import Past, name_past, past_of
from reports.history.status import Standing, standings
from reports.render import phrases
from reports.render.html import render_template
from reports.render.terminal import Line, wrap, write
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import intact
from reports.seal.verify_bundle import BUNDLE, Trust
from reports.verdict import FAILED, PASSED

_RED, _YELLOW, _GREEN = ("red", "bold"), ("yellow",), ("green", "bold")


class Bundles(NamedTuple):
    """The runs that a trusted key signed, and each bundle that does not count, with the reason."""

    runs: tuple[Past, ...]
    ignored: tuple[tuple[Path, str], ...]


def load_bundles(folders: Iterable[Path], keys: Sequence[str]) -> Bundles:
    """All bundles below these folders, checked with files of public keys; BadKey for a bad file."""
    trust = Trust(keys=load_trusted_keys(*keys))
    runs: dict[str, Past] = {}
    ignored = []
    for bundle in sorted({path.resolve() for one in folders for path in one.rglob(BUNDLE)}):
        try:
            run, _ = intact(bundle, trust, "it does not count")
        except (BadBundle, Distrusted) as reason:
            ignored.append((bundle, str(reason).removeprefix(f"{bundle}: ")))
        else:
            runs[run.run.id] = past_of(run)
    return Bundles(tuple(runs.values()), tuple(ignored))


class Objective(NamedTuple):
    """The measured time, the one that fleet.toml wants, and the result."""

    measured_s: float | None
    target_s: float | None
    result: str


class Restore:
    """The last proven restore of an instance, and when the next is due, as of a day.

    last: the last drill of a deployment that brought everything back. age_days: how old that is.
    objectives: its "rto" and "rpo".
    """

    def __init__(self, instance: Instance, runs: Iterable[Past], today: date) -> None:
        self.instance, self.today = instance, today
        own = [one for one in runs if one.facts.system == instance.name]
        found = standings(own, Schedule(cadence=instance.cadence), today)
        self.standing: Standing = next(one for one in found if one.act.id == "drill")
        self.last = self.standing.last
        self.is_due = self.standing.due <= today
        self.age_days = self.standing.age_days(today)
        self.objectives: dict[str, Objective] = {}
        seen = self.last.facts.objectives if self.last else Objectives()
        for name in ("rto", "rpo"):
            measured, target = getattr(seen, f"{name}_s"), getattr(instance, f"{name}_s")
            result = phrases.objective_result(measured, target)
            self.objectives[name] = Objective(measured, target, result)

    @property
    def why(self) -> str:
        """Why it is due, or when it will be."""
        due, cadence = self.standing.due, self.instance.cadence
        if self.last is None:
            return "never drilled with success"
        word = "due since" if due < self.today else "due today," if self.is_due else "due"
        return f"proven {self.last.finished:%Y-%m-%d}, {cadence}: {word} {due}"

    @property
    def is_well(self) -> bool:
        """Whether the last proof passed, is not overdue, and is within what fleet.toml wants."""
        unmet = any(one.target_s and one.result != "met" for one in self.objectives.values())
        passed = self.last is not None and self.last.facts.passed
        return passed and not (self.standing.overdue or self.standing.failed or unmet)


def survey(instances: Iterable[Instance], bundles: Bundles, today: date) -> list[Restore]:
    """How each instance stands; those that need something come first."""
    found = [Restore(one, bundles.runs, today) for one in instances]
    return sorted(found, key=lambda one: (one.is_well, not one.is_due, one.standing.due))


def print_plan(found: Sequence[Restore], bundles: Bundles, output: str) -> int:
    """Print which instance is due and why; exit code 1 if one is."""
    if output == "json":
        _write_answer("fleet-plan", found, bundles)
    else:
        write(_plan_lines(found, bundles))
    return FAILED if any(one.is_due for one in found) else PASSED


def _plan_lines(found: Sequence[Restore], bundles: Bundles) -> Iterator[Line]:
    for one in found:
        word, style = ("due", _RED) if one.is_due else ("   ", ())
        yield from wrap(f"{word}  {one.instance.name}: {one.why}", then="     ", style=style)
        yield from _remarks(one)
    yield from _ignored(bundles)


def print_report(found: Sequence[Restore], bundles: Bundles, page: Path, output: str) -> int:
    """Write the page and print it; exit code 1 unless every instance is well."""
    text = render_template("fleet.html.j2", found=found, bundles=bundles, today=found[0].today)
    _replace_page(page, text.encode(errors="replace"))
    if output == "json":
        _write_answer("fleet-report", found, bundles, page=str(page))
    else:
        write([*_lines(found, bundles), Line(f"Page: {page}")])
    return PASSED if all(one.is_well for one in found) else FAILED


def _lines(found: Sequence[Restore], bundles: Bundles) -> Iterator[Line]:
    yield Line(f"Last proven restore of {len(found)} instances, by {len(bundles.runs)} bundles")
    yield Line("")
    head = f"{'':<20}{'proven':<11}{'age':>5}  {'verdict':<13}{'due':<10}{'RTO':>9}{'RPO':>9}"
    yield Line(head, ("bold",))
    for one in found:
        last, due = one.last, "OVERDUE" if one.standing.overdue else str(one.standing.due)
        when, age = (f"{last.finished:%Y-%m-%d}", f"{one.age_days} d") if last else ("never", "")
        row = f"{one.instance.name[:19]:<20}{when:<11}{age:>5}  "
        row += f"{last.facts.words if last else '-':<13}{due:<10}"
        for seen in one.objectives.values():
            row += f"{'-' if seen.measured_s is None else phrases.duration(seen.measured_s):>9}"
        yield Line(row, () if one.is_well else _RED)
        yield from _remarks(one)
        for name, (measured, target, result) in one.objectives.items():
            if result == "missed":
                took = " / ".join(phrases.duration(each or 0) for each in (measured, target))
                yield Line(f"  {name.upper()} missed: {took}", _RED)
    yield Line("")
    ill = sum(not one.is_well for one in found)
    said = f"{ill} of {len(found)} need something." if ill else "Every restore is proven."
    yield Line(said, _RED if ill else _GREEN)
    yield from _ignored(bundles)


def _remarks(one: Restore) -> Iterator[Line]:
    yield from (Line(f"  {remark}", _YELLOW) for remark in one.standing.remarks())


def _ignored(bundles: Bundles) -> Iterator[Line]:
    for bundle, reason in bundles.ignored:
        yield from wrap(f"Does not count: {bundle}: {reason}", then="  ", style=_YELLOW)


def _write_answer(name: str, found: Sequence[Restore], bundles: Bundles, **more: object) -> None:
    write_json(
        name,
        **more,
        bundles=len(bundles.runs),
        ignored=[{"bundle": str(path), "reason": reason} for path, reason in bundles.ignored],
        instances=[
            {
                "name": one.instance.name,
                "label": one.instance.label,
                "cadence": one.instance.cadence,
                "well": one.is_well,
                "due": one.standing.due,
                "is_due": one.is_due,
                "overdue": one.standing.overdue,
                "why": one.why,
                "age_days": one.age_days,
                "verdict": one.last.facts.verdict if one.last else None,
                "proven": name_past(one.last),
                "failed": name_past(one.standing.failed),
                "rehearsed": name_past(one.standing.rehearsed),
                **{name: seen._asdict() for name, seen in one.objectives.items()},
            }
            for one in found
        ],
    )


def _replace_page(target: Path, content: bytes) -> None:
    """Write the page in place of an older one, known by the first line.

    ReportError where another file has the name, or where the disk refuses.
    """
    first = content.partition(b"\n")[0]
    try:
        if target.exists():
            with open_file(target) as file:
                if file.read(len(first)) != first:
                    said = f"{target} is there and is not a page; give another --out"
                    raise ReportError(said)
        write_file(target, content)
    except OSError as trouble:
        said = f"{target} cannot be written: {trouble.strerror}; give another --out"
        raise ReportError(said) from None
