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
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

# An operator's name, the number of its place in the file, the definition, the number in that.
Option = tuple[str, int, str, int]
_NO_BEHAVIOUR = ("TYPE_CHECKING", "__name__")


def sites(code: str) -> dict[Any, list[Option]]:
    """Each place, from where to where, that operators can change, with these operators."""
    nodes, options = list(ast_nodes(get_ast(code))), defaultdict[Any, list[Option]](list)
    for name in sorted(plugins.operator_names()):
        operator = plugins.get_operator(name)
        if operator.arguments():
            continue
        places = ((node, *at) for node in nodes for at in operator().mutation_positions(node))
        within: Counter[str] = Counter()
        for number, (node, begins, ends) in enumerate(places):
            definition = defined_in(node)
            within[definition] += 1
            options[begins, ends].append((name, number, definition, within[definition]))
    return options


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


def _behaviour(code: str) -> str:
    """The syntax tree of code as text, without annotations and without the module's own start."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.If) and any(
            name in ast.dump(node.test) for name in _NO_BEHAVIOUR
        ):
            node.test, node.body = ast.Constant(False), [ast.Pass()]
    return ast.dump(tree)


def first_change(path: Path, options: Sequence[Option]) -> dict[str, str] | None:
    """The first of the options that changes behaviour, with the code; None if none does."""
    code = path.read_text(encoding="utf-8")
    for operator, place, definition, number in options:
        changed = mutate_code(code, plugins.get_operator(operator)(), place)
        try:
            if changed is None or _behaviour(changed) == _behaviour(code):
                continue
        except SyntaxError:
            continue
        name = f"{definition} {operator.removeprefix('core/')} {number}"
        return {"file": path.name, "name": name, "code": changed}
    return None


def main() -> None:
    """Print the changes that the seed draws, and the version of cosmic-ray, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, help="fewer are drawn if there are not as many places")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--without", action="append", default=[])
    asked = parser.parse_args()
    every = {
        (path, site): [option for option in options if option[2].split(".")[0] not in asked.without]
        for path in sorted(asked.files, key=lambda path: path.name)
        for site, options in sites(path.read_text(encoding="utf-8")).items()
    }
    draw = random.Random(f"generated bugs {asked.seed}")  # noqa: S311 - which bugs, not keys
    drawn = (
        first_change(path, draw.sample(every[path, site], len(every[path, site])))
        for path, site in draw.sample(sorted(every), len(every))
    )
    changes = list(islice(filter(None, drawn), asked.count))
    engine = f"cosmic-ray {version('cosmic-ray')}"
    sys.stdout.write(json.dumps({"engine": engine, "changes": changes}))


if __name__ == "__main__":
    main()
