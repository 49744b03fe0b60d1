"""Which characters the fonts of the paper report can show; others are named by their number.

PDF/A refuses a character without a glyph, and text from a run is not ours to choose. What the
report cannot show stands whole in the attached record.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

FONTS = Path(str(files("font_source_sans_pro"))) / "files"
_USED = ("Regular", "Semibold", "Bold")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_UNICODE = {(0, 3), (0, 4), (3, 1), (3, 10)}


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
    fonts = [set(_characters((FONTS / f"SourceSansPro-{name}.ttf").read_bytes())) for name in _USED]
    seen = (chr(code) for code in set.intersection(*fonts))
    return frozenset(one for one in seen if unicodedata.category(one) not in _UNSEEN) | {"\n"}


def _characters(font: bytes) -> Iterator[int]:
    """The code points of a TrueType font's Unicode tables of format 4 (OpenType, cmap)."""
    (tables,) = struct.unpack_from(">H", font, 4)
    records = {
        font[at : at + 4]: struct.unpack_from(">L", font, at + 8)[0]
        for at in range(12, 12 + 16 * tables, 16)
    }
    start = records[b"cmap"]
    (count,) = struct.unpack_from(">H", font, start + 2)
    for number in range(count):
        platform, encoding, offset = struct.unpack_from(">HHL", font, start + 4 + 8 * number)
        (kind,) = struct.unpack_from(">H", font, start + offset)
        if (platform, encoding) in _UNICODE and kind == 4:
            yield from _format_4(font, start + offset)


def _format_4(font: bytes, at: int) -> Iterator[int]:
    """Segments of code points; those that lead to glyph 0 are not there."""
    segments = struct.unpack_from(">H", font, at + 6)[0] // 2

    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    places = [at + 16 + 2 * segments * part for part in (1, 2, 3)]
    starts, deltas, offsets = (struct.unpack_from(f">{segments}H", font, p) for p in places)
    for number, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            if not offsets[number]:
                glyph = (code + deltas[number]) & 0xFFFF
            else:
                place = places[2] + 2 * number + offsets[number] + 2 * (code - first)
                (glyph,) = struct.unpack_from(">H", font, place)
            if glyph:
                yield code
