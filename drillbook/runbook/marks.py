"""The marks of a runbook: what each block of commands does, as its author says.

A mark is an attribute behind the language of a block, as Runme and MyST read it, or a comment right
before a block whose fence must stay as it is:

    ```bash drillbook=restore CONTAINER=db folder=/opt/infisical
    <!-- drillbook: restore CONTAINER=db folder=/opt/infisical -->

What stands behind the act belongs to the mark. A name in capitals is bound to a service or to the
backup; folder is where the commands run. Nothing is read from prose.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from drillbook.core.errors import BadInput
from drillbook.runbook.document import (
    ACCEPT,
    SHELLS,
    Block,
    Document,
    Mark,
    Section,
    without_prompts,
)

# Each act, and the controls that judge it besides RBK-1, which judges every block.
ACTS: Mapping[str, tuple[str, ...]] = {
    "backup": ("BKP-7",),
    "restore": ("BKP-3",),
    "wipe": ("WIP-1", "WIP-2", "WIP-3"),
    "rotate-password": ("DBP-1", "DBP-7"),
    "change-key": ("KEY-2.ENC", "KEY-2.AUTH", "KEY-2.JWTA", "KEY-2.JWTR", "KEY-2.JWTS"),
    "restore-keys": ("KEY-5",),
    "make-keys": ("KEY-7",),
    "health": ("HLT-2",),
    "logs": ("DEP-5",),
    "redeploy": (),
    "check": (),
}
# What a name in capitals may be bound to.
BOUND = ("backend", "db", "redis", "backup")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_FOLDER = re.compile(r"/[\w./-]*")
_FORM = "behind the act stand NAME=backend, db, redis or backup, and folder=/an/absolute/path"


@dataclass(frozen=True, slots=True)
class MarkedBlock:
    """A block of commands with its mark.

    line is that of the first command; section the titles from the chapter to its heading, with >
    between them; folder is absolute, or empty where the mark names none. bindings has for each name
    `backend`, `db`, `redis` or `backup`.
    """

    act: str
    language: str
    text: str
    line: int
    section: str
    folder: str
    bindings: Mapping[str, str]


def marked_blocks(document: Document) -> list[MarkedBlock]:
    """The marked blocks in their order; BadInput with the line of a mark that cannot be followed.

    Blocks of one act in one section are one procedure: one bash runs them in order.
    """
    marked: dict[int, MarkedBlock] = {}
    for mark in sorted(document.marks, key=lambda mark: mark.line):
        if mark.word == ACCEPT:
            continue
        block = next((block for block in document.blocks if mark.is_before(block)), None)
        if block is None:
            raise _refuse(document, mark, "stands before no block of commands")
        if block.line in marked:
            raise _refuse(document, mark, "is the second of this block")
        marked[block.line] = _read(document, mark, block)
    return [marked[line] for line in sorted(marked)]


def unmarked_blocks(document: Document) -> list[tuple[int, str]]:
    """The first line and the section of each shell block without a mark, in their order."""
    marked = {block.line for block in marked_blocks(document)}
    return [
        (block.line, heading_path(block.section))
        for block in document.blocks
        if block.language in SHELLS and block.line not in marked
    ]


def heading_path(section: Section) -> str:
    """The titles from the chapter to a section: `Backup & Restore > Restore Database`."""
    titles = list[str]()
    above: Section | None = section
    while above:
        titles.insert(0, above.title)
        above = above.parent
    return " > ".join(filter(None, titles))


def _read(document: Document, mark: Mark, block: Block) -> MarkedBlock:
    if mark.word not in ACTS:
        raise _refuse(document, mark, f"names no act: it has to be one of {', '.join(ACTS)}")
    if block.declared and block.declared not in SHELLS:
        raise _refuse(document, mark, "stands before a block that is not of a shell")
    folder, bindings = "", dict[str, str]()
    for word in mark.rest.split():
        name, _, value = word.partition("=")
        if name == "folder" and not folder and _FOLDER.fullmatch(value):
            folder = value
        elif name not in bindings and _NAME.fullmatch(name) and value in BOUND:
            bindings[name] = value
        else:
            raise _refuse(document, mark, f"has a word that is not understood; {_FORM}")
    text = textwrap.dedent(without_prompts(block.text))
    language, section = block.declared or "sh", heading_path(block.section)
    return MarkedBlock(mark.word, language, text, block.line, section, folder, bindings)


def _refuse(document: Document, mark: Mark, why: str) -> BadInput:
    return BadInput(f"the runbook {document.name}: the mark in line {mark.line} {why}")
