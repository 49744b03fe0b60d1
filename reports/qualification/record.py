"""The record of a qualification: which bugs were planted, what became of them, and of which code.

It is one JSON file; a bundle has one sentence of it and the digest of the code.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.verdict import Verdict

State = Literal["killed", "wrong reason", "survived", "stumbled", "not run"]
FateState = Literal["killed", "survived", "stumbled", "equivalent"]
KEPT = ROOT / "reports" / "qualification.json"
LATEST = ROOT / "reports" / "runs" / "qualification" / "qualification.json"
README = ROOT / "README.md"
_PLACE = re.compile(r"(?<=<!-- qualification -->\n).*?(?=<!-- end of qualification -->)", re.DOTALL)
_SUFFIXES = {".py", ".toml", ".sql"}


class Seen(EvidenceModel):
    """A control's verdict and observation, which tell a healthy stack from a bad one."""

    verdict: Verdict
    observed: str | None = None


class Row(EvidenceModel):
    """A planted bug: the control meant to catch it, how it must die, and what became of it."""

    name: str
    control: str
    where: str
    turns: str
    says: str
    state: State
    told: str
    duration_s: float

    @property
    def escaped(self) -> bool:
        """Whether the bug ran and was not caught by the control meant for it."""
        return self.state not in ("killed", "not run")


class Change(EvidenceModel):
    """A change of code: the operator, and which of its places in a function it was."""

    file: str
    definition: str
    operator: str
    number: int

    @property
    def name(self) -> str:
        """The name of the change in reviews; it quotes no code."""
        return f"{self.definition} {self.operator.removeprefix('core/')} {self.number}"

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


class Fate(Change):
    """What became of a generated bug: which control saw it and how, or why it does not count."""

    state: FateState
    control: str | None = None
    told: str = ""
    duration_s: float = 0.0


class Generated(EvidenceModel):
    """The bugs that an engine drew by a seed, and what became of each."""

    engine: str
    seed: int
    bugs: tuple[Fate, ...] = ()

    def count(self, *states: FateState) -> int:
        """How many bugs are in one of these states."""
        return sum(bug.state in states for bug in self.bugs)

    @property
    def alive(self) -> list[Fate]:
        """The bugs that no control accused."""
        return [bug for bug in self.bugs if bug.state in ("survived", "stumbled")]


class Qualification(EvidenceModel):
    """What was planted, what was caught, and how often a healthy stack was accused."""

    schema_: Literal["drillbook/qualification/2"] = Field(
        default="drillbook/qualification/2", alias="schema"
    )
    commit: str | None
    code: str = Field(description="SHA-256 over suites/ and fixtures/")
    started: AwareDatetime
    duration_s: float
    stack: str
    image: str | None = None
    selection: tuple[str, ...] = Field(default=(), description="which bugs and stack; empty: all")
    healthy_runs: int
    alarms: tuple[str, ...] = Field(
        default=(), description="verdicts of healthy runs that should have been others"
    )
    bugs: tuple[Row, ...] = ()
    generated: Generated | None = Field(default=None, description="--generated; null: not asked")

    def count(self, state: State) -> int:
        """How many planted bugs are in this state."""
        return sum(row.state == state for row in self.bugs)

    @property
    def tried(self) -> int:
        """The number of planted bugs that were run."""
        return len(self.bugs) - self.count("not run")

    @property
    def escaped(self) -> list[Row]:
        """The bugs that the control meant for them did not catch."""
        return [row for row in self.bugs if row.escaped]

    @property
    def passed(self) -> bool:
        """Whether something ran, each bug was caught by its control, and no alarm was false."""
        ran = self.tried or self.healthy_runs
        return bool(ran) and self.count("killed") == len(self.bugs) and not self.alarms

    @property
    def sentence(self) -> str:
        """The figures: for the terminal, the README and each bundle."""
        words = (
            f"{self.count('killed')} of {self.tried} planted bugs were caught by the control meant "
            f"for them, for the reason written down beforehand; {self.count('not run')} were not "
            f"run. {len(self.alarms)} verdicts of {self.healthy_runs} healthy runs were false "
            "alarms."
        )
        if drawn := self.generated:
            words += (
                f" Of {len(drawn.bugs) - drawn.count('equivalent')} generated bugs "
                f"({drawn.engine}, seed {drawn.seed}) {drawn.count('killed')} were killed; "
                f"{drawn.count('survived')} survived, and {drawn.count('stumbled')} kept controls "
                "from being finished."
            )
        return f"{words} Commit {(self.commit or 'unknown')[:12]}, {self.started:%Y-%m-%d}."


def code_digest() -> str:
    """SHA-256 over the names and contents of the specs, and of what they are made of."""
    digest = hashlib.sha256()
    for folder in ("fixtures", "suites"):
        paths = (path for path in (ROOT / folder).rglob("*") if path.suffix in _SUFFIXES)
        for path in sorted(paths):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def text(record: Qualification) -> str:
    """The record as JSON, with a line for each bug so that a diff is readable."""
    fields = record.model_dump(mode="json", by_alias=True)
    rows = fields.pop("bugs")
    head = json.dumps(fields, indent=1, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f'{head},\n "bugs": [\n{lines}\n ]\n}}\n'


def load(path: Path = KEPT) -> Qualification | None:
    """The qualification in a file, None if there is none; Unqualifiable if it cannot be read."""
    if not path.exists():
        return None
    try:
        return Qualification.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as trouble:
        raise Unqualifiable(f"{path}: no record of a qualification ({trouble})") from None


def update_readme(record: Qualification) -> None:
    """Put the sentence between the marks; Unqualifiable if there are none."""
    page = README.read_text(encoding="utf-8")
    if not _PLACE.search(page):
        raise Unqualifiable("README.md has no <!-- qualification --> to put the figures behind")
    README.write_text(_PLACE.sub(lambda _: wrap(record), page), encoding="utf-8")


def wrap(record: Qualification) -> str:
    """The sentence as it stands in the README."""
    return textwrap.fill(record.sentence, 110, break_on_hyphens=False) + "\n"


def bundle_files(places: Sequence[Path] = (LATEST, KEPT)) -> dict[str, bytes]:
    """The file for a bundle by name: the sentence, and whether it is about this very code.

    The first record that is whole and of this code counts, else the last one; {} without any.
    """
    code, record = code_digest(), None
    try:
        for place in places:
            candidate = load(place)
            if candidate and not candidate.selection and not candidate.count("not run"):
                record = candidate
                if record.code == code:
                    break
    except Unqualifiable as trouble:
        return {"qualification.txt": f"{trouble}\n".encode()}
    if record is None:
        return {}
    same = "the code" if record.code == code else "other code than that"
    words = f"{record.sentence}\nThis is about {same} of this run (suites and fixtures: {code}).\n"
    return {"qualification.txt": words.encode()}
