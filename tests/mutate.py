"""`make mutate-own`: how many small bugs in our own code do our own tests notice?

cosmic-ray makes the mutants; a copy of the repository holds them, one at a time; each is judged by
the tests that tests/mutated.toml names, in a fork of a process that has loaded what never changes.
Not counted: annotations and imports for types, which nothing executes.
"""

import argparse
import ast
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "tests" / "mutated.toml"
# Of the many ways to replace an operator, those that each other one implies (the selective set of
# Offutt and others, 1996): a boundary moved, a condition turned, one other arithmetic.
SELECTED = {
    "Binary": "Add_Sub Sub_Add Mul_Add Div_Mul FloorDiv_Mul Mod_Add Pow_Mul RShift_LShift "
    "LShift_RShift BitOr_BitAnd BitAnd_BitOr BitXor_BitOr",
    "Comparison": "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt "
    "Is_IsNot IsNot_Is",
}
PATIENCE_S = 60
MOST_BYTES = 4 << 30
HEAVY = (
    "_pytest.pytester",
    "anyio.pytest_plugin",
    "cryptography.x509",
    "docker",
    "httpx2",
    "hypothesis.extra",
    "hypothesis.strategies",
    "jinja2",
    "jsonschema",
    "pikepdf",
    "jwt",
    "psycopg",
    "pydantic",
    "pytest_timeout",
    "redis",
    "rich.console",
    "securesystemslib.dsse",
    "testcontainers.compose",
    "typst",
    "xdist.plugin",
    "yaml",
)


def planned(wanted):
    """Each module's tests, of the modules that a pattern names."""
    modules = tomllib.loads(PLAN.read_text(encoding="utf-8"))["modules"]
    return {name: tests for name, tests in modules.items() if Path(name).full_match(wanted)}


def mutants(module):
    """Every mutant of a module as line, operator, occurrence and its text."""
    from cosmic_ray.commands.init import _all_work_items
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = module.read_text(encoding="utf-8")
    ignored = set(annotated(ast.parse(source)))
    for line, text in enumerate(source.splitlines(), 1):
        if "if TYPE_CHECKING:" in text:
            ignored |= {(line, column) for column in range(len(text))}
    for item in _all_work_items([module], {}):
        (one,) = item.mutations
        if not selected(one.operator_name) or one.start_pos in ignored:
            continue
        try:
            text = mutate_code(source, get_operator(one.operator_name)(), one.occurrence)
        except AttributeError:
            continue  # cosmic-ray cannot replace an exception that is named with a dot
        if text is not None and text != source:
            yield one.start_pos[0], one.operator_name.removeprefix("core/"), text


def selected(operator):
    """Whether a mutant of this operator tells something that the others do not."""
    family, _, change = operator.removeprefix("core/Replace").partition("Operator_")
    return family not in SELECTED or change in SELECTED[family].split()


def annotated(tree):
    """The places of everything inside annotations."""
    for node in ast.walk(tree):
        for held in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for part in ast.walk(held) if held is not None else ():
                if hasattr(part, "lineno"):
                    yield from ((part.lineno, column) for column in columns(part))


def columns(part):
    """Every column an annotation covers; one of several lines covers its first to the end."""
    last = part.end_col_offset if part.end_lineno == part.lineno else 200
    return range(part.col_offset, last + 1)


def judged(tests):
    """Whether the tests notice: their exit code in a fork, or "slow" when they do not end."""
    child = os.fork()
    if not child:
        try:
            os._exit(run(tests))
        finally:
            os._exit(70)
    return awaited(child)


def run(tests):
    """What pytest says of the copy; its output goes to a file there."""
    os.setsid()
    # A mutant may loop and gather; the machine is not ours alone.
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    sink = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    import pytest

    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--tb=line"]
    warned = "ignore::pytest.PytestAssertRewriteWarning"  # what is loaded here is so on purpose
    return int(pytest.main([*options, "-W", warned, *tests]))


def awaited(child):
    """The exit code of a fork; its whole group is ended when patience is."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "slow"


def measured(name, tests, folder, lines):
    """Judge every mutant of a module; the survivors, and how many there were."""
    target, source = folder / name, (ROOT / name).read_text(encoding="utf-8")
    if judged(tests) != 0:
        sys.exit(f"{name}: its tests fail without a mutant: {(folder / 'output').read_text()}")
    survivors, count = [], 0
    for line, operator, text in mutants(ROOT / name):
        if lines and line not in lines:
            continue
        count += 1
        target.write_text(text, encoding="utf-8")
        if judged(tests) == 0:
            survivors.append((line, operator, changed(source, text)))
            print(f"  {name}:{line} {operator}: {survivors[-1][2]}", flush=True)  # noqa: T201
    target.write_text(source, encoding="utf-8")
    return survivors, count


def changed(source, text):
    """The first line that differs, as it reads in the mutant."""
    pairs = zip(source.splitlines(), text.splitlines(), strict=False)
    return next((new.strip() for old, new in pairs if old != new), "(lines removed)")


def copied(folder):
    """The repository without what is generated, and with its bytecode made once."""
    ignored = shutil.ignore_patterns(".venv", ".tools", ".git", "runs", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)


def main():
    """Print the score of each module, and its survivors; several modules are a process each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="?", default="**/*.py")
    parser.add_argument("--lines", default="", help="only these lines: 10,20-30")
    given = parser.parse_args()
    modules = planned(given.modules)
    if len(modules) > 1:
        codes = [subprocess.call([sys.executable, __file__, name]) for name in modules]
        return max(codes)
    for name, tests in modules.items():
        with tempfile.TemporaryDirectory(prefix="drillbook-mutants-") as place:
            copied(Path(place))
            prepared(Path(place), name)
            survivors, count = measured(name, tests, Path(place), numbers(given.lines))
        killed = count - len(survivors)
        print(f"{name}: {killed} of {count} ({killed / max(count, 1):.1%})", flush=True)  # noqa: T201
    return 0


def prepared(folder, mutated):
    """Load what no mutant of this module changes, and let Hypothesis fail without shrinking."""
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    for module in HEAVY:
        __import__(module)
    # Fixtures and reports never import each other.
    other = "reports" if mutated.startswith("fixtures/") else "fixtures"
    for path in sorted((folder / other).rglob("*.py")):
        if path.stem not in ("__main__", "__init__"):
            __import__(".".join(path.relative_to(folder).with_suffix("").parts))
    from hypothesis import Phase, settings

    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")


def numbers(text):
    """Line numbers of "10,20-30"."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


if __name__ == "__main__":
    sys.exit(main())
