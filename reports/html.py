"""report.html: the run for a reader with a browser, in one file that needs nothing else.

Above one megabyte the log excerpts of satisfied specs are left out; they remain in logs/.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import prose
from reports.model import Control, Exchange, Run
from reports.timeline import lanes
from reports.verdict import Verdict

_TEMPLATES = Path(__file__).parent / "templates"
_TICKS = re.compile(r"`([^`]+)`")
_LARGEST = 1_000_000
_EXCHANGES = 40
_URGENT = (Verdict.VIOLATED, Verdict.INCONCLUSIVE)


def render(run: Run) -> str:
    """The run as a page."""
    page = _page(run, without_logs=())
    if len(page.encode()) <= _LARGEST:
        return page
    return _page(run, without_logs=(Verdict.SATISFIED,))


def _page(run: Run, *, without_logs: tuple[Verdict, ...]) -> str:
    chapters = dict.fromkeys(control.chapter for control in run.controls)
    page: str = _template().render(
        run=run,
        outcome=prose.outcome(run),
        worth=prose.grade(run),
        chapters={name: [c for c in run.controls if c.chapter == name] for name in chapters},
        findings=sorted(
            (c for c in run.controls if prose.matters(c)), key=_by_weight, reverse=True
        ),
        corrections=[c for c in run.controls if c.verdict is Verdict.CONTRADICTED],
        timeline=lanes(run),
        environment=list(_environment(run)),
        exchanges_shown=_EXCHANGES,
        without_logs=without_logs,
    )
    return page


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": prose.duration,
        "moment": _moment,
        "having": _having,
        "reasons": prose.reasons,
        "spoken": prose.spoken,
        "first_of": _first_of,
        "sentence": prose.sentence,
        "code": _code,
    }
    environment.globals |= {
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        "verdicts": prose.COLUMNS,
        "names": {verdict.value: verdict for verdict in Verdict},
        "open": (*_URGENT, Verdict.CONTRADICTED),
        "limits": prose.LIMITS,
    }
    return environment.get_template("report.html.j2")


def _by_weight(control: Control) -> tuple[bool, Verdict]:
    return control.gating, control.verdict


def _environment(run: Run) -> list[tuple[str, str]]:
    subject, facts, host = run.subject, run.run, run.run.host
    memory = f", {host.memory_bytes / 2**30:.0f} GiB" if host.memory_bytes else ""
    rows = [
        ("Backend", subject.backend.image or subject.backend.command),
        ("Backend digest", subject.backend.digest),
        ("Backend version", subject.backend.version),
        ("Database", subject.database.version),
        ("Cache", subject.cache.version),
        ("Compose file, SHA-256", subject.compose.sha256),
        ("Note", subject.endpoint_note),
        ("Driver", subject.driver),
        ("Started", _moment(facts.started)),
        ("Finished", _moment(facts.finished)),
        ("Command", facts.command),
        ("Seed", str(facts.seed)),
        ("Only these controls", ", ".join(facts.selection)),
        ("The question asked", ", ".join(facts.asked)),
        ("Operator", facts.operator),
        ("Seal", prose.seal(run)),
        ("Machine", f"{host.name}, {host.system}, {host.machine}, {host.cpus} CPUs{memory}"),
        ("Python", host.python),
        ("Specs", f"{run.counts.specs_executed} of {run.counts.specs_planned} executed"),
    ]
    return [(name, value) for name, value in rows if value]


def _moment(moment: datetime) -> str:
    return moment.strftime("%d %B %Y, %H:%M:%S UTC").lstrip("0")


def _having(controls: list[Control], verdict: Verdict) -> int:
    return sum(control.verdict is verdict for control in controls)


def _code(text: str) -> Markup:
    """What stands in backticks is typed or read by machines."""
    return Markup(_TICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def _first_of(items: tuple[Exchange, ...], count: int) -> tuple[Exchange, ...]:
    return items[:count]
