"""Where suites, fixtures, reports and compose files lie: next to drillbook, or in it in a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel they lie in the package: their names are too common for site-packages.
_PACKED = PACKAGE / "application"
ROOT = _PACKED if _PACKED.is_dir() else PACKAGE.parent
# Git would also answer for an unrelated repository in which the environment happens to lie.
IS_CHECKOUT = (ROOT / ".git").exists()


def install_extra(name: str) -> str:
    """How an extra is installed: with a wheel, because an index may give a stranger's package."""
    checkout = ", or `make remote` in a checkout" if name == "remote" else ""
    return f"install the extra {name}: pip install 'WHEEL[{name}]' with Drillbook's wheel{checkout}"


def make_importable() -> None:
    """Let this process, the command's own, import suites, fixtures and reports."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
