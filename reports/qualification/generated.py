"""Generated bugs: small random changes of the reference backend, and which control sees them.

Each bug has a run and a golden state of its own. First the controls that see most run until one
fails, then the others that a healthy stack satisfies. Then a bug that no control accused meets the
remaining controls, and one that kept a control from finishing meets all of them, to the end. A bug
is killed if a control gives another result than on a healthy stack. A bug that only keeps controls
from finishing, because answers come too late, is not killed: no control accused it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.qualification.record import Change, Fate, FateState, Generated, Seen
from reports.qualification.trial import EXPLORING, Outcome, Trial, Trials, output, results
from reports.verdict import IDLE, Verdict

REFERENCE_CODE = ROOT / "fixtures" / "reference"
# Changes, each with the reason why it cannot be told from healthy code from outside.
_REVIEWED = ROOT / "fixtures" / "mutants" / "equivalents.toml"
ENGINE = ROOT / ".tools" / "generating" / "bin" / "python"
# How the harness starts the backend; and what the backend has only with --offer.
_LEFT_OUT = ("__init__.py", "forkserver.py", "modes.py", "rotation.py")
_OFFERED = ("PrintedMail", "PrintingEnvironment")
# The controls that see most: the first start, and what a backup holds.
_FIRST = ("HLT-4", "BKP-1")
_UNDECIDED = {Verdict.INCONCLUSIVE, *IDLE}


class Drawn(Change):
    """A change, and the changed file."""

    code: str


class _Drawing(EvidenceModel):
    engine: str
    changes: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """How many bugs to draw by which seed, and how many runs side by side."""

    count: int
    seed: int
    workers: int


def draw(asked: Sample, engine: Path = ENGINE) -> tuple[str, tuple[Drawn, ...]]:
    """The engine's name, and the changes it drew; Unqualifiable if it is not installed."""
    if not engine.exists():
        raise Unqualifiable(
            "the engine that generates bugs is not installed; "
            "`make .tools/generating/ready` installs it"
        )
    files = [str(one) for one in sources()]
    program = str(Path(__file__).with_name("code_changes.py"))
    without = [f"--without={one}" for one in _OFFERED]
    command = [str(engine), program, *without, str(asked.seed), str(asked.count), *files]
    drawing = _Drawing.model_validate_json(output(command, "the bugs cannot be generated"))
    return drawing.engine, drawing.changes


def sources() -> list[Path]:
    """The files of the reference backend that may be changed; each has another name."""
    found = (one for one in REFERENCE_CODE.rglob("*.py") if one.name not in _LEFT_OUT)
    return sorted(found, key=lambda one: one.name)


def load_reviews() -> dict[tuple[str, str], str]:
    """By file and name of a change, why it cannot be seen from outside."""
    tables = tomllib.loads(_REVIEWED.read_text(encoding="utf-8"))
    return {(file, name): why for file, rows in tables.items() for name, why in rows.items()}


def qualify(
    asked: Sample,
    trials: Trials,
    healthy: Mapping[str, Seen],
    folder: Path,
    report: Callable[[Fate, int], None],
) -> Generated:
    """The drawn bugs, each tried unless it was reviewed; `report` is called as each is judged.

    folder: where the changed copies of the backend are put.
    """
    engine, changes = draw(asked)
    reviews = load_reviews()
    fates: dict[Drawn, Fate] = {}

    def judge(change: Drawn, fate: Fate) -> None:
        fates[change] = fate
        report(fate, len(changes))

    places: dict[str, Drawn] = {}
    for number, one in enumerate(changes):
        if why := reviews.get((one.file, one.name)):
            judge(one, _fate(one, "equivalent", words=why))
        else:
            places[str(copy_project(folder / f"generated-{number:03}", one))] = one
    *sifting, rest = controls(healthy)
    alive, stuck = list(places), list[str]()

    def note_end(outcome: Outcome) -> None:
        place = str(outcome.trial.mutant)
        found = judge_run(places[place], outcome, healthy)
        last = not outcome.trial.to_first
        # What takes too long once takes too long again.
        if last or found.state == "killed" or outcome.timed_out:
            judge(places[place], found)
        else:
            (alive if found.state == "survived" else stuck).append(place)

    def trial(place: str, names: tuple[str, ...], *, to_first: bool) -> Trial:
        return Trial("embedded", place, names, asked.seed, to_first=to_first)

    for names in filter(None, sifting):
        begun = [trial(place, names, to_first=True) for place in alive]
        alive.clear()
        trials.run(begun, asked.workers, note_end)
    every = (*(name for names in sifting for name in names), *rest)
    begun = [trial(place, rest, to_first=False) for place in alive]
    begun += [trial(place, every, to_first=False) for place in stuck]
    trials.run(begun, asked.workers, note_end)
    return Generated(engine=engine, seed=asked.seed, bugs=tuple(fates[one] for one in changes))


def controls(healthy: Mapping[str, Seen]) -> tuple[tuple[str, ...], ...]:
    """By round: controls that see most, others that a healthy stack satisfies, and the rest.

    The rest fails on a healthy stack as well, or takes long.
    """
    ran = [name for name, one in healthy.items() if one.verdict not in _UNDECIDED]
    sound = [one for one in ran if healthy[one].verdict is Verdict.SATISFIED and one != EXPLORING]
    first = tuple(one for one in _FIRST if one in sound)
    others = tuple(one for one in sound if one not in first)
    return first, others, tuple(one for one in ran if one not in sound)


def copy_project(folder: Path, change: Drawn) -> Path:
    """A folder to put before the project on the path: its fixtures, with one file changed."""
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
    """The fate of a bug by a run with it."""
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
    change: Change, state: FateState, control: str | None = None, words: str = "", took: float = 0.0
) -> Fate:
    place = change.model_dump(include=set(Change.model_fields))
    return Fate(**place, state=state, control=control, told=words, duration_s=took)
