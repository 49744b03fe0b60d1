"""What was tried of this very code so far, so that a qualification that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from reports import evidence
from reports.model import Run
from reports.part import Part
from reports.qualification.trial import Outcome, Trial

_KEPT_S = 24 * 3600


class Begun(Part):
    """When the first trial began, and the seconds that were spent since, pauses not counted."""

    started: AwareDatetime
    spent_s: float = 0.0


class Notebook:
    """A folder with the outcome of each trial, for one code and one question about it.

    What left no evidence is not noted: it is tried again.
    """

    def __init__(self, shelf: Path, *question: object) -> None:
        """The question: digest of the code, stack, image, bugs, number of healthy runs."""
        name = hashlib.sha256(json.dumps(question, default=str).encode()).hexdigest()[:32]
        self.folder = shelf / name
        self._zero = time.monotonic()
        _forget(shelf, self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begun = self._begun()

    def _begun(self) -> Begun:
        with suppress(OSError, ValidationError):
            return Begun.model_validate_json((self.folder / "begun").read_bytes())
        return Begun(started=datetime.now(UTC))

    @property
    def spent_s(self) -> float:
        """Seconds of work so far, those before an interruption among them."""
        return round(self.begun.spent_s + time.monotonic() - self._zero, 1)

    def known(self, trials: Iterable[Trial]) -> dict[Trial, Outcome]:
        """The trials whose outcome is there."""
        found = ((one, self._read(one)) for one in trials)
        return {trial: outcome for trial, outcome in found if outcome}

    def note(self, outcome: Outcome) -> None:
        """Write an outcome down, whole or not at all."""
        now = self.begun.model_copy(update={"spent_s": self.spent_s})
        self._write(self.folder / "begun", now.model_dump_json())
        if outcome.run:
            told = f"{outcome.duration_s}\n{evidence.render(outcome.run)}"
            self._write(self._path(outcome.trial), told)

    def close(self) -> None:
        """Forget it all: the next qualification begins anew."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, trial: Trial) -> Path:
        return self.folder / hashlib.sha256(repr(trial).encode()).hexdigest()[:32]

    def _read(self, trial: Trial) -> Outcome | None:
        with suppress(OSError, ValueError):
            duration, _, told = self._path(trial).read_text().partition("\n")
            return Outcome(trial, Run.model_validate_json(told), "", float(duration))
        return None

    def _write(self, path: Path, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}-{os.getpid()}")
        fresh.write_text(text)
        fresh.replace(path)


def _forget(shelf: Path, own: Path) -> None:
    """Remove what nobody will go on with: other questions, a day later."""
    for one in shelf.glob("*"):
        with suppress(OSError):
            if one != own and time.time() - one.stat().st_mtime > _KEPT_S:
                shutil.rmtree(one, ignore_errors=True)
