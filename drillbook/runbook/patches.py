"""Patches for `git apply`, which keep each line's own end."""

from __future__ import annotations

import codecs
import difflib
import json
import re
from pathlib import Path


def own_lines(text: str) -> list[str]:
    """The lines of a text as Markdown counts them, each with its own end."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def unified_patch(path: Path, old: str, new: str) -> str:
    """The change of a file as a patch; empty where there is none."""
    mark = byte_order_mark(path)
    name = path.name if path.is_absolute() else path.as_posix()
    before, after = (_header(f"{side}/{name}") for side in "ab")
    old_lines, new_lines = (
        re.findall(r"[^\n]*\n|[^\n]+", text) for text in (mark + old, mark + new)
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old_lines, new_lines, before, after)
    )


def byte_order_mark(path: Path) -> str:
    """What editors of some systems begin a file with; empty where the file has none."""
    with path.open("rb") as file:
        begins = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    return codecs.BOM_UTF8.decode() if begins else ""


def _header(name: str) -> str:
    """A file's name in the form that `git apply` and `patch` read."""
    if re.search(r'[\x00-\x1f"\\]', name):
        return json.dumps(name, ensure_ascii=False)
    return f"{name}\t" if " " in name else name
