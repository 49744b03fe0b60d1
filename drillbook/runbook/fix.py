"""A runbook with what can be corrected by rule alone, and the patch that makes it."""

from __future__ import annotations

import codecs
import difflib
import json
import re
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from drillbook.core.errors import BadInput
from drillbook.core.files import read_file, write_file
from drillbook.runbook.document import SHELLS, Document
from drillbook.runbook.rules import check, rules

_LARGEST = 1 << 20
# A line, and what ends it.
_LINES = re.compile(r"([^\r\n]*)(\r\n|\r|\n)|([^\r\n]+)$")


def write_correction(document: Document, found: Sequence[tuple[int, str]]) -> str:
    """Write the corrected document and a patch next to it; in a sentence, what was written.

    found has the line and the rule of each finding that is to be corrected. Nothing that is there
    already is lost: the document stays as it is, and no other text is overwritten.
    """
    path = Path(document.name)
    try:
        data = read_file(path, _LARGEST)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as trouble:
        raise BadInput(f"the runbook {path} cannot be read again: {trouble.strerror}") from None
    mark = codecs.BOM_UTF8.decode() if data.startswith(codecs.BOM_UTF8) else ""
    text = data.decode("utf-8-sig", errors="replace")
    if Document(document.name, text).text != document.text:
        raise BadInput(f"the runbook {path} has changed while it was read; run the command again")
    fixed = correct(document, text, found)
    if fixed == text:
        return f"{path}: nothing that can be corrected by rule alone; nothing is written"
    names = [path.with_name(f"{path.stem}.corrected{path.suffix}"), Path(f"{path}.patch")]
    contents = [(mark + fixed).encode(), _patch(path, mark + text, mark + fixed).encode()]
    pairs = list(zip(names, contents, strict=True))
    try:
        missing = [(name, content) for name, content in pairs if not _holds(name, content)]
        for name, content in missing:
            write_file(name, content, mode)
    except OSError as trouble:
        raise BadInput(f"cannot write next to {path}: {trouble.strerror}") from None
    before, after = (_mistakes(document.name, one) for one in (text, fixed))
    count = before.total() - after.total()
    left = len(found) - count
    return f"{path}: {count} corrected in {names[0]}, {left} left; the patch is {names[1]}"


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file has this content; BadInput where it has another."""
    if not path.exists() and not path.is_symlink():
        return False
    if path.is_symlink() or path.read_bytes() != content:
        raise BadInput(f"{path} is there already and is something else; move it away, or remove it")
    return True


def _patch(path: Path, old: str, new: str) -> str:
    name = path.name if path.is_absolute() else path.as_posix()
    before, after = (_header(f"{side}/{name}") for side in "ab")
    lines = difflib.unified_diff(_lines(old), _lines(new), before, after)
    return "".join(
        one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n" for one in lines
    )


def _header(name: str) -> str:
    """A name as `git apply` and `patch` read it."""
    if re.search(r'[\x00-\x1f"\\]', name):
        return json.dumps(name, ensure_ascii=False)
    return f"{name}\t" if " " in name else name


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _mistakes(name: str, text: str) -> Counter[str]:
    """How many mistakes there are of each rule."""
    return Counter(rule.id for rule, _ in check(Document(name, text)))


def correct(document: Document, text: str, found: Sequence[tuple[int, str]]) -> str:
    """The text of a document after each correction that takes a finding away and brings none.

    text is its text with the ends of lines that it has; each line keeps its own.
    """
    pairs = [(one[1] or one[3] or "", one[2] or "") for one in _LINES.finditer(text)]
    lines, ends = [line for line, _ in pairs], [end for _, end in pairs]
    for line, rule in sorted(found, reverse=True):
        in_block = any(
            block.language in SHELLS
            and not block.markup
            and 0 <= line - block.line < len(block.text.splitlines())
            for block in document.blocks
        )
        for pattern, instead in rules()[rule].fix if in_block else ():
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
    """Whether there are fewer mistakes, and the same blocks but for the one that is corrected."""
    before, after = ("\n".join(one) for one in (lines, candidate))
    if not _mistakes(name, after) < _mistakes(name, before):
        return False
    old_blocks, blocks = (
        [one.text for one in Document(name, text).blocks] for text in (before, after)
    )
    changed = [one for one in blocks if one not in old_blocks]
    whole = len(blocks) == len(old_blocks) and len(changed) == 1
    return whole and all(one.strip() in changed[0] for one in new)
