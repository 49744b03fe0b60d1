"""`make mutate-own`: how many small bugs in our own code do our own tests notice?

A copy of the repository holds the mutants (tests/planting.py), one at a time; the tests that
tests/mutated.toml names judge them (tests/noticing.py). What was reviewed and changes nothing that
can be seen stands in tests/mutated.toml with its reason; it is planted all the same, and one that
is no longer there, or that a test notices, is told.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "tests" / "mutated.toml"
sys.path.insert(0, str(ROOT))
from tests.noticing import Warm, cold, forked, prepared, settled  # noqa: E402
from tests.planting import mutants  # noqa: E402

COLD_S = 200


def planned(wanted):
    """Each module's tests, of the modules that a pattern names."""
    modules = tomllib.loads(PLAN.read_text(encoding="utf-8"))["modules"]
    return {name: tests for name, tests in modules.items() if Path(name).full_match(wanted)}


def reviewed(name):
    """The mutants of a module that change nothing, as its line and the mutant's."""
    plan = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    return [(one["was"], one["now"]) for one in plan["equivalent"] if one["module"] == name]


def copied(folder):
    """The repository without what is generated."""
    generated = (".venv", ".tools", ".git", "runs", ".cache", ".*_cache", "__pycache__")
    ignored = shutil.ignore_patterns(*generated)
    shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)


def warmly(target, tests, planted):
    """In a fork: which mutants are noticed, by their number; None for those to be judged cold."""
    source, warm = target.read_text(encoding="utf-8"), Warm(target, tests)
    if warm.failing():
        return warm.failing()
    noticed = {}
    for number, one in enumerate(planted):
        target.write_text(one.text, encoding="utf-8")
        noticed[number] = warm.notices(one.text)
    target.write_text(source, encoding="utf-8")
    return noticed


def coldly(target, tests, planted):
    """Which mutants are noticed by tests that load them as anybody does."""
    source, noticed = target.read_text(encoding="utf-8"), {}
    for number, one in planted.items():
        target.write_text(one.text, encoding="utf-8")
        noticed[number] = not forked(lambda: cold(tests), COLD_S)
    target.write_text(source, encoding="utf-8")
    return noticed


def measured(name, tests, folder, planted):
    """The mutants that survive, and of them the ones that nobody reviewed."""
    settled(folder)
    noticed = forked(lambda: warmly(folder / name, tests, planted), 36_000)
    if not isinstance(noticed, dict):
        said = noticed or (folder / "output").read_text()
        sys.exit(f"{name}: fail alone, without a mutant: {said}")
    noticed = {int(number): told for number, told in noticed.items()}
    left = {number: planted[number] for number, told in noticed.items() if told is None}
    if left:
        prepared(folder, name)
        if not forked(lambda: cold(tests), COLD_S):
            sys.exit(f"{name}: its tests fail without a mutant: {(folder / 'output').read_text()}")
        noticed |= coldly(folder / name, tests, left)
    return [planted[number] for number, told in sorted(noticed.items()) if not told]


def report(name, planted, survivors, equivalent):
    """Print the score and what to read; whether the reviewed list is true."""
    known = {(one.was, one.now) for one in survivors}
    fresh = [one for one in survivors if (one.was, one.now) not in equivalent]
    for one in fresh:
        tell(f"  {name}:{one.line} {one.operator}: {one.now}")
    stale = [pair for pair in equivalent if pair not in known]
    for was, now in stale:
        tell(f"  {name}: reviewed, but noticed or gone: {was!r} as {now!r}")
    same = len(survivors) - len(fresh)
    count = len(planted) - same
    killed = count - len(fresh)
    score = f"{killed} of {count} ({killed / max(count, 1):.1%})"
    tell(f"{name}: {score}, {same} change nothing")
    return not stale


def tell(line):
    print(line, flush=True)  # noqa: T201


def one_module(name, tests, lines):
    """Judge every mutant of a module, or of some of its lines."""
    planted = [one for one in mutants(ROOT / name) if not lines or one.line in lines]
    with tempfile.TemporaryDirectory(prefix="drillbook-mutants-") as place:
        copied(Path(place))
        survivors = measured(name, tests, Path(place), planted)
    expected = reviewed(name)
    if lines:
        seen = {(one.was, one.now) for one in planted}
        expected = [pair for pair in expected if pair in seen]
    return report(name, planted, survivors, expected)


def main():
    """Print the score of each module, and its survivors; several modules are a process each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="?", default="**/*.py")
    parser.add_argument("--lines", default="", help="only these lines: 10,20-30")
    given = parser.parse_args()
    modules = planned(given.modules)
    if not modules:
        parser.error(f"no module of tests/mutated.toml is named {given.modules}")
    if len(modules) > 1:
        codes = [subprocess.call([sys.executable, __file__, name]) for name in modules]
        return max(codes)
    ((name, tests),) = modules.items()
    return 0 if one_module(name, tests, numbers(given.lines)) else 1


def numbers(text):
    """Line numbers of "10,20-30"."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


if __name__ == "__main__":
    sys.exit(main())
