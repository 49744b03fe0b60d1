"""Reads a TOML file that people write, checks it, and refuses it in one sentence.

Its texts appear in reports, so control characters and changes of the reading direction are refused.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from drillbook.core.display import printable
from drillbook.core.files import read_file
from reports.errors import BadDeclaration, near

LARGEST = 1 << 20
_LONGEST, _MOST = 4000, 1000
# tomllib's time grows with the square of a dotted key's parts.
_MOST_PARTS = 64
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\."""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+{_PART}){{{_MOST_PARTS - 1}}}")
_TABLE, _LIST = "is not a table: write [{key}]", "is not a list: write {key} = [ … ] or [[{key}]]"
_WHOLE, _NUMBER = "is not a whole number without quotes", "is not a number without quotes"
# What is wrong, for pydantic's kinds of errors.
_WORDS = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _TABLE),
    **dict.fromkeys(("tuple_type", "list_type"), _LIST),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), "is neither true nor false, without quotes"),
    "string_type": "is not a text in quotes",
    "literal_error": "is none of {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    **dict.fromkeys(("string_too_short", "too_short"), "is empty"),
    "string_pattern_mismatch": "is blank, or has another form than it needs",
    "less_than_equal": "must be at most {le}",
}
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def load_toml[Model: BaseModel](path: Path, model: type[Model]) -> tuple[Model, str]:
    """The tables of a file as a model, and the digest of its bytes; or BadDeclaration."""
    try:
        data = read_file(path, LARGEST)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        if found := _LONG_KEY.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(f"line {line} has a key of more than {_MOST_PARTS} parts")
        tables = _clean(path, tomllib.loads(text))
    except OSError as trouble:
        raise BadDeclaration(f"{path}: {trouble.strerror}; name a TOML file") from None
    except UnicodeDecodeError as trouble:
        place = f"byte {trouble.start} is not UTF-8"
        raise BadDeclaration(f"{path}: {place}; save it as UTF-8 text") from None
    except RecursionError:
        raise BadDeclaration(f"{path}: nested too deeply; write plain tables") from None
    except ValueError as trouble:
        raise BadDeclaration(_one_line(f"{path}: {trouble}; correct the file")) from None
    return validate_tables(path, tables, model), hashlib.sha256(data).hexdigest()


def validate_tables[Model: BaseModel](
    path: Path, tables: dict[str, Any], model: type[Model]
) -> Model:
    """The tables as a model; BadDeclaration names the first key that is unknown or wrong."""
    try:
        return model.model_validate(tables, extra="forbid", context={"file": path})
    except ValidationError as trouble:
        error = min(trouble.errors(), key=lambda one: one["type"] != "extra_forbidden")
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    where = _one_line("".join(parts).lstrip(".") or "the file")
    if error["type"] == "extra_forbidden":
        *tables_above, key = error["loc"]
        said = f"{where} is unknown; {near(_one_line(str(key)), _keys(model, tables_above))}"
    elif error["type"] == "missing":
        said = f"{where}: is missing; correct it"
    else:
        reason = error["msg"].removeprefix("Value error, ").lower()
        if words := _WORDS.get(error["type"]):
            limits = error.get("ctx", {}).items()
            shown = {name: f"{one:g}" if isinstance(one, float) else one for name, one in limits}
            reason = words.format(key=error["loc"][-1], **shown)
        said = f"{where}: {_one_line(reason)}; correct it"
    raise BadDeclaration(f"{path}: {said}")


def _clean(path: Path, value: Any, where: str = "") -> Any:
    """The value without empty texts and tables; BadDeclaration for control characters or size."""
    most, of = (_LONGEST, "characters") if isinstance(value, str) else (_MOST, "entries")
    if isinstance(value, str | list | dict) and len(value) > most:
        said = f"{where or 'the file'} has {len(value)} {of}; at most {most} are read"
        raise BadDeclaration(f"{path}: {said}")
    if isinstance(value, str) and (found := _STEERING.search(value)):
        said = f"{where} holds the control character U+{ord(found[0]):04X}; remove it"
        raise BadDeclaration(f"{path}: {said}")
    if isinstance(value, list):
        return [_clean(path, one, f"{where}[{at}]") for at, one in enumerate(value, 1)]
    if not isinstance(value, dict):
        return value
    for key in value:
        _clean(path, key, f"a key in {where or 'the file'}")
    kept = {key: _clean(path, one, f"{where}.{key}".lstrip(".")) for key, one in value.items()}
    return {key: one for key, one in kept.items() if one not in ("", {})}


def _keys(model: Any, tables: list[int | str]) -> list[str]:
    """The keys that a table of the file may have."""
    for name in tables:
        if isinstance(name, str):
            kind = model.model_fields[name].annotation
            model = next(one for one in (kind, *get_args(kind)) if hasattr(one, "model_fields"))
    return list(model.model_fields)


def _one_line(text: str) -> str:
    """A key or message as one printable line: a key in TOML may hold any character."""
    return printable(text, instead="?")
