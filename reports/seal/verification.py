"""`drillbook evidence verify`: runs verify_bundle.py, with what only Drillbook can add.

That is the authority of a time-stamp (--tsa-cert), and the result that the record reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from pydantic import ValidationError

from drillbook.core.display import write_json
from reports.errors import BadBundle, Distrusted
from reports.evidence.model import Run
from reports.render import phrases
from reports.render.terminal import Line, printable, result_style, wrap, write
from reports.seal import timestamp, verify_bundle
from reports.seal.signature import load_trusted_keys
from reports.seal.verify_bundle import Examination, Tampered, Trust, Unusable, bundle_of
from reports.verdict import FAILED, PASSED

_ANSWER_STYLES: dict[str, tuple[str, ...]] = {"GENUINE": ("green",), "INTACT": ("yellow", "bold")}
_STYLES: dict[str, tuple[str, ...]] = {"ok": ("green",), "NO": ("red", "bold")}


@contextmanager
def checked(place: object = None) -> Iterator[None]:
    """Raise BadBundle or Distrusted for what verify_bundle raises, with the place if named."""
    before = f"{place}: " if place else ""
    try:
        yield
    except Unusable as error:
        raise BadBundle(f"{before}{error}") from None
    except Tampered as error:
        raise Distrusted(f"{before}{error}") from None


def intact(
    bundle: Path, trust: Trust, refusal: str, folder: Path | None = None
) -> tuple[Run, Examination]:
    """The run of a bundle that passes its checks, and the checks; of a folder, its files as well.

    BadBundle if it cannot be opened; Distrusted for a bad check, with `refusal` in the message.
    """
    examination = Examination(bundle, trust, folder)
    try:
        examination.examine()
    except Unusable as error:
        raise BadBundle(f"{bundle}: {error}; give a bundle.zip") from None
    if examination.bad or examination.record is None:
        raise Distrusted(f"{bundle}: {examination.bad[0].sentence}; {refusal}")
    run = _run(examination)
    if run is None:
        version = printable(str(examination.record["run"].get("tool", {}).get("version")))
        raise Distrusted(f"{bundle}: its record is one of Drillbook {version}; {refusal}")
    return run, examination


def check_consistency(run: Run) -> str:
    """A sentence on what was counted; Distrusted if counts or verdicts contradict each other."""
    with checked():
        return verify_bundle.check_verdicts(run.model_dump(mode="json"))


def read_entries(bundle: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Those of the named files that a bundle has; BadBundle or Distrusted for a bad zip."""
    with checked(bundle):
        files = verify_bundle.unpack(bundle)
    return {name: files[name] for name in names if name in files}


def _run(examination: Examination) -> Run | None:
    """The run of a bundle without a bad check; None if this release cannot read its record."""
    if examination.bad or examination.record is None:
        return None
    try:
        return Run.model_validate(examination.record)
    except ValidationError:
        return None


def main(given: SimpleNamespace) -> int:
    """Check a bundle and print the result; the exit code."""
    place = Path(given.bundle)
    bundle = bundle_of(place)
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    stamp = timestamp.verifier(Path(given.tsa_cert)) if given.tsa_cert else None
    previous = Path(given.previous) if given.previous else None
    trust = Trust(keys, given.unsigned, previous, stamp)
    examination = Examination(bundle, trust, place if place.is_dir() else None)
    try:
        examination.examine()
    except Unusable as error:
        raise BadBundle(f"UNUSABLE. {bundle}: {error}") from None
    run = _run(examination)
    if given.output == "json":
        _write_answer(bundle, examination, run)
    else:
        write(map(_line, examination.lines()))
        write(_run_lines(run) if run else ())
    return FAILED if examination.bad else PASSED


def _line(text: str) -> Line:
    """A line of the account with its colour."""
    first = (text.split() or [""])[0].strip(".,")
    if verify_bundle.NOT_INDEPENDENT in text:
        return Line(text, ("yellow",))
    red = _STYLES["NO"] if re.fullmatch("[A-Z]{6,}", first) else ()
    return Line(text, _STYLES.get(first, _ANSWER_STYLES.get(first, red)))


def _write_answer(bundle: Path, examination: Examination, run: Run | None) -> None:
    answer, _ = examination.conclude()
    write_json(
        "evidence-verify",
        bundle=str(bundle),
        answer=re.split("[^A-Z]", answer)[0],
        checks=[check._asdict() for check in examination.checks],
        run={
            "id": run.run.id,
            "grade": run.subject.grade,
            "verdict": run.verdict,
            "exit_code": run.exit_code,
        }
        if run
        else None,
    )


def _run_lines(run: Run) -> Iterator[Line]:
    """The result that the record reports."""
    end = phrases.outcome(run)
    yield Line("")
    yield Line(f"Run {printable(run.run.id)}, as recorded:")
    if worth := phrases.grade(run):
        yield from wrap(worth, "  ", "  ")
    text = f"{end.word.upper()}. {end.sentence}"
    yield from wrap(printable(text), "  ", "  ", style=result_style(run))
