"""`drillbook key check`: does this key open this backup? Offline, in one of three words.

Ends with 0 when a key OPENS the backup to the last secret, 1 when none does (DOES NOT OPEN), 2 when
it CANNOT TELL and says why, 3 when a file is missing, empty or not a backup.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from drillbook.backup import tables
from drillbook.backup.fetch import backup_for_command
from drillbook.backup.selection import parse_selection
from drillbook.core import options
from drillbook.core.errors import BadInput
from drillbook.core.files import whole_output
from drillbook.keys import key_files, proof, proof_report


def main(arguments: list[str]) -> int:
    """Try the keys on the backup and print the answer; the exit code."""
    given = options.parse("key check", arguments, (options.PIPED_BACKUP, *options.KEY_CHECK))
    return end_in_a_sentence("key check", _check, given, ", so nothing is known")


def end_in_a_sentence(
    name: str, act: Callable[[Namespace], int], given: Namespace, outcome: str
) -> int:
    """What an act on a backup answers; exit code 3 and one sentence where it cannot end."""
    try:
        return act(given)
    except BadInput as reason:
        message = str(reason)
    except OSError as trouble:
        # Uncaught, it would end with 1, and a failing disk be taken for a wrong key.
        message = f"{trouble.strerror or trouble}{outcome}"
    except KeyboardInterrupt:
        message = f"interrupted{outcome}"
    sys.stderr.write(f"drillbook {name}: {message}\n")
    return 3


def _check(given: Namespace) -> int:
    if not given.backup:
        raise BadInput("no backup to open: give BACKUP, a file made by pg_dump, or - for a pipe")
    keys, unread = key_files.load_all(given.env_file)
    selection = parse_selection(given.select, given.seed)
    with (
        backup_for_command(given.backup, given.backup_options, selection) as found,
        tables.open_dump(found.path) as dump,
    ):
        path, name = found.path, found.shown
        dump.refuse_harm(name)
        backup, answers = proof.try_keys(dump, path, keys)
    with whole_output():
        if given.output == "json":
            proof_report.write_answer(backup, name, answers, unread)
        else:
            sys.stdout.write(proof_report.as_text(backup, name, answers, unread))
    for warning in key_files.permission_warnings(keys):
        sys.stderr.write(f"drillbook key check: {warning}\n")
    return proof.EXIT[proof.best(answers).word]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
