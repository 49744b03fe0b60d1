"""Generated bugs: drawn by a seed, planted in the backend's process alone, and judged."""

import ast
import asyncio
import json
import os
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.core.bugs import BUGS, VARIABLE
from drillbook.core.errors import BadInput
from fixtures.mutants.base import ChangedCode, find
from reports.errors import Unqualifiable
from reports.qualification import generated
from reports.qualification.generated import Drawn
from reports.qualification.record import Row
from reports.qualification.trial import Outcome, Trial, predicted_results
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.own_suite import run_specs
from tests.support.planting import planting
from tests.unit.reports.qualification.test_qualification import CAUGHT, record

pytestmark = pytest.mark.slow

SAMPLE = sample_run.run()
# Every control of it was finished.
RUN = SAMPLE.model_copy(
    update={
        "controls": tuple(
            control for control in SAMPLE.controls if control.verdict is not Verdict.INCONCLUSIVE
        )
    }
)
MOVED = next(control for control in RUN.controls if control.verdict is Verdict.VIOLATED)
HEALTH = ROOT / "fixtures" / "reference" / "api" / "health.py"


def drawn(code=""):
    return Drawn(file="health.py", name="Health.report AddNot 1", code=code)


def ended(run, asked=(), *, timed_out=False):
    trouble = "" if run else "no evidence"
    return Outcome(Trial("embedded", "folder", asked), run, trouble, 1.5, timed_out)


HEALTHY = ended(RUN).results
SOUND = {**HEALTHY, MOVED.id: (Verdict.SATISFIED, None)}


def with_verdicts(verdict):
    controls = tuple(control.model_copy(update={"verdict": verdict}) for control in RUN.controls)
    return RUN.model_copy(update={"controls": controls})


@pytest.mark.parametrize(
    ("outcome", "healthy", "state", "control"),
    [
        (ended(RUN), SOUND, "killed", MOVED.id),
        (ended(RUN), HEALTHY, "survived", None),
        (ended(with_verdicts(Verdict.NOT_RUN)), SOUND, "survived", None),
        (ended(with_verdicts(Verdict.NOT_RUN), (MOVED.id,)), SOUND, "stumbled", None),
        (ended(with_verdicts(Verdict.INCONCLUSIVE)), SOUND, "stumbled", None),
        (ended(None), SOUND, "stumbled", None),
    ],
)
def test_only_a_control_that_accuses_kills(outcome, healthy, state, control):
    fate = generated.judge("health.py: Health.report AddNot 1", outcome, healthy)
    assert (fate.state, fate.control) == (state, control)


UNMOVED = RUN.model_copy(
    update={"controls": tuple(control for control in RUN.controls if control.id != MOVED.id)}
)
STUCK = with_verdicts(Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([ended(RUN)], "killed"),
        ([ended(STUCK), ended(UNMOVED), ended(RUN)], "killed"),
        ([ended(UNMOVED), ended(UNMOVED), ended(UNMOVED)], "survived"),
        ([ended(UNMOVED), ended(None, timed_out=True)], "stumbled"),
    ],
)
def test_a_bug_is_tried_until_a_control_accuses_it_or_all_were_asked(outcomes, state, monkeypatch):
    trials, told = [], iter(outcomes)

    async def run_trial(trial):
        trials.append(trial)
        return next(told)

    monkeypatch.setattr(generated, "run_trial", run_trial)
    fate = asyncio.run(generated.try_change(drawn("x = 1\n"), SOUND))
    assert fate.state == state
    rounds = generated.controls(SOUND)[: len(outcomes)]
    assert tuple(trial.controls for trial in trials) == rounds
    assert [trial.to_first for trial in trials] == [True, True, False][: len(outcomes)]


def test_a_reviewed_change_is_not_tried(monkeypatch):
    monkeypatch.setattr(generated, "load_reviews", lambda: {"health.py": {drawn().name: "why"}})
    fate = asyncio.run(generated.try_change(drawn(), SOUND))
    assert (fate.state, fate.reason) == ("equivalent", "why")


def test_what_fails_on_a_healthy_stack_is_asked_last():
    first, others, every = generated.controls(predicted_results("reference"))
    assert first == ("HLT-4", "BKP-1")
    assert {"KEY-3", "WIP-1"} < set(others)
    assert set(every) - {*first, *others} >= {"LIF-1", "KEY-7", "DBP-1"}
    assert "KEY-12" not in every, "it is not applicable"


@pytest.fixture
def changed(tmp_path):
    code = HEALTH.read_text()
    assert code.count('"message": "Ok"') == 1
    return generated.copy_project(tmp_path / "copy", drawn(code.replace('"Ok"', '"Changed"')))


def test_the_backend_alone_finds_the_changed_code(changed):
    before = HEALTH.read_bytes()
    bug = find(str(changed))
    assert bug == ChangedCode(str(changed))
    asked = "import fixtures.reference.api.health as h, inspect; "
    asked += "import drillbook.stack.releases as r; "
    asked += "print('Changed' in inspect.getsource(h), len(r.migrations(r.NEWEST)) > 3)"
    env = {"PATH": os.environ["PATH"], **bug.variables}
    done = subprocess.run([sys.executable, "-c", asked], cwd="/", env=env, capture_output=True)
    assert done.stdout.split() == [b"True", b"True"], done.stderr
    assert HEALTH.read_bytes() == before
    with planting(str(changed)):
        assert BUGS.unreached == [VARIABLE]
        assert BUGS.variables("copy") == {}
        assert BUGS.variables("backend") == dict(bug.variables)
        assert BUGS.unreached == []


@pytest.mark.parametrize("place", [str(ROOT), ".", "no/such/folder"])
def test_the_project_itself_is_no_changed_copy(place, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(BadInput, match="unknown mutant"):
        find(place)


def test_a_control_sees_a_generated_bug(changed, tmp_path):
    words = ("suites/health/test_status.py", "--only-evidence", "--controls=HLT-1", "-q")
    done, written = run_specs(tmp_path / "run", *words, f"--mutant={changed}")
    assert written.exists(), done.stdout + done.stderr
    controls = json.loads(written.read_text())["controls"]
    judged = {one["id"]: one["verdict"] for one in controls}
    assert judged["HLT-1"] == "violated"


def test_without_the_engine_one_sentence_says_how_to_have_it(tmp_path):
    with pytest.raises(Unqualifiable, match=r"`make .tools/generating/ready` installs it"):
        generated.draw(9, 1, tmp_path / "python")


def test_every_review_names_an_existing_function_and_quotes_no_code():
    reviews = generated.load_reviews().items()
    for file, name, why in ((file, *row) for file, rows in reviews for row in rows.items()):
        code = next(path for path in generated.sources() if path.name == file).read_text()
        definition, _, number = name.split(" ")
        trees = [ast.parse(code)]
        for step in definition.split(".") if definition != "module" else []:
            trees = [
                node
                for tree in trees
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == step
            ]
        assert trees, f"{file}: {definition}"
        assert number.isdecimal()
        assert not any(line.strip() in why for line in code.splitlines() if len(line.strip()) > 12)
        assert len(why) > 20


DRAWN = tuple(
    Row(name=f"health.py: Health.report AddNot {number}", state=state)
    for number, state in enumerate(["killed", "survived", "survived", "equivalent"])
)


def test_the_record_has_generated_bugs_and_passes_without_them():
    kept = record(CAUGHT, engine="cosmic-ray 8, seed 7", generated=DRAWN)
    assert kept.passed
    assert "Of 3 generated bugs (cosmic-ray 8, seed 7) 1 were killed; 2 survived" in kept.sentence
    assert not record(generated=DRAWN, healthy_runs=0).passed


@pytest.mark.interop
def test_the_engine_draws_the_same_by_one_seed_and_each_change_is_another_program(tmp_path):
    code = (
        "def kept(value: str | None) -> int | None:\n"
        "    return 1 if value and value != 'a' else None\n\n\n"
        "class Offered:\n    def also(self):\n        return 2 + 3\n"
    )
    path = tmp_path / "some.py"
    path.write_text(code)

    def engine(seed, *without):
        command = [
            generated.ENGINE,
            ROOT / "reports/qualification/code_changes.py",
            str(seed),
            "50",
            path,
        ]
        done = subprocess.run([*command, *without], capture_output=True, check=True)
        return json.loads(done.stdout)["changes"]

    def definition(change):
        return change["name"].split(" ")[0]

    every = engine(1)
    assert every == engine(1)
    assert {one["code"] for one in every} != {one["code"] for one in engine(2)}
    assert {definition(change) for change in every} == {"kept", "Offered.also"}
    for one in every:
        changed = ast.parse(one["code"])
        assert ast.dump(changed) != ast.dump(ast.parse(code))
        assert ast.get_source_segment(one["code"], changed.body[0].returns) == "int | None"
    assert {definition(change) for change in engine(1, "--without=Offered")} == {"kept"}
