"""report.html: the run as one page that needs no other file.

Above one megabyte the log excerpts of satisfied specs are left out; they remain in logs/.
"""

from __future__ import annotations

import re
import shlex
from base64 import b64encode
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from reports.evidence.model import Run
from reports.render import context_sections, phrases, upgrade_text
from reports.render.charts import lanes, recovery, worker_lanes
from reports.verdict import Verdict

TEMPLATES = Path(__file__).parents[1] / "templates"

_TICKS = re.compile(r"`([^`]+)`")
_LARGEST = 1_000_000
_EXCHANGES = 40
# Marks of direction, with which a browser would show a text of the product in another order.
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
# Options that say which controls of a run are tried, and with which data.
_CHOOSING = ("--control", "--controls", "--seed")
_FILES = {
    "report.pdf": "PDF for auditors",
    "corrected-runbook.md": "Corrected runbook",
    "document.html": "The document, with what was seen",
    "evidence.json": "Record (JSON)",
    "junit.xml": "JUnit",
    "REPRODUCE.md": "How to check this",
}


def _mark_code(text: str) -> Markup:
    """Text with the words in backticks marked as code."""
    return Markup(_TICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


@cache
def _environment() -> Environment:
    """The Jinja environment of our templates: pages are escaped, and each template has `style`."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "code": _mark_code,
        "duration": phrases.duration,
        "met": phrases.objective_result,
        "sentence": phrases.sentence,
    }
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    made.globals["style"] = Markup(style)  # noqa: S704 - our own file
    return made


def render_template(name: str, **data: object) -> str:
    """A document by one of our templates."""
    return _environment().get_template(name).render(data).translate(_DIRECTIONS)


def render(run: Run) -> str:
    """The run as a page."""
    page = _page(run, without_logs=())
    if len(page.encode()) <= _LARGEST:
        return page
    return _page(run, without_logs=(Verdict.SATISFIED,))


def _page(run: Run, *, without_logs: tuple[Verdict, ...]) -> str:
    asked = phrases.asked_controls(run)
    findings = phrases.findings(run)
    sections = context_sections.sections(run)
    unstated = (context_sections.names_without_value(rows) for _, rows in sections)
    waived = [control for control in run.controls if control.waiver]
    written = {*run.documents, *(["document.html"] if run.subject.document else ())}
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return render_template(
        "report.html.j2",
        run=run,
        outcome=phrases.outcome(run),
        worth=phrases.grade(run),
        asked=asked,
        chapters=phrases.by_chapter(asked),
        findings=findings,
        repeated=phrases.find_repeats(findings),
        corrections=phrases.contradicted_controls(run),
        known=phrases.known_weaknesses(run),
        timeline=lanes(run),
        workers=worker_lanes(run),
        recovery=recovery(run),
        change_said=upgrade_text.sentence(run),
        change_same=upgrade_text.describe_no_change(run.change) if run.change else "",
        sections=sections,
        mapped=_framework_ids(run),
        unstated=", ".join(filter(None, unstated)),
        files=[(name, words) for name, words in _FILES.items() if name in written],
        again=_repeat_command(run),
        waived=waived,
        deviations=bool(waived or phrases.exclusions(run)),
        exchanges_shown=_EXCHANGES,
        clauses=context_sections.frameworks(run),
        statements=phrases.statements(run),
        without_logs=without_logs,
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
        phrases=phrases,
        context=context_sections,
        Verdict=Verdict,
    )


def _repeat_command(run: Run) -> str:
    """The command that tries one control on the same subject, up to its id; empty if unknown."""
    words: list[str] = []
    with suppress(ValueError):
        words = shlex.split(run.run.command)
    if words[:2] != ["drillbook", "verify"]:
        return ""
    kept, rest = [], iter(words)
    for word in rest:
        name, given, _ = word.partition("=")
        if name in _CHOOSING:
            if not given:
                next(rest, None)
        elif word != "--certified":
            # A certified run has all controls.
            kept.append(word)
    return f"{shlex.join(kept)} --seed {run.run.seed} --control "


def _framework_ids(run: Run) -> dict[str, list[str]]:
    """The ids of each framework that controls are mapped to, sorted."""
    found: dict[str, set[str]] = {}
    for control in phrases.asked_controls(run):
        for name, ids in control.frameworks.items():
            found.setdefault(name, set()).update(ids)
    return {name: sorted(found[name]) for name in sorted(found)}
