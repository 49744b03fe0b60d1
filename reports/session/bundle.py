"""The folder of a run: evidence, documents and logs, searched for secrets and sealed.

Formats that are not in it are made from a bundle by `drillbook evidence export`.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

from drillbook.core.files import write_file
from reports.errors import ReportError
from reports.evidence import json_file
from reports.evidence.model import Leak, Redaction, Run
from reports.export import oscal
from reports.export.formats import write_document
from reports.history.runs import load_files, parse_record, refuse_one_run
from reports.record import run_metadata
from reports.redaction.redactor import Redactor, is_packed
from reports.render import html, junit, markdown, pdf
from reports.render.terminal import Line, result, summary, wrap, write
from reports.seal.sealer import Sealed, Sealer, describe_seal
from reports.seal.verification import check_consistency
from reports.verdict import FAILED, PASSED, UNUSABLE

WRITERS: dict[str, Callable[[Run], str | bytes]] = {
    json_file.RECORD: json_file.render,
    "junit.xml": junit.render,
    "oscal-assessment-results.json": oscal.render,
    "report.html": html.render,
    "report.pdf": pdf.render,
    "corrected-runbook.md": markdown.corrected_runbook,
    "REPRODUCE.md": markdown.reproduce,
}
_ROOM = 64 << 20
_PASSES = 4
_NAME = "in the name of the file"


def new_id(started: datetime) -> str:
    """A unique id for a run that starts at this moment."""
    return f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def render(name: str, run: Run) -> bytes:
    """The run as this file; equal runs give equal bytes."""
    text = WRITERS[name](run)
    return text if isinstance(text, bytes) else text.encode()


class Bundle:
    """The folder of one run, made before the run starts, so that a full disk costs no evidence."""

    def __init__(
        self,
        runs: Path,
        run_id: str,
        sealer: Sealer | None = None,
        names: Iterable[str] = WRITERS,
    ) -> None:
        refuse_one_run(runs)
        self.path = runs / run_id
        self.sealer = sealer or Sealer()
        self._names = tuple(names)
        self.sealed = Sealed()
        self.not_linked: str | None = None
        with _refuse_unwritable(runs):
            self.logs.mkdir(parents=True)
            free = shutil.disk_usage(runs).free
        if free < _ROOM:
            self.discard()
            raise ReportError(
                f"{runs}: {free >> 20} MB free, a report may need {_ROOM >> 20}; "
                "free some space or choose another folder with --run-dir"
            )

    @property
    def logs(self) -> Path:
        """Where services' logs are appended during the run."""
        return self.path / "logs"

    @property
    def whole(self) -> bool:
        """Whether it has every document, and so gets a seal."""
        return self._names == tuple(WRITERS)

    def exit_code(self, run: Run) -> int:
        """That of the run; 3 if it passed and could not be sealed."""
        return run.exit_code or (UNUSABLE if self.sealed.trouble else PASSED)

    def conclude(self, run: Run, report: str, *, quiet: bool, verbose: bool) -> Iterator[Line]:
        """The lines at the end of a run: its result or summary, and how it was sealed."""
        yield from result(run, report) if quiet else summary(run, report, verbose=verbose)
        yield from describe_seal(self.sealed)
        if self.not_linked:
            said = f"Not linked: {self.not_linked}. Give commands the folder of this run."
            yield from wrap(said, then="  ", style=("yellow",))

    def discard(self) -> None:
        """Remove the folder if nothing was written to it."""
        with suppress(OSError):
            self.logs.rmdir()
            self.path.rmdir()

    def add(self, name: str, data: bytes) -> None:
        """Put a file that was made elsewhere into the bundle; call it before write."""
        with _refuse_unwritable(self.path):
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path / name, data)

    def write(self, redactor: Redactor, assemble: Callable[[Redaction], Run]) -> Run:
        """Write and search everything, again if a secret was found; then seal it.

        Sealing and the link come last; if they fail, what was written stays, and `sealed` and
        `not_linked` say why. A bundle that is not whole is not sealed.
        """
        seal = self.sealer.facts(self.path.parent)

        def assemble_with(leaks: list[Leak], stained: set[str]) -> Run:
            run = assemble(self._redaction(redactor, leaks, stained))
            written = tuple(name for name in self._names if name not in stained)
            return run.model_copy(update={"seal": seal, "documents": written})

        with _refuse_unwritable(self.path):
            run = self._settle(redactor, assemble_with)
            if self.whole:
                self.sealed = self.sealer.seal(
                    self.path, run, lambda file: not redactor.scan(file, "", packed=False)
                )
        # A run that judged nothing is not linked: the next command is meant for another.
        if run.counts.executed:
            self.not_linked = self._link()
        return run

    def _link(self) -> str | None:
        """Have `latest` name this run; None, or the reason it failed, such as a folder there."""
        latest, fresh = self.path.parent / "latest", self.path.parent / f".latest-{self.path.name}"
        try:
            fresh.symlink_to(self.path.name)
            fresh.replace(latest)
        except OSError as trouble:
            with suppress(OSError):
                fresh.unlink()
            return f"{latest}: {trouble.strerror}"
        return None

    def _settle(
        self, redactor: Redactor, assemble_with: Callable[[list[Leak], set[str]], Run]
    ) -> Run:
        """Write and search until nothing new is found; every leak ever found is in the record.

        A document that leaks once more although its record is clean is left out for good.
        """
        leaks: list[Leak] = []
        stained: set[str] = set()
        for number in range(_PASSES):
            run = assemble_with(leaks, stained)
            for name in self._names:
                if name not in stained:
                    write_file(self.path / name, render(name, run))
            found = self._clean(redactor)
            new = [leak for leak in found if leak not in leaks]
            gone = {leak.file for leak in found if number and not (self.path / leak.file).is_file()}
            if not new and gone <= stained:
                break
            stained |= gone
            leaks += new
        return run

    def _files(self) -> list[Path]:
        # A link may lead to a file of others, which must not be redacted; a bundle has none.
        found = (path for path in self.path.rglob("*") if not path.is_symlink())
        return sorted(path for path in found if path.is_file())

    def _redaction(self, redactor: Redactor, leaks: list[Leak], stained: set[str]) -> Redaction:
        # What is about to be written is searched as well.
        names = {str(path.relative_to(self.path)) for path in self._files()} | set(self._names)
        return Redaction(
            secrets_known=redactor.known,
            secrets_weak=redactor.weak,
            scanned_files=len(names - stained),
            leaks=tuple(leaks),
        )

    def _clean(self, redactor: Redactor) -> list[Leak]:
        """Search every file and its name for secrets, redact them in place, and return them.

        A compressed file cannot be redacted in place and is removed.
        """
        leaks: list[Leak] = []
        for path in self._files():
            path, named = self._rename(path, redactor)
            found = redactor.scan(path, str(path.relative_to(self.path)))
            if found:
                data = path.read_bytes()
                if is_packed(data[:8]):
                    path.unlink()
                else:
                    write_file(path, redactor.data(data))
            leaks += found + named
        return leaks

    def _rename(self, path: Path, redactor: Redactor) -> tuple[Path, list[Leak]]:
        """The file under a name that holds no secret."""
        name = str(path.relative_to(self.path))
        shown = redactor.text(name)
        if shown == name:
            return path, []
        (self.path / shown).parent.mkdir(parents=True, exist_ok=True)
        path.rename(self.path / shown)
        named = Leak(file=shown, secret=_NAME, encoding="plain")
        return self.path / shown, [named]


@contextmanager
def _refuse_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as trouble:
        why, cure = trouble.strerror, "choose another folder with --run-dir"
        if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
            cure = f"free some space or {cure}"
        elif trouble.errno == errno.ENOENT:
            # As in /proc: a missing folder would have been made.
            why = "its file system takes no new folder"
        raise ReportError(f"cannot write {trouble.filename or path}: {why}; {cure}") from None


_DIFFERS = ("red", "bold")


def main(given: SimpleNamespace) -> int:
    """Render the documents of a record; exit code 1 if one differs from the given one."""
    origin = Path(given.record)
    before = load_files(origin, WRITERS)
    run = parse_record(before, origin)
    check_consistency(run)
    made = {name: render(name, run) for name in WRITERS}
    lines = [line for name in WRITERS for line in _compare(name, made[name], before, run)]
    write(lines)
    if given.out:
        out = Path(given.out)
        out.mkdir(parents=True, exist_ok=True)
        for name in WRITERS:
            write_document(out / name, made[name])
    return FAILED if any(line.style == _DIFFERS for line in lines) else PASSED


def _compare(name: str, made: bytes, before: Mapping[str, bytes], run: Run) -> Iterator[Line]:
    """Whether a document is the same as the given one."""
    if name not in before:
        yield Line(f"  --  {name} was not there")
    elif made == before[name]:
        yield Line(f"  ok  {name}", ("green",))
    elif other := _other_version(run):
        yield from wrap(f"{name} differs, as it may: {other}", "  --  ", "      ")
    else:
        yield Line(f"  NO  {name} is not what this record gives", _DIFFERS)


def _other_version(run: Run) -> str | None:
    """How the record's Drillbook differs from this one, if it does."""
    ours, its = run_metadata.tool(), run.run.tool
    if (ours.version, ours.commit) != (its.version, its.commit):
        return f"the record is of {its.version}, commit {its.commit}; this is {ours.commit}"
    return "made with changes that no commit holds" if ours.dirty or its.dirty else None
