"""Which files a program inside the database's container reads, writes and removes.

Where there is no container, its files and the host's are one set here. On the operator's host they
are two, unless the compose file mounts one in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from drillbook.runbook import shell, shell_variables
from drillbook.runbook.shell import Command, Line

SHELLS = ("sh", "bash", "ash")
# The options of PostgreSQL's programs that name a file: to read, and to write.
_DUMPING = ("f", "file")
_OPTIONS = {
    "psql": (("f", "file"), ("o", "output", "L", "log-file")),
    "pg_restore": (("L", "use-list"), _DUMPING),
    "pg_dump": ((), _DUMPING),
    "pg_dumpall": ((), _DUMPING),
}
_INCLUDED = re.compile(r"\\i\w*\s+'?([^\s';]+)")
# A folder is not what is read later; the others use no file.
_OTHERS = ("mkdir", "cd", "createdb", "dropdb", "pg_isready", "redis-cli", "echo", "printf")
# Every word of these is a file; of other programs, a word that is a whole path.
_OF_FILES = ("cat", "zcat", "gunzip", "gzip", "rm", "cp", "mv", "touch", "tee", *SHELLS)
# These stand for no file.
_STREAMS = ("/dev/", "/proc/", "&", "<(")


def uses(program: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each use of a file, in order: read, write or remove, and the path as it is written."""
    words = list(program)
    while words[:1] == ["env"] or (words and re.match(r"[A-Za-z_]\w*=", words[0])):
        del words[0]
    given = (after for flag, after in pairwise(words) if re.fullmatch(r"-\w*c", flag))
    script = next(given, "")
    found = [Command(tuple(words), "", 0)]
    if words and words[0].rpartition("/")[2] in SHELLS and script:
        found = shell.commands(script, 0)
    known = shell_variables.values(script)
    for command in found:
        for use, path in (*_of_words(command), ("read", command.reads), ("write", command.writes)):
            said = shell_variables.expand(path, known)[0] if path else "-"
            if said != "-" and not said.startswith(_STREAMS):
                yield use, said


def _of_words(one: Command) -> Iterator[tuple[str, str]]:
    name = one.program
    line = Line(one.words[1:], name)
    if name in _OPTIONS:
        to_read, to_write = _OPTIONS[name]
        yield from (("read", path) for path in line.values(*to_read))
        if name == "pg_restore":
            yield from (("read", path) for path in line.rest)
        for statement in line.values("c", "command") if name == "psql" else ():
            yield from (("read", path) for path in _INCLUDED.findall(statement))
        yield from (("write", path) for path in line.values(*to_write))
        return
    paths = [path for path in line.rest if name in _OF_FILES or path.startswith("/")]
    if name in ("touch", "tee"):
        yield from (("write", path) for path in paths)
    elif name not in _OTHERS:
        has_target = name in ("cp", "mv")
        read, made = (paths[:-1], paths[-1:]) if has_target else (paths, [])
        is_removed = name in ("rm", "mv")
        if name in ("gzip", "gunzip") and not line.has("c", "stdout", "t", "l"):
            made = [f"{one}.gz" if name == "gzip" else one.removesuffix(".gz") for one in read]
            is_removed = not line.has("k", "keep")
        yield from (("read", path) for path in read)
        yield from (("remove", path) for path in read if is_removed)
        yield from (("write", path) for path in made)
