"""`drillbook qualify`: plants every bug, says what was caught, and keeps the record."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Sequence

from drillbook.core import options
from reports.errors import ReportError
from reports.qualification import claims, console, pages
from reports.qualification.console import Teller
from reports.qualification.record import KEPT, LATEST, Qualification, text
from reports.qualification.run import Request, qualify
from reports.verdict.verdicts import FAILED, PASSED, UNDECIDED, UNUSABLE


def _request(arguments: Namespace) -> Request:
    workers = None if arguments.workers == "auto" else int(arguments.workers)
    return Request(
        stack=arguments.stack,
        mutants=tuple(one.strip() for one in (arguments.mutants or "").split(",") if one.strip()),
        part=arguments.shard or "1/1",
        healthy=int(arguments.healthy),
        workers=workers,
        image=arguments.image,
        generated=int(arguments.generated),
        seed=int(arguments.seed),
    )


def main(words: Sequence[str] | None = None) -> int:
    """0: every bug died by its control; 1: one did not; 2: some were not run; 3: no start."""
    arguments = options.parse(
        "qualify",
        words,
        (
            *(options.STACK, options.IMAGE, options.MUTANTS, options.PART, options.HEALTHY),
            *(options.WORKERS, options.GENERATED, options.FIXED_SEED, options.KEEP),
        ),
        judged=True,
    )
    signal.signal(signal.SIGTERM, console.interrupt)
    teller = Teller()
    narrowed = arguments.mutants or arguments.shard or arguments.image
    if arguments.keep and (narrowed or arguments.stack != "auto"):
        teller.say(
            "--keep keeps whole qualifications: leave out --mutants, --shard, --stack, --image"
        )
        return UNUSABLE
    try:
        record = qualify(_request(arguments), teller.begin, teller.tell, teller.tell_fate)
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
        claims.update(record)
        teller.say("kept as reports/qualification.json, figures in README.md; commit both")
    return _code(record)


def _code(record: Qualification) -> int:
    if record.escaped or record.false_alarms:
        return FAILED
    return PASSED if record.passed else UNDECIDED


if __name__ == "__main__":
    sys.exit(main())
