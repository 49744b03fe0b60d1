"""`drillbook key check` and `drillbook backup check`: offline, and in one of three words.

Does this key open this backup? 0 when a key OPENS it to the last secret, 1 when none does (DOES NOT
OPEN), 2 when it CANNOT TELL and says why, 3 when a file is missing, empty or not a backup.

Is the newest backup good? One line, made for cron: 0 when it is GOOD, 1 when it is BAD, 2 when it
CANNOT TELL, 3 when there is nothing to judge.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

from drillbook.backup import tables
from drillbook.backup.facts import Age, Backup, age, facts
from drillbook.backup.fetch import LocalBackup, NoBackup, backup_for_command
from drillbook.backup.integrity import compare_checksum
from drillbook.backup.location import ENCRYPTED, Candidate, changed_at
from drillbook.core.display import printable, write_json
from drillbook.core.errors import BadInput, state_outcome
from drillbook.core.files import whole_output
from drillbook.core.options import seconds, share
from drillbook.keys import key_check, key_files
from drillbook.keys.hierarchy import Inventory, find_losses, take_inventory
from drillbook.keys.key_check import about_backup, as_text, write_answer
from drillbook.keys.key_files import KeyFile

_MOST_NAMED = 4
_BY_FILE = (
    "no row is so young, so the time of its file alone says when it was dumped, which a copy of an "
    "old dump has as well: pg_dump -Fc or --verbose writes a date of its own"
)


@state_outcome(", so nothing is known")
def check_key(given: SimpleNamespace) -> int:
    """Try the keys on the backup and print the answer; the exit code."""
    keys, untried = key_files.load_all(given.env_file)
    with (
        backup_for_command(given.backup) as found,
        tables.open_dump(found.path) as dump,
    ):
        path, name = found.path, found.shown
        # Nothing of the backup is run here.
        if not dump.beyond():
            dump.refuse_harm(name)
        backup, answers = key_check.try_keys(dump, path, keys)
    with whole_output():
        if given.output == "json":
            write_answer(backup, name, answers, untried)
        else:
            sys.stdout.write(as_text(backup, name, answers, untried))
    key_files.warn_of_permissions("key check", *(key.path for key in keys))
    return key_check.EXIT[key_check.best(answers, untried).word]


@dataclass
class _Judgement:
    """A backup, the answer of the best key, what is wrong, and what the backup does not show.

    wrong_around is what is wrong with the place where it lies, not with the backup. by_file: only
    the time of its file says how old it is.
    """

    backup: LocalBackup
    facts: Backup
    age: Age
    inventory: Inventory
    key: key_check.Answer
    compared: dict[str, Inventory] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    wrong_around: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    by_file: bool = False

    @property
    def exit_code(self) -> int:
        return 1 if self.wrong or self.wrong_around else 2 if self.unknown else 0

    @property
    def word(self) -> str:
        return ("GOOD", "BAD", "CANNOT TELL")[self.exit_code]

    @property
    def kept(self) -> int | None:
        """How many whole backups lie in its place; None where a single one was given."""
        backup = self.backup
        return len(backup.candidates) - len(backup.skipped) if backup.candidate else None


@state_outcome(", so nothing is known")
def check_backup(given: SimpleNamespace) -> int:
    """Judge the backup that the options name; the exit code."""
    keys, untried = key_files.load_all(given.env_file)
    with backup_for_command(given.backup) as backup:
        judgement = _read(backup, keys, untried)
        _judge(judgement, given)
        _compare(judgement, share(given.drop))
    if given.output == "json":
        _write_json(judgement, untried)
    else:
        sys.stdout.write(f"{printable(f'{judgement.word}: {_sentence(judgement)}')}\n")
    key_files.warn_of_permissions("backup check", *(key.path for key in keys))
    return judgement.exit_code


def _read(backup: LocalBackup, keys: list[KeyFile], untried: list[str]) -> _Judgement:
    with tables.open_dump(backup.path) as dump:
        known, answers = key_check.try_keys(dump, backup.path, keys)
        changed, now = changed_at(backup.path), datetime.now(UTC)
        old = age(known, backup.path, changed, now)
        holds, best = take_inventory(dump, known), key_check.best(answers, untried)
        return _Judgement(backup, known, old, holds, best)


def _judge(judgement: _Judgement, given: SimpleNamespace) -> None:
    """Note what is wrong with the backup itself, and with the place where it lies."""
    wrong, unknown, backup = judgement.wrong, judgement.unknown, judgement.backup
    about, old = judgement.facts, judgement.age
    cut: list[str] = []
    for newer in backup.skipped:
        # A dump that is under way is no fault; one that hangs is found the next time.
        if "still being written" in newer:
            continue
        if ENCRYPTED.fullmatch(newer.partition(" (")[0]) and not newer.endswith(" (empty)"):
            unknown.append(f"a newer one cannot be read: {newer}")
        else:
            cut.append(newer)
    # A job that has failed for weeks must not push the other reasons out of the line.
    if cut:
        many = f"{len(cut)} files are not complete, the newest of them {cut[0]}"
        judgement.wrong_around.append(many if cut[1:] else f"not complete: {cut[0]}")
    if about.beyond and not about.unfit:
        unknown.append(f"it {about.beyond}")
    wrong += [f"it {trouble}" for trouble in about.troubles]
    reasons = ", ".join(judgement.key.reasons)
    if judgement.key.word == "DOES NOT OPEN":
        wrong.append(f"the key with label {judgement.key.file.label} does not open it: {reasons}")
    elif judgement.key.word == "CANNOT TELL" and about.complete:
        unknown.append(f"whether the key opens it: {reasons}")
    elif not judgement.inventory.secrets:
        unknown.append("it holds no secret; look whether it is of the right database")
    if old.in_future:
        wrong.append(f"it has a date in the future ({old})")
    elif (young := old.within(most_s := seconds(given.max_age, "--max-age"))) is None:
        if old.is_young_file(most_s):
            judgement.by_file = True
        else:
            unknown.append(old.doubt("it", given.max_age))
    elif not young:
        wrong.append(f"it is more than {given.max_age} old: {old}")
    if differs := compare_checksum(backup.path):
        wrong.append(f"checksum: {differs}")
    if given.keep_at_least:
        if judgement.kept is None:
            raise BadInput(f"--keep-at-least: {backup.shown} is one backup; give a folder")
        if judgement.kept < int(given.keep_at_least):
            few = f"{judgement.kept} kept where {given.keep_at_least} are wanted"
            judgement.wrong_around.append(few)


def _compare(judgement: _Judgement, allowed: float) -> None:
    """Compare with the backup before it and with the oldest one; losses are wrong.

    Compared with the one before alone, a loss would be good again on the next day.
    """
    backup, taken = judgement.backup, judgement.backup.candidate
    older = [other for other in sorted(backup.candidates) if taken and other < taken]
    for candidates in (older[::-1], older):
        for candidate in candidates:
            when = f"{candidate.at:%Y-%m-%d %H:%M} UTC"
            try:
                if when in judgement.compared or not (earlier := _look_at(backup, candidate)):
                    break
            except NoBackup:
                continue
            judgement.compared[when] = earlier
            losses = find_losses(earlier, when, judgement.inventory, allowed)
            judgement.wrong += [loss for loss in losses if loss not in judgement.wrong]
            break


def _look_at(backup: LocalBackup, candidate: Candidate) -> Inventory | None:
    """What another backup of the place holds; None where it is not whole, NoBackup for none."""
    try:
        with backup.open(candidate) as path, tables.open_dump(path) as dump:
            inventory = take_inventory(dump, facts(dump, path))
            return None if dump.damage else inventory
    except NoBackup:
        raise
    except BadInput:
        # What is wrong with it was said when it was the newest.
        return None


def _sentence(judgement: _Judgement) -> str:
    backup = judgement.backup
    name = backup.candidate.name if backup.candidate else backup.shown
    around, reasons = judgement.wrong_around, [*judgement.wrong, *judgement.unknown]
    if around or reasons:
        shown = reasons[: _MOST_NAMED - len(around)]
        more = len(reasons) - len(shown)
        parts = [*around, *([f"{name}: {'; '.join(shown)}"] if shown else [])]
        parts += [] if reasons else [f"the newest whole one is {name} ({judgement.age})"]
        return "; ".join([*parts, *([f"and {more} more"] if more else [])])
    proven = judgement.key.proof
    trend = [
        f"{then.secrets:,} secrets and {then.bytes:,} bytes on {when[:10]}"
        for when, then in judgement.compared.items()
    ]
    parts = [
        f"{name} ({judgement.age})",
        *([_BY_FILE] if judgement.by_file else []),
        "complete",
        f"{proven.secrets_opened:,} of {proven.secrets:,} secrets of {proven.projects} projects "
        f"open with the key of label {judgement.key.file.label}",
        f"instance {judgement.facts.instance or 'not said'}",
        f"{judgement.inventory.bytes:,} bytes of rows",
        f"before: {', '.join(trend)}" if trend else "nothing to compare with",
    ]
    parts += [] if judgement.kept is None else [f"{judgement.kept} kept"]
    return "; ".join(parts)


def _write_json(judgement: _Judgement, untried: list[str]) -> None:
    key, backup = judgement.key, judgement.backup
    write_json(
        "backup-check",
        answer=judgement.word,
        exit_code=judgement.exit_code,
        findings=[*judgement.wrong_around, *judgement.wrong],
        unknown=judgement.unknown,
        chosen=backup.said,
        backup=about_backup(judgement.facts, backup.shown),
        age=asdict(judgement.age),
        key={"file": key.file.path, "label": key.file.label, "answer": key.word},
        not_tried=untried,
        secrets_opened=key.proof.secrets_opened,
        kept=judgement.kept,
        passed_over=backup.skipped,
        holds=asdict(judgement.inventory),
        compared=[{"at": when, **asdict(then)} for when, then in judgement.compared.items()],
    )
