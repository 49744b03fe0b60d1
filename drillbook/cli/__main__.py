"""The command `drillbook`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line, and exit with its code."""
    _open_closed_streams()
    _end_in_order()
    # UNUSABLE of errors.py, which is not loaded yet.
    code = 3
    try:
        # Imported here: it takes a while, in which someone may press Ctrl-C.
        from drillbook.cli.commands import COMMANDS
        from drillbook.cli.parser import run
        from drillbook.core.application import make_importable

        make_importable()
        code = run(COMMANDS, sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("drillbook: interrupted\n")
    sys.exit(code)


def _end_in_order() -> None:
    """Make SIGTERM and SIGHUP interrupt as Ctrl-C does, so that no secret stays on the disk."""
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
