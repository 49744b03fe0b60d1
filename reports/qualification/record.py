"""The record of a qualification: which bugs were planted, what became of them, and of which code.

It is one JSON file; a bundle has one sentence of it and the digest of the code.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.verdict import Verdict

State = Literal["killed", "wrong reason", "survived", "stumbled", "not run", "equivalent"]
KEPT = ROOT / "reports" / "qualification.json"
LATEST = ROOT / "reports" / "runs" / "qualification" / "qualification.json"
README = ROOT / "README.md"
_PLACE = re.compile(r"(?<=<!-- qualification -->\n).*?(?=<!-- end of qualification -->)", re.DOTALL)


class Row(EvidenceModel):
    """What became of a bug, and why; `control` gave `verdict`.

    control: the one meant for the bug; for a generated bug the one that saw it, if any.
    """

    name: str
    control: str | None = None
    verdict: Verdict | None = None
    state: State = "not run"
    reason: str = ""
    duration_s: float = 0.0


class Qualification(EvidenceModel):
    """What was planted, what was caught, and how often a healthy stack was accused."""

    schema_: Literal["drillbook/qualification/3"] = Field(
        default="drillbook/qualification/3", alias="schema"
    )
    commit: str | None
    code: str = Field(description="SHA-256 over suites/ and fixtures/")
    started: AwareDatetime
    duration_s: float
    selection: tuple[str, ...] = Field(default=(), description="which bugs and stack; empty: all")
    healthy_runs: int
    alarms: tuple[str, ...] = Field(default=(), description="wrong verdicts of healthy runs")
    bugs: tuple[Row, ...] = ()
    engine: str = Field(default="", description="of the generated bugs, with its seed")
    generated: tuple[Row, ...] = ()

    @property
    def missing(self) -> int:
        """The number of planted bugs that were not run."""
        return _count(self.bugs, "not run")

    @property
    def escaped(self) -> list[Row]:
        """The planted bugs that ran and that the control meant for them did not catch."""
        return [row for row in self.bugs if row.state not in ("killed", "not run")]

    @property
    def passed(self) -> bool:
        """Whether something ran, each bug was caught by its control, and no alarm was false."""
        ran = len(self.bugs) > self.missing or self.healthy_runs
        return bool(ran) and not (self.escaped or self.missing or self.alarms)

    @property
    def sentence(self) -> str:
        """The figures: for the terminal, the README and each bundle."""
        words = (
            f"{_count(self.bugs, 'killed')} of {len(self.bugs) - self.missing} planted bugs were "
            "caught by the control meant for them, for the reason written down beforehand; "
            f"{self.missing} were not run. {len(self.alarms)} verdicts of {self.healthy_runs} "
            "healthy runs were false alarms."
        )
        if self.generated:
            counted = len(self.generated) - _count(self.generated, "equivalent")
            words += (
                f" Of {counted} generated bugs ({self.engine}) {_count(self.generated, 'killed')} "
                f"were killed; {_count(self.generated, 'survived')} survived, and "
                f"{_count(self.generated, 'stumbled')} kept controls from being finished."
            )
        return f"{words} Commit {(self.commit or 'unknown')[:12]}, {self.started:%Y-%m-%d}."


def _count(rows: Iterable[Row], state: State) -> int:
    return sum(row.state == state for row in rows)


def code_digest() -> str:
    """SHA-256 over the names and contents of the specs, and of what they are made of."""
    digest = hashlib.sha256()
    paths = (path for folder in ("fixtures", "suites") for path in (ROOT / folder).rglob("*.*"))
    for path in sorted(path for path in paths if path.suffix in (".py", ".toml", ".sql")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def load(path: Path = KEPT) -> Qualification | None:
    """The qualification in a file, None if there is none; Unqualifiable if it cannot be read."""
    if not path.exists():
        return None
    try:
        return Qualification.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as trouble:
        raise Unqualifiable(f"{path}: no record of a qualification ({trouble})") from None


def write(record: Qualification, path: Path) -> None:
    """Write it as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def keep(record: Qualification) -> None:
    """Write it to KEPT, and its sentence into the README."""
    write(record, KEPT)
    page = README.read_text(encoding="utf-8")
    README.write_text(_PLACE.sub(lambda _: wrap(record), page), encoding="utf-8")


def wrap(record: Qualification) -> str:
    """The sentence as it stands in the README."""
    return textwrap.fill(record.sentence, 110, break_on_hyphens=False) + "\n"


def bundle_files(places: Sequence[Path] = (LATEST, KEPT)) -> dict[str, bytes]:
    """The file for a bundle by name: the sentence, and whether it is about this very code.

    The first record that is whole and of this code counts, else the last one; {} without any.
    """
    code = code_digest()
    try:
        records = [record for record in map(load, places) if record]
    except Unqualifiable as trouble:
        return {"qualification.txt": f"{trouble}\n".encode()}
    whole = [record for record in records if not record.selection and not record.missing]
    if not whole:
        return {}
    record = next((record for record in whole if record.code == code), whole[-1])
    same = "the code" if record.code == code else "other code than that"
    words = f"{record.sentence}\nThis is about {same} of this run (suites and fixtures: {code}).\n"
    return {"qualification.txt": words.encode()}
