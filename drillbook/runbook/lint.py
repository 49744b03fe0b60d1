"""`drillbook runbook lint`: finds statements of a runbook in Markdown that are known to be wrong.

Offline: it reads the files and nothing else. Exit code 0 without a finding, 1 with one, 3 for a
file that cannot be read. Findings that a mark in the document accepts are counted separately.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drillbook.core.display import Result, hide_values, printable, write_json, write_sarif
from drillbook.core.errors import FAILED, PASSED
from drillbook.core.files import load_text
from drillbook.runbook.document import ACCEPT, OURS, Document
from drillbook.runbook.rules import check

_LONGEST = 160
_NO_BLOCK = "holds no block of commands, as ``` begins one in Markdown: others may be missed"
_SECRETS = (
    # Greedy: a password that is not encoded may have a slash or an @ in it.
    (re.compile(r"(://[^:/\s@]*:)\S{1,500}@"), r"\1…@"),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b|(?<![\w/+.-])[A-Za-z0-9+/]{40,}={0,2}(?![\w/])"), "…"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of a document that is wrong, dangerous or lacks something, and its rule.

    reason says why the document itself accepts it; empty if it does not.
    """

    file: str
    line: int
    rule: str
    control: str
    title: str
    found: str
    measured: str
    write: str
    reason: str = ""

    def __str__(self) -> str:
        accepted = "accepted: " if self.reason else ""
        rows = {"found": self.found, "measured": self.measured, "write": self.write}
        if self.reason:
            rows = {"found": self.found, "because": self.reason}
        head = f"{printable(self.file)}:{self.line}: {accepted}"
        head += f"{self.title} [{self.rule}, {self.control}]"
        return "\n".join([head, *(f"    {label + ':':<9} {row}" for label, row in rows.items())])


def lint(paths: Sequence[str | Path], output: str = "text") -> int:
    """Print the findings in documents; the exit code."""
    files, foreign, every = [str(path) for path in paths], list[str](), list[Finding]()
    for path in files:
        text = load_text(Path(path), "the runbook")
        document = Document(path, text)
        if not OURS.search(f"{path} {text}"):
            foreign.append(path)
            continue
        every += findings(document)
        if not document.blocks:
            print(printable(f"{path}: {_NO_BLOCK}"), file=sys.stderr)  # noqa: T201
    wrong = [finding for finding in every if not finding.reason]
    accepted = [finding for finding in every if finding.reason]
    if output == "json":
        found, excused = ([_as_data(finding) for finding in group] for group in (wrong, accepted))
        write_json(
            "runbook-lint", files=files, not_checked=foreign, findings=found, accepted=excused
        )
    elif output == "sarif":
        _write_sarif([*wrong, *accepted], [path for path in files if path not in foreign])
    else:
        lines = [*map(str, wrong), *map(str, accepted)]
        lines += [printable(f"{path}: does not mention Infisical: not checked") for path in foreign]
        checked = _number(len(files) - len(foreign), "file")
        excused_too = f", {len(accepted)} accepted" if accepted else ""
        lines += [f"runbook lint: {_number(len(wrong), 'finding')} in {checked}{excused_too}"]
        print("\n".join(lines))  # noqa: T201, this is the report
    return FAILED if wrong else PASSED


def findings(document: Document) -> Iterator[Finding]:
    """The findings of one document, in the order of its lines."""
    for rule, place in check(document):
        reason = next(
            (
                words[1]
                for mark in document.marks
                if mark.word == ACCEPT and place.line in mark.follows
                for words in [mark.rest.split(None, 1)]
                if words[1:] and words[0] == rule.id
            ),
            "",
        )
        about = rule.id, rule.control, rule.title, excerpt(place.words), rule.measured, rule.write
        yield Finding(document.name, place.line, *about, printable(reason))


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


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _as_data(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in asdict(finding).items() if name != "reason" or value}


def _write_sarif(found: Sequence[Finding], files: Sequence[str]) -> None:
    used = {
        finding.rule: {
            "shortDescription": {"text": finding.title},
            "fullDescription": {"text": finding.measured},
            "help": {"text": finding.write},
            "properties": {"control": finding.control},
        }
        for finding in found
    }
    results = [
        Result(
            finding.rule,
            f"{finding.title}: {finding.found}\n{finding.measured}\nWrite: {finding.write}",
            *(finding.file, finding.line, finding.reason),
        )
        for finding in found
    ]
    write_sarif("drillbook runbook lint", used, results, files)
