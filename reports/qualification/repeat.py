"""`make repeat`: runs of one seed say the same of every control, or it names those that do not."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from drillbook.core import options
from reports.controls.catalogue import load, patterns
from reports.errors import ReportError
from reports.evidence.model import Run
from reports.qualification import processes
from reports.qualification.judgement import Seen, results
from reports.qualification.specimens import ROOT, stock
from reports.qualification.telling import Teller
from reports.qualification.trial import Trial, Trials
from reports.verdict.verdicts import FAILED, PASSED, UNDECIDED, UNUSABLE


def differing(runs: Iterable[Run]) -> dict[str, Counter[Seen]]:
    """The controls of which not all runs say the same, each with how often what was said."""
    told: dict[str, Counter[Seen]] = {}
    for run in runs:
        for control, found in results(run).items():
            told.setdefault(control, Counter())[found] += 1
    return {control: counted for control, counted in told.items() if len(counted) > 1}


def main(words: Sequence[str] | None = None) -> int:
    """0: all say the same; 1: some do not; 2: some left no evidence; 3: it could not start."""
    named = (options.TRIALS, options.FIXED_SEED, options.CONTROLS, options.WORKERS)
    asked = options.parse("repeat", words, named, judged=True)
    signal.signal(signal.SIGTERM, processes.interrupt)
    teller = Teller()
    try:
        return _repeat(asked, teller)
    except ReportError as trouble:
        teller.say(str(trouble))
        return UNUSABLE
    except KeyboardInterrupt:
        teller.say("interrupted")
        return UNDECIDED


def _repeat(asked: Namespace, teller: Teller) -> int:
    catalogue = load(ROOT / "suites" / "controls.toml")
    controls = tuple(sorted(catalogue.select(patterns(asked.controls)))) if asked.controls else ()
    workers = processes.fitting(asked.workers, stock(None).workers["embedded"])
    trials = [
        Trial("embedded", None, controls, int(asked.seed), again=number)
        for number in range(1, int(asked.runs) + 1)
    ]
    teller.begin(0, len(trials), workers)
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        ended = Trials(catalogue, Path(folder)).run(
            trials, workers, lambda one: teller.tell(one, None)
        )
    return _judged([one.run for one in ended if one.run], asked, teller)


def _judged(runs: list[Run], asked: Namespace, teller: Teller) -> int:
    strays = differing(runs)
    for control, counted in strays.items():
        told = ", ".join(f"{one.verdict.words} x {often}" for one, often in counted.most_common())
        teller.say(f"  {control}: {told}")
    verdicts = sum(len(run.controls) for run in runs)
    teller.say(
        f"{len(runs)} of {asked.runs} runs of seed {asked.seed} left evidence, "
        f"{verdicts} verdicts; controls of which not all say the same: {len(strays)}"
    )
    if strays:
        return FAILED
    return PASSED if len(runs) == int(asked.runs) > 0 else UNDECIDED


if __name__ == "__main__":
    sys.exit(main())
