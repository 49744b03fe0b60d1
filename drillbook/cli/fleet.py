"""`drillbook fleet`: many instances, from fleet.toml, the queue and signed bundles."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from drillbook.cli.parser import Given
from drillbook.core import options as o
from drillbook.core.display import write_json
from drillbook.core.errors import BadInput
from reports.config.fleet_file import find, load
from reports.history import fleet_report
from reports.history.fleet_report import Bundles, Restore, print_plan, print_report


def _survey(given: Given, *folders: str) -> tuple[list[Restore], Bundles]:
    """The state of each instance of fleet.toml, from the signed bundles in these folders."""
    instances = load(Path(given[o.FLEET]))
    bundles = fleet_report.load_bundles(map(Path, folders), given[o.PUBKEY])
    return fleet_report.survey(instances, bundles, datetime.now(UTC).date()), bundles


def plan(given: Given) -> int:
    """Print which instance is due for a drill, and why."""
    return print_plan(*_survey(given, given[o.RUN_DIR]), given[o.OUTPUT])


def report(given: Given) -> int:
    """Write the page with the last proven restore of each instance."""
    found, bundles = _survey(given, *given[o.COLLECTED])
    return print_report(found, bundles, Path(given[o.PAGE]), given[o.OUTPUT])


def enqueue(given: Given) -> int:
    """Add a drill of each instance that is due, or that is named, to the queue."""
    if names := given[o.INSTANCES]:
        chosen = find(load(Path(given[o.FLEET])), names)
    elif given[o.PUBKEY]:
        chosen = [one.instance for one in _survey(given, given[o.RUN_DIR])[0] if one.is_due]
    else:
        raise BadInput(f"say --pubkey, or --instance; for example: {given.command.example}")
    from drillbook.fleet_queue import database
    from drillbook.fleet_queue import enqueue as add

    labels = {one.name: one.label for one in chosen}
    with database(given[o.QUEUE], Path(given[o.RUN_DIR])) as conninfo:
        added, waiting, interrupted = add(conninfo, labels)
    if given[o.OUTPUT] == "json":
        write_json("fleet-enqueue", added=added, waiting=waiting, interrupted=interrupted)
        return 0
    ends = {"interrupted, its worker is gone": interrupted}
    ends |= {"added to the queue": added, "waits in the queue already": waiting}
    lines = [f"{name}: {end}\n" for end, names in ends.items() for name in names]
    sys.stdout.write("".join(lines) or "No instance is due.\n")
    return 0


def work(given: Given) -> int:
    """Drill the instances of one label from the queue."""
    label, runs = given[o.LABEL], given[o.RUN_DIR]
    signing = given.words(o.SIGNING_KEY, o.SIGNING_KEY_ENV)
    if not signing:
        example = given.command.example
        raise BadInput(f"say --sign: an unsigned drill counts for nothing; {example}")
    instances = load(Path(given[o.FLEET]))
    shown = "--verbose" if given[o.VERBOSE] else "--quiet"
    drill = [sys.executable, "-m", "drillbook.cli", "drill", shown, f"--run-dir={runs}"]
    commands = {one.name: [*drill, *signing, *one.words] for one in instances if one.label == label}
    if not commands:
        known = ", ".join(sorted({one.label for one in instances}))
        raise BadInput(
            f"no instance in {given[o.FLEET]} has the label {label}; its labels are {known}"
        )
    from drillbook.fleet_queue import Worker, database

    with database(given[o.QUEUE], Path(runs)) as conninfo:
        return Worker(label, commands).work(conninfo, until_empty=bool(given[o.UNTIL_EMPTY]))
