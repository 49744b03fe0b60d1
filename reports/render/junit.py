"""junit.xml: one test case for each control, for what CI systems show.

| verdict | JUnit |
| --- | --- |
| satisfied | passed |
| violated | failure |
| contradicted | failure of type `contradicted` in a strict run, else passed with system-out |
| inconclusive | error |
| not_run, not_applicable | skipped, with the reason |
| any of these, but waived | passed with system-out; the property `waived` is true |

A run that ended early, or whose report held a secret, has one more case, with an error.

JUnit has fewer outcomes than Drillbook: the property `verdict` of each case holds the verdict.
pytest writes properties of a case, too, and most readers know them; the strictest schema, that of
Jenkins' xUnit plugin, does not. Apart from them the file is valid by that schema.
Equal runs give equal bytes.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.evidence.model import Control, Run
from reports.render.phrases import by_chapter, outcome, waiver
from reports.verdict import IDLE, Verdict

_OF_ALL = ("tests", "failures", "errors", "time")
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def render(run: Run) -> str:
    """The run as JUnit XML."""
    totals = _totals(list(run.controls), run)
    root = Element("testsuites", {"name": "drillbook"} | {one: totals[one] for one in _OF_ALL})
    for chapter, members in by_chapter(run.controls).items():
        suite = SubElement(root, "testsuite", {"name": chapter} | _totals(members, run))
        for control in members:
            _case(suite, control, run)
    if run.redaction.leaks:
        _add_error(root, run, "the report holds no secret", "secret in the report")
    elif run.run.interrupted or run.run.stopped:
        _add_error(root, run, "the run ends", "ended early")
    indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{tostring(root, encoding='unicode')}\n"


def _add_error(root: Element, run: Run, name: str, kind: str) -> None:
    """An error of its own, as a CI takes a file of passed and skipped cases for a success."""
    root.set("tests", str(len(run.controls) + 1))
    root.set("errors", str(int(root.get("errors", "0")) + 1))
    suite = SubElement(root, "testsuite", {"name": "run"} | _totals([], run))
    suite.attrib |= {"tests": "1", "errors": "1"}
    case = SubElement(suite, "testcase", classname="drillbook.run", name=name, time="0")
    said = _legal(outcome(run).sentence)
    SubElement(case, "error", type=kind, message=said).text = said


def _totals(controls: list[Control], run: Run) -> dict[str, str]:
    kinds = [_kind(control, run) for control in controls]
    return {
        "tests": str(len(controls)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(control.duration_s for control in controls):.3f}",
        "timestamp": run.run.started.isoformat(timespec="seconds"),
    }


def _kind(control: Control, run: Run) -> str | None:
    if control.waived or control.known_weakness:
        return None
    if control.verdict is Verdict.CONTRADICTED:
        return "failure" if run.run.strict_claims else None
    if control.verdict in IDLE:
        return "skipped"
    return {Verdict.VIOLATED: "failure", Verdict.INCONCLUSIVE: "error"}.get(control.verdict)


def _case(suite: Element, control: Control, run: Run) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=f"drillbook.{control.chapter}",
        name=f"{control.id} {_legal(control.title)}",
        time=f"{control.duration_s:.3f}",
    )
    properties = SubElement(case, "properties")
    for name, value in _properties(control):
        SubElement(properties, "property", name=name, value=_legal(value))
    kind, text = _kind(control, run), _legal(_account(control))
    if kind:
        headline = text.splitlines()[0] if text else control.verdict.words
        outcome = SubElement(case, kind, type=control.verdict.value, message=headline)
        outcome.text = text
    elif control.waiver and control.waived:
        said = f"{control.verdict.words}, and waived\n{waiver(control.waiver)}\n{text}"
        SubElement(case, "system-out").text = _legal(said)
    elif control.known_weakness:
        SubElement(case, "system-out").text = f"known weakness (does not gate)\n{text}"
    elif control.verdict is Verdict.CONTRADICTED:
        SubElement(case, "system-out").text = f"contradicted (does not gate)\n{text}"


def _properties(control: Control) -> list[tuple[str, str]]:
    fixed = [
        ("control", control.id),
        ("verdict", control.verdict.value),
        ("nature", control.nature),
        ("severity", control.severity),
        ("gating", str(control.gating).lower()),
        ("waived", str(control.waived).lower()),
    ]
    if control.waiver:
        fixed.append(("waiver", waiver(control.waiver)))
    mapped = [
        (f"framework.{framework}", ", ".join(ids))
        for framework, ids in sorted(control.frameworks.items())
    ]
    return [*fixed, *mapped]


def _account(control: Control) -> str:
    """The reasons, a line each: messages of specs, the observation, the correction."""
    lines = [spec.message for spec in control.specs if spec.message]
    lines += [f"observed: {control.observed}"] if control.observed else []
    lines += [f"correction: {control.correction}"] if control.correction else []
    return "\n".join(lines or [control.note or ""])


def _legal(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)
