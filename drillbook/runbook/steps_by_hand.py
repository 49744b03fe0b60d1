"""The steps that a document tells to do by hand, from its sentences and marks.

A sentence in the imperative gives one step or several: "In Coolify, set POSTGRES_PASSWORD to the
new password and redeploy". A mark gives one where the words are not understood.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from drillbook.runbook.document import Mark, Section, Statement
from drillbook.runbook.emulated_host import service_of
from drillbook.runbook.rules import has
from drillbook.stack.base import SERVICES, Service

Verb = Literal["redeploy", "set", "stop", "start", "restart"]
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
# Where a step is done: "In Coolify, set …", "In `.env` change …".
_PLACE = (
    r"(?:in|on|under|within)(?! case\b)\s+(?:[\w`\"*-]+\s+){0,3}?"
    r"[`\"*]*(?:coolify|\.env|environment|dashboard|interface|ui|panel|resource|settings)\b[`\"*]*"
    r"(?:['’]s)?(?:\s+(?:ui|dashboard|interface|panel|resource|settings|variables|tab|page|file))*"
)
_BY_HAND = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:(?:please|then|now|finally|next|first|lastly|also|"
    rf"after(?:wards?| that| this)|in the \w+ place|{_PLACE}),?\s+)*(\w+)\b(.*)",
    re.I | re.S,
)
# Several steps in one sentence: "Open the resource, change A_KEY, save, and redeploy."
_OPENING = {
    "open",
    "go",
    "log",
    "sign",
    "click",
    "press",
    "save",
    "navigate",
    "select",
    "choose",
    "switch",
    "wait",
    "confirm",
    "deploy",
}
_NEXT_STEP = re.compile(
    r"(?:\s*[,;→]\s*|\s+(?=and\b|then\b))(?:and\s+|then\s+)*"
    r"(?=\W?(?:re-?deploy|deploy|press|click|stop|start|restart|update|set|change|replace|edit|put|"
    r"type|enter|paste|modify|adjust|overwrite)\b)",
    re.I,
)
# "Redeploy can take a minute" and "redeploy is needed" instruct no one.
_DESCRIBES = re.compile(r"^\W*(?:is|are|can|could|may|might|will|would|takes?|does|means)\b", re.I)
# Two steps of which one is done: "redeploy or restart the backend".
_ALTERNATIVES = re.compile(r"\bor\s+(?:\w+\s+)?(?:re-?deploy|stop|start|restart)\b", re.I)
# A step that is done in some cases alone; that the step before it succeeded is none.
_IN_SOME_CASES = re.compile(
    r"\b(?:if|unless|when(?:ever)?|in case|as needed|where (?:needed|necessary)|optional(?:ly)?|"
    r"alternatively|should (?:it|you|that|the))\b",
    re.I,
)
_AFTER_SUCCESS = re.compile(
    r"\b(?:if|when)\b(?![^,;:]*(?:\bno[tr]?\b|n['’]t\b|\bnothing\b|\bfail))[^,;:]*"
    r"\b(?:succe\w+|ALTER ROLE|exit (?:code|status) 0|worked|done|finished|ready)\b",
    re.I,
)
# The keys of a backup's day: those that the deployment of this run has.
_SAVED = re.compile(
    r"\b(?:saved|stored|kept|escrowed|of the backup|its day|"
    r"from the (?:backup|vault|safe|password manager)|that day)\b",
    re.I,
)
_OLD = re.compile(r"\b(old|previous|original|backed.up)\b", re.I)
_SAID_NEW = re.compile(r"\b(?:new|fresh|generated?|another|different|random)\b", re.I)
# A value that is written down somewhere else than in the deployment.
_INTO_A_SAFE = re.compile(
    r"\b(?:in|into|to)\s+(?:\w+\s+){0,3}?(?:vault|safe|password manager|keepass\w*|1password|"
    r"bitwarden)\b",
    re.I,
)
NEGATION = re.compile(
    r"\b(?:not(?! forget| only)|never|avoid|cannot|(?:is|are|do|does) no(?:thing)?)\b|"
    r"n['’]t\b(?! forget)",
    re.I,
)
CONDITIONAL = re.compile(
    r"\b(?:if|unless|when(?:ever)?|otherwise|instead|alternatively|optional(?:ly)?|or|either|"
    r"for example|e\.g|such as|cannot|could|may|might|would)\b",
    re.I,
)
_TELLS = re.compile(
    r"(?<!\bis )(?<!\bare )(?<!\bbe )(?<!\bwas )(?<!\bbeen )(?<!\ba )(?<!\bthe )(?<!\bevery )"
    r"\b(?:set(?! up)|type|put|enter|paste|generate|make(?! sure)|create|change|replace|update|"
    r"rotate|overwrite|edit|renew)\b",
    re.I,
)
_THE_KEY = re.compile(r"\bkeys?\b.*\b(?:coolify|environment|variables?)\b|\bkeys?\b.*\.env\b", re.I)
BY_ITSELF = {"redeploy", "start", "stop", "restart"}
_SETTING = {
    "update",
    "set",
    "change",
    "replace",
    "edit",
    "put",
    "type",
    "enter",
    "paste",
    "restore",
    "modify",
    "adjust",
    "overwrite",
}
_ALTERED = re.compile(r"\bPASSWORD\s+(?:\\?['\"]){1,2}(.+?)\\?['\"]", re.I)
MASTER_KEYS = {"ENCRYPTION_KEY", "AUTH_SECRET"}


@dataclass(frozen=True, slots=True)
class Act:
    """A step that is done by hand; value is an expression of the shell, or old or new.

    place orders the steps of one line, as the statements of the document are ordered. doubtful: the
    sentence says that it is done in some cases alone.
    """

    verb: Verb
    line: int
    words: str
    service: Service = "backend"
    variables: tuple[str, ...] = ()
    value: str = "new"
    place: int = 0
    doubtful: bool = False


def read_mark(mark: Mark) -> Act | None:
    """The step that a mark gives; None for a mark of another kind."""
    verb, rest, words = mark.word, mark.rest, f"{mark.word} {mark.rest}".strip()
    if verb == "redeploy":
        return Act("redeploy", mark.line, words)
    if verb == "set" and "=" in rest:
        name, _, value = (one.strip() for one in rest.partition("="))
        return Act("set", mark.line, words, variables=(name,), value=value or "new")
    if verb in ("stop", "start", "restart") and rest in SERVICES:
        return Act(verb, mark.line, words, service=rest)  # type: ignore[arg-type]
    return None


def read_steps(sentence: str, line: int, section: Section) -> list[Act]:
    """The steps that a sentence in the imperative gives to do by hand; all of them, or none."""
    plain = re.sub(r"\bre-deploy", "redeploy", sentence, flags=re.I)
    begin = _BY_HAND.match(plain)
    if not begin or len(sentence) > 300 or _ALTERNATIVES.search(sentence):
        return []
    if begin[1].lower() not in BY_ITSELF | _SETTING | _OPENING:
        return []
    found: list[Act] = []
    named: tuple[str, ...] = ()
    for part in _parts(plain):
        named += tuple(name for name in _VARIABLE.findall(part) if name not in named)
        act = _step_of(part, sentence, line, section, named)
        if act:
            found.append(replace(act, doubtful=_is_doubtful(plain)))
        elif _is_undone(part, section, line):
            # The rest of the sentence, carried out alone, would be another procedure.
            return []
    return found


def _is_doubtful(sentence: str) -> bool:
    """Whether a sentence names a case in which its step is done, before any explanation."""
    step = re.split(r"[:;—–]|,? and (?=if\b|when\b)", sentence)[0]
    return bool(_IN_SOME_CASES.search(_AFTER_SUCCESS.sub("", step)))


def _parts(sentence: str) -> list[str]:
    """A sentence divided before each further step in it."""
    cuts = [0, *(one.end() for one in _NEXT_STEP.finditer(sentence)), len(sentence)]
    return [sentence[start:end] for start, end in itertools.pairwise(cuts)]


def _is_undone(part: str, section: Section, line: int) -> bool:
    """Whether a part of a sentence asks to stop or start something that was not understood."""
    found = _BY_HAND.match(part)
    verb = found[1].lower() if found else ""
    return verb in ("stop", "start", "restart") and not _commands_follow(section, line)


def _step_of(
    part: str, sentence: str, line: int, section: Section, named: tuple[str, ...]
) -> Act | None:
    """The step in one part of a sentence; named are the variables named in it so far."""
    found = _BY_HAND.match(part)
    if not found or _DESCRIBES.match(found[2]):
        return None
    verb, rest = found[1].lower(), found[2]
    if verb == "redeploy" or (
        verb in ("deploy", "press", "click") and re.search(r"\b(re)?deploy", rest, re.I)
    ):
        return Act("redeploy", line, sentence)
    variables = tuple(dict.fromkeys(_VARIABLE.findall(rest)))
    if not variables and re.search(r"\b(it|its value|value|password|key)\b", rest, re.I):
        variables = named
    if _INTO_A_SAFE.search(rest):
        return None
    if verb in _SETTING and (
        variables or re.search(r"\bkeys?\b.*\b(coolify|environment)|environment var", rest, re.I)
    ):
        return Act(
            "set", line, sentence, variables=variables, value=_value(rest, section, variables)
        )
    if verb in ("stop", "start", "restart") and re.match(r"\s+(the\s+)?\W?\w+", rest):
        service = service_of(" ".join(rest.split()[:3]))
        if service and not _commands_follow(section, line):
            return Act(verb, line, sentence, service=service)  # type: ignore[arg-type]
    return None


def _value(rest: str, section: Section, variables: tuple[str, ...]) -> str:
    """What a variable is set to: old, new, or an expression of the shell."""
    old = _OLD.search(rest)
    # "Replace the old password by the new one"
    by_new = re.search(r"\b(?:to|by|with)\s+(?:\w+\s+)?new\b", rest, re.I)
    if old and not by_new:
        return "old"
    makes = any("openssl rand" in one.script for one in section.statements)
    keyed = not variables or MASTER_KEYS & {*variables}
    if keyed and _SAVED.search(rest) and not (makes or _SAID_NEW.search(rest)):
        return "old"
    return _altered(section) if "POSTGRES_PASSWORD" in variables else "new"


def _commands_follow(section: Section, line: int) -> bool:
    """Whether a command in a block does what the sentence before it announces."""
    after = [
        one
        for one in section.statements
        if one.kind == "command" and not one.inline and one.line > line
    ]
    return bool(after) and min(one.line for one in after) <= line + 4


def _altered(section: Section) -> str:
    """The password that a section gives to the role, as an expression of the shell."""
    scripts = [one.script for one in section.statements if one.kind == "command"]
    altered = [_ALTERED.search(script) for script in scripts if has(script, "alters")]
    first = next(filter(None, altered), None)
    return first[1] if first and "$" in first[1] else "new"


def find_untyped(one: Statement, typed: Collection[str]) -> str:
    """The key or password that a sentence tells to make or type, if it is not among those typed."""
    tells = _TELLS.search(one.text)
    vain = tells and NEGATION.search(one.text[: tells.start()])
    if not tells or vain or CONDITIONAL.search(one.text) or _INTO_A_SAFE.search(one.text):
        return ""
    acts = [act for act in read_steps(one.text, one.line, one.section) if act.verb == "set"]
    typed = {*typed, *(name for act in acts for name in act.variables)}
    named = [name for name in (*MASTER_KEYS, "POSTGRES_PASSWORD") if name in one.text]
    if not named and _THE_KEY.search(one.text) and not (acts or MASTER_KEYS & typed):
        return "the key"
    return next((name for name in named if name not in typed), "")


def keeps_keys(act: Act) -> bool:
    """Whether a step of a restore types keys that are not new, as those of the backup's day."""
    sensitive = [one for one in act.variables if re.search(r"(?:KEY|SECRET|PASSWORD)$", one)]
    if act.verb != "set" or (act.variables and not sensitive):
        return False
    if act.value == "old":
        return not _OLD.search(act.words)
    return act.value == "new" and not _SAID_NEW.search(act.words)
