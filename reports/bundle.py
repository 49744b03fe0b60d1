"""The folder a run leaves: evidence, renderings and logs, searched for secrets, sealed, linked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reports.errors import CannotWrite
from reports.history.ledger import Remembered, remember
from reports.model import Leak, Redaction, Run
from reports.redact import Redactor
from reports.seal.folder import Sealed, Sealer
from reports.writers import WRITERS, render

_ROOM = 64 << 20


class Bundle:
    """The folder of one run, made and tried before the run, so that no evidence is lost after."""

    def __init__(
        self,
        runs: Path,
        run_id: str,
        sealer: Sealer | None = None,
        names: Iterable[str] = WRITERS,
    ) -> None:
        self.path = runs / run_id
        self.sealer = sealer or Sealer()
        self._names = tuple(names)
        self.sealed = Sealed()
        self.remembered = Remembered()
        with _told(runs):
            self.logs.mkdir(parents=True)
            free = shutil.disk_usage(runs).free
        if free < _ROOM:
            self.discard()
            raise CannotWrite(
                f"{runs}: {free >> 20} MB free, a report may need {_ROOM >> 20}; "
                "free some space or choose another folder with --run-dir"
            )

    @property
    def logs(self) -> Path:
        """Where services' logs are appended during the run."""
        return self.path / "logs"

    @property
    def incomplete(self) -> bool:
        """Whether the seal or the line in the history is missing, which a passed run must have."""
        return bool(self.sealed.trouble) or not self.remembered.written

    def discard(self) -> None:
        """Remove the folder if nothing was written to it."""
        with suppress(OSError):
            self.logs.rmdir()
            self.path.rmdir()

    def add(self, name: str, data: bytes) -> None:
        """Put a file of somebody else's making into the bundle; call it before write."""
        with _told(self.path):
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            _replace(self.path / name, data)

    def write(self, redactor: Redactor, assemble: Callable[[Redaction], Run]) -> Run:
        """Write everything, search it, and if a secret was found clean it and write again.

        Sealing and the line in the history come last and never cost what was written; `sealed`
        and `remembered` say how far it came. What is not whole is not sealed.
        """
        seal = self.sealer.facts(self.path.parent)

        def assembled(leaks: list[Leak]) -> Run:
            run = assemble(self._redaction(redactor, leaks))
            return run.model_copy(update={"seal": seal})

        with _told(self.path):
            self._write(assembled([]))
            run = assembled(self._clean(redactor))
            self._write(run)
            self._clean(redactor)
            if self._names == tuple(WRITERS):
                self.sealed = self.sealer.seal(
                    self.path, run, lambda file: not redactor.scan(file, "")
                )
            self._link()
        self.remembered = remember(run, self.path)
        return run

    def _write(self, run: Run) -> None:
        for name in self._names:
            _replace(self.path / name, render(name, run))

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def _redaction(self, redactor: Redactor, leaks: list[Leak]) -> Redaction:
        return Redaction(
            secrets_known=redactor.known,
            secrets_weak=redactor.weak,
            scanned_files=len(self._files()),
            leaks=tuple(leaks),
        )

    def _clean(self, redactor: Redactor) -> list[Leak]:
        """Search every file; what leaks is redacted in place and reported."""
        leaks: list[Leak] = []
        for path in self._files():
            found = redactor.scan(path, str(path.relative_to(self.path)))
            if found and path.suffix == ".pdf":
                path.unlink()  # cannot be cleaned in place; it is made anew from a clean record
            elif found:
                _replace(path, redactor.data(path.read_bytes()))
            leaks += found
        return leaks

    def _link(self) -> None:
        """`latest` names this run; a reader meets the old link or the new, never none."""
        fresh = self.path.parent / f".latest-{self.path.name}"
        fresh.symlink_to(self.path.name)
        fresh.replace(self.path.parent / "latest")


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as trouble:
        raise CannotWrite(
            f"cannot write {trouble.filename or path}: {trouble.strerror}; "
            "free some space or choose another folder with --run-dir"
        ) from None
