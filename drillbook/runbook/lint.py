"""`drillbook runbook lint`: what a runbook in Markdown says that is known to be wrong.

Offline: it reads the files and nothing else. Exit code 0 without a finding, 1 with one, 3 for a
file that cannot be read. What a mark in the document accepts is counted apart.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from drillbook.core.answer import Result, write_json, write_sarif
from drillbook.core.display import printable
from drillbook.core.files import load_text
from drillbook.runbook import rules
from drillbook.runbook.document import OURS, Document
from drillbook.runbook.fix import write_correction

_FOUND = 1
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a document that is wrong, dangerous or lacks something."""

    file: str
    line: int
    rule: str
    control: str
    title: str
    found: str
    measured: str
    write: str


class Accepted(NamedTuple):
    """A finding that the document itself accepts, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What is found in documents, what their marks accept of it, and the marks that do nothing."""

    files: list[str]
    findings: list[Finding] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Take the findings of a document in, each where it belongs."""
        marks = {one: one.rest.split(None, 1) for one in document.marks if one.word == "accept"}
        done = set()
        for one in findings(document):
            fitting = [
                mark
                for mark, words in marks.items()
                if words[1:] and words[0] == one.rule and one.line in mark.follows
            ]
            if fitting:
                done.add(fitting[0])
                self.accepted.append(Accepted(one, printable(marks[fitting[0]][1])))
            else:
                self.findings.append(one)
        for mark, words in marks.items():
            if mark not in done:
                said = "accepts no finding of what follows it" if words[1:] else _FORM
                self.idle.append(f"{document.name}:{mark.line}: this mark {said}")


def lint(paths: Sequence[str | Path], output: str = "text", *, fix: bool = False) -> int:
    """Print what is wrong in the documents, and write them corrected if asked to; the exit code."""
    report, fixed = Report([str(path) for path in paths]), []
    for path in paths:
        document = Document(str(path), load_text(Path(path), "the runbook"))
        if OURS.search(f"{path} {document.text}"):
            before = len(report.findings)
            report.add(document)
            found = [(one.line, one.rule) for one in report.findings[before:]]
            fixed += [write_correction(document, found)] if fix else []
        else:
            report.foreign.append(str(path))
    {"text": _as_text, "json": _as_json, "sarif": _as_sarif}[output](report)
    for sentence in fixed:
        print(printable(sentence), file=sys.stderr)  # noqa: T201
    return _FOUND if report.findings else 0


def findings(document: Document) -> list[Finding]:
    """The findings of one document, in the order of its lines."""
    return [
        Finding(
            document.name,
            one.line,
            rule.id,
            rule.control,
            rule.title,
            excerpt(one.words),
            rule.measured,
            rule.write,
        )
        for rule, one in rules.check(document)
    ]


_FORM = "needs a rule and a reason: <!-- drillbook: accept RULE reason -->"


_SECRETS = (
    (re.compile(r"((?:PASSWORD|SECRET|KEY|TOKEN)\w*\s*[=:]\s*[\"']?)[^\s<>$\"'#|]{6,}"), r"\1…"),
    (re.compile(r"(\bPASSWORD\s+')[^']*(')", re.I), r"\1…\2"),
    (re.compile(r"(://[^:/\s]*:)[^@\s]+@"), r"\1…@"),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b|(?<![\w/+.-])[A-Za-z0-9+/]{40,}={0,2}(?![\w/])"), "…"),
)


def excerpt(words: str) -> str:
    """Words of a document on one line, without what may be a secret or move a terminal."""
    line = without_secrets(printable(" ".join(words.split())))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def without_secrets(text: str) -> str:
    """A text without what may be a secret."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _as_text(report: Report) -> None:
    lines = [
        f"{printable(one.file)}:{one.line}: {one.title} [{one.rule}, {one.control}]\n"
        f"    found:    {one.found}\n"
        f"    measured: {one.measured}\n"
        f"    write:    {one.write}"
        for one in report.findings
    ]
    lines += [
        f"{printable(one.file)}:{one.line}: accepted: {one.title} [{one.rule}, {one.control}]\n"
        f"    found:    {one.found}\n"
        f"    because:  {reason}"
        for one, reason in report.accepted
    ]
    lines += [printable(one) for one in report.idle]
    lines += [
        f"{printable(one)}: does not mention Infisical: not checked" for one in report.foreign
    ]
    checked = _number(len(report.files) - len(report.foreign), "file")
    accepted = f", {len(report.accepted)} accepted" if report.accepted else ""
    lines += [f"runbook lint: {_number(len(report.findings), 'finding')} in {checked}{accepted}"]
    print("\n".join(lines))  # noqa: T201, this is the report


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _as_json(report: Report) -> None:
    write_json(
        "runbook-lint",
        files=report.files,
        not_checked=report.foreign,
        findings=[asdict(one) for one in report.findings],
        accepted=[{**asdict(one), "reason": reason} for one, reason in report.accepted],
        idle_marks=report.idle,
    )


def _as_sarif(report: Report) -> None:
    found = [*((one, "") for one in report.findings), *report.accepted]
    used = {one.rule: rules.rules()[one.rule] for one, _ in found}
    told = {
        id_: {
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.measured},
            "help": {"text": rule.write},
            "properties": {"control": rule.control},
        }
        for id_, rule in used.items()
    }
    results = [
        Result(
            one.rule,
            f"{one.title}: {one.found}\n{one.measured}\nWrite: {one.write}",
            one.file,
            one.line,
            reason,
        )
        for one, reason in found
    ]
    looked_at = [one for one in report.files if one not in report.foreign]
    write_sarif("drillbook runbook lint", told, results, looked_at)
