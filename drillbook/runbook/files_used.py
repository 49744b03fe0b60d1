"""The files and folders that a procedure reads and writes, which the sandbox must have."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from drillbook.runbook import shell, shell_variables
from drillbook.runbook.procedure_reader import Procedure, Typed
from drillbook.runbook.sandbox import HOME, ROOTS
from drillbook.runbook.shell import Command

# These folders are in the sandbox as they are.
_EVERYWHERE = ("", "tmp", "dev", "proc", "usr", "bin")
_ROOT = re.compile(rf"(?<![\w.~$}}/])/(?:{'|'.join((*ROOTS, 'etc/[\\w.-]+'))})/[\w./-]+")
# The programs that pack a file, by the ending that they give it.
PACKERS = {".gz": "gzip", ".xz": "xz", ".zst": "zstd", ".bz2": "bzip2", ".lz4": "lz4"}
_PACKERS = {program: ending for ending, program in PACKERS.items()}
_PACKERS |= {"gunzip": ".gz", "unxz": ".xz", "unzstd": ".zst", "bunzip2": ".bz2"}
_PACKED = re.compile(r"\.(?:gz|xz|zst|bz2|lz4)$")
_UNPACKERS = {*_PACKERS} | {"cat", "zcat", "xzcat", "zstdcat", "bzcat", "pv"}
_READERS = _UNPACKERS | {
    "cp",
    "mv",
    "tar",
    "sha256sum",
    "md5sum",
    "pg_restore",
    "psql",
    "compose",
    "docker",
}
_BACKUP = re.compile(
    r"\.(sql|dump|dmp|pgdump|pgc|custom|backup|bak|tar|tgz|gz|zst|xz|bz2|lz4|sha256|md5)\b"
)


def env_files(one: Procedure) -> list[str]:
    """The files of variables that its commands name, other than by a variable."""
    text = "\n".join(step.script for step in one.steps if isinstance(step, Typed))
    return list(dict.fromkeys(re.findall(r"--env-file[ =][\"']?([\w./-]+)", text)))


def folders(one: Procedure) -> list[str]:
    """The folders that its commands enter, or in which they name files; a variable is its value.

    One that the sandbox does not have is among them if it is entered or written to, or in /etc.
    """
    scripts = [step.script for step in one.steps if isinstance(step, Typed)]
    found: list[str] = []
    made: set[str] = set()
    for command, folder, values in _in_place(one):
        options = " ".join(it for it in command.words if it.startswith("-"))
        if command.program == "mkdir" and not re.search(r"(?:^| )-\w*p|--parents", options):
            made.update(_paths(command.words[1:], folder, values))
        found += [it for it in _paths(_entered(command), folder, values) if "$" not in it]
        for path in _paths(_written(command), folder, values):
            found.append(path.partition("$")[0].rpartition("/")[0])
    values = _known_values(one)
    for script in scripts:
        text = re.sub(r"[\"']", "", shell_variables.expand(f"{one.preamble}\n{script}", values)[0])
        text = re.sub(r"(?<![\w/.])~(?=/)", HOME, text)
        for path in _ROOT.findall(text):
            is_entered = re.search(rf"--project-directory[ =]{re.escape(path)}", text)
            found.append(path if is_entered or path in found else path.rpartition("/")[0])
    return [
        it
        for it in dict.fromkeys(found)
        if it.count("/")
        and it.split("/")[1] not in _EVERYWHERE
        and not any(it == path or it.startswith(f"{path}/") for path in made)
    ]


def reads(one: Procedure) -> list[str]:
    """The files that its commands read without making them; a variable stands as its value.

    A path is absolute, unless it begins with a variable or a command whose value is not known.
    """
    made: set[str] = set()
    found: list[str] = []
    for command, folder, values in _in_place(one):
        found += [it for it in _paths(_inputs(command), folder, values) if it not in made]
        made.update(_paths(_outputs(command), folder, values))
    return [it for it in dict.fromkeys(found) if Path(it).name != ".env"]


def _known_values(one: Procedure) -> dict[str, list[str]]:
    scripts = [step.script for step in one.steps if isinstance(step, Typed)]
    return {"HOME": [HOME], **shell_variables.values("\n".join([one.preamble, *scripts]))}


def _in_place(one: Procedure) -> Iterator[tuple[Command, str, dict[str, list[str]]]]:
    """Each command, the folder that it runs in, and the values of variables."""
    folder, values = HOME, _known_values(one)
    for script in [step.script for step in one.steps if isinstance(step, Typed)]:
        for command in shell.commands(script, 0):
            yield command, folder, values
            if command.program in ("cd", "pushd") and not command.inside:
                folder = next(iter(_paths(_entered(command), folder, values)), HOME)


def _entered(one: Command) -> list[str]:
    """The folder that a command enters on the host."""
    is_entering = one.program in ("cd", "pushd") and not one.inside
    return [it for it in one.words[1:] if is_entering and not it.startswith("-")][:1]


def _paths(words: Iterable[str], folder: str, values: Mapping[str, list[str]]) -> list[str]:
    """The absolute paths of words; one that begins with an unknown value is left as it is."""
    said = [
        it for word in words for it in shell_variables.expand(re.sub(r"[\"']", "", word), values)
    ]
    said = [re.sub(r"^~(?=/|$)", HOME, it) for it in said]
    return [it if it[:1] in "$`" else os.path.normpath(Path(folder, it)) for it in said]


def _inputs(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it reads: redirected, or a backup."""
    if one.reads and not one.reads.startswith(("<(", "/dev/", "/proc/", "&")):
        yield one.reads
    words = list(one.words[1:]) if one.program in _READERS else []
    if one.program in ("cp", "mv") or one.words[1:2] == ("cp",):
        words = words[:-1]
    of_file = set(one.options("-f", "--file"))
    if one.program == "pg_restore" and not "".join(one.words[-2:-1]).startswith("-"):
        of_file.add(one.words[-1])
    written = {*_outputs(one)}
    for word in words:
        path = re.sub(r"^(?:--[a-z][\w-]*=|-f(?=.))", "", word)
        is_variable = path[:1] == "$" and (one.program in _UNPACKERS or path in of_file)
        # `db:/srv/x.sql` is in a container, `s3://…` elsewhere.
        is_file = path not in written and ":" not in re.sub(r"\$\{[^}]*\}", "", path)
        if is_file and (_BACKUP.search(path) or is_variable):
            yield path


def _written(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it writes to."""
    if one.writes:
        yield one.writes
    if one.program in ("curl", "wget", "zstd", "sort", "psql"):
        yield from filter(None, one.options("-o", "-O", "--output"))
    if one.program in ("pg_dump", "pg_dumpall", "pg_restore"):
        yield from filter(None, one.options("-f", "--file"))
    if one.program == "tee":
        yield from (it for it in one.words[1:] if not it.startswith("-"))


def _outputs(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it makes."""
    program, words = one.program, [it for it in one.words[1:] if not it.startswith("-")]
    options = set(one.words) - set(words)
    yield from _written(one)
    if words[1:] and (program in ("cp", "mv") or words[:1] == ["cp"]):
        target = words[-1].rpartition(":")[2]
        yield target
        yield from (f"{target}/{Path(source).name}" for source in words[:-1])
    if program == "tar" and re.search(r"^-?[a-z]*c", " ".join(one.words[1:2])):
        yield from words
    looks = re.search(r"(?:^| )-[a-z]*[clt]|--(?:stdout|list|test)", " ".join(options))
    if program in _PACKERS and not looks:
        for word in words:
            yield re.sub(_PACKED, "", word)
            yield f"{word}{_PACKERS[program]}"
