"""`drillbook runbook lint`: what a runbook in Markdown says that is known to be wrong.

Offline: it reads the files and nothing else. Exit code 0 without a finding, 1 with one, 3 for a
file that cannot be read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drillbook.core.answer import Result, write_json, write_sarif
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.inputs import text
from drillbook.runbook import rules
from drillbook.runbook.document import OURS, Document

_FOUND, _UNUSABLE = 1, 3
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


def lint(paths: Sequence[str | Path], output: str = "text") -> int:
    """Print what is wrong in the documents; the exit code."""
    found: list[Finding] = []
    foreign: list[str] = []
    try:
        for path in paths:
            document = Document(str(path), text(Path(path), "the runbook"))
            if OURS.search(f"{path} {document.text}"):
                found += findings(document)
            else:
                foreign.append(str(path))
    except BadInput as trouble:
        print(printable(str(trouble)), file=sys.stderr)  # noqa: T201
        return _UNUSABLE
    write = {"text": _as_text, "json": _as_json, "sarif": _as_sarif}[output]
    write(found, [str(path) for path in paths], foreign)
    return _FOUND if found else 0


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


_SECRETS = (
    (re.compile(r"((?:PASSWORD|SECRET|KEY|TOKEN)\w*\s*[=:]\s*[\"']?)[^\s<>$\"'#|]{6,}"), r"\1…"),
    (re.compile(r"(\bPASSWORD\s+')[^']*(')", re.I), r"\1…\2"),
    (re.compile(r"(://[^:/\s]*:)[^@\s]+@"), r"\1…@"),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b|(?<![\w/+.-])[A-Za-z0-9+/]{40,}={0,2}(?![\w/])"), "…"),
)


def excerpt(words: str) -> str:
    """Words of a document on one line, without what may be a secret or move a terminal."""
    line = printable(" ".join(words.split()))
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _as_text(found: list[Finding], files: list[str], foreign: list[str]) -> None:
    lines = [
        f"{printable(one.file)}:{one.line}: {one.title} [{one.rule}, {one.control}]\n"
        f"    found:    {one.found}\n"
        f"    measured: {one.measured}\n"
        f"    write:    {one.write}"
        for one in found
    ]
    lines += [f"{printable(one)}: does not mention Infisical: not checked" for one in foreign]
    count = len(files) - len(foreign)
    lines += [f"runbook lint: {_number(len(found), 'finding')} in {_number(count, 'file')}"]
    print("\n".join(lines))  # noqa: T201, this is the report


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _as_json(found: list[Finding], files: list[str], foreign: list[str]) -> None:
    each = [asdict(one) for one in found]
    write_json("runbook-lint", files=files, not_checked=foreign, findings=each)


def _as_sarif(found: list[Finding], files: list[str], foreign: list[str]) -> None:
    used = {one.rule: rules.rules()[one.rule] for one in found}
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
        )
        for one in found
    ]
    looked_at = [one for one in files if one not in foreign]
    write_sarif("drillbook runbook lint", told, results, looked_at)
