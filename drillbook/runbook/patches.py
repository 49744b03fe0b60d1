"""Patches for `git apply`, which keep each line's own end."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path


def own_lines(text: str) -> list[str]:
    """The lines of a text as Markdown counts them, each with its own end."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def unified_patch(path: Path, old: str, new: str) -> str:
    """The change of a file as a patch; empty where there is none."""
    name = path.name if path.is_absolute() else path.as_posix()
    before, after = (_header(f"{side}/{name}") for side in "ab")
    old_lines, new_lines = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (old, new))
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old_lines, new_lines, before, after)
    )


def _header(name: str) -> str:
    """A file's name in the form that `git apply` and `patch` read."""
    if re.search(r'[\x00-\x1f"\\]', name):
        return json.dumps(name, ensure_ascii=False)
    return f"{name}\t" if " " in name else name
