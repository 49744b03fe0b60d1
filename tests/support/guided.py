"""`make fuzz-coverage` searches inputs that reach new code of our parsers, by libFuzzer (atheris).

Each reader runs in its own process, with the inputs of our generators as seeds. An input that
breaks one is kept in .cache/fuzz/READER/found, and the next call tries it first.
"""

import argparse
import fnmatch
import os
import subprocess
import sys

from drillbook.core.application import ROOT
from tests.support.guided_readers import READERS

CORPUS = ROOT / ".cache" / "fuzz"
MOST_MB, SLOWEST_S, LONGEST = 1024, 20, 1 << 18
OURS = ["drillbook.backup", "drillbook.keys", "drillbook.preflight", "drillbook.runbook.diagnosis"]
OURS += [
    "drillbook.backup.integrity",
    "fixtures.faults",
    "reports.seal",
    "reports.redaction.redactor",
]
OURS += ["drillbook.core.secret_search", "reports.config", "reports.history", "reports.session"]
OURS += ["reports.evidence.model"]


def seeded(name):
    """The folders of a reader's corpus, with seeds, and of its finds; and its dictionary."""
    _, make, words = READERS[name]
    corpus, found = CORPUS / name / "corpus", CORPUS / name / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(make()):
        (corpus / f"seed-{number}").write_bytes(data)
    listed = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    dictionary = CORPUS / name / "words"
    dictionary.write_text("".join(f'"{word}"\n' for word in listed))
    return corpus, found, dictionary


def one_reader(name, seconds):
    """Fuzz one reader; libFuzzer ends the process, with 0 if it found nothing."""
    import atheris

    # Before the first import of our own modules, which also load the readers.
    with atheris.instrument_imports(include=OURS):
        corpus, found, dictionary = seeded(name)
        read, _, _ = READERS[name]
        place = CORPUS / name / "input"
        read_once(read, place, b"")

    limits = [f"-rss_limit_mb={MOST_MB}", f"-timeout={SLOWEST_S}", f"-max_len={LONGEST}"]
    how = [f"-dict={dictionary}", f"-artifact_prefix={found}/", "-print_final_stats=1"]
    arguments = [name, *limits, *how, f"-max_total_time={seconds}", str(corpus), str(found)]
    atheris.Setup(arguments, lambda data: read_once(read, place, data))
    atheris.Fuzz()


def read_once(read, place, data):
    place.write_bytes(data)
    read(place)


def main():
    """Fuzz each chosen reader; return 1 if one broke, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="?", default="*", help=", ".join(READERS))
    parser.add_argument("--seconds", type=int, default=60, help="for each (default: 60)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one_reader(given.readers, given.seconds)
    chosen = fnmatch.filter(READERS, given.readers)
    if not chosen:
        parser.error(f"no reader is named {given.readers}; there are {', '.join(READERS)}")
    return max([measured(name, given.seconds) for name in chosen])


def measured(name, seconds):
    """Fuzz one reader in a process, print the result, and return 1 if it broke, else 0."""
    command = [sys.executable, "-m", "tests.support.guided", name, "--one", f"--seconds={seconds}"]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=ROOT, text=True, errors="replace", **both)
    said = done.stdout.splitlines()
    tried = [line for line in said if line.startswith("stat::number_of_exec")]
    reached = [line for line in said if " cov: " in line]
    told = f"{tried[-1].split()[-1]} inputs" if tried else "did not end well"
    cover = f", {reached[-1].split(' cov: ')[1].split()[0]} edges" if reached else ""
    tell(f"{name:<11} {told}{cover}, exit {done.returncode}")
    if done.returncode:
        tell("\n".join(said[-40:]) + f"\nkept in {CORPUS / name / 'found'}")
    return 1 if done.returncode else 0


def tell(text):
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
