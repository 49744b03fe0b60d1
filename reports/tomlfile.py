"""A TOML file that people write and a run believes: read whole, checked, refused in one sentence.

Beyond its grammar a file is refused when it is huge, is no plain file, nests without end, or holds
characters that would steer a terminal or turn the reading direction of a report.
"""

from __future__ import annotations

import hashlib
import re
import stat
import tomllib
import types
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from reports.errors import BadDeclaration, near

LARGEST = 1 << 20
_LONGEST, _MOST = 4000, 1000
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Loaded(NamedTuple):
    """The tables of a file, and the digest of its bytes."""

    tables: dict[str, Any]
    sha256: str


def read(path: Path) -> Loaded:
    """The file's tables without its empty texts, which say nothing; or BadDeclaration."""
    data = _bytes(path)
    try:
        tables = tomllib.loads(data.decode("utf-8").replace("\r\n", "\n"))
    except RecursionError:
        raise BadDeclaration(f"{path}: nested too deeply; write plain tables") from None
    except UnicodeDecodeError as trouble:
        place = f"byte {trouble.start} is not UTF-8"
        raise BadDeclaration(f"{path}: {place}; save it as UTF-8 text") from None
    except ValueError as trouble:
        raise BadDeclaration(f"{path}: {_clean(str(trouble))}; correct the file") from None
    for where, text in _texts(tables, ""):
        _check(path, where, text)
    return Loaded(_spoken(tables), hashlib.sha256(data).hexdigest())


def checked[Model: BaseModel](path: Path, tables: dict[str, Any], model: type[Model]) -> Model:
    """The tables as a model; BadDeclaration names the first key that is unknown or wrong."""
    for where, key, known in _unknown(tables, model, ""):
        raise BadDeclaration(f"{path}: {_line(where)} is unknown; {near(_line(key), known)}")
    try:
        return model.model_validate(tables)
    except ValidationError as trouble:
        error = trouble.errors()[0]
        where = _place(error["loc"]) or "the file"
        raise BadDeclaration(f"{path}: {where}: {_said(error)}; correct it") from None


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadDeclaration(f"{path} is no plain file; name a TOML file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as trouble:
        raise BadDeclaration(f"{path}: {trouble.strerror}; check the path") from None
    except ValueError:
        raise BadDeclaration(f"{str(path)!r} cannot be the name of a file") from None
    if len(data) > LARGEST:
        raise BadDeclaration(f"{path} is larger than {LARGEST >> 20} MiB; it holds a few lines")
    return data


def _texts(value: Any, where: str) -> Iterator[tuple[str, str | int]]:
    """Every text with the place where it stands, and the length of every list; keys are texts."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        yield where, len(value)
        for number, one in enumerate(value, 1):
            yield from _texts(one, f"{where}[{number}]")
    elif isinstance(value, dict):
        yield where, len(value)
        for key, one in value.items():
            yield f"a key in {where or 'the file'}", key
            yield from _texts(one, f"{where}.{key}".lstrip("."))


def _spoken(value: Any) -> Any:
    if isinstance(value, dict):
        said = {key: _spoken(one) for key, one in value.items()}
        return {key: one for key, one in said.items() if one not in ("", {})}
    return [_spoken(one) for one in value] if isinstance(value, list) else value


def _check(path: Path, where: str, seen: str | int) -> None:
    if isinstance(seen, int):
        if seen > _MOST:
            raise BadDeclaration(f"{path}: {where} has {seen} entries; at most {_MOST} are read")
        return
    if len(seen) > _LONGEST:
        raise BadDeclaration(
            f"{path}: {where} has {len(seen)} characters; at most {_LONGEST} are read"
        )
    if found := _STEERING.search(seen):
        raise BadDeclaration(
            f"{path}: {where} holds the control character U+{ord(found[0]):04X}; remove it"
        )


def _unknown(value: Any, kind: Any, where: str) -> Iterator[tuple[str, str, list[str]]]:
    """Keys that the model lacks, as place, key and the keys it has."""
    model = _model(kind)
    if model is None:
        return
    if isinstance(value, list):
        for number, one in enumerate(value, 1):
            yield from _unknown(one, model, f"{where}[{number}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            place = f"{where}.{key}".lstrip(".")
            if key not in model.model_fields:
                yield place, key, list(model.model_fields)
            else:
                yield from _unknown(one, model.model_fields[key].annotation, place)


def _model(kind: Any) -> type[BaseModel] | None:
    """The model in an annotation such as Model, Model | None or tuple[Model, ...]."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (tuple, Union, types.UnionType):
        return next((model for part in get_args(kind) if (model := _model(part))), None)
    return None


def day(value: object) -> date:
    """A TOML date and nothing that merely looks like one: 20271231 would be a day of 1970."""
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("write a date without quotes: 2027-01-31")
    return value


def _place(loc: tuple[int | str, ...]) -> str:
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).lstrip(".")


def _said(error: Any) -> str:
    if error["type"] == "missing":
        return "is missing"
    return _clean(str(error["msg"]).removeprefix("Value error, ").lower())


def _clean(text: str) -> str:
    return _STEERING.sub("?", text)


def _line(text: str) -> str:
    """A key as one line of a message: TOML lets it hold any character."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
