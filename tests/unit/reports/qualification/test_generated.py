"""Generated bugs: drawn by a seed, planted in the backend's process alone, and judged."""

import ast
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
from reports.qualification.command import Progress
from reports.qualification.generated import Drawn, Sample
from reports.qualification.record import Fate, Generated, Seen
from reports.qualification.trial import Outcome, Trial, results
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
        "controls": tuple(one for one in SAMPLE.controls if one.verdict is not Verdict.INCONCLUSIVE)
    }
)
HEALTHY = results(RUN)
MOVED = next(one for one in RUN.controls if one.verdict is Verdict.VIOLATED)
SOUND = {**HEALTHY, MOVED.id: Seen(verdict=Verdict.SATISFIED)}
HEALTH = ROOT / "fixtures" / "reference" / "api" / "health.py"


def drawn(code="", **changes):
    place = {"file": "health.py", "definition": "Health.report", "operator": "core/AddNot"}
    return Drawn(**place | {"number": 1} | changes, code=code)


def ended(run, trouble="", asked=()):
    return Outcome(Trial("embedded", "folder", asked), run, trouble, 1.5)


def with_verdicts(verdict):
    controls = tuple(one.model_copy(update={"verdict": verdict}) for one in RUN.controls)
    return RUN.model_copy(update={"controls": controls})


@pytest.mark.parametrize(
    ("run", "healthy", "state", "control"),
    [
        (RUN, SOUND, "killed", MOVED.id),
        (RUN, HEALTHY, "survived", None),
        (with_verdicts(Verdict.NOT_RUN), SOUND, "survived", None),
        (with_verdicts(Verdict.INCONCLUSIVE), SOUND, "stumbled", None),
        (None, SOUND, "stumbled", None),
    ],
)
def test_only_a_control_that_accuses_kills(run, healthy, state, control):
    fate = generated.judge_run(drawn(), ended(run, "no evidence"), healthy)
    assert (fate.state, fate.control) == (state, control)


def test_a_bug_whose_controls_did_not_run_has_not_survived():
    fate = generated.judge_run(
        drawn(), ended(with_verdicts(Verdict.NOT_RUN), asked=(MOVED.id,)), SOUND
    )
    assert (fate.state, fate.told) == ("stumbled", f"not finished: {MOVED.id}")


def test_a_bug_that_only_takes_long_is_asked_once(tmp_path, monkeypatch):
    class Slow:
        asked = 0

        def run(self, trials, workers, report):
            for one in trials:
                self.asked += 1
                report(Outcome(one, None, "it did not end within 900 s", 900.0, timed_out=True))

    monkeypatch.setattr(generated, "draw", lambda _: ("engine 1", (drawn("x = 1\n"),)))
    trials = Slow()
    found = generated.qualify(Sample(1, 7, 1), trials, SOUND, tmp_path, lambda *_: None)
    assert (found.count("stumbled"), trials.asked) == (1, 1)


class Scripted:
    """Trials whose runs are written down: by the bug, what its first and its second run show."""

    def __init__(self, runs):
        self.runs, self.asked = runs, []

    def run(self, trials, workers, report):
        for one in trials:
            self.asked.append(one)
            number = int(one.mutant[-3:])
            report(Outcome(one, self.runs[number].pop(0), "no evidence", 1.0))


def test_a_bug_is_tried_until_a_control_accuses_it_or_all_were_asked(tmp_path, monkeypatch):
    changes = tuple(drawn("x = 1\n", number=number) for number in range(4))
    known = {("health.py", changes[3].name): "no one can tell"}
    monkeypatch.setattr(generated, "draw", lambda _: ("engine 1", changes))
    monkeypatch.setattr(generated, "load_reviews", lambda: known)
    stuck = with_verdicts(Verdict.INCONCLUSIVE)
    sound = RUN.model_copy(
        update={"controls": tuple(one for one in RUN.controls if one.id != MOVED.id)}
    )
    trials, told = Scripted({0: [RUN], 1: [sound, sound, sound], 2: [stuck, RUN]}), []
    found = generated.qualify(
        Sample(4, 7, 1), trials, SOUND, tmp_path, lambda fate, total: told.append((fate, total))
    )
    assert [one.state for one in found.bugs] == ["killed", "survived", "killed", "equivalent"]
    assert (found.count("killed"), found.count("survived"), found.count("equivalent")) == (2, 1, 1)
    assert sorted(one.number for one, _ in told) == [0, 1, 2, 3]
    *sifting, rest = generated.controls(SOUND)
    first, *others = [one for one in sifting if one]
    assert [(one.controls, one.to_first) for one in trials.asked] == [
        *[(first, True)] * 3,
        *[(one, True) for one in others],
        (rest, False),
        (sum(sifting, ()) + rest, False),
    ]


def test_what_fails_on_a_healthy_stack_is_asked_last():
    sound = {
        "KEY-1": Seen(verdict=Verdict.SATISFIED),
        "HLT-4": Seen(verdict=Verdict.SATISFIED),
        "BKP-1": Seen(verdict=Verdict.SATISFIED),
        "LIF-1": Seen(verdict=Verdict.SATISFIED),
        "ENV-3": Seen(verdict=Verdict.CONTRADICTED, observed="ignored"),
        "DEP-1": Seen(verdict=Verdict.NOT_RUN),
        "KEY-8": Seen(verdict=Verdict.NOT_APPLICABLE),
    }
    assert generated.controls(sound) == (("HLT-4", "BKP-1"), ("KEY-1",), ("LIF-1", "ENV-3"))


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
        generated.draw(Sample(9, 1, 1), tmp_path / "python")


def test_every_review_names_an_existing_function_and_quotes_no_code():
    for (file, name), why in generated.load_reviews().items():
        code = next(one for one in generated.sources() if one.name == file).read_text()
        definition, _, number = name.split(" ")
        *classes, last = definition.split(".")
        found = [ast.parse(code)]
        for step in [*classes, last] if definition != "module" else []:
            found = [
                one
                for tree in found
                for one in ast.walk(tree)
                if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == step
            ]
        assert found, f"{file}: {definition}"
        assert number.isdecimal()
        assert not any(line.strip() in why for line in code.splitlines() if len(line.strip()) > 12)
        assert len(why) > 20


def fate(**changes):
    place = {"file": "health.py", "definition": "Health.report", "operator": "core/AddNot"}
    return Fate(**place | {"number": 1, "state": "survived"} | changes)


DRAWN = Generated(
    engine="cosmic-ray 8",
    seed=7,
    bugs=(fate(state="killed", control="HLT-1"), fate(number=2), fate(number=3)),
)


def test_the_record_has_generated_bugs_and_passes_without_them(capsys, tmp_path):
    kept = record(CAUGHT, generated=DRAWN)
    assert kept.passed
    assert "Of 3 generated bugs (cosmic-ray 8, seed 7) 1 were killed; 2 survived" in kept.sentence
    assert not record(generated=DRAWN, selection=("none",), healthy_runs=0).passed
    Progress().end(kept, tmp_path)
    printed = capsys.readouterr().out
    assert "survived, generated: health.py: Health.report AddNot 2" in printed
    assert "QUALIFIED." in printed


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

    every = engine(1)
    assert every == engine(1)
    assert {one["code"] for one in every} != {one["code"] for one in engine(2)}
    assert {one["definition"] for one in every} == {"kept", "Offered.also"}
    for one in every:
        changed = ast.parse(one["code"])
        assert ast.dump(changed) != ast.dump(ast.parse(code))
        assert ast.get_source_segment(one["code"], changed.body[0].returns) == "int | None"
    assert {one["definition"] for one in engine(1, "--without=Offered")} == {"kept"}
