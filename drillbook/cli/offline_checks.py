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
from drillbook.backup.fetch import UNDATED, LocalBackup, backup_for_command
from drillbook.backup.location import CONTAINER, changed_at, parse_selection
from drillbook.core.display import printable, write_json
from drillbook.core.errors import BadInput, state_outcome
from drillbook.core.files import whole_output
from drillbook.core.options import seconds, share
from drillbook.keys import key_check, key_files
from drillbook.keys.hierarchy import Inventory, find_losses, take_inventory
from drillbook.keys.key_check import about_backup, as_text, write_answer
from drillbook.keys.key_files import KeyFile

_WORDS = ("GOOD", "BAD", "CANNOT TELL")
_MOST_NAMED = 4


@state_outcome(", so nothing is known")
def check_key(given: SimpleNamespace) -> int:
    """Try the keys on the backup and print the answer; the exit code."""
    keys, unread = key_files.load_all(given.env_file)
    selection = parse_selection(given.select, given.seed)
    with (
        backup_for_command(given.backup, given.backup_options, selection) as found,
        tables.open_dump(found.path) as dump,
    ):
        path, name = found.path, found.shown
        dump.refuse_harm(name)
        backup, answers = key_check.try_keys(dump, path, keys)
    with whole_output():
        if given.output == "json":
            write_answer(backup, name, answers, unread)
        else:
            sys.stdout.write(as_text(backup, name, answers, unread))
    for warning in key_files.permission_warnings(keys):
        sys.stderr.write(f"drillbook key check: {warning}\n")
    return key_check.EXIT[key_check.best(answers).word]


@dataclass
class _Judgement:
    """What is wrong with a backup, and what it does not show."""

    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return 1 if self.wrong else 2 if self.unknown else 0


@dataclass(frozen=True)
class _Found:
    """One backup: its facts, age, inventory, and the answer of the best key."""

    facts: Backup
    age: Age
    inventory: Inventory
    answer: key_check.Answer


@state_outcome(", so nothing is known")
def check_backup(given: SimpleNamespace) -> int:
    """Judge the backup that the options name; the exit code."""
    keys, unread = key_files.load_all(given.env_file)
    selection = parse_selection(given.select, given.seed)
    with backup_for_command(given.backup, given.backup_options, selection) as backup:
        found = _read(backup, keys)
        judgement = _Judgement()
        _judge(judgement, given, backup, found)
        compared = _compare(judgement, backup, found, share(given.drop))
    if given.output == "json":
        _write_json(judgement, backup, found, compared, unread)
    else:
        line = f"{_WORDS[judgement.exit_code]}: {_sentence(judgement, backup, found, compared)}"
        sys.stdout.write(f"{printable(line)}\n")
    return judgement.exit_code


def _read(backup: LocalBackup, keys: list[KeyFile]) -> _Found:
    with tables.open_dump(backup.path) as dump:
        known, answers = key_check.try_keys(dump, backup.path, keys)
        stated = None if (at := changed_at(backup.path)) == UNDATED else at
        dumped = backup.modified if backup.shown.startswith(CONTAINER) else None
        old = age(known, backup.path, stated, datetime.now(UTC), dumped)
        return _Found(known, old, take_inventory(dump, known), key_check.best(answers))


def _judge(
    judgement: _Judgement, given: SimpleNamespace, backup: LocalBackup, found: _Found
) -> None:
    """What the backup itself shows, and the place where it lies."""
    wrong, unknown = judgement.wrong, judgement.unknown
    for newer in backup.skipped:
        # A dump that is under way is no fault; one that hangs is found the next time.
        if "still being written" not in newer:
            wrong.append(f"a newer one is not whole: {newer}")
    if why := found.facts.damage or found.facts.orders:
        wrong.append(f"it {why}" if found.facts.damage else f"it is more than data: {why}")
    reasons = ", ".join(found.answer.reasons)
    if found.answer.word == "DOES NOT OPEN":
        wrong.append(f"the key with label {found.answer.file.label} does not open it: {reasons}")
    elif found.answer.word == "CANNOT TELL" and not found.facts.damage:
        unknown.append(f"whether the key opens it: {reasons}")
    if found.age.in_future:
        wrong.append(f"it has a date in the future ({found.age})")
    elif (young := found.age.within(seconds(given.max_age, "--max-age"))) is None:
        unknown.append(found.age.doubt("it", given.max_age))
    elif not young:
        wrong.append(f"it is more than {given.max_age} old: {found.age}")
    if given.keep_at_least:
        if (kept := _kept(backup)) is None:
            raise BadInput(f"--keep-at-least: {backup.shown} is one backup; give a folder")
        if kept < int(given.keep_at_least):
            wrong.append(f"{kept} kept where {given.keep_at_least} are wanted")


def _kept(backup: LocalBackup) -> int | None:
    """How many backups lie in its place, without those that are not whole; None of a single one."""
    return len(backup.members) - len(backup.skipped) if backup.members else None


def _compare(
    judgement: _Judgement, backup: LocalBackup, found: _Found, allowed: float
) -> dict[str, Inventory]:
    """The inventories of the one before and of the oldest, by their time; losses are wrong.

    Only the one before would call a loss good again on the next day.
    """
    older = [one for one in sorted(backup.members) if backup.chosen and one < backup.chosen]
    compared: dict[str, Inventory] = {}
    for member in dict.fromkeys([*older[-1:], *older[:1]]):
        when = f"{member.at:%Y-%m-%d %H:%M} UTC"
        try:
            with backup.open(member) as path, tables.open_dump(path) as dump:
                earlier = take_inventory(dump, facts(dump, path))
                if dump.damage:
                    continue
        except BadInput:
            # What it lacks was said of it when it was the newest.
            continue
        compared[when] = earlier
        losses = find_losses(earlier, when, found.inventory, allowed)
        judgement.wrong += [loss for loss in losses if loss not in judgement.wrong]
    return compared


def _sentence(
    judgement: _Judgement, backup: LocalBackup, found: _Found, compared: dict[str, Inventory]
) -> str:
    name = backup.chosen.name if backup.chosen else backup.shown
    if reasons := [*judgement.wrong, *judgement.unknown]:
        more = f"; and {len(reasons) - _MOST_NAMED} more" if len(reasons) > _MOST_NAMED else ""
        return f"{name}: {'; '.join(reasons[:_MOST_NAMED])}{more}"
    proven = found.answer.proof
    trend = [
        f"{then.secrets:,} secrets and {then.bytes:,} bytes on {when[:10]}"
        for when, then in compared.items()
    ]
    parts = [
        f"{name} ({found.age})",
        "whole",
        f"{proven.secrets_opened:,} of {proven.secrets:,} secrets of {proven.projects} projects "
        f"open with the key of label {found.answer.file.label}",
        f"instance {found.facts.instance or 'not said'}",
        f"{found.inventory.bytes:,} bytes of rows",
        f"before: {', '.join(trend)}" if trend else "nothing to compare with",
    ]
    kept = _kept(backup)
    return "; ".join([*parts, *([f"{kept} kept"] if kept is not None else [])])


def _write_json(
    judgement: _Judgement,
    backup: LocalBackup,
    found: _Found,
    compared: dict[str, Inventory],
    unread: list[str],
) -> None:
    key = found.answer
    write_json(
        "backup-check",
        answer=_WORDS[judgement.exit_code],
        exit_code=judgement.exit_code,
        findings=judgement.wrong,
        unknown=judgement.unknown,
        chosen=backup.said,
        backup=about_backup(found.facts, backup.shown),
        age=asdict(found.age),
        key={"file": key.file.path, "label": key.file.label, "answer": key.word},
        not_tried=unread,
        secrets_opened=key.proof.secrets_opened,
        kept=_kept(backup),
        passed_over=backup.skipped,
        holds=asdict(found.inventory),
        compared=[{"at": when, **asdict(then)} for when, then in compared.items()],
    )
