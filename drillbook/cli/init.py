"""`drillbook init`: the two files in which an operator declares something, with nothing set."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from drillbook.core.application import ROOT

FILES = ("drillbook.toml", "waivers.toml")


def template(name: str) -> str:
    """The file as documented, each of its settings a comment: an example must not be evidence."""
    path = Path(name)
    text = (ROOT / "docs" / f"{path.stem}.example{path.suffix}").read_text(encoding="utf-8")
    return re.sub(r"^(?=[^#\n])", "# ", text.rstrip("\n"), flags=re.MULTILINE) + "\n"


def init(folder: Path) -> int:
    """Write the files that do not exist; exit code 3 where one cannot be written."""
    for name in FILES:
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(template(name))
        except FileExistsError:
            sys.stdout.write(f"{name} is there and stays as it is\n")
        except OSError as trouble:
            sys.stderr.write(f"init: {name}: {trouble.strerror}\n")
            return 3
        else:
            sys.stdout.write(f"{name} written; what you do not set stays empty in the record\n")
    return 0
