"""`drillbook runbook lint`: finds statements of a runbook in Markdown that are known to be wrong.

Offline: it reads the files and nothing else. Exit code 0 without a finding, 1 with one, 3 for a
file that cannot be read. Findings that a mark in the document accepts are counted separately.

--fix prints every correction that a rule can make alone as a patch, in place of the findings.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drillbook.core.display import Result, hide_values, printable, write_json, write_sarif
from drillbook.core.files import load_text
from drillbook.runbook.document import OURS, SHELLS, Document
from drillbook.runbook.patches import own_lines, unified_patch
from drillbook.runbook.rules import Rule, check, rules

_PLAIN_SH = re.compile(r"#!\s*\S*/(?:env )?(?:da)?sh\b")
_FOUND = 1
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a document that is wrong, dangerous or lacks something, and its rule.

    reason says why the document itself accepts it; empty if it does not.
    """

    file: str
    line: int
    rule: Rule
    found: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings in documents, those that their marks accept, and marks without effect."""

    files: list[str]
    findings: list[Finding] = field(default_factory=list)
    accepted: list[Finding] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Add the findings of a document, each to the list it belongs to."""
        marks = {one: one.rest.split(None, 1) for one in document.marks if one.word == "accept"}
        idle = dict(marks)
        for one in findings(document):
            for mark, words in marks.items():
                if words[1:] and words[0] == one.rule.id and one.line in mark.follows:
                    idle.pop(mark, None)
                    self.accepted.append(replace(one, reason=printable(words[1])))
                    break
            else:
                self.findings.append(one)
        for mark, words in idle.items():
            said = "accepts no finding of what follows it" if words[1:] else _FORM
            self.idle.append(f"{document.name}:{mark.line}: this mark {said}")


def lint(paths: Sequence[str | Path], output: str = "text", fix: bool = False) -> int:
    """Print the findings in documents, or with fix their corrections; the exit code."""
    report, patches = Report([str(path) for path in paths]), ""
    for path in map(Path, paths):
        text = load_text(path, "the runbook")
        document = Document(str(path), text)
        if not OURS.search(f"{path} {text}"):
            report.foreign.append(str(path))
            continue
        before = len(report.findings)
        report.add(document)
        wrong = [(one.line, one.rule.id) for one in report.findings[before:]]
        if fix:
            patches += unified_patch(path, text, correct(document, text, wrong))
        if not document.blocks:
            print(printable(f"{path}: {_NO_BLOCK}"), file=sys.stderr)  # noqa: T201
    if fix:
        print(patches, end="")  # noqa: T201
    else:
        {"text": _as_text, "json": _as_json, "sarif": _as_sarif}[output](report)
    return _FOUND if report.findings else 0


def findings(document: Document) -> list[Finding]:
    """The findings of one document, in the order of its lines."""
    return [
        Finding(document.name, one.line, rule, excerpt(one.words)) for rule, one in check(document)
    ]


_NO_BLOCK = "holds no block of commands, as ``` begins one in Markdown: others may be missed"
_FORM = "needs a rule and a reason: <!-- drillbook: accept RULE reason -->"


_SECRETS = (
    # Greedy: a password that is not encoded may have a slash or an @ in it.
    (re.compile(r"(://[^:/\s@]*:)\S{1,500}@"), r"\1…@"),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b|(?<![\w/+.-])[A-Za-z0-9+/]{40,}={0,2}(?![\w/])"), "…"),
)


def excerpt(words: str) -> str:
    """Words of a document on one line, without anything that may be a secret or move a terminal."""
    lines = "\n".join(" ".join(line.split()) for line in words.splitlines())
    line = " ".join(without_secrets(printable(lines, keep="\n")).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def without_secrets(text: str) -> str:
    """A text without anything that may be a secret."""
    text = hide_values(text, "…")
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _as_text(report: Report) -> None:
    lines = [
        f"{printable(one.file)}:{one.line}: {one.rule}\n"
        f"    found:    {one.found}\n"
        f"    measured: {one.rule.measured}\n"
        f"    write:    {one.rule.write}"
        for one in report.findings
    ]
    lines += [
        f"{printable(one.file)}:{one.line}: accepted: {one.rule}\n"
        f"    found:    {one.found}\n"
        f"    because:  {one.reason}"
        for one in report.accepted
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
        findings=[_as_data(one) for one in report.findings],
        accepted=[{**_as_data(one), "reason": one.reason} for one in report.accepted],
        idle_marks=report.idle,
    )


def _as_data(one: Finding) -> dict[str, object]:
    rule = one.rule
    about = {"file": one.file, "line": one.line, "rule": rule.id, "control": rule.control}
    text = {"title": rule.title, "found": one.found, "measured": rule.measured, "write": rule.write}
    return about | text


def _as_sarif(report: Report) -> None:
    found = [*report.findings, *report.accepted]
    used = {
        one.rule.id: {
            "shortDescription": {"text": one.rule.title},
            "fullDescription": {"text": one.rule.measured},
            "help": {"text": one.rule.write},
            "properties": {"control": one.rule.control},
        }
        for one in found
    }
    results = [
        Result(
            one.rule.id,
            f"{one.rule.title}: {one.found}\n{one.rule.measured}\nWrite: {one.rule.write}",
            one.file,
            one.line,
            one.reason,
        )
        for one in found
    ]
    looked_at = [one for one in report.files if one not in report.foreign]
    write_sarif("drillbook runbook lint", used, results, looked_at)


def _mistakes(name: str, text: str) -> Counter[str]:
    """The number of mistakes by rule."""
    return Counter(rule.id for rule, _ in check(Document(name, text)))


def correct(document: Document, text: str, found: Sequence[tuple[int, str]]) -> str:
    """The text of a document after each correction that removes a finding and adds none.

    text has the document's own ends of lines; each line keeps its own.
    """
    whole = own_lines(text)
    lines = [line.rstrip("\r\n") for line in whole]
    ends = [line[len(bare) :] for line, bare in zip(whole, lines, strict=True)]
    for line, rule in sorted(found, reverse=True):
        blocks = [
            block.text
            for block in document.blocks
            if block.language in SHELLS and 0 <= line - block.line < len(block.text.splitlines())
        ]
        for pattern, instead in rules()[rule].fix if blocks else ():
            # A plain sh of 2024 and before ends at this option, and then makes no backup at all.
            if "pipefail" in instead and _PLAIN_SH.match(blocks[0]):
                continue
            end = line
            while lines[end - 1].endswith("\\") and end < len(lines):
                end += 1
            old = "\n".join(lines[line - 1 : end])
            new = re.sub(pattern, instead, old, count=1).split("\n")
            candidate = [*lines[: line - 1], *new, *lines[end:]]
            if _is_better(document.name, lines, candidate, new):
                more = len(candidate) - len(lines)
                ends[line - 1 : line - 1] = ends[line - 1 : line] * more
                lines = candidate
                break
    return "".join(f"{line}{end}" for line, end in zip(lines, ends, strict=True))


def _is_better(name: str, lines: list[str], candidate: list[str], new: list[str]) -> bool:
    """Whether a correction leaves fewer mistakes, and changes one block alone."""
    before, after = ("\n".join(one) for one in (lines, candidate))
    if not _mistakes(name, after) < _mistakes(name, before):
        return False
    old_blocks, blocks = (
        [one.text for one in Document(name, text).blocks] for text in (before, after)
    )
    changed = [one for one in blocks if one not in old_blocks]
    whole = len(blocks) == len(old_blocks) and len(changed) == 1
    return whole and all(one.strip() in changed[0] for one in new)
