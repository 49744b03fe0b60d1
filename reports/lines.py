"""Lines for a terminal: at most 80 columns, with a style that NO_COLOR and pipes take away."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import IO, NamedTuple

from drillbook.core import display

WIDTH = 80
# A file from a stranger must not steer the terminal.
printable = partial(display.printable, keep="\n")


class Line(NamedTuple):
    """One line for the terminal and how it is to look there."""

    text: str
    style: tuple[str, ...] = ()


def wrapped(
    text: str, first: str = "", then: str = "", *, style: tuple[str, ...] = ()
) -> Iterator[Line]:
    """Paragraphs keep their breaks; words longer than a line are cut rather than overflow."""
    for paragraph in text.splitlines() or [""]:
        lines = textwrap.wrap(
            paragraph,
            WIDTH - 1,
            initial_indent=first,
            subsequent_indent=then,
            break_on_hyphens=False,
        ) or [first]
        yield from (Line(line, style) for line in lines)
        first = then


def write(lines: Iterable[Line], file: IO[str]) -> None:
    """Print them, for programs that are not pytest."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False, soft_wrap=True)
    # rich ends the program with status 1 when its reader has seen enough; ours is a verdict.
    with suppress(SystemExit):
        for line in lines:
            console.print(Text(line.text, " ".join(line.style)))
