"""report.pdf: the run for auditors, as PDF/A-3a and PDF/UA-1 with evidence.json attached.

Equal runs give equal bytes. Text of the run goes to the template as data and is never read
as markup; fonts are those of the package and those built into typst, never the machine's. PDF/A
refuses a character without a glyph: such a character is named by its number, and stands whole in
the attached record.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst
from fontTools.ttLib import TTFont

from reports.evidence import json_file
from reports.evidence.model import Run
from reports.render.pdf_document import pdf_document

FONTS = Path(str(files("font_source_sans_pro"))) / "files"
_USED = ("Regular", "Semibold", "Bold")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_TEMPLATES = Path(__file__).parents[1] / "templates"


def name_missing_glyphs(text: str) -> str:
    """The text with each character that has no glyph written as [U+1F511]; line breaks stay."""
    known = _characters()
    return "".join(one if one in known else f"[U+{ord(one):04X}]" for one in text)


def name_missing_in_tree[Value](value: Value) -> Value:
    """Do so with every text in lists and dictionaries; keys are ours and stay."""
    if isinstance(value, str):
        return name_missing_glyphs(value)  # type: ignore[return-value]  # a str comes in
    if isinstance(value, dict):
        return {key: name_missing_in_tree(one) for key, one in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        return [name_missing_in_tree(one) for one in value]  # type: ignore[return-value]
    return value


@cache
def _characters() -> frozenset[str]:
    """The characters that every weight of the text font has, and the line break."""
    fonts = [set(TTFont(FONTS / f"SourceSansPro-{name}.ttf").getBestCmap()) for name in _USED]
    seen = (chr(code) for code in set.intersection(*fonts))
    return frozenset(one for one in seen if unicodedata.category(one) not in _UNSEEN) | {"\n"}


def render(run: Run) -> bytes:
    """The run as a PDF with its record attached."""
    record = json_file.text(run.model_dump(mode="json"))
    digest = hashlib.sha256(record.encode()).hexdigest()
    made = int(run.run.finished.timestamp())
    return compile_pdf("report.typ", {"run": pdf_document(run, digest)}, {"evidence": record}, made)


def compile_pdf(
    template: str, printed: dict[str, Any], attached: dict[str, str], timestamp: int
) -> bytes:
    """A template filled with what is printed, as data, and with texts that are attached whole."""
    texts = {name: json.dumps(name_missing_in_tree(value)) for name, value in printed.items()}
    document = typst.compile(
        str(_TEMPLATES / template),
        sys_inputs=texts | attached,
        pdf_standards=["a-3a", "ua-1"],
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        timestamp=timestamp,
    )
    return bytes(document)
