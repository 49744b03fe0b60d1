"""`make COMMAND NAME=value`: each variable of make's command line is an option of the command.

Make hands its command line over in MAKEFLAGS. It goes through no shell and into no arguments of a
process, so blanks, quotes and dollars stay what they are, and a URL's password is shown to nobody.
Variables of the environment are not in it.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import UNUSABLE, Command, run
from drillbook.core.options import RUN_DIR

# What goals were called before there was a command.
_BEFORE = {"rewrap": "key rekey", "signing-key": "evidence sign-key", "report": "evidence render"}
_YES = ("1", "yes")


def find(goal: str) -> Command | None:
    """The command of a goal: its name with dashes, in either order, or the last word of it."""
    for name in (_BEFORE.get(goal, goal), goal.replace("-", " ", 1)):
        if exact := next((one for one in COMMANDS if one.name == name), None):
            return exact
    for one in COMMANDS:
        group, _, word = one.name.partition(" ")
        if word and goal in (word, f"{word}-{group}"):
            return one
    return None


def variables(flags: str) -> list[tuple[str, str]]:
    """The variables in MAKEFLAGS: after two dashes; blanks, backslashes and dollars are escaped."""
    _, _, given = f" {flags}".partition(" -- ")
    found = []
    for word in re.findall(r"(?:\\.|[^ \\])+", given.replace("$$", "$"), re.DOTALL):
        name, _, value = re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL).partition("=")
        found.append((name.rstrip(":+?"), value))
    return found


def words(command: Command, given: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The command line of a command; ValueError for a flag that is neither set nor left out."""
    named = {name: one for one in command.options for name in (one.name, *one.also)}
    placed = {name: one for one in command.placed for name in (one.name, *one.also)}
    at_the_end = []
    for variable, value in given:
        name = variable.lower().replace("_", "-")
        if option := placed.get(name):
            many = option.many and not Path(value).exists()
            at_the_end += shlex.split(value) if many else [value]
        elif name in named and named[name].flag:
            if value not in _YES:
                raise ValueError(f"{variable}={value}: {variable}=1 sets it; else leave it out")
            yield f"--{name}"
        else:
            yield f"--{name}={value}"
    yield from at_the_end


def main(goal: str) -> int:
    """Do what make was asked for; the exit code."""
    flags = os.environ.pop("MAKEFLAGS", "")
    command = find(goal)
    if command is None:
        return run(COMMANDS, [goal])
    if RUN_DIR in command.options:
        # The record names the command line that made it.
        os.environ["DRILLBOOK_MAKE"] = f"make {goal} {flags.partition('-- ')[2]}".strip()
    try:
        line = [*command.name.split(), *words(command, variables(flags))]
    except ValueError as wrong:
        sys.stderr.write(f"make {goal}: {wrong}\n")
        return UNUSABLE
    return run(COMMANDS, line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
