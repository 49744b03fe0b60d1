"""What is printed: safe text for a terminal, hidden credentials, JSON and SARIF."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote


class Hidden(str):
    """A credential whose repr hides it, also in a failed assertion."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "«hidden»"


def printable(text: str, keep: str = "", instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Untrusted text without control characters, such as colours or new lines."""
    return "".join(char if char.isprintable() or char in keep else instead for char in text)


def redact(text: str, secrets: Iterable[str], least: int = 1) -> str:
    """The text with these values replaced by ***, except those with fewer characters than least."""
    for value in sorted({one for one in secrets if len(one) >= least}, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def map_texts(change: Callable[[str], str], value: Any) -> Any:
    """The value with each text in its lists and dictionaries changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: map_texts(change, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [map_texts(change, one) for one in value]
    return value


# A password in a statement of SQL, up to its end or that of the text, with what is around it.
# Quotes in it are doubled or escaped; a shell writes the one before it as '\'' or '"'"'.
_SQL = re.compile(r"""(?is)(\bpassword\s+(?:'\\''|'"'"'|E?'))(?:[^'\\]|''|\\.|\\$)*('|$)""")
# A value that may be a secret, after the name of a setting or an option: quoted, or up to the next
# blank; not what a shell or the reader puts in. All counts are limited:
# the time for a hostile text would grow with its square.
_SETTING = re.compile(
    r"""(?ix)
    ((?:(?:pass(?:w(?:or)?[dt]|phrase|code|(?![a-z]))|_pwd|secret|key|token|rediscli_auth)
        (?!\w{0,40}_(?:file|path|dir)\b)\w{0,40}["'`*]{0,3}
        (?:[ \t]+={1,2}[ \t]*|={1,2}|:-|[ \t]*:(?![:/?+])\**[ \t]*)(?:\$\{\w+:?-)?
    |(?:--(?!no-)(?:[\w-]{0,40}-)?(?:pass(?:word|wd|phrase)?|secret|token)|\brequirepass)[ \t]+(?!-)
    |\b(?:redis|valkey|keydb)-cli\b[^\n|;&]{0,200}?[ \t]-a[ \t]+
    |\bbearer[ \t]+(?=\S*\d)))
    (?!["'`\\]*(?:\$\w+|\$\{\w+(?::?\?[^}\n]{0,200})?\}|\$\([^)\n]{0,200}\)|<[^<>\n]{0,80}>
        |openssl\ rand\b[^"'`\n]{0,60})["'`\\]*(?:[\s;,.)]|$))
    (?:\\"(?:(?!\\").)*\\"|'(?:[^'\n]|''|'\\''|'"'"')*'|"(?:[^"\\\n]|\\.)*"|`[^`\n]*`
        |["'`][^\n]*|(?:\\[ ]|\S)+)
    """
)


def hide_values(text: str, instead: str) -> str:
    """The text without values of settings, options and statements that may be secrets.

    It also hides words that hold none, such as the first one after "the password:".
    """
    text = _SQL.sub(lambda found: f"{found[1]}{instead}{found[2]}", text)
    return _SETTING.sub(lambda found: f"{found[1]}{instead}", text)


_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def write_json(name: str, **fields: object) -> None:
    """Write the document of a command; `schema` names the schema that it follows."""
    _write({"schema": f"drillbook/{name}/1", **fields})


def _write(document: object) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, default=_plain)
    # A name that is no UTF-8 would end the command in the middle.
    sys.stdout.write(f"{text.encode(errors='backslashreplace').decode()}\n")


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return value.isoformat() if isinstance(value, date) else str(value)


class Result(NamedTuple):
    """A finding of a rule in a place; an empty file or no line where none is at fault.

    accepted is the reason that the file itself gives for accepting it. level is how SARIF calls it:
    error, or warning if it fails no command.
    """

    rule: str
    text: str
    file: str
    line: int | None
    accepted: str = ""
    level: str = "error"


def write_sarif(
    tool: str,
    rules: Mapping[str, Mapping[str, object]],
    results: Sequence[Result],
    files: Sequence[str] = (),
    unfinished: Sequence[str] = (),
) -> None:
    """Write SARIF 2.1.0, which code hosts show at the line; files are those that were checked.

    unfinished: a sentence for each check that did not end: without it no result would read as none.
    """
    ids = sorted(rules)
    driver = {"name": tool, "rules": [{"id": rule, **rules[rule]} for rule in ids]}
    run: dict[str, object] = {
        "tool": {"driver": driver},
        "artifacts": [{"location": {"uri": _uri(file)}} for file in files],
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not unfinished,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": one}} for one in unfinished
                ],
            }
        ],
        "results": [_result(result, ids.index(result.rule)) for result in results],
    }
    _write({"$schema": _SARIF, "version": "2.1.0", "runs": [run]})


def _result(result: Result, number: int) -> dict[str, object]:
    entry: dict[str, object] = {
        "ruleId": result.rule,
        "ruleIndex": number,
        "level": result.level,
        "message": {"text": result.text},
    }
    if result.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(result.file)}}
        if result.line:
            place["region"] = {"startLine": result.line}
        entry["locations"] = [{"physicalLocation": place}]
    if result.accepted:
        entry["suppressions"] = [{"kind": "inSource", "justification": result.accepted}]
    return entry


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in one place, and its cure; no file where none is at fault."""

    file: str
    line: int | None
    sentence: str
    cure: str

    def __str__(self) -> str:
        if not self.file:
            return self.sentence
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}; {self.cure}"

    __repr__ = __str__
