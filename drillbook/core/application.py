"""Where suites, fixtures, reports and compose are: next to drillbook, or inside it in a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel they are inside the package: their names are too common for site-packages.
_PACKED = PACKAGE / "application"
ROOT = _PACKED if _PACKED.is_dir() else PACKAGE.parent
# Git would also find an unrelated repository around the environment.
IS_CHECKOUT = (ROOT / ".git").exists()


def install_extra(name: str) -> str:
    """How to install an extra: with the wheel, as an index may have a namesake."""
    checkout = ", or `make remote` in a checkout" if name == "remote" else ""
    return f"install the extra {name}: pip install 'WHEEL[{name}]' with Drillbook's wheel{checkout}"


def make_importable() -> None:
    """Let this process import suites, fixtures and reports."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
