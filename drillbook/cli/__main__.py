"""The command `drillbook`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable


def main() -> None:
    """Run the command line, and exit with its code."""
    sys.exit(end_in_order(_run))


def _run() -> int:
    # Imported here: it takes a while, in which someone may press Ctrl-C.
    from drillbook.cli.commands import COMMANDS
    from drillbook.cli.parser import run
    from drillbook.core.application import make_importable

    make_importable()
    return run(COMMANDS, sys.argv[1:])


def end_in_order(call: Callable[[], int]) -> int:
    """The exit code of a call, which SIGTERM and SIGHUP interrupt as Ctrl-C does."""
    _open_closed_streams()
    _take_signals()
    try:
        return call()
    except KeyboardInterrupt:
        sys.stderr.write("drillbook: interrupted\n")
    # UNUSABLE of errors.py, which may not be loaded yet.
    return 3


def _take_signals() -> None:
    """Make SIGTERM and SIGHUP interrupt, so that no secret stays on the disk."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup has SIGHUP ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _: object) -> None:
    # The end of a session sends SIGHUP more than once; a further one must not end the clean-up.
    if number == signal.SIGHUP:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller has closed.

    A file that is opened later could else get its number, and what is printed would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode))


if __name__ == "__main__":
    main()
