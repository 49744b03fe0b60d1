"""What the commands of this package share: how many side by side, and how they are ended."""

from __future__ import annotations


def fitting(given: str, cores: int) -> int:
    """The number of workers; by default one more than fit, as each waits for a part of its time."""
    return cores + 1 if given == "auto" else int(given)


def interrupt(*_: object) -> None:
    """A supervisor's SIGTERM ends a command as Ctrl-C does."""
    raise KeyboardInterrupt
