"""report.pdf: the run for auditors, as PDF/A-3a and PDF/UA-1 with evidence.json attached.

Equal runs give equal bytes. Text of the run goes to the template as data and is never read
as markup; fonts are those of the package and those built into typst, never the machine's. PDF/A
refuses a character without a glyph: such a character is written as its number, and the attached
record has it unchanged.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst
from fontTools.ttLib import TTFont

from drillbook.core.display import map_texts
from reports.evidence import json_file
from reports.evidence.model import Control, Run, Spec
from reports.render import phrases
from reports.render.charts import Lane, lanes
from reports.render.context_sections import (
    day,
    frameworks,
    heading,
    keys,
    names_without_value,
    sections,
    separation,
    with_value,
)
from reports.render.html import TEMPLATES
from reports.render.phrases import duration, shorten, spec_in_words
from reports.verdict import HOLDS, Verdict

_FONTS = Path(str(files("font_source_sans_pro"))) / "files"
_USED = ("Regular", "Semibold", "Bold")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_HARNESS = ("set up", "between the steps", "tear down")
_MOST_STEPS = 1500
_NUMBERED = re.compile(r"\d+")
_MOST_WRONG = 24


def name_missing_glyphs(text: str) -> str:
    """The text with each character that has no glyph written as [U+1F511]; line breaks stay."""
    known = _characters()
    return "".join(one if one in known else f"[U+{ord(one):04X}]" for one in text)


@cache
def _characters() -> frozenset[str]:
    """The characters that every weight of the text font has, and the line break."""
    fonts = [set(TTFont(_FONTS / f"SourceSansPro-{name}.ttf").getBestCmap()) for name in _USED]
    seen = (chr(code) for code in set.intersection(*fonts))
    return frozenset(one for one in seen if unicodedata.category(one) not in _UNSEEN) | {"\n"}


def render(run: Run) -> bytes:
    """The run as a PDF with its record attached."""
    record = json_file.text(run.model_dump(mode="json"))
    digest = hashlib.sha256(record.encode()).hexdigest()
    made = int(run.run.finished.timestamp())
    return compile_pdf("report.typ", {"run": pdf_document(run, digest)}, {"evidence": record}, made)


def compile_pdf(
    template: str, printed: dict[str, Any], attached: dict[str, str], timestamp: int
) -> bytes:
    """A PDF by a template: `printed` is its data, `attached` are texts to attach unchanged."""
    texts = {
        name: json.dumps(map_texts(name_missing_glyphs, value)) for name, value in printed.items()
    }
    document = typst.compile(
        str(TEMPLATES / template),
        sys_inputs=texts | attached,
        pdf_standards=["a-3a", "ua-1"],
        font_paths=[str(_FONTS)],
        ignore_system_fonts=True,
        timestamp=timestamp,
    )
    return bytes(document)


def _is_long(run: Run) -> bool:
    """Whether the run has so many steps that the account leaves some out."""
    steps = (len(spec.steps) for control in run.controls for spec in control.specs)
    return sum(steps) > _MOST_STEPS


def account(run: Run) -> Iterator[dict[str, Any]]:
    """The steps of each control with their start and duration.

    Of a very long run only controls that did not hold, until those are too many as well.
    """
    room = _MOST_STEPS if _is_long(run) else None
    for control in run.controls:
        specs = [_spec(run, spec) for spec in control.specs if spec.steps]
        if not specs or (room is not None and (control.verdict in HOLDS or room <= 0)):
            continue
        named = {"id": control.id, "title": control.title, "verdict": control.verdict.value}
        yield named | {"specs": specs}
        if room is not None:
            room -= sum(len(spec["steps"]) for spec in specs)


def _spec(run: Run, spec: Spec) -> dict[str, Any]:
    return {
        "name": spec_in_words(spec.id),
        "verdict": spec.verdict.value,
        "taken": duration(spec.duration_s),
        "steps": [
            [
                _offset((step.started - run.run.started).total_seconds()),
                step.title,
                duration(step.duration_s),
                step.verdict.value,
            ]
            for step in spec.steps
            if step.title not in _HARNESS or step.verdict is not Verdict.SATISFIED
        ],
    }


def _offset(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def _commands(run: Run) -> list[dict[str, Any]]:
    """The commands run in services, with counts; lines that differ only in numbers are one."""
    found: dict[tuple[str | None, str], dict[str, Any]] = {}
    for step in (s for c in run.controls for spec in c.specs for s in spec.steps):
        for command in step.commands:
            # The first line identifies a script.
            first, *rest = (command.line or command.act).strip().splitlines() or [""]
            line = f"{first} ..." if rest else first
            key = (command.service, _NUMBERED.sub("0", line))
            row = found.setdefault(
                key, {"service": command.service, "line": shorten(line), "count": 0}
            )
            row["count"] += command.count
    return sorted(found.values(), key=lambda one: (one["service"] or "", one["line"]))


def _draw_lane(lane: Lane) -> dict[str, Any]:
    """A lane for paper: bars that touch become one, as there may be thousands."""
    spans: list[list[float]] = []
    for bar in sorted(lane.bars):
        end = min(bar.x + bar.width, 1000.0)
        if spans and bar.x <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([bar.x, end])
    total, times = duration(lane.total), len(lane.bars)
    said = f"{lane.kind.capitalize()} happened {times} times and took {total} in all."
    return {"kind": lane.kind, "bars": spans, "total": total, "times": f"{times}×", "said": said}


def pdf_document(run: Run, digest: str) -> dict[str, Any]:
    """Everything the template prints; digest is the SHA-256 of the attached record."""
    end, findings = phrases.outcome(run), phrases.findings(run)
    same = phrases.find_repeats(findings)
    return {
        "title": f"{end.word}: evidence of run {run.run.id}",
        "date": [run.run.finished.year, run.run.finished.month, run.run.finished.day],
        "outcome": end._asdict(),
        "code": phrases.cover_code(run),
        "worth": phrases.grade(run),
        "rehearsal": run.subject.grade == "rehearsal",
        "run": run.run.id,
        "version": run.run.tool.version,
        "digest": digest,
        "certified": run.run.certified,
        "strict": run.run.strict_claims,
        "cover": with_value(heading(run)),
        "summary": _summary(run, findings),
        "objectives": _objectives(run),
        "corrections": [_correction(control) for control in phrases.contradicted_controls(run)],
        "findings": [_finding(control, same.get(control.id)) for control in findings],
        "known_title": phrases.KNOWN_WEAKNESSES,
        "known": [_known(control) for control in phrases.known_weaknesses(run)],
        "unjudged": phrases.unjudged_exposure(run),
        "waivers": [_waiver(control) for control in run.controls if control.waiver],
        "exclusions": phrases.exclusions(run),
        "clauses": frameworks(run),
        "mapped": phrases.mapped(run),
        "controls": [_row(control, run) for control in phrases.asked_controls(run)],
        "account": list(account(run)),
        "short_account": _is_long(run),
        "commands": _commands(run),
        "times": {
            "lanes": [_draw_lane(lane) for lane in lanes(run)],
            "half": duration(run.run.duration_s / 2),
            "whole": duration(run.run.duration_s),
        },
        "sections": [
            {"title": title, "rows": with_value(rows), "unstated": names_without_value(rows)}
            for title, rows in sections(run)
        ],
        "keys": keys(run),
        "limits": phrases.LIMITS,
        "redaction": phrases.redaction(run),
        "sign_off": _sign_off(run),
    }


def _summary(run: Run, findings: list[Control]) -> dict[str, Any]:
    controls, wrong = phrases.asked_controls(run), phrases.contradicted_controls(run)
    chapters = phrases.by_chapter(controls)
    return {
        "columns": [[verdict.value, verdict.words] for verdict in phrases.COLUMNS],
        "rows": [[name, _counts(members)] for name, members in chapters.items()],
        "all": _counts(controls),
        "figures": _figures(run),
        "urgent": [_line(control) for control in findings[:8]],
        "more": max(0, len(findings) - 8),
        "wrong": [_line(control) for control in wrong[:_MOST_WRONG]],
        "more_wrong": max(0, len(wrong) - _MOST_WRONG),
        "follows": [
            ("Next step", phrases.outcome(run).next),
            ("To be approved by", run.sign_off.approved.name or "not stated"),
            ("Due again", day(run.schedule.next_due) or "not stated"),
        ],
    }


def _counts(controls: list[Control]) -> list[int]:
    return [count for _, count in phrases.tally(controls)]


def _figures(run: Run) -> list[tuple[str, str]]:
    counts, gating = run.counts, phrases.applicable_gates(run)
    hold = [c for c in gating if c.verdict in HOLDS]
    return [
        (phrases.judged_count(run), "controls judged"),
        (f"{len(hold)} of {len(gating)}", "gating controls hold"),
        (str(counts.violated - len(phrases.known_weaknesses(run))), "violated"),
        (str(counts.contradicted), "runbook corrections"),
        (str(counts.waived), "waived"),
    ]


def _objectives(run: Run) -> list[dict[str, Any]]:
    """Recovery time and point with their targets, and whether they were met; the verification."""
    said = run.objectives
    pairs = (
        ("Recovery time", said.rto_s, said.rto_target_s),
        ("Recovery point", said.rpo_s, said.rpo_target_s),
    )
    verification = {
        "name": "Verification, after the recovery",
        "measured": said.verification_s,
        "target": None,
        "seen": duration(said.verification_s or 0),
        "wanted": "no target",
        "result": "not judged",
    }
    judged = [
        {
            "name": name,
            "measured": seen,
            "target": wanted,
            "seen": "not measured" if seen is None else duration(seen),
            "wanted": "not stated" if wanted is None else duration(wanted),
            "result": phrases.objective_result(seen, wanted, restored=said.restored),
        }
        for name, seen, wanted in pairs
    ]
    return judged if said.verification_s is None else [*judged, verification]


def _line(control: Control) -> dict[str, Any]:
    return {
        "id": control.id,
        "title": control.title,
        "verdict": control.verdict.value,
        "nature": control.nature,
        "severity": control.severity,
        "gating": control.gating,
        "waived": control.waived,
        "advisory": not control.gating and control.verdict is Verdict.VIOLATED,
        "known": control.known_weakness,
    }


def _finding(control: Control, same: str | None) -> dict[str, Any]:
    said = [f"For the same reason as {same}."] if same else phrases.observation(control)
    return _line(control) | {
        "expected": phrases.expectation(control),
        "asserted": control.verdict in phrases.ASSERTED,
        "reasons": [shorten(reason) for reason in said],
        "to_do": [] if same or control.verdict is not Verdict.VIOLATED else _advice(control),
    }


def _known(control: Control) -> dict[str, Any]:
    avoid = control.exposure.avoid if control.exposure else None
    seen, here = phrases.weakness(control), phrases.exposure(control)
    return {"id": control.id, "seen": seen, "avoid": avoid or "", "here": here}


def _correction(control: Control) -> dict[str, Any]:
    return _line(control) | {
        "says": phrases.says(control),
        "where": "; ".join(f"line {one.line}, {one.section}" for one in control.statements)
        or "; ".join(control.runbook),
        "seen": shorten(phrases.observation(control)[0]),
        "should": _advice(control) or [{"sentence": phrases.NO_CORRECTION}],
    }


def _advice(control: Control) -> list[dict[str, Any]]:
    return [said.model_dump(exclude_none=True) for said in control.corrections]


def _waiver(control: Control) -> dict[str, Any]:
    assert control.waiver is not None
    said = control.waiver.model_dump(mode="json")
    return _line(control) | said | {"said": phrases.waiver(control.waiver)}


def _row(control: Control, run: Run) -> dict[str, Any]:
    mapped = [
        f"{phrases.FRAMEWORKS.get(name, name)} {', '.join(ids)}"
        for name, ids in sorted(control.frameworks.items())
    ]
    return _line(control) | {
        "frameworks": "rehearsed" if phrases.is_rehearsal(run) else "; ".join(mapped)
    }


def _sign_off(run: Run) -> dict[str, Any]:
    said = run.sign_off
    acts = {"Prepared": said.prepared, "Reviewed": said.reviewed, "Approved": said.approved}
    return {
        "executed_by": said.executed_by or run.run.operator,
        "separation": separation(run),
        "warns": said.separated is False,
        "signatures": [
            {"act": act, "name": one.name, "role": one.role} for act, one in acts.items()
        ],
        "not_signed": phrases.sentence(phrases.NOT_SIGNED),
    }
