"""A runbook with what can be corrected by rule alone, and the patch that makes it."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from drillbook.core.errors import BadInput
from drillbook.core.files import write_file
from drillbook.runbook.document import SHELLS, Document
from drillbook.runbook.rules import check, rules


def write_corrected(document: Document, found: Sequence[tuple[int, str]]) -> str:
    """Write the corrected document and a patch next to it; in a sentence, what was written.

    found has the line and the rule of each finding that is to be corrected.
    """
    path = Path(document.name)
    fixed = correct(document, found)
    if fixed == document.text:
        return f"{path}: nothing that can be corrected by rule alone; nothing is written"
    names = [path.with_name(f"{path.stem}.corrected{path.suffix}"), Path(f"{path}.patch")]
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (document.text, fixed))
    patch = difflib.unified_diff(old, new, str(path), str(path))
    lines = [
        one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n" for one in patch
    ]
    try:
        for name, text in zip(names, (fixed, "".join(lines)), strict=True):
            write_file(name, text.encode())
    except OSError as trouble:
        raise BadInput(f"cannot write next to {path}: {trouble.strerror}") from None
    before, after = (_mistakes(document.name, text) for text in (document.text, fixed))
    count = before.total() - after.total()
    left = len(found) - count
    return f"{path}: {count} corrected in {names[0]}, {left} left; the patch is {names[1]}"


def _mistakes(name: str, text: str) -> Counter[str]:
    """How many mistakes there are of each rule."""
    return Counter(rule.id for rule, _ in check(Document(name, text)))


def correct(document: Document, found: Sequence[tuple[int, str]]) -> str:
    """The text of a document after each correction that takes a finding away and brings none."""
    text = document.text
    for line, rule in sorted(found, reverse=True):
        in_block = any(
            block.language in SHELLS and 0 <= line - block.line < len(block.text.splitlines())
            for block in document.blocks
        )
        for pattern, instead in rules()[rule].fix if in_block else ():
            lines = text.split("\n")
            end = line
            while lines[end - 1].endswith("\\") and end < len(lines):
                end += 1
            old = "\n".join(lines[line - 1 : end])
            lines[line - 1 : end] = [re.sub(pattern, instead, old, count=1)]
            candidate = "\n".join(lines)
            if _mistakes(document.name, candidate) < _mistakes(document.name, text):
                text = candidate
                break
    return text
