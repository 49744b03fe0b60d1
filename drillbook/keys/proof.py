"""Does this key open this backup? One of three answers, found offline, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drillbook.backup.facts import Backup, facts
from drillbook.backup.tables import Dump, open_dump, text
from drillbook.core.bugs import seam
from drillbook.infisical import schema
from drillbook.keys.hierarchy import EncryptedBackup, Proof, UnlockedKeys
from drillbook.keys.key_files import KeyFile


@seam("prove_key")
def prove(backup: Path, key: str) -> Proof:
    """Try a key (the text of ENCRYPTION_KEY or ROOT_ENCRYPTION_KEY) on a backup of any form.

    A key that does not fit raises nothing: it gives a proof in which nothing opened. BadInput where
    the file is not a backup.
    """
    with open_dump(backup) as dump:
        return prove_all(dump, [key])[0]


def prove_all(dump: Dump, keys: Sequence[str]) -> list[Proof]:
    """A proof for each of several keys, from one reading of an opened backup."""
    backup = EncryptedBackup(dump)
    unlocked = [UnlockedKeys(backup, key) for key in keys]
    for at, old, values in backup.secrets():
        for keyring in unlocked:
            keyring.try_secret(at, old, values)
    return conclude(dump, backup, unlocked)


def conclude(dump: Dump, backup: EncryptedBackup, unlocked: Sequence[UnlockedKeys]) -> list[Proof]:
    """The proofs of several keys, once every secret of the dump was counted."""
    proofs = [keyring.result() for keyring in unlocked]
    for proof in proofs:
        proof.damage, proof.empty = dump.damage, backup.empty
    return proofs


Word = Literal["OPENS", "DOES NOT OPEN", "CANNOT TELL"]
EXIT: dict[Word, int] = {"OPENS": 0, "DOES NOT OPEN": 1, "CANNOT TELL": 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one key does to the backup, with reasons and numbers."""

    file: KeyFile
    word: Word
    reasons: tuple[str, ...]
    proof: Proof


def try_keys(dump: Dump, path: Path, keys: Sequence[KeyFile]) -> tuple[Backup, list[Answer]]:
    """What an opened backup says of itself, and what each key does to it."""
    proofs = prove_all(dump, [file.key for file in keys])
    backup = facts(dump, path)
    return backup, [
        answer(file, proof, dump, backup.labels) for file, proof in zip(keys, proofs, strict=True)
    ]


def answer(file: KeyFile, proof: Proof, dump: Dump, labels: Sequence[str]) -> Answer:
    """Judge one proof. Only a whole backup that opened to its last secret OPENS."""
    word, reasons = _judge(proof, dump)
    if proof.root_keys and not proof.roots_opened and file.label in labels:
        word, damage = "CANNOT TELL", "the row of the root key is damaged"
        reasons = [f"it is the key the backup names, yet it opens nothing: {damage}"]
    if word == "DOES NOT OPEN" and proof.opens_nothing:
        reasons = [*([file.unfit] if file.unfit else []), *reasons, *_by_label(file, labels)]
    if word == "DOES NOT OPEN" and not proof.roots_opened:
        reasons += [*_past_of(file, dump), *_old_generation(proof)]
    return Answer(file, word, tuple(reasons), proof)


def _judge(proof: Proof, dump: Dump) -> tuple[Word, list[str]]:
    if not proof.root_keys:
        return "CANNOT TELL", [_rootless(dump)]
    if not proof.roots_opened:
        if proof.is_undecided:
            return "CANNOT TELL", list(proof.unproven)
        if proof.rootless:
            return "DOES NOT OPEN", ["it opens no project's key"]
        return "DOES NOT OPEN", ["it does not open the root key", *_opens_secrets(proof)]
    missing = _missing(proof)
    if proof.is_undecided:
        # The key to the rest may lie in the part that is lost.
        damage = [f"the backup {dump.damage}"] if dump.damage else []
        return "CANNOT TELL", [*damage, *missing, *proof.unproven]
    return ("DOES NOT OPEN", missing) if missing else ("OPENS", [])


def _missing(proof: Proof) -> list[str]:
    """What stays shut although the root key opened."""
    reasons = []
    if shut := proof.projects - proof.projects_opened:
        reasons.append(f"the keys of {shut} of {proof.projects} projects stay shut")
    if shut := proof.secrets - proof.secrets_opened:
        reasons.append(
            f"{shut} of {proof.secrets} secrets stay shut: they are damaged, or were sealed "
            "under another key"
        )
    return reasons


def _opens_secrets(proof: Proof) -> list[str]:
    if proof.opens_nothing:
        return []
    return [f"and yet {proof.secrets_opened} of {proof.secrets} secrets open: no start, no service"]


def _rootless(dump: Dump) -> str:
    if dump.damage:
        return f"the backup {dump.damage}, and holds no root key before that"
    if dump.inserts:
        return (
            "the backup holds no rows that can be read: it was made with --schema-only or with "
            "--inserts; restore it, and dump that without those options"
        )
    if schema.BOTS.table not in dump.tables:
        return "the backup holds no root key: it is not of Infisical's database"
    return (
        "the backup holds no root key, and nothing else that shows whether the key is right: the "
        f"table {schema.ROOTS.table} is missing or empty, or the instance has no project yet"
    )


def _by_label(file: KeyFile, labels: Sequence[str]) -> list[str]:
    if not labels or file.label in labels:
        return []
    return [f"the backup names the label {', '.join(labels)}; this key's is {file.label}"]


def _past_of(file: KeyFile, dump: Dump) -> list[str]:
    """When this key was in force, as the instance's own history of its keys says."""
    for label, activated, superseded, retired in dump.rows(*schema.KEY_HISTORY):
        if text(label) == file.label:
            start, end, day = ((text(at) or "")[:10] for at in (activated, superseded, retired))
            until = f" until {end}" if end else ""
            removed = f", and was removed on {day}" if day else ""
            return [
                f"this key was in force from {start}{until}{removed}: it is the key of backups of "
                "that time, not of this one"
            ]
    return []


def _old_generation(proof: Proof) -> list[str]:
    """What a key that was rotated away still opens, for anyone who found it."""
    if not proof.under_this_key:
        return []
    return [
        f"{proof.under_this_key} of {proof.first_generation} values of the first "
        "generation (bots, users, indexes) lie under it: a rotation leaves them there for good"
    ]


def best(answers: Sequence[Answer]) -> Answer:
    """The one that decides: a key that opens, else one that opens something, else the first."""
    order: list[Word] = ["OPENS", "CANNOT TELL", "DOES NOT OPEN"]
    return min(answers, key=lambda answer: (order.index(answer.word), -answer.proof.roots_opened))
