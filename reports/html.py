"""report.html: the run for a reader with a browser, in one file that needs nothing else.

Above one megabyte the log excerpts of satisfied specs are left out; they remain in logs/.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from reports import about, changing, prose, question
from reports.model import Control, Run
from reports.pages import TEMPLATES, environment
from reports.recovery import recovery
from reports.timeline import lanes
from reports.verdict import Verdict

_LARGEST = 1_000_000
_EXCHANGES = 40
_OPEN = (Verdict.VIOLATED, Verdict.INCONCLUSIVE, Verdict.CONTRADICTED)
_MOST_OPEN = 60


def render(run: Run) -> str:
    """The run as a page."""
    page = _page(run, without_logs=())
    if len(page.encode()) <= _LARGEST:
        return page
    return _page(run, without_logs=(Verdict.SATISFIED,))


def _page(run: Run, *, without_logs: tuple[Verdict, ...]) -> str:
    asked = question.inside(run)
    chapters = dict.fromkeys(control.chapter for control in asked)
    mattering = (control for control in run.controls if prose.matters(control))
    findings = sorted(mattering, key=_by_weight, reverse=True)
    page: str = template().render(
        run=run,
        outcome=prose.outcome(run),
        worth=prose.grade(run),
        experimental=changing.experimental(run),
        asked=asked,
        executed=question.executed(run),
        exclusions=question.exclusions(run),
        chapters={name: [c for c in asked if c.chapter == name] for name in chapters},
        findings=findings,
        repeated=prose.repeated(findings),
        corrections=[c for c in run.controls if c.verdict is Verdict.CONTRADICTED],
        timeline=lanes(run),
        recovery=recovery(run),
        change_said=changing.sentence(run),
        sections=about.sections(run),
        heading=about.stated(about.heading(run)),
        separation=about.separation(run),
        frameworks=_frameworks(run),
        few=sum(control.verdict in _OPEN for control in run.controls) <= _MOST_OPEN,
        waived=[control for control in run.controls if control.waiver],
        exchanges_shown=_EXCHANGES,
        without_logs=without_logs,
    )
    return page


@cache
def template() -> Any:
    """The page's template, compiled: a tenth of a second, once a process."""
    made = environment()
    made.filters |= {
        "duration": prose.duration,
        "moment": about.moment,
        "stated": about.stated,
        "unstated": about.unstated,
        "waiver": prose.waiver,
        "having": _having,
        "reasons": prose.reasons,
        "spoken": prose.spoken,
        "first_of": _first_of,
        "sentence": prose.sentence,
        "ids": _ids,
    }
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    made.globals |= {
        "script": Markup(script),  # noqa: S704 - our own file
        "script_digest": f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
        "verdicts": prose.COLUMNS,
        "names": {verdict.value: verdict for verdict in Verdict},
        "open": _OPEN,
        "limits": prose.LIMITS,
        "redaction": prose.redaction,
        "no_correction": prose.NO_CORRECTION,
        "framework": lambda name: prose.FRAMEWORKS.get(name, name),
    }
    return made.get_template("report.html.j2")


def _by_weight(control: Control) -> tuple[bool, Verdict]:
    return control.gating, control.verdict


def _frameworks(run: Run) -> dict[str, list[str]]:
    """The ids of each framework that controls are mapped to, in their order."""
    found: dict[str, set[str]] = {}
    for control in question.inside(run):
        for name, ids in control.frameworks.items():
            found.setdefault(name, set()).update(ids)
    return {name: sorted(found[name]) for name in sorted(found)}


def _ids(control: Control) -> str:
    """What a control is found by when one asks for a framework, or for one id of it."""
    mapped = control.frameworks.items()
    return "|".join(
        [*control.frameworks, *(f"{name} {one}" for name, ids in mapped for one in ids)]
    )


def _having(controls: list[Control], verdict: Verdict) -> int:
    return sum(control.verdict is verdict for control in controls)


def _first_of(items: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return items[:count]
