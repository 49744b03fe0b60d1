"""`drillbook key recover`: every secret from a backup and its key, without any Infisical, offline.

They are written encrypted (--recipient, --passphrase-file), or in the clear only with --plaintext
asks for it a second time. Ends with 0 when every secret was written, 1 when some stay shut (they
are named), 2 when the backup itself is not whole, 3 when nothing could be done and nothing was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.backup import tables
from drillbook.backup.facts import Backup, facts
from drillbook.backup.fetch import backup_for_command
from drillbook.core import options
from drillbook.core.errors import BadInput
from drillbook.core.files import new_file
from drillbook.keys import key_files, secrets_file
from drillbook.keys.decrypt_secrets import Reader, Secret
from drillbook.keys.key_files import KeyFile
from drillbook.keys.proof import prove_all
from drillbook.keys.proof_report import notes, safe_text
from drillbook.keys.secrets_file import form_of, sets_a_variable

_MOST_NAMED = 20


def main(arguments: list[str]) -> int:
    """Recover what the options say; the exit code."""
    given = options.parse(
        "key recover",
        arguments,
        (
            *(options.PIPED_BACKUP, options.BACKUP_OPTIONS, options.KEY_FILES),
            *(options.SECRETS_FILE, options.RECIPIENT, options.PASSPHRASE_FILE, options.PLAINTEXT),
        ),
    )
    try:
        return _recovered(given)
    except BadInput as reason:
        said = str(reason)
    except OSError as trouble:
        said = f"{trouble.strerror or trouble}; nothing was written"
    except KeyboardInterrupt:
        said = "interrupted; nothing was left behind"
    sys.stderr.write(f"recover: {said}\n")
    return 3


def _recovered(given: argparse.Namespace) -> int:
    seal = _seal(given)
    if not given.backup:
        raise BadInput("no backup to read: give BACKUP, a file made by pg_dump, or - for a pipe")
    keys, unread = key_files.load_all(given.env_file)
    with (
        backup_for_command(given.backup, given.backup_options) as (path, name),
        tables.open_dump(path) as dump,
    ):
        reader, key = _opening(dump, keys, unread, name)
        about = _about(facts(dump, path), name)
        tally = _Tally()
        pieces = secrets_file.encode_secrets(
            form_of(given.out),
            tally.passing(reader.secrets()),
            about,
            lambda: not (dump.damage or tally.shut),
        )
        with new_file(given.out) as file:
            seal(pieces, file)
        lines = [*_told(given, tally, dump.damage)]
        lines += [f"Opened by the key in {safe_text(key.path)}"] if len(keys) > 1 else []
        lines += [f"Not tried: {safe_text(one)}" for one in unread]
        lines += [f"Note: {one}" for one in notes(reader.keys.proof, key.label)]
        lines += key_files.permission_warnings(keys)
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        return 2 if dump.damage else int(bool(tally.shut))


def _seal(given: argparse.Namespace) -> secrets_file.Seal:
    """How to write, from what was given; BadInput unless it is one clear way."""
    ways = [bool(given.recipient), bool(given.passphrase_file), bool(given.plaintext)]
    if not given.out:
        raise BadInput("no file to write to: give --out secrets.json.age, or --out - for a pipe")
    if sum(ways) != 1:
        raise BadInput(
            "give one of --recipient (an age or SSH public key), --passphrase-file, or, to have "
            "all secrets in the clear, --plaintext"
        )
    if given.plaintext:
        return _clear(given)
    if given.out == "-" and sys.stdout.isatty():
        raise BadInput("a terminal shows nothing of an encrypted file; give --out FILE, or a pipe")
    if given.recipient:
        return secrets_file.for_recipients(given.recipient)
    return secrets_file.for_passphrase(Path(given.passphrase_file))


def _clear(given: argparse.Namespace) -> secrets_file.Seal:
    if given.out.endswith(".age"):
        raise BadInput(f"--plaintext writes no encrypted file, yet --out {given.out} ends in .age")
    return secrets_file.write_plain


def _opening(
    dump: tables.Dump, keys: Sequence[KeyFile], unread: Sequence[str], name: str
) -> tuple[Reader, KeyFile]:
    """A reader with the key that opens most, and that key; BadInput where none opens anything."""
    key = keys[0]
    if len(keys) > 1:
        proofs = prove_all(dump, [one.key for one in keys])
        opened_by = [(one.secrets_opened, one.projects_opened, one.roots_opened) for one in proofs]
        key = keys[opened_by.index(max(opened_by))]
    reader = Reader(dump, key.key)
    if not reader.opens:
        files = ", and the one in ".join(one.path for one in keys)
        also = "".join(f"; not tried: {one}" for one in unread)
        raise BadInput(f"the key in {files} opens nothing of {name}; nothing written{also}")
    return reader, key


def _about(known: Backup, name: str) -> dict[str, str]:
    newest = known.newest.isoformat() if known.newest else ""
    instance = known.instance or ""
    return {"backup": name, "instance": instance, "schema": known.schema or "", "newest": newest}


class _Tally:
    """Counts secrets on their way to the file, and keeps the places of those that stay shut."""

    def __init__(self) -> None:
        self.opened = 0
        self.projects: set[str] = set()
        self.shut: list[str] = []
        self.unnamed = 0
        self.no_variables = 0

    def passing(self, secrets: Iterator[Secret]) -> Iterator[Secret]:
        for secret in secrets:
            self.projects.add(secret.place.project_id)
            if not secret.reason:
                self.opened += 1
                self.no_variables += not sets_a_variable(secret)
            elif len(self.shut) < _MOST_NAMED:
                where = f"{secret.place.project}, {secret.place.environment}, {secret.place.path}"
                self.shut.append(f"{where}, {secret.name or secret.id}: {secret.reason}")
            else:
                self.unnamed += 1
            yield secret

    @property
    def found(self) -> int:
        return self.opened + len(self.shut) + self.unnamed


def _told(given: argparse.Namespace, tally: _Tally, damage: str) -> Iterator[str]:
    where = "standard output" if given.out == "-" else safe_text(given.out)
    count = f"{tally.opened} of {tally.found} secrets of {len(tally.projects)} projects"
    yield f"{count} written to {where}"
    yield from (f"  stays shut: {safe_text(one)}" for one in tally.shut)
    if tally.unnamed:
        yield f"  and {tally.unnamed} more"
    if damage:
        yield f"NOT ALL: the backup {damage}; what comes after that is lost"
    if tally.no_variables and form_of(given.out) == "env":
        yield (
            f"{tally.no_variables} of them have a name that is not a variable of a shell, or a "
            "zero byte, and are comments there; --out secrets.json.age holds all alike"
        )
    if given.plaintext:
        yield "IN THE CLEAR: who reads this file reads every secret; delete it when it is used"
    elif given.out != "-":
        yield f"Next: age --decrypt {'-i key.txt ' if given.recipient else ''}{where}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
