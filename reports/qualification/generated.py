"""Generated bugs: small random changes of the reference backend, and which control sees them.

A bug is killed if a control gives another result than on a healthy stack. A bug that only keeps
controls from finishing, because answers come too late, is not killed: no control accused it.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.qualification.record import Row
from reports.qualification.trial import Outcome, Seen, Trial, output, run_trial
from reports.verdict import IDLE, Verdict

REFERENCE_CODE = ROOT / "fixtures" / "reference"
# Changes, each with the reason why it cannot be told from healthy code from outside.
_REVIEWED = ROOT / "fixtures" / "mutants" / "equivalents.toml"
ENGINE = ROOT / ".tools" / "generating" / "bin" / "python"
# How the harness starts the backend; and what the backend has only with --offer.
_LEFT_OUT = ("__init__.py", "forkserver.py", "modes.py", "rotation.py")
_OFFERED = ("--without=PrintedMail", "--without=PrintingEnvironment")
# The controls that see most: the first start, and what a backup holds.
_FIRST = ("HLT-4", "BKP-1")
# It explores sequences of steps, and takes longest.
_LAST = "LIF-1"
_UNDECIDED = {Verdict.INCONCLUSIVE, *IDLE}


class Drawn(EvidenceModel):
    """A change: a name that quotes no code, for reviews, and the changed file."""

    file: str
    name: str
    code: str


class Drawing(EvidenceModel):
    """The engine's name, and the changes that it drew."""

    engine: str = ""
    changes: tuple[Drawn, ...] = ()


def draw(count: int, seed: int, engine: Path = ENGINE) -> Drawing:
    """Draw changes by a seed; Unqualifiable if the engine is needed and not installed."""
    if not count:
        return Drawing()
    if not engine.exists():
        raise Unqualifiable(
            "the engine that generates bugs is not installed; "
            "`make .tools/generating/ready` installs it"
        )
    program = str(Path(__file__).with_name("code_changes.py"))
    command = [str(engine), program, *_OFFERED, str(seed), str(count), *map(str, sources())]
    drawing = Drawing.model_validate_json(output(command, "the bugs cannot be generated"))
    return Drawing(engine=f"{drawing.engine}, seed {seed}", changes=drawing.changes)


def sources() -> list[Path]:
    """The files of the reference backend that may be changed; each has another name."""
    paths = (path for path in REFERENCE_CODE.rglob("*.py") if path.name not in _LEFT_OUT)
    return sorted(paths, key=lambda path: path.name)


def load_reviews() -> dict[str, dict[str, str]]:
    """By file and name of a change, why it cannot be seen from outside."""
    return tomllib.loads(_REVIEWED.read_text(encoding="utf-8"))


async def try_change(change: Drawn, healthy: Mapping[str, Seen]) -> Row:
    """What became of a change; a reviewed one is not tried."""
    name = f"{change.file}: {change.name}"
    if why := load_reviews().get(change.file, {}).get(change.name):
        return Row(name=name, state="equivalent", reason=why)
    *sifting, every = controls(healthy)
    with TemporaryDirectory(prefix="drillbook-generated-") as folder:
        place = str(copy_project(Path(folder), change))
        for names in (*sifting, every):
            # The last round has controls that fail on a healthy stack as well.
            trial = Trial("embedded", place, names, to_first=names is not every)
            outcome = await run_trial(trial)
            row = judge(name, outcome, healthy)
            # What takes too long once takes too long again.
            if row.state == "killed" or outcome.timed_out:
                break
    return row


def controls(healthy: Mapping[str, Seen]) -> tuple[tuple[str, ...], ...]:
    """By round: controls that see most, others that a healthy stack satisfies, and all."""
    every = tuple(name for name, (verdict, _) in healthy.items() if verdict not in _UNDECIDED)
    sound = [name for name in every if healthy[name][0] is Verdict.SATISFIED and name != _LAST]
    return _FIRST, tuple(name for name in sound if name not in _FIRST), every


def copy_project(folder: Path, change: Drawn) -> Path:
    """A folder to put before the project on the path: its fixtures, with one file changed."""
    fixtures = REFERENCE_CODE.parent
    shutil.copytree(fixtures, folder / fixtures.name, copy_function=os.symlink)
    original = next(path for path in sources() if path.name == change.file)
    changed = folder / original.relative_to(fixtures.parent)
    # Else the change would be written through the link.
    changed.unlink()
    changed.write_text(change.code, encoding="utf-8")
    return folder


def judge(name: str, outcome: Outcome, healthy: Mapping[str, Seen]) -> Row:
    """What became of the change of this name by a run with it."""
    row, unfinished = Row(name=name, duration_s=outcome.duration_s), []
    for control, (verdict, observed) in outcome.results.items():
        if verdict not in _UNDECIDED and (verdict, observed) != healthy.get(control):
            seen = {"control": control, "verdict": verdict, "reason": observed or ""}
            return row.model_copy(update={**seen, "state": "killed"})
        asked = control in outcome.trial.controls
        if verdict is Verdict.INCONCLUSIVE or (verdict is Verdict.NOT_RUN and asked):
            unfinished.append(control)
    if outcome.run and not unfinished:
        return row.model_copy(update={"state": "survived"})
    reason = outcome.trouble or f"not finished: {', '.join(unfinished[:5])}"
    return row.model_copy(update={"state": "stumbled", "reason": reason})
