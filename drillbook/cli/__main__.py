"""The command `drillbook`."""

from __future__ import annotations

import sys

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import make_importable


def main() -> None:
    """Do what the command line says, and end with its exit code."""
    make_importable()
    sys.exit(run(COMMANDS, sys.argv[1:]))


if __name__ == "__main__":
    main()
