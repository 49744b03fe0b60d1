"""Variables, functions and files of the blocks that the reader of prose carries out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from tree_sitter import Node

from drillbook.runbook.shell import (
    _NO_WORDS,
    _PARSER,
    _VALUED,
    _named,
    _preorder,
    _text,
    _word,
)

# Commands that set the variables that they name.
_SETTERS = (["read"], ["mapfile"], ["readarray"], ["getopts"])
# `${NAME:-…}` and its like stand for something even where NAME has no value.
_DEFAULTS = (":-", "-", ":=", "=", ":+", "+")
# A variable, its default, or a variable without braces.
_REFERENCE = re.compile(
    r"\$(?:\{([A-Za-z_]\w*|\d)(?:\[[@*]\])?(?::?[-=]([^{}]*))?\}|([A-Za-z_]\w*))"
)
_LOOP = re.compile(r"\bfor\s+([A-Za-z_]\w*)\s+in\s+([^;\n]+)")
_MOST_VALUES = 12
_ENDING = "t time timeout wait-timeout s signal rmi"
_VALUED |= {
    "ps": "f filter format n last status",
    "inspect": "f format type",
    "logs": "n tail since until",
    "up": "t timeout scale pull wait-timeout exit-code-from attach no-attach",
    "curl": "X request d data o output w write-out H header m max-time u user retry",
    "psql": "c command d dbname f file h host p port U username v set variable o output L log-file "
    "P pset F field-separator R record-separator T table-attr",
    "pg_restore": "d dbname f file F format I index j jobs L use-list n schema N exclude-schema "
    "P function S superuser t table T trigger section h host p port U username role",
    "pg_dump": "d dbname f file F format j jobs n schema N exclude-schema t table T exclude-table "
    "exclude-table-data e extension E encoding S superuser Z compress section h host p port "
    "U username role",
    "pg_dumpall": "d dbname f file l database E encoding S superuser h host p port U username role",
} | dict.fromkeys(("start", "stop", "restart", "kill", "down"), _ENDING)


def comment_lines(text: str) -> list[int]:
    """The lines, from 0, of comments on lines of their own between commands of a block."""
    lines = text.splitlines()
    root = _PARSER.parse(text.encode()).root_node
    found = [one.start_point[0] for one in root.children if one.type == "comment"]
    return [at for at in found if lines[at].lstrip().startswith("#")]


def functions(text: str) -> set[str]:
    """The names of the functions that a block defines."""
    nodes, _ = _preorder(_PARSER.parse(text.encode()).root_node)
    return {_text(_named(node)[0]) for node in nodes if node.type == "function_definition"}


def assignments(text: str) -> dict[str, str]:
    """Each variable that a block assigns outside of functions and loops, with the assignment."""
    found: dict[str, str] = {}
    waiting = list(_PARSER.parse(text.encode()).root_node.children)
    while waiting:
        node = waiting.pop(0)
        if node.type == "variable_assignment":
            source = (node.text or b"").decode()
            found[source.partition("=")[0].rstrip("+")] = source
        elif node.type in ("declaration_command", "variable_assignments", "list"):
            waiting += node.children
    return found


def values(text: str) -> dict[str, list[str]]:
    """The values that a text gives to its variables, by assignments and as words of loops."""
    found: dict[str, list[str]] = {}
    for name, said in assignments(text).items():
        value = re.sub(r"[\"']", "", said.partition("=")[2])
        found[name] = value[1:-1].split() if value.startswith("(") else [value]
    for name, words in _LOOP.findall(text.replace("\\\n", " ")):
        if not re.search(r"\$\(|`", words):
            found.setdefault(name, []).extend(re.sub(r"[\"']", "", words).split())
    return found


def expand(word: str, known: Mapping[str, list[str]], depth: int = 3) -> list[str]:
    """What a word stands for; a variable without a value or default is left as it is."""
    options: list[list[str]] = []
    at = 0
    for found in _REFERENCE.finditer(word):
        name, default = found[1] or found[3], found[2]
        given = known.get(name, [])[:_MOST_VALUES] if depth else []
        # `DB=${DB:-infisical-db}` must not stand for itself.
        others = {one: held for one, held in known.items() if one != name}
        given = [it for one in given for it in expand(one, others, depth - 1)]
        options += [[word[at : found.start()]], given or [default or found[0]]]
        at = found.end()
    options.append([word[at:]])
    return ["".join(one) for one in itertools.islice(itertools.product(*options), _MOST_VALUES)]


def variables(text: str) -> tuple[dict[str, bool], set[str], set[str]]:
    """The variables that a text uses, and whether each needs a value; and those it sets somewhere.

    The last are those of a `read` that nothing feeds: it waits for the operator's answer.
    """
    used: dict[str, bool] = {}
    nodes, above = _preorder(_PARSER.parse(text.encode()).root_node)
    bound: set[str] = set()
    asked: set[str] = set()
    for node in nodes:
        if node.type in ("simple_expansion", "expansion"):
            names = [it for child in _named(node)[:1] for it in (child, *_named(child)[:1])]
            name = next((_text(one) for one in names if one.type == "variable_name"), "")
            has_default = any(child.type in _DEFAULTS for child in node.children)
            # The operator gives a script its `$1`; a function gets it from the document.
            is_given = name.isdecimal() and name != "0" and not _is_in_function(node, above)
            if name.isidentifier() or is_given:
                used[name] = used.get(name, False) or not has_default
        elif node.type in ("variable_assignment", "for_statement"):
            bound.add(_text(_named(node)[0]))
        elif node.type == "command":
            words = [_word(child) for child in _named(node) if child.type not in _NO_WORDS]
            if words[:2] == ["set", "--"]:
                bound |= {*map(str, range(1, len(words) - 1))}
            elif words[:1] in _SETTERS or words[:2] == ["printf", "-v"]:
                is_asked = words[0] == "read" and not _is_fed(node, above)
                (asked if is_asked else bound).update(filter(str.isidentifier, words[1:]))
    return used, bound, asked


def _is_in_function(node: Node | None, above: Mapping[int, Node]) -> bool:
    while node is not None and node.type != "function_definition":
        node = above.get(node.id)
    return node is not None


def _is_fed(node: Node, above: Mapping[int, Node]) -> bool:
    around: Node | None = node
    while around is not None:
        if around.type in ("pipeline", "redirected_statement"):
            return True
        if any(child.type == "herestring_redirect" for child in around.children):
            return True
        around = above.get(around.id)
    return False
