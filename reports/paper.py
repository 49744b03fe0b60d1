"""The run as a document for print: plain texts and numbers in the order of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import about, changing, prose, question
from reports.account import account, commands, drawn, is_long
from reports.frame import Signature
from reports.model import Control, Run
from reports.timeline import lanes
from reports.verdict import Verdict

_MOST_WRONG = 24


def paper(run: Run, digest: str) -> dict[str, Any]:
    """Everything the template prints; digest is the SHA-256 of the attached record."""
    end = prose.outcome(run)
    return {
        "title": f"{end.word}: evidence of run {run.run.id}",
        "date": [run.run.finished.year, run.run.finished.month, run.run.finished.day],
        "outcome": {"word": end.word, "sentence": end.sentence, "next": end.next},
        "code": run.exit_code,
        "worth": prose.grade(run),
        "experimental": changing.experimental(run),
        "rehearsal": run.subject.grade == "rehearsal",
        "grade": run.subject.grade,
        "run": run.run.id,
        "version": run.run.tool.version,
        "digest": digest,
        "when": about.moment(run.run.started),
        "certified": run.run.certified,
        "strict": run.run.strict_claims,
        "classification": run.retention.classification,
        "cover": about.stated(about.heading(run)),
        "summary": _summary(run),
        "corrections": [_correction(c) for c in run.controls if _wrong(c)],
        "findings": _told(_findings(run)),
        "waivers": [_waiver(control) for control in run.controls if control.waiver],
        "actions": [one.model_dump(mode="json") for one in run.deviations.actions],
        "exclusions": question.exclusions(run),
        "controls": [_row(control) for control in question.inside(run)],
        "account": list(account(run)),
        "short_account": is_long(run),
        "commands": commands(run),
        "times": _times(run),
        "sections": _sections(run),
        "keys": about.keys(run),
        "limits": prose.LIMITS,
        "redaction": prose.redaction(run),
        "sign_off": _sign_off(run),
    }


def _summary(run: Run) -> dict[str, Any]:
    asked = question.inside(run)
    chapters = dict.fromkeys(control.chapter for control in asked)
    return {
        "columns": [[verdict.value, verdict.words] for verdict in prose.COLUMNS],
        "rows": [[name, _tally(c for c in asked if c.chapter == name)] for name in chapters],
        "all": _tally(iter(asked)),
        "figures": _figures(run),
        "urgent": [_line(control) for control in _findings(run)[:8]],
        "more": max(0, len(_findings(run)) - 8),
        "objectives": _objectives(run),
        "wrong": [_line(control) for control in run.controls if _wrong(control)][:_MOST_WRONG],
        "more_wrong": max(0, sum(map(_wrong, run.controls)) - _MOST_WRONG),
        "follows": _follows(run),
    }


def _follows(run: Run) -> list[tuple[str, str]]:
    """What somebody has to do after the run, as far as it was said."""
    approver = run.sign_off.approved
    return [
        ("Next step", prose.outcome(run).next),
        ("Corrective actions", str(len(run.deviations.actions) or "none declared")),
        ("To be approved by", approver.name or "not stated"),
        ("Due again", about.day(run.schedule.next_due) or "not stated"),
    ]


def _tally(controls: Iterator[Control]) -> list[int]:
    verdicts = [control.verdict for control in controls]
    return [verdicts.count(verdict) for verdict in prose.COLUMNS]


def _figures(run: Run) -> list[tuple[str, str]]:
    counts, gating = run.counts, [control for control in run.controls if control.gating]
    hold = [c for c in gating if c.verdict in (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)]
    return [
        (question.executed(run), "controls executed"),
        (f"{len(hold)} of {len(gating)}", "gating controls hold"),
        (str(counts.violated), "violated"),
        (str(counts.contradicted), "runbook corrections"),
        (str(counts.waived), "waived"),
    ]


def _objectives(run: Run) -> list[dict[str, Any]]:
    """Recovery time and point with their targets; null where not measured or not wanted."""
    said = run.objectives
    pairs = (
        ("Recovery time", said.rto_s, said.rto_target_s),
        ("Recovery point", said.rpo_s, said.rpo_target_s),
    )
    return [
        {
            "name": name,
            "measured": seen,
            "target": wanted,
            "seen": "not measured" if seen is None else prose.duration(seen),
            "wanted": "not stated" if wanted is None else prose.duration(wanted),
            "met": None if seen is None or wanted is None else seen <= wanted,
        }
        for name, seen, wanted in pairs
    ]


def _findings(run: Run) -> list[Control]:
    """What failed or is unknown and decides, the weightiest first."""
    found = [control for control in run.controls if prose.matters(control)]
    return sorted(found, key=lambda c: (c.gating, c.verdict), reverse=True)


def _line(control: Control) -> dict[str, Any]:
    return {
        "id": control.id,
        "title": control.title,
        "verdict": control.verdict.value,
        "waived": control.waived,
        "advisory": not control.gating and control.verdict is Verdict.VIOLATED,
    }


def _told(findings: list[Control]) -> list[dict[str, Any]]:
    same = prose.repeated(findings)
    return [_finding(control, same.get(control.id)) for control in findings]


def _finding(control: Control, same: str | None) -> dict[str, Any]:
    seen = prose.sentence(control.observed) if control.observed else None
    said = [f"For the same reason as {same}."] if same else prose.reasons(control)
    return _line(control) | {
        "severity": control.severity,
        "gating": control.gating,
        "observed": seen,
        "reasons": [prose.cut(reason) for reason in said],
    }


def _wrong(control: Control) -> bool:
    return control.verdict is Verdict.CONTRADICTED


def _correction(control: Control) -> dict[str, Any]:
    seen = prose.sentence(control.observed) if control.observed else prose.reasons(control)[0]
    return _line(control) | {
        "says": control.claim,
        "where": "; ".join(control.runbook),
        "seen": prose.cut(seen),
        "should": control.correction or prose.NO_CORRECTION,
    }


def _waiver(control: Control) -> dict[str, Any]:
    assert control.waiver is not None
    said = control.waiver.model_dump(mode="json")
    return _line(control) | said | {"said": prose.waiver(control.waiver)}


def _row(control: Control) -> dict[str, Any]:
    frameworks = [
        f"{prose.FRAMEWORKS.get(name, name)} {', '.join(ids)}"
        for name, ids in sorted(control.frameworks.items())
    ]
    return _line(control) | {
        "chapter": control.chapter,
        "nature": control.nature,
        "severity": control.severity,
        "gating": control.gating,
        "frameworks": "; ".join(frameworks),
        "taken": prose.duration(control.duration_s),
    }


def _times(run: Run) -> dict[str, Any]:
    return {
        "lanes": [drawn(lane) for lane in lanes(run)],
        "half": prose.duration(run.run.duration_s / 2),
        "whole": prose.duration(run.run.duration_s),
        "objectives": _objectives(run),
    }


def _sections(run: Run) -> list[dict[str, Any]]:
    return [
        {"title": title, "rows": about.stated(rows), "unstated": about.unstated(rows)}
        for title, rows in about.sections(run)
    ]


def _sign_off(run: Run) -> dict[str, Any]:
    said = run.sign_off
    return {
        "executed_by": said.executed_by or run.run.operator,
        "separation": about.separation(run),
        "signatures": [
            {"act": act, **_signed(one)}
            for act, one in (
                ("Prepared", said.prepared),
                ("Reviewed", said.reviewed),
                ("Approved", said.approved),
            )
        ],
    }


def _signed(one: Signature) -> dict[str, str | None]:
    when = about.moment(one.signed) if one.signed else None
    return {"name": one.name, "role": one.role, "signed": when, "remark": one.remark}
