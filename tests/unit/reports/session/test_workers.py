"""Side by side a run sees what it sees one by one; a lost worker costs one spec, no evidence."""

import json
import os
import signal
import subprocess
from itertools import starmap

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.waiting import wait_until
from tests.support.bundles import newest
from tests.support.own_suite import COMMAND, control_table, make_suite

pytestmark = pytest.mark.slow

SECRET = "5b1f3a9c77de4402b8e6"
LEAK = "c0ffee3f9d7e44b1a2d8"
SPECS = f"""
import os, pytest, random, signal, time
@pytest.mark.control("KEY-1")
def test_holds(step, record):
    record.secret("PW", "{SECRET}")
    with step("look"):
        record.note("PW is {SECRET}")
        record.progress("1 of 2 {SECRET}")
        record.progress("2 of 2")
@pytest.mark.control("KEY-2")
def test_fails(step, observe):
    with step("look"):
        observe("seen")
        assert False
@pytest.mark.control("KEY-1", "KEY-3")
def test_breaks(): raise OSError("gone")
@pytest.mark.control("KEY-3")
def test_is_skipped(): pytest.skip("no engine")
@pytest.mark.control("KEY-1")
def test_draws(record): record.note(str(random.Random(record.seed).random()))
@pytest.mark.control("KEY-4")
def test_leaks(record): record.log("db", "{LEAK}"); record.secret("KEY", "{LEAK}")
"""
LONG = """
import os, pytest, time
@pytest.mark.control("KEY-1")
def test_short(): pass
@pytest.mark.control("KEY-2")
def test_long(step, record):
    with step("wait for ever"):
        record.progress("1 of 2")
        open("waiting", "w").write(str(os.getpid()))
        time.sleep(60)
@pytest.mark.control("KEY-3")
def test_other(): pass
"""
# A machine may be busy with more than this.
_PATIENCE_S = 120
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}


@pytest.fixture
def suite(pytester):
    natures = {"KEY-1": "safety", "KEY-2": "claim", "KEY-3": "safety", "KEY-4": "safety"}
    make_suite(pytester.path, *starmap(control_table, natures.items()))

    def written(text):
        pytester.path.joinpath("suites/test_specs.py").write_text(text)
        return pytester.path

    return written


def started(folder, *arguments):
    with (folder / "printed").open("wb") as sink:
        return subprocess.Popen(
            [*COMMAND, "--only-evidence", "--seed=1", *arguments, "suites"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )


def printed(folder):
    return (folder / "printed").read_text()


def waiting(folder):
    """The process whose spec waits for ever, once it does."""
    told = folder / "waiting"
    wait_until(lambda: told.exists() and told.read_text() != "", _PATIENCE_S)
    return int(told.read_text())


def evidence(folder):
    record = newest(folder / "reports/runs") / "evidence.json"
    return json.loads(record.read_text(encoding="utf-8"))


def seen(folder):
    """What must not depend on the number of workers."""
    record = evidence(folder)
    specs = {
        one["id"]: [
            [spec["id"], spec["verdict"], spec["message"], spec["observations"], _steps(spec)]
            for spec in one["specs"]
        ]
        for one in record["controls"]
    }
    return specs, record["counts"], record["redaction"], record["verdict"], record["exit_code"]


def _steps(spec):
    return [[step["title"], step["verdict"], step["notes"]] for step in spec["steps"]]


def verdicts(folder):
    return {one["id"]: one["verdict"] for one in evidence(folder)["controls"]}


def test_number_of_workers_changes_nothing_in_the_evidence(suite):
    folder = suite(SPECS)
    found = []
    for arguments in ((), ("-n3",)):
        run = started(folder, *arguments)
        assert run.wait(_PATIENCE_S) == 1, printed(folder)
        assert SECRET not in printed(folder)
        found.append(seen(folder))
    assert found[0] == found[1]
    assert found[0][2]["leaks"] == [{"file": "logs/db.log", "secret": "KEY", "encoding": "plain"}]
    record = evidence(folder)
    assert record["run"]["workers"] == 3
    assert SECRET not in json.dumps(record)
    assert LEAK not in json.dumps(record)


# test_runs.py has SIGINT as well: one handler is set for both.
def test_interrupted_run_hears_its_workers_out(suite):
    folder = suite(LONG)
    run = started(folder, "-n2")
    worker = waiting(folder)
    run.send_signal(signal.SIGTERM)
    assert run.wait(_PATIENCE_S) == 2, printed(folder)
    assert verdicts(folder)["KEY-2"] == "not_run"
    assert "violated" not in verdicts(folder).values()
    step = evidence(folder)["controls"][1]["specs"][0]["steps"][0]
    assert (step["title"], step["verdict"]) == ("wait for ever", "not_run")
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_killed_worker_costs_one_spec(suite):
    folder = suite(LONG)
    run = started(folder, "-n2")
    os.kill(waiting(folder), signal.SIGKILL)
    assert run.wait(_PATIENCE_S) == 2, printed(folder)
    found = [verdicts(folder)[f"KEY-{number}"] for number in (1, 2, 3)]
    assert found == ["satisfied", "inconclusive", "satisfied"]
    [spec] = evidence(folder)["controls"][1]["specs"]
    assert "its worker ended" in spec["message"]
    # Its step lasted no longer, however long the run went on.
    assert spec["steps"][0]["duration_s"] <= spec["duration_s"]


def test_world_that_breaks_in_a_worker_ends_the_run_with_its_sentence(suite):
    stop = "pytest.exit('no engine answers; start Docker', returncode=3)"
    folder = suite(LONG.replace("time.sleep(60)", stop))
    run = started(folder, "-n2")
    assert run.wait(_PATIENCE_S) == 3, printed(folder)
    assert "STOPPED. no engine answers; start Docker" in printed(folder)
    assert evidence(folder)["run"]["stopped"] == "no engine answers; start Docker"


def test_file_that_cannot_be_imported_is_named_side_by_side_as_well(suite):
    folder = suite(SPECS)
    (folder / "suites/test_broken.py").write_text("import nowhere_to_be_found")
    run = started(folder, "-n2")
    assert run.wait(_PATIENCE_S) == 2, printed(folder)
    assert "nowhere_to_be_found" in printed(folder)
    assert set(verdicts(folder).values()) == {"not_run"}
