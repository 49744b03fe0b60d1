"""`make qualify`: plants every bug, tells what was caught, and keeps the record."""

from __future__ import annotations

import argparse
import signal
import sys

from reports.errors import ReportError
from reports.qualification import options, pages, readme
from reports.qualification.record import KEPT, LATEST, Qualification, text
from reports.qualification.run import Asked, qualify
from reports.qualification.telling import Teller
from reports.verdict.verdicts import FAILED, PASSED, UNDECIDED, UNUSABLE


def _asked(arguments: argparse.Namespace) -> Asked:
    workers = None if arguments.workers == "auto" else int(arguments.workers)
    return Asked(
        stack=arguments.stack,
        mutants=tuple(one.strip() for one in arguments.mutants.split(",") if one.strip()),
        healthy=arguments.healthy,
        workers=workers,
        image=arguments.image,
        generated=arguments.generated,
        seed=arguments.seed,
    )


def _options() -> argparse.ArgumentParser:
    parser = options.Parser("make qualify", "Whether the suite can fail.")
    parser.add_argument("--stack", default="auto", choices=("auto", "embedded", "containers"))
    parser.add_argument("--image", help="backend image (containers)")
    parser.add_argument(
        "--mutants", default="", help="names, controls or places, with * and ,; or none"
    )
    parser.add_argument(
        "--generated", type=options.count, default=0, help="so many random bugs as well"
    )
    parser.add_argument("--seed", type=int, default=1, help="by which they are drawn")
    parser.add_argument(
        "--healthy", type=options.count, default=2, help="healthy runs of each driver"
    )
    parser.add_argument(
        "--workers", type=options.workers, default="auto", help="side by side, or auto"
    )
    parser.add_argument("--keep", action="store_true", help=f"make this the record in {KEPT.name}")
    return parser


def main() -> int:
    """0: every bug died by its control; 1: one did not; 2: some were not run; 3: no start."""
    arguments = _options().parse_args()
    signal.signal(signal.SIGTERM, options.interrupt)
    teller = Teller()
    if arguments.keep and (arguments.mutants or arguments.image or arguments.stack != "auto"):
        teller.say("KEEP=1 keeps whole qualifications: leave out MUTANTS=, STACK= and IMAGE=")
        return UNUSABLE
    try:
        record = qualify(_asked(arguments), teller.begin, teller.tell, teller.tell_generated)
    except ReportError as trouble:
        teller.say(str(trouble))
        return UNUSABLE
    except KeyboardInterrupt:
        teller.say("interrupted; nothing was recorded")
        return UNDECIDED
    where = pages.write(record, LATEST.parent)
    teller.end(record, where)
    if arguments.keep and not record.passed:
        teller.say("not kept: only a qualification that passed is")
    elif arguments.keep:
        KEPT.write_text(text(record), encoding="utf-8")
        readme.update(record)
        teller.say("kept as reports/qualification.json, figures in README.md; commit both")
    return _code(record)


def _code(record: Qualification) -> int:
    if record.escaped or record.false_alarms:
        return FAILED
    return PASSED if record.passed else UNDECIDED


if __name__ == "__main__":
    sys.exit(main())
