"""What the commands of this package share: counts, workers, a refusal in one sentence."""

from __future__ import annotations

import argparse
from typing import NoReturn

from reports.verdict.verdicts import UNUSABLE


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence, with the exit code of a run that could not start."""

    def __init__(self, command: str, sentence: str) -> None:
        super().__init__(description=sentence)
        self._command = command

    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"{self._command}: {message}\n")


def count(given: str) -> int:
    """A number of runs; ArgumentTypeError for anything else."""
    if not given.isdecimal() or int(given) > 1000:
        raise argparse.ArgumentTypeError("give a number from 0 to 1000")
    return int(given)


def workers(given: str) -> str:
    """As many side by side, or auto; ArgumentTypeError for anything else."""
    if given != "auto" and not (given.isdecimal() and 1 <= int(given) <= 64):
        raise argparse.ArgumentTypeError("give a number from 1 to 64, or auto")
    return given


def fitting(given: str, cores: int) -> int:
    """The number of workers; by default one more than fit, as each waits for a part of its time."""
    return cores + 1 if given == "auto" else int(given)


def interrupt(*_: object) -> None:
    """A supervisor's SIGTERM ends a command as Ctrl-C does."""
    raise KeyboardInterrupt
