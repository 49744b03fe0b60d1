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
from reports.history.fleet_report import Bundles, Restore, load_bundles, print_report, survey


def _survey(given: Given, *folders: str) -> tuple[list[Restore], Bundles]:
    """The state of each instance of fleet.toml, from the signed bundles in these folders."""
    bundles = load_bundles(map(Path, folders), given[o.PUBKEY])
    today = datetime.now(UTC).date()
    return survey(load(Path(given[o.FLEET])), bundles, today), bundles


def report(given: Given) -> int:
    """Print the last proven restore of each instance, and which is due."""
    return print_report(*_survey(given, *given[o.COLLECTED]), given[o.OUTPUT])


def enqueue(given: Given) -> int:
    """Add a drill of each instance that is due, or that is named, to the queue."""
    if names := given[o.INSTANCES]:
        chosen = find(load(Path(given[o.FLEET])), names)
    elif given[o.PUBKEY]:
        chosen = [each.instance for each in _survey(given, given[o.RUN_DIR])[0] if each.is_due]
    else:
        raise BadInput(f"say --pubkey, or --instance; for example: {given.command.example}")
    from drillbook.fleet_queue import connection_string
    from drillbook.fleet_queue import enqueue as add

    labels = {instance.name: instance.label for instance in chosen}
    added, waiting, interrupted = add(connection_string(given[o.QUEUE]), labels)
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
    signing = given.words(o.SIGNING_KEY, o.SIGNING_KEY_ENV)
    if not signing:
        example = given.command.example
        raise BadInput(f"say --sign: an unsigned drill counts for nothing; {example}")
    shown = "--verbose" if given[o.VERBOSE] else "--quiet"
    drill = [sys.executable, "-m", "drillbook.cli", "drill", shown, f"--run-dir={given[o.RUN_DIR]}"]
    instances, label = load(Path(given[o.FLEET])), given[o.LABEL]
    own = [instance for instance in instances if instance.label == label]
    if not own:
        known = ", ".join(sorted({instance.label for instance in instances}))
        raise BadInput(
            f"no instance in {given[o.FLEET]} has the label {label}; its labels are {known}"
        )
    from drillbook.fleet_queue import Worker, connection_string

    commands = {instance.name: [*drill, *signing, *instance.words] for instance in own}
    conninfo = connection_string(given[o.QUEUE])
    return Worker(label, commands).work(conninfo, until_empty=bool(given[o.UNTIL_EMPTY]))
