"""Calls Drillbook's commands in this process, with words as on a command line."""

from dataclasses import replace
from functools import partial

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run


def call(name, words):
    """The exit code of a command."""
    return run(COMMANDS, [*name.split(), *map(str, words)])


def given(name, *words):
    """The values that a command gets from its words, as attributes, without running it."""
    caught = []
    (command,) = (one for one in COMMANDS if one.name == name)
    assert (
        run(
            [replace(command, run=lambda it: caught.append(it.named) or 0)], [*name.split(), *words]
        )
        == 0
    )
    return caught[0]


check_backup = partial(call, "backup check")
check_key = partial(call, "key check")
recover = partial(call, "key recover")
verify = partial(call, "evidence verify")
sign_off = partial(call, "evidence sign-off")
render = partial(call, "evidence render")
history = partial(call, "history")
period = partial(call, "history report")


def seal(words):
    """The exit code of a subcommand of `evidence`, which is the first word."""
    return call(f"evidence {words[0]}", words[1:])


def export(words):
    """The exit code of `evidence export`; the first word is the format."""
    taker, *more = words
    return call("evidence export", [*more, f"--format={taker}"])
