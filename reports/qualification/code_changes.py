"""Small changes of code at random, made by the operators of cosmic-ray.

This is a program of its own, for the environment that has cosmic-ray:
`python code_changes.py SEED COUNT FILE…` prints the changes as JSON, each with the whole changed
file; --without leaves a class out.
Each place of the code is as likely as every other, however many operators fit it. A change of a
type annotation, or of an import for one, does not count, because it changes no behaviour.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sys
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

# A file, and the beginning and end of a place in it.
Site = tuple[str, Any, Any]
# An operator's name, the number of its place in the file, the definition, the number in that.
Option = tuple[str, int, str, int]


def sites(name: str, code: str) -> dict[Site, list[Option]]:
    """Each place of a file that an operator can change, with the operators that can."""
    nodes, found = list(ast_nodes(get_ast(code))), dict[Site, list[Option]]()
    for operator_name in sorted(plugins.operator_names()):
        operator = plugins.get_operator(operator_name)
        if operator.arguments():
            continue
        places = ((one, *at) for one in nodes for at in operator().mutation_positions(one))
        within: Counter[str] = Counter()
        for number, (node, begins, ends) in enumerate(places):
            definition = defined_in(node)
            within[definition] += 1
            option = (operator_name, number, definition, within[definition])
            found.setdefault((name, begins, ends), []).append(option)
    return found


def defined_in(node: Any) -> str:
    """The name of the function around a node, with its class; decorators belong to it."""
    names: list[str] = []
    child = None
    while node is not None:
        if node.type in ("funcdef", "classdef"):
            names.append(node.name.value)
        elif node.type == "decorated" and child is node.children[0]:
            names.append(node.children[-1].name.value)
        child, node = node, node.parent
    return ".".join(reversed(names)) or "module"


_NO_BEHAVIOUR = ("TYPE_CHECKING", "__name__")


def _behaviour(code: str) -> str:
    """The syntax tree of code as text, without annotations and without the module's own start."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.If) and any(one in ast.dump(node.test) for one in _NO_BEHAVIOUR):
            node.test, node.body = ast.Constant(False), [ast.Pass()]
    return ast.dump(tree)


def first_change(code: str, options: Sequence[Option]) -> tuple[Option, str] | None:
    """The first of the options that changes behaviour, and the changed code; None if none does."""
    before = _behaviour(code)
    for option in options:
        made = mutate_code(code, plugins.get_operator(option[0])(), option[1])
        try:
            if made is not None and _behaviour(made) != before:
                return option, made
        except SyntaxError:
            continue
    return None


def draw_changes(
    seed: int, count: int, paths: Sequence[Path], without: Container[str] = ()
) -> Iterator[dict[str, object]]:
    """The changes drawn by a seed; fewer than `count` if there are not as many places."""
    codes = {path.name: path.read_text(encoding="utf-8") for path in paths}
    every: dict[Site, list[Option]] = {}
    for name, code in sorted(codes.items()):
        every.update(sites(name, code))
    draw = random.Random(f"generated bugs {seed}")  # noqa: S311 - which bugs, not keys
    for site in draw.sample(sorted(every), len(every)):
        options = [one for one in every[site] if one[2].partition(".")[0] not in without]
        if not count:
            return
        if found := first_change(codes[site[0]], draw.sample(options, len(options))):
            (operator, _, definition, number), code = found
            place = {"file": site[0], "definition": definition, "number": number}
            yield {**place, "operator": operator, "code": code}
            count -= 1


def main() -> None:
    """Print the changes, and the version of cosmic-ray, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--without", action="append", default=[])
    asked = parser.parse_args()
    changes = list(draw_changes(asked.seed, asked.count, asked.files, asked.without))
    engine = f"cosmic-ray {version('cosmic-ray')}"
    sys.stdout.write(json.dumps({"engine": engine, "changes": changes}))


if __name__ == "__main__":
    main()
