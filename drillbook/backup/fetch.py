"""A backup to read: a local file, or a private copy that is removed after use.

One rule for several backups in one place: the newest that is whole is taken, and the newer ones
that were passed over are named aloud. `Selection` asks for another one, which is taken as it is.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from drillbook.backup import integrity, location
from drillbook.backup.archive import form_of
from drillbook.backup.location import NEWEST, Candidate, Selection
from drillbook.backup.stores import Local, NoBackup, Remote, Repository, StandardInput, Storage
from drillbook.backup.stream import Source, write_pieces
from drillbook.core import run_directory
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_trouble
from drillbook.core.options import seconds
from drillbook.core.run_directory import Home, new_run_id

_LONGEST_NAME = 100
_MOST_NAMED = 3
Say = Callable[[str], None]
Opener = Callable[[Candidate], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True)
class Picked:
    """The backup that is taken, all backups of its place, and the newer ones skipped, with why.

    word is that of --select, which asked for it.
    """

    candidate: Candidate
    said: str
    word: str
    candidates: tuple[Candidate, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalBackup:
    """A backup to read at path; said names it, and the backups it was chosen from.

    taken_s is how long it took to fetch, in seconds; secrets must appear in no record. picked says
    how it was chosen, None if it was the only one; open makes another backup of the place available
    for a block. home holds a private copy, None for a file that is read in place.
    """

    path: Path
    shown: str
    said: str
    taken_s: float = 0.0
    home: Home | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    picked: Picked | None = None
    open: Opener = lambda candidate: nullcontext(candidate.item)

    def close(self) -> None:
        """Remove the copy; safe to call twice."""
        if self.home:
            self.home.close()


@contextmanager
def backup_for_command(given: str, selection: Selection = NEWEST) -> Iterator[LocalBackup]:
    """A backup for the block of an offline command; these read standard input, too.

    The rest is as in fetch_backup.
    """
    store = StandardInput() if given == "-" else None
    say: Say = (lambda _: None) if store else _say
    space = f"it, and the space in {tempfile.gettempdir()}"
    with (
        fetch_backup(given, say, selection=selection, store=store) as backup,
        refuse_trouble(f"backup {backup.shown}", space),
    ):
        yield backup


@contextmanager
def _private_folder() -> Iterator[Home]:
    # A copy that a killed command left is the whole backup.
    run_directory.sweep()
    home = Home(new_run_id())
    try:
        yield home
    finally:
        home.close()


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201, this is the progress


@contextmanager
def fetch_backup(
    given: str,
    say: Say,
    *,
    choose: bool = True,
    selection: Selection = NEWEST,
    store: Local | Remote | None = None,
) -> Iterator[LocalBackup]:
    """Make a backup available for the block; BadInput in one sentence where that fails.

    choose: a folder of backups stands for its newest that is complete, or for the one that
    selection asks for. say gets what was taken, and the progress of a long copy. store is where to
    read it, if the address does not say so.
    """
    started = time.monotonic()
    store = store or _find_store(given, choose=choose)
    with ExitStack() as stack:
        opened: Opener = _open_in_place
        home = picked = None
        trouble: AbstractContextManager[None] = nullcontext()
        if isinstance(store, Local):
            trouble = refuse_trouble(store.shown, "the backup given")
        else:
            home = stack.enter_context(_private_folder())
            opened = partial(_open_copy, store, home.path, say)
        with trouble:
            listed = store.candidates()
            if store.is_single:
                if selection.word != NEWEST.word:
                    raise BadInput(
                        f"--select {selection.word}: {store.shown} is one backup; give a folder or "
                        "a repository"
                    )
                path = stack.enter_context(opened(listed[0]))
            else:
                path, picked = stack.enter_context(pick(store.shown, listed, selection, opened))
        taken_s = time.monotonic() - started
        said = picked.said if picked else f"backup {listed[0].name}"
        said = f"{said}, fetched in {taken_s:.1f} s" if home else said
        if home or picked:
            say(said)
        shown = store.shown if home else str(path)
        yield LocalBackup(path, shown, said, taken_s, home, store.secrets, picked, opened)


def _find_store(given: str, *, choose: bool) -> Local | Remote:
    address = location.parse(given)
    if address.kind == "path":
        return Local(Path(address.what).expanduser(), choose=choose)
    return Storage(address) if address.kind == "url" else Repository(address)


def _open_in_place(candidate: Candidate) -> AbstractContextManager[Path]:
    """The path of a backup that is on this machine."""
    return nullcontext(candidate.item)


@contextmanager
def _open_copy(store: Remote, folder: Path, say: Say, candidate: Candidate) -> Iterator[Path]:
    """A private copy of a backup, and of the checksum next to it, for a block."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        content = store.read(candidate)
        copy = _safe_path(Path(place), content.name)
        say(f"fetching {content.name} from {store.shown}")
        pieces = _check_begin(content.pieces, copy) if store.is_single else content.pieces
        try:
            write_copy(pieces, copy, say)
            checksum = integrity.checksum_file(copy)
            if content.checksum is None:
                say(f"{checksum.name} could not be read, so the backup is not compared with it")
            elif integrity.find_checksums(content.checksum.decode(errors="replace")):
                write_copy(iter([content.checksum]), checksum, say)
            os.utime(copy, (content.modified, content.modified))
            yield copy
        except BadInput as refusal:
            if str(copy) not in str(refusal):
                raise
            raise BadInput(str(refusal).replace(str(copy), store.shown)) from None


def _safe_path(place: Path, name: str) -> Path:
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in name)
    return place / (safe[-_LONGEST_NAME:].lstrip(".") or "backup")


def _check_begin(pieces: Iterator[bytes], copy: Path) -> Iterator[bytes]:
    """The pieces; BadInput after the first where no backup begins so, as of an endless device."""
    for number, piece in enumerate(pieces):
        yield piece
        if not number:
            with Source(copy) as source:
                form_of(source)


def write_copy(pieces: Iterator[bytes], file: Path, say: Say) -> None:
    """Write pieces to a new file that only we can read; BadInput where the disk would run full."""
    unfit = f"the backup does not fit into {tempfile.gettempdir()}; point TMPDIR to space"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as out:
        write_pieces(pieces, out, file.parent, unfit, say)


@contextmanager
def pick(
    place: str, listed: Sequence[Candidate], selection: Selection, opened: Opener
) -> Iterator[tuple[Path, Picked]]:
    """One of several backups, open for the block; BadInput where none fits.

    The newest is the newest that looks whole; a snapshot without a backup, as of other files, does
    not count. Any other choice is taken as it is: finding that it is cut is then the purpose.
    """
    left, word = sorted(listed, reverse=True), selection.word
    skipped: list[str] = []
    held = f"; there are {len(left)}, the oldest of {left[-1].at:%Y-%m-%d}"
    if word != "newest":
        among = _among(place, left, word)
        candidate = random.Random(selection.seed).choice(among)  # noqa: S311 - no secret
        drawn = f" among {len(among)} with seed {selection.seed}" if len(among) > 1 else ""
        said = f"{word}{drawn} of {place} is {candidate}{held}"
        with opened(candidate) as path:
            yield path, Picked(candidate, said, word, tuple(left))
        return
    nothing = NoBackup(f"{place} holds no backup")
    for candidate in tuple(left):
        with ExitStack() as attempt:
            try:
                path = attempt.enter_context(opened(candidate))
            except NoBackup as trouble:
                left.remove(candidate)
                nothing = trouble
                continue
            if not (why := integrity.reason_incomplete(path)):
                warning = f"; NEWER BUT NOT TAKEN: {_few(skipped, ', ')}" if skipped else ""
                without = len(listed) - len(left)
                warning += f"; {without} newer without a backup" if without else ""
                said = f"the newest of {place} is {candidate}{held}{warning}"
                yield path, Picked(candidate, said, word, tuple(left), tuple(skipped))
                return
            skipped.append(f"{candidate.name} ({why})")
    if not skipped:
        raise nothing
    raise BadInput(f"{place} holds no backup that is complete: {_few(skipped, '; ')}")


def _few(names: Sequence[str], separator: str) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{separator.join(names[:_MOST_NAMED])}{more}"


def _among(place: str, newest_first: Sequence[Candidate], select: str) -> Sequence[Candidate]:
    """The backups of which one is drawn."""
    how, _, what = select.partition(":")
    among = newest_first[-1:]
    if how == "random":
        since = datetime.now(UTC) - timedelta(seconds=seconds(what, "--select random:"))
        among = [candidate for candidate in newest_first if candidate.at >= since]
    elif how == "at":
        try:
            moment = datetime.fromisoformat(what).replace(tzinfo=UTC)
        except ValueError:
            raise BadInput(f"--select at:{what}: there is no such day") from None
        # Of a day, its end.
        end = moment if "T" in what else moment + timedelta(days=1)
        among = [candidate for candidate in newest_first if candidate.at < end][:1]
    if not among:
        extent = f"{newest_first[-1].at:%Y-%m-%d %H:%M} to {newest_first[0].at:%Y-%m-%d %H:%M}"
        raise BadInput(
            f"--select {select}: {place} has none of that time; its backups are of {extent}"
        )
    return among
