"""`drillbook key recover`: every secret of a backup, with its key, without a server.

They are written encrypted (--recipient, --passphrase-file), or unencrypted (--plaintext). Exit
codes: 0, every secret was written; 1, some do not open (they are named); 2, the backup is not
whole; 3, nothing was written, or to standard output perhaps a part.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from types import SimpleNamespace

from drillbook.backup import tables
from drillbook.backup.facts import Backup, facts
from drillbook.backup.fetch import backup_for_command
from drillbook.backup.plain_dump import Hostile
from drillbook.core.errors import BadInput, state_outcome
from drillbook.core.files import new_file
from drillbook.keys import decrypt_secrets, key_files
from drillbook.keys.decrypt_secrets import Reader, Secret, form_of, sets_a_variable
from drillbook.keys.key_check import notes, prove_all, safe_text, why_rootless
from drillbook.keys.key_files import KeyFile

_MOST_NAMED = 20
_MOST_NEAR = 3


def main(given: SimpleNamespace) -> int:
    """Recover the secrets that the options name; the exit code."""
    part = "; standard output may have a part of the secrets"
    with state_outcome(part if given.out == "-" else "; nothing was written"):
        return _recover(given)


def _recover(given: SimpleNamespace) -> int:
    seal = _seal(given)
    keys, unread = key_files.load_all(given.env_file)
    with (
        backup_for_command(given.backup) as found,
        tables.open_dump(found.path) as dump,
    ):
        path, name = found.path, found.shown
        reader, key = _open(dump, keys, unread, name)
        about = _about(facts(dump, path), name)
        tally = _Tally()
        pieces = decrypt_secrets.encode_secrets(
            form_of(given.out),
            tally.count(iter([_find_one(reader, given.only)]) if given.only else reader.secrets()),
            about,
            lambda: not (dump.missing() or tally.shut),
        )
        with new_file(given.out) as file:
            seal(pieces, file)
        lines = [*_summary(given, tally, dump)]
        lines += [f"Opened by the key in {safe_text(key.path)}"] if len(keys) > 1 else []
        lines += [f"Not tried: {safe_text(file)}" for file in unread]
        lines += [f"Note: {note}" for note in notes(reader.keys.proof, key.label)]
        if beyond := dump.beyond():
            lines.append(f"Note: the backup {beyond}")
        elif isinstance(dump.harm, Hostile):
            lines.append(
                f"WARNING: the backup is more than data, and may be made to do harm: {dump.harm}; "
                "do not restore it, and do not rely on these secrets before you know who made it"
            )
        lines += key_files.permission_warnings(key.path for key in keys)
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        return 2 if dump.missing() else int(bool(tally.shut))


def _seal(given: SimpleNamespace) -> decrypt_secrets.Seal:
    """The function that writes the secrets, by the options; BadInput where they do not fit."""
    if not (given.recipient or given.passphrase_file or given.plaintext):
        raise BadInput(
            "give --recipient (an age or SSH public key), --passphrase-file, or, to write all "
            "secrets unencrypted, --plaintext"
        )
    if given.plaintext and given.out.endswith(".age"):
        raise BadInput(f"--plaintext encrypts nothing, yet --out {given.out} ends in .age")
    if given.plaintext:
        return decrypt_secrets.write_plain
    if given.out == "-" and sys.stdout.isatty():
        raise BadInput("a terminal shows nothing of an encrypted file; give --out FILE, or a pipe")
    if given.recipient:
        return decrypt_secrets.for_recipients(given.recipient)
    return decrypt_secrets.for_passphrase(Path(given.passphrase_file))


def _open(
    dump: tables.Dump, keys: Sequence[KeyFile], unread: Sequence[str], name: str
) -> tuple[Reader, KeyFile]:
    """A reader with the key that opens the most, and that key; BadInput if none opens anything."""
    key = keys[0]
    if len(keys) > 1:
        proofs = prove_all(dump, [(file.key, file.also) for file in keys])
        opened = [(p.secrets_opened, p.projects_opened, p.roots_opened) for p in proofs]
        key = keys[opened.index(max(opened))]
    reader = Reader(dump, key.key, key.also)
    if not reader.opens:
        files = ", and the one in ".join(file.path for file in keys)
        reasons = [f"; {file.path}: {file.unfit}" for file in keys if file.unfit]
        reasons += [f"; {reason}" for reason in reader.keys.proof.unproven]
        also = "".join([*reasons, *(f"; not tried: {file}" for file in unread)])
        if missing := dump.missing():
            raise BadInput(
                f"{name} {missing}, and the key in {files} opens nothing of what is left; if it is "
                f"a copy, fetch it again, else take an earlier backup; nothing written{also}"
            )
        if not reader.keys.proof.root_keys:
            # Nothing is known of the key.
            raise BadInput(f"{name}: {why_rootless(dump)}; nothing written{also}")
        raise BadInput(f"the key in {files} opens nothing of {name}; nothing written{also}")
    return reader, key


def _find_one(reader: Reader, wanted: str) -> Secret:
    """The secret of this project, environment, folder and name; BadInput unless there is one.

    A shared value comes before a member's own.
    """
    sought = wanted.strip("/")
    found: list[Secret] = []
    known: dict[str, None] = {}
    for secret in reader.secrets():
        place = secret.place
        rest = f"{place.environment}{place.path.rstrip('/')}/{secret.name or secret.id}"
        known[f"{place.project}/{rest}"] = None
        if sought in (f"{place.project}/{rest}", f"{place.project_id}/{rest}"):
            found.append(secret)
    shared = [secret for secret in found if secret.type == "shared"]
    match shared or found:
        case [secret]:
            return secret
        case []:
            # Often the place is wrong and the name is right.
            last = sought.rpartition("/")[2]
            same = [name for name in known if name.rpartition("/")[2] == last]
            near = get_close_matches(sought, same or known, _MOST_NEAR, 0 if same else 0.4)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise BadInput(f"--only {wanted}: there is no such secret{safe_text(hint)}")
        case several:
            ids = sorted({f"{one.place.project_id}/…" for one in several})
            how = f"; name the project by its id: {' or '.join(ids)}" if len(ids) > 1 else ""
            raise BadInput(f"--only {wanted}: {len(several)} secrets have this name{how}")


def _about(backup: Backup, name: str) -> dict[str, str]:
    newest = backup.newest.isoformat() if backup.newest else ""
    instance = backup.instance or ""
    return {"backup": name, "instance": instance, "schema": backup.schema or "", "newest": newest}


class _Tally:
    """Counts secrets while they are written, and notes which ones do not open."""

    def __init__(self) -> None:
        self.opened = 0
        self.projects: set[str] = set()
        self.shut: list[str] = []
        self.unnamed = 0
        self.no_variables = 0

    def count(self, secrets: Iterator[Secret]) -> Iterator[Secret]:
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
    def total(self) -> int:
        return self.opened + len(self.shut) + self.unnamed


def _summary(given: SimpleNamespace, tally: _Tally, dump: tables.Dump) -> Iterator[str]:
    where = "standard output" if given.out == "-" else safe_text(given.out)
    count = f"{tally.opened} of {tally.total} secrets of {len(tally.projects)} project"
    count += "" if len(tally.projects) == 1 else "s"
    yield f"{count} written to {where}"
    yield from (f"  stays shut: {safe_text(secret)}" for secret in tally.shut)
    if tally.unnamed:
        yield f"  and {tally.unnamed} more"
    if missing := dump.missing():
        cut = "; everything after that is lost. If it is a copy, fetch it again"
        after = cut if dump.damage else ""
        yield f"NOT ALL: the backup {missing}{after}"
    if tally.no_variables and form_of(given.out) == "env":
        yield (
            f"{tally.no_variables} of them have a name that is not a variable of a shell, or that "
            "a shell acts on (PATH), or a zero byte, and are comments there; --out "
            "secrets.json.age holds all alike"
        )
    if given.plaintext:
        yield "NOT ENCRYPTED: anyone who reads this file reads every secret; delete it after use"
    elif given.out != "-":
        # Through a pager, so that no secret stays on the terminal.
        key = "-i key.txt " if given.recipient else ""
        yield f"Next: age --decrypt {key}{quote(where)} | less"
