"""`make status`: the last drill, key recovery, password rotation and move, and when each is due.

With public keys (PUBKEY=) only what one of them signed counts: whoever can write the folder of a
history can rewrite it. Without, the account says that it rests on no signature.

Exit code 0; 1 if something is overdue, or if the history is no longer what it was; 3 if the
declaration cannot be read or the calendar not be written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.core.files import write_file
from reports import catalogue, declared
from reports.declared import Words
from reports.errors import BadBundle, BadDeclaration, BadKey, Distrusted
from reports.history import History, Past, past_of, read
from reports.lines import Line, wrapped, write
from reports.seal.folder import BUNDLE
from reports.status.ics import calendar
from reports.status.standing import QUARTER, Standing, recurs, standings
from reports.verdict import FAILED, PASSED, UNUSABLE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_CONTROLS = Path(__file__).resolve().parents[2] / "suites" / "controls.toml"
_RED: tuple[str, ...] = ("red", "bold")
_BEGIN = b"BEGIN:VCALENDAR"


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell how things stand, and write the calendar that was asked for."""
    given = _parsed(arguments)
    try:
        words = declared.load(Path.cwd(), given.config, None, catalogue.load(_CONTROLS)).words
        keys = _keys(given.pubkey)
    except (BadDeclaration, BadKey) as reason:
        return _refused(str(reason))
    now = datetime.now(UTC)
    history = read(given.run_dir)
    runs = history.runs if keys is None else _signed(history.runs, given.run_dir, keys)
    found = standings(runs, words.schedule, now.date())
    account = _told(
        history, found, words, given.run_dir, signed=None if keys is None else len(runs)
    )
    write(account, sys.stdout)
    if given.ics:
        system = words.organisation.system or words.organisation.system_id or ""
        if trouble := _written(given.ics, calendar(found, system, now)):
            return _refused(trouble)
        write([Line(f"Calendar: {given.ics}")], sys.stdout)
    return FAILED if history.troubles or any(one.overdue for one in found) else PASSED


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="status", description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("reports/runs"))
    parser.add_argument("--config", default=None, help="drillbook.toml, for its schedule")
    parser.add_argument("--pubkey", type=Path, help="count only what these keys signed (PEM)")
    parser.add_argument("--ics", type=Path, default=None, help="calendar to write")
    return parser.parse_args(arguments)


def _keys(path: Path | None) -> dict[str, Ed25519PublicKey] | None:
    if path is None:
        return None
    from reports.seal.signature import trusted

    return trusted(path)


def _signed(
    runs: Sequence[Past], folder: Path, keys: dict[str, Ed25519PublicKey]
) -> tuple[Past, ...]:
    """What the signed bundles say of their runs; the rest of the history counts for nothing."""
    from reports.seal.checks import signed_run

    found = []
    for one in runs:
        if not one.kept or not recurs(one):
            continue
        with suppress(BadBundle, Distrusted):
            run = signed_run(folder / one.id / BUNDLE, keys)
            if run.run.id == one.id:
                found.append(past_of(run))
    return tuple(found)


def _refused(reason: str) -> int:
    write([Line(f"status: {reason}", _RED)], sys.stderr)
    return UNUSABLE


def _told(
    history: History, found: list[Standing], words: Words, runs: Path, *, signed: int | None
) -> Iterator[Line]:
    for trouble in history.troubles:
        yield from wrapped(f"History: {trouble}.", then="  ", style=_RED)
    for folder in history.unreadable:
        yield Line(f"Folder {folder}: its evidence cannot be read", ("yellow",))
    cadence = words.schedule.cadence or f"every {QUARTER.days} days"
    yield from wrapped(f"{len(history.runs)} runs in {runs}; due {cadence}", then="  ")
    if signed is None:
        said = "not proven: no signature was checked; PUBKEY= counts only what your key signed"
        yield from wrapped(f"This history is {said}.", then="  ", style=("yellow",))
    else:
        yield Line(f"Of them {signed} are about these and signed by a trusted key; no other counts")
    yield Line("")
    yield Line(f"{'':<35}{'last':<12}{'due':<12}", ("bold",))
    for one in found:
        yield from _row(one)
    late = [one for one in found if one.overdue]
    yield Line("")
    if not late:
        if signed is None:
            yield Line("Nothing is overdue, if this history is true.", ("yellow", "bold"))
        else:
            yield Line("Nothing is overdue.", ("green", "bold"))
        return
    yield Line(f"OVERDUE: {len(late)} of {len(found)}. Next:", _RED)
    yield from (Line(f"  {one.act.command}") for one in late)


def _row(one: Standing) -> Iterator[Line]:
    last = f"{one.last.finished:%Y-%m-%d}" if one.last else "never"
    due = "OVERDUE" if one.overdue else f"{one.due:%Y-%m-%d}"
    since = f" since {one.due:%Y-%m-%d}" if one.overdue and one.last else ""
    style = _RED if one.overdue else ()
    yield Line(f"{one.act.name:<35}{last:<12}{due}{since}", style)
    if one.failed:
        when = f"{one.failed.finished:%Y-%m-%d}"
        yield Line(f"  tried on {when} and not shown (run {one.failed.id})", ("yellow",))
    if one.rehearsed and not one.last:
        when = f"{one.rehearsed.finished:%Y-%m-%d}"
        yield Line(f"  rehearsed on {when}, which is no evidence about a deployment")


def _written(target: Path, content: bytes) -> str:
    """Write the calendar in place of an older one; what keeps us from it, else nothing."""
    try:
        if target.exists():
            with target.open("rb") as file:
                if file.read(len(_BEGIN)) != _BEGIN:
                    return f"{target} is there and is no calendar; give another ICS="
        write_file(target, content)
    except OSError as trouble:
        return f"{target} cannot be written: {trouble.strerror}; give another ICS="
    return ""


if __name__ == "__main__":
    sys.exit(main())
