"""What a document leaves to its reader to fill in: placeholders and the new password."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drillbook.runbook import shell
from drillbook.runbook.document import without_prompts
from drillbook.runbook.emulated_host import service_of

_NEW_PASSWORD = re.compile(
    r"\b(?:your[-_ ]?)?(?:new|strong|secure|my)[-_]?(?:(?:db|postgres)[-_]?)?(?:password|pass|pw)\b"
    r"|\bCHANGE[-_]?ME\b|(?<=PASSWORD ')(?:…|\.\.\.|x{3,}|\*{3,})(?=')",
    re.I,
)
# A document's own variables may be called new_password: those of the shell, and those of psql.
_OWN_VARIABLE = re.compile(
    r"\$\{?[#!]?(\w+)|\b(\w+)=|(?<!\w):'?(\w+)|\bread\b[^\n;|&]*?(\w+)\s*(?:$|[;|&<\n])"
)
# Before a word on its line, what makes it the name of a variable.
_OF_A_VARIABLE = re.compile(
    r"(?:[$_]|\{[#!]?|(?<!\w):'|(?:-e|--env)[ =]|\bread\s+(?:[^;|&]*\s)?|"
    r"\b(?:unset|export|readonly|local|declare)\s+(?:[^\s;|&]+\s+)*)$"
)
# What replaces a placeholder, by its words; else the name of the service it names.
_PLACEHOLDERS = {
    r"pass|\bpw\b": "password",
    r"^(?!.*container).*(?:uuid|project|stack|resource|\bid\b)": "project",
    r"(?:redis|cache).*volume|volume.*(?:redis|cache)": "redis_data",
    r"volume": "pg_data",
    r"^(?!.*container).*(?:server|host|\bip\b|domain)": "server",
    r"^(?!.*container).*(?:file|dump|backup)": "file",
    r"date|time": "date",
}
NAMED = {"server": "server.example.com", "file": "backup.sql", "date": "2026-01-01"}
_SUDO_WITH_VARIABLES = re.compile(
    r"\bsudo\s+(?:-[ug]\s+\w+\s+|-\w+\s+)*(?:--\s+)?(?=[A-Za-z_]\w*=)"
)


def fill_in(text: str, names: Mapping[str, str]) -> tuple[str, list[str]]:
    """A block with a value in the place of each placeholder, and the placeholders without one."""
    script = type_password(without_prompts(text), names["password"])
    # The stand-in for sudo runs its first word.
    script = _SUDO_WITH_VARIABLES.sub(r"\g<0>env ", script)
    missing = []
    for found in dict.fromkeys(shell.PLACEHOLDER.findall(script)):
        words = found.lower().replace("_", "-")
        known = [name for pattern, name in _PLACEHOLDERS.items() if re.search(pattern, words)]
        name = next(iter(known), service_of(words.replace("-", " ")))
        if name:
            script = script.replace(f"<{found}>", names[name])
        else:
            missing.append(found)
    return script, missing


def type_password(text: str, password: str) -> str:
    """A text with the password in the place of words such as NEW_PASSWORD."""

    variables = {name for names in _OWN_VARIABLE.findall(text) for name in names}

    def type_in(found: re.Match[str]) -> str:
        begin = text.rfind("\n", 0, found.start()) + 1
        before, after = text[begin : found.start()], text[found.end() : found.end() + 1]
        if _OF_A_VARIABLE.search(before) or after == "=" or before[-1:] + after == "<>":
            return found[0]
        is_literal = found[0] not in variables or re.search(r"PASSWORD\s+\\?['\"]+$", before, re.I)
        return password if is_literal else found[0]

    return _NEW_PASSWORD.sub(type_in, text)
