"""Bugs that no one thought of: small random changes of the reference backend, and who saw them.

Each is tried in a run of its own, with no golden state but its own. First the controls that see
most are asked until one fails, then all others that a healthy stack satisfies; a bug that is alive
then meets the rest, and where a run ended without a verdict all of them, to the end. It is killed
if a control says something else than of a healthy stack. One that only keeps controls from being
finished, as where answers come too late, is not: no control has accused it.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.qualification.judgement import Seen, results
from reports.qualification.trial import Outcome, Trial, Trials
from reports.verdict import Verdict

State = Literal["killed", "survived", "stumbled", "equivalent"]
REFERENCE_CODE = ROOT / "fixtures" / "reference"
# Each with the reason why no one outside can tell it from healthy code.
REVIEWED = ROOT / "fixtures" / "mutants" / "equivalents.toml"
ENGINE = ROOT / ".tools" / "generating" / "bin" / "python"
# How the harness starts the backend, and what it has only if it is asked to (--offer).
_LEFT_OUT = ("__init__.py", "forkserver.py", "modes.py", "rotation.py")
_OFFERED = ("LicensedAudit", "PrintedMail", "PrintingEnvironment")
# A first day that fails spoils all that follows, and a backup is looked at more than all else.
_FIRST = ("HLT-4", "BKP-1")
# It explores, and is asked last.
_LONGEST = "LIF-1"
_UNDECIDED = (Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)


class Change(EvidenceModel):
    """A change of code: the operator, and which of its places in a function it was."""

    file: str
    definition: str
    operator: str
    number: int

    @property
    def name(self) -> str:
        """By which it is reviewed; it says nothing of what the code reads."""
        return f"{self.definition} {self.operator.removeprefix('core/')} {self.number}"

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


class Drawn(Change):
    """A change, and the whole file as it then is."""

    code: str


class Fate(Change):
    """What became of a generated bug: which control saw it and how, or why it does not count."""

    state: State
    control: str | None = None
    told: str = ""
    duration_s: float = 0.0


class Generated(EvidenceModel):
    """The bugs that an engine drew by a seed, and how many of them were seen."""

    engine: str
    seed: int
    asked: int
    killed: int
    survived: int
    stumbled: int
    equivalent: int
    bugs: tuple[Fate, ...] = ()

    @property
    def counted(self) -> int:
        """Those that are not reviewed as equivalent."""
        return self.killed + self.survived + self.stumbled

    @property
    def rate(self) -> float:
        """The part of those that count that a control accused."""
        return self.killed / self.counted if self.counted else 0.0

    @property
    def alive(self) -> list[Fate]:
        """The bugs that no control accused."""
        return [one for one in self.bugs if one.state in ("survived", "stumbled")]


class _Drawing(EvidenceModel):
    engine: str
    changes: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """How many bugs by which seed, and how many runs side by side."""

    count: int
    seed: int
    workers: int


def draw(asked: Sample, engine: Path = ENGINE) -> tuple[str, tuple[Drawn, ...]]:
    """The engine's name, and so many changes; Unqualifiable where it is not installed."""
    if not engine.exists():
        raise Unqualifiable(
            "the engine that generates bugs is not installed; "
            "`make .tools/generating/ready` installs it"
        )
    files = [str(one) for one in sources()]
    program = str(Path(__file__).with_name("code_changes.py"))
    without = [f"--without={one}" for one in _OFFERED]
    command = [str(engine), program, *without, str(asked.seed), str(asked.count), *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unqualifiable(f"the bugs cannot be generated: {last[0]}")
    drawing = _Drawing.model_validate(json.loads(done.stdout))
    return drawing.engine, drawing.changes


def sources() -> list[Path]:
    """The files of the reference backend that are changed; no two have one name."""
    found = (one for one in REFERENCE_CODE.rglob("*.py") if one.name not in _LEFT_OUT)
    return sorted(found, key=lambda one: one.name)


def load_reviews(path: Path = REVIEWED) -> dict[tuple[str, str], str]:
    """Why a change, by its file and name, cannot be seen from outside."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {(file, name): why for file, rows in tables.items() for name, why in rows.items()}


def qualify(
    asked: Sample,
    trials: Trials,
    healthy: Mapping[str, Seen],
    folder: Path,
    report: Callable[[Fate, int], None],
) -> Generated:
    """Try every bug that was drawn and is not reviewed; `report` hears of each when it is judged.

    folder: where the changed copies of the backend are put.
    """
    engine, changes = draw(asked)
    known = load_reviews()
    fates: dict[Drawn, Fate] = {}

    def judge(change: Drawn, fate: Fate) -> None:
        fates[change] = fate
        report(fate, len(changes))

    places: dict[str, Drawn] = {}
    for number, one in enumerate(changes):
        why = known.get((one.file, one.name))
        if why is not None:
            judge(one, _fate(one, "equivalent", words=why))
        else:
            places[str(copy_project(folder / f"generated-{number:03}", one))] = one
    rounds = controls(healthy)
    alive, stuck = list(places), list[str]()

    def sift(ended: Outcome) -> None:
        place = str(ended.trial.mutant)
        found = judge_run(places[place], ended, healthy)
        # What takes too long once takes too long again.
        if found.state == "killed" or ended.timed_out:
            judge(places[place], found)
        else:
            (alive if found.state == "survived" else stuck).append(place)

    def last(ended: Outcome) -> None:
        change = places[str(ended.trial.mutant)]
        judge(change, judge_run(change, ended, healthy))

    def trial(place: str, names: tuple[str, ...], *, to_first: bool) -> Trial:
        return Trial("embedded", place, names, asked.seed, to_first=to_first)

    for names in filter(None, rounds[:-1]):
        begun = [trial(place, names, to_first=True) for place in alive]
        alive.clear()
        trials.run(begun, asked.workers, sift)
    ended = [trial(place, rounds[-1], to_first=False) for place in alive]
    every = tuple(name for names in rounds for name in names)
    ended += [trial(place, every, to_first=False) for place in stuck]
    trials.run(ended, asked.workers, last)
    return sum_up(engine, asked.seed, [fates[one] for one in changes])


def controls(healthy: Mapping[str, Seen]) -> tuple[tuple[str, ...], ...]:
    """Round by round: those that see most, others that fail only if something is wrong, the rest.

    The rest fails or takes long anyway.
    """
    ran = [name for name, one in healthy.items() if one.verdict not in _UNDECIDED]
    sound = [one for one in ran if healthy[one].verdict is Verdict.SATISFIED and one != _LONGEST]
    first = tuple(one for one in _FIRST if one in sound)
    others = tuple(one for one in sound if one not in first)
    return first, others, tuple(one for one in ran if one not in sound)


def copy_project(folder: Path, change: Drawn) -> Path:
    """A folder to be put before the project: its fixtures, in which one file is changed."""
    fixtures = REFERENCE_CODE.parent
    original = next(one for one in sources() if one.name == change.file)
    changed = folder / original.relative_to(fixtures.parent)
    changed.parent.mkdir(parents=True)
    above = [one for one in original.parents if one.is_relative_to(fixtures)]
    for where in above:
        for one in where.iterdir():
            if one.name != "__pycache__" and one not in (original, *above):
                (folder / one.relative_to(fixtures.parent)).symlink_to(one)
    changed.write_text(change.code, encoding="utf-8")
    return folder


def judge_run(change: Drawn, ended: Outcome, healthy: Mapping[str, Seen]) -> Fate:
    """What a run shows about a bug."""
    if ended.run is None:
        return _fate(change, "stumbled", words=ended.trouble, took=ended.duration_s)
    now = results(ended.run)
    for name, one in now.items():
        if one.verdict not in _UNDECIDED and one != healthy.get(name):
            words = one.verdict.words + (f": {one.observed}" if one.observed else "")
            return _fate(change, "killed", name, words, ended.duration_s)
    stuck = [
        name
        for name, one in now.items()
        if one.verdict is Verdict.INCONCLUSIVE
        or (one.verdict is Verdict.NOT_RUN and name in ended.trial.controls)
    ]
    if stuck:
        more = f" and {len(stuck) - 5} more" if len(stuck) > 5 else ""
        words = f"not finished: {', '.join(stuck[:5])}{more}"
        return _fate(change, "stumbled", words=words, took=ended.duration_s)
    return _fate(change, "survived", took=ended.duration_s)


def _fate(
    change: Change, state: State, control: str | None = None, words: str = "", took: float = 0.0
) -> Fate:
    place = change.model_dump(include=set(Change.model_fields))
    return Fate(**place, state=state, control=control, told=words, duration_s=took)


def sum_up(engine: str, seed: int, fates: Iterable[Fate]) -> Generated:
    """The bugs and their numbers by what became of them."""
    bugs = tuple(fates)
    states: tuple[State, ...] = get_args(State)
    counts = {state: sum(one.state == state for one in bugs) for state in states}
    return Generated(engine=engine, seed=seed, asked=len(bugs), bugs=bugs, **counts)
