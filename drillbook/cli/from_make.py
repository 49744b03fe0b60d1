"""`make COMMAND NAME=value`: each variable of make's command line is an option of the command.

Make passes its command line in MAKEFLAGS, without variables of the environment. No shell and no
argument list is involved: blanks, quotes and dollars stay as they are, and no list of processes
shows a password in a URL.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.cli.__main__ import end_in_order
from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import Command, run
from drillbook.core.errors import UNUSABLE
from drillbook.core.options import RUN_DIR

_YES = ("1", "yes")


def find(goal: str) -> Command | None:
    """The command of a goal, whose name has dashes for blanks; None if there is none."""
    names = (goal, goal.replace("-", " ", 1))
    return next((command for command in COMMANDS if command.name in names), None)


def variables(flags: str) -> list[tuple[str, str]]:
    """The variables in MAKEFLAGS, after two dashes; blanks, backslashes and dollars are escaped."""
    _, _, line = f" {flags}".partition(" -- ")
    pairs = []
    for word in re.findall(r"(?:\\.|[^ \\])+", line.replace("$$", "$"), re.DOTALL):
        name, _, value = re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL).partition("=")
        pairs.append((name.rstrip(":+?"), value))
    return pairs


def words(command: Command, given: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The words of a command line; ValueError for a flag with a value other than 1 or yes."""
    options, arguments = (
        {name: option for option in options for name in (option.name, *option.also)}
        for options in (command.options, command.arguments)
    )
    at_the_end = []
    for variable, value in given:
        name = variable.lower().replace("_", "-")
        if argument := arguments.get(name):
            many = argument.many and not Path(value).exists()
            at_the_end += shlex.split(value) if many else [value]
        elif name in options and options[name].flag:
            if value not in _YES:
                raise ValueError(f"{variable}={value}: {variable}=1 sets it; else leave it out")
            yield f"--{name}"
        else:
            yield f"--{name}={value}"
    yield from at_the_end


def main(goal: str) -> int:
    """Run the command of a goal; the exit code."""
    flags = os.environ.pop("MAKEFLAGS", "")
    command = find(goal)
    if command is None:
        return run(COMMANDS, [goal])
    if RUN_DIR in command.options:
        # The record names the command line that made it.
        called = (f"{name}={value}" for name, value in variables(flags))
        os.environ["DRILLBOOK_MAKE"] = shlex.join(["make", goal, *called])
    try:
        line = [*command.name.split(), *words(command, variables(flags))]
    except ValueError as wrong:
        sys.stderr.write(f"make {goal}: {wrong}\n")
        return UNUSABLE
    return run(COMMANDS, line)


if __name__ == "__main__":
    sys.exit(end_in_order(lambda: main(sys.argv[1])))
