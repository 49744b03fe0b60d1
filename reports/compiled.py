"""Compiled templates kept beside their sources, as Python keeps its modules; else each run makes
them anew, for a fifth of a second.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

TEMPLATES = Path(__file__).parent / "templates"


class _Kept(jinja2.FileSystemBytecodeCache):
    """A cache that costs nothing but time where it cannot be written."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def kept(made: jinja2.Environment, templates: Path = TEMPLATES) -> jinja2.Environment:
    """The same environment, which keeps what it compiles where Python may keep what it compiles."""
    folder = templates / "__pycache__"
    if sys.dont_write_bytecode:
        return made
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
    if os.access(folder, os.W_OK | os.X_OK):
        made.bytecode_cache = _Kept(str(folder), f"{_manner(made)}-%s.cache")
    return made


def _manner(made: jinja2.Environment) -> str:
    """What a compiled template depends on beside its source: above all whether it escapes."""
    escaping = getattr(made.autoescape, "__qualname__", made.autoescape)
    manner = (jinja2.__version__, escaping, made.trim_blocks, made.lstrip_blocks, made.undefined)
    return sha256(repr(manner).encode()).hexdigest()[:12]
