"""`drillbook runbook mark`: proposes what each block of a runbook does, by its commands alone.

It prints the marks as a patch for `git apply`, or writes them into the document. The operator
confirms them: a dump before an update is a backup to this command. Prose decides nothing, so that
no key is proposed to be changed. Exit code 0 if there is nothing to propose or the marks were
written, 1 if marks were proposed, 3 for a file that cannot be read or has a wrong mark.
"""

from __future__ import annotations

import difflib
import re
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from drillbook.core.display import printable
from drillbook.core.errors import FAILED, PASSED, BadInput
from drillbook.core.files import load_text, write_file
from drillbook.runbook import shell
from drillbook.runbook.document import SHELLS, Block, Document, without_prompts
from drillbook.runbook.marks import marked_blocks
from drillbook.runbook.rules import RESTARTS, is_dump, is_restore, removes_volumes
from drillbook.runbook.shell import Command

_ALTERS_PASSWORD = re.compile(r"\bALTER\s+(?:USER|ROLE)\b.*\bPASSWORD\b", re.I | re.S)
_LOGS = (("docker", "logs"), ("compose", "logs"))


def _deploys(command: Command) -> bool:
    detached = bool({"-d", "--detach"} & {*command.words})
    return command.words[:2] in RESTARTS or (command.words[:2] == ("compose", "up") and detached)


# A block does the first of these that one of its commands does: a restore may dump, drop and start.
_SIGNS: dict[str, Callable[[Command], object]] = {
    "rotate-password": lambda command: _ALTERS_PASSWORD.search(f"{command.text} {command.here}"),
    "restore": is_restore,
    "wipe": lambda command: (
        removes_volumes(command) or command.words[:3] == ("docker", "volume", "rm")
    ),
    "backup": is_dump,
    "make-keys": lambda command: command.words[:2] == ("openssl", "rand"),
    "health": lambda command: command.program == "curl" and "/api/status" in command.text,
    "logs": lambda command: command.words[:2] in _LOGS,
    "redeploy": _deploys,
}


def mark(path: str | Path, write: bool = False) -> int:
    """Print the proposed marks of a document as a patch, or write them into it; the exit code."""
    path = Path(path)
    acts = proposals(Document(str(path), load_text(path, "the runbook")))
    # With its own ends of lines, and what editors of some systems begin a file with.
    text = path.read_bytes().decode()
    marked = with_marks(text, acts)
    if not acts:
        said = "there is nothing to propose"
    elif write:
        _write(path, marked)
        said = f"{len(acts)} marks were written; read each before the first run"
    else:
        print(_patch(path, text, marked), end="")  # noqa: T201
        said = f"{len(acts)} marks are proposed; with --write they are written"
    print(printable(f"{path}: {said}"), file=sys.stderr)  # noqa: T201
    return FAILED if acts and not write else PASSED


def proposals(document: Document) -> list[tuple[Block, str]]:
    """Each fenced shell block without a mark whose commands tell what it does, and the act."""
    marked = {block.line for block in marked_blocks(document)}
    return [
        (block, act)
        for block in document.blocks
        if block.fenced and block.language in SHELLS and block.line not in marked
        for act in [_act(block)]
        if act
    ]


def with_marks(text: str, acts: Sequence[tuple[Block, str]]) -> str:
    """The text of a document with an act at the fence of each of these blocks."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    for block, act in acts:
        line = lines[block.line - 2]
        fence = line.rstrip()
        language = "bash" if re.search(r"[`~]{3,}$", fence) else ""
        end = line[len(line.rstrip("\r\n")) :]
        lines[block.line - 2] = f"{fence}{language} drillbook={act}{end}"
    return "".join(lines)


def _act(block: Block) -> str:
    commands = shell.commands(without_prompts(block.text), block.line)
    does = (act for act, is_sign in _SIGNS.items() if any(map(is_sign, commands)))
    return next(does, "")


def _patch(path: Path, old: str, new: str) -> str:
    """The change of a file for `git apply`."""
    name = path.name if path.is_absolute() else path.as_posix()
    name += "\t" if " " in name else ""
    before, after = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (old, new))
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
    )


def _write(path: Path, text: str) -> None:
    try:
        # The file itself, where the path is a link to it.
        write_file(path.resolve(), text.encode(), stat.S_IMODE(path.stat().st_mode))
    except OSError as trouble:
        raise BadInput(f"the runbook {path} cannot be written: {trouble.strerror}") from None
