"""The command `drillbook`."""

from __future__ import annotations

import sys

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import make_importable


def main() -> None:
    """Run the command line, and exit with its code."""
    make_importable()
    sys.exit(run(COMMANDS, sys.argv[1:]))


if __name__ == "__main__":
    main()
