"""Which characters the fonts of the paper report can show; others are named by their number.

PDF/A refuses a character without a glyph, and text from a run is not ours to choose. What the
report cannot show stands whole in the attached record.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path

from fontTools.ttLib import TTFont

FONTS = Path(str(files("font_source_sans_pro"))) / "files"
_USED = ("Regular", "Semibold", "Bold")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


def shown(text: str) -> str:
    """The text with each character that has no glyph written as [U+1F511]; line breaks stay."""
    known = _known()
    return "".join(one if one in known else f"[U+{ord(one):04X}]" for one in text)


def shown_tree[Value](value: Value) -> Value:
    """The same for every text in lists and dictionaries; keys are ours and stay."""
    if isinstance(value, str):
        return shown(value)  # type: ignore[return-value]  # a str comes in
    if isinstance(value, dict):
        return {key: shown_tree(one) for key, one in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        return [shown_tree(one) for one in value]  # type: ignore[return-value]
    return value


@cache
def _known() -> frozenset[str]:
    """What every weight of the text font has, and what no font need have: the line break."""
    fonts = [set(TTFont(FONTS / f"SourceSansPro-{name}.ttf").getBestCmap()) for name in _USED]
    seen = (chr(code) for code in set.intersection(*fonts))
    return frozenset(one for one in seen if unicodedata.category(one) not in _UNSEEN) | {"\n"}
