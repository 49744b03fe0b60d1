"""A run refuses early in one sentence, survives interruption, and never keeps a secret."""

import os
import shutil
import signal
import subprocess

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.waiting import wait_until
from reports.qualification import record as qualification
from reports.session.bundle import WRITERS
from tests.support.own_suite import COMMAND, PLUGIN, control_table, latest, make_suite, record

pytestmark = pytest.mark.slow

SPECS = """
import pytest, time
def interrupt(): raise KeyboardInterrupt
@pytest.mark.control("KEY-1")
def test_one(record): {one}
@pytest.mark.control("DBP-1")
def test_two(step, request):
    with step("wait for ever"): {two}
"""
SECRET = "5b1f3a9c77de4402b8e6"


@pytest.fixture
def suite(pytester):
    """A folder with two specs; `suite(one=..., two=...)` sets what they do."""
    make_suite(pytester.path, control_table("KEY-1"), control_table("DBP-1"))
    # By this seed the first spec runs before the second.
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = '--seed=2'")

    def written(one="pass", two="pass"):
        text = SPECS.format(one=one, two=two)
        pytester.path.joinpath("suites/test_specs.py").write_text(text)
        return pytester

    return written


def drilled(pytester, *arguments):
    return pytester.runpytest_inprocess(*PLUGIN, "--evidence", *arguments, "suites")


def verdicts(pytester):
    return {control["id"]: control["verdict"] for control in record(pytester)["controls"]}


def test_bundle_holds_all_documents_and_latest_names_it(suite):
    pytester = suite(one="record.log('backend', 'hello')")
    assert drilled(pytester).ret == 0
    files = {str(f.relative_to(latest(pytester))) for f in latest(pytester).rglob("*.*")}
    sealed = {"MANIFEST.json", "bundle.zip"}
    assert files == WRITERS.keys() | qualification.bundle_files().keys() | sealed | {
        "logs/backend.log"
    }
    assert latest(pytester).readlink().name == record(pytester)["run"]["id"]
    assert drilled(pytester).ret == 0
    assert latest(pytester).readlink().name == record(pytester)["run"]["id"]
    assert len(list(latest(pytester).parent.iterdir())) == 3


def test_a_run_for_its_evidence_alone_writes_nothing_else(suite):
    pytester = suite()
    assert drilled(pytester, "--only-evidence").ret == 0
    assert [one.name for one in latest(pytester).rglob("*.*")] == ["evidence.json"]


def test_history_is_of_the_declared_system(suite):
    """Drills of another system do not keep the cadence of this one."""
    pytester = suite(
        one="""
    with step("count the earlier runs"):
        record.note(str(len(request.getfixturevalue("history").runs)))
"""
    )
    specs = pytester.path / "suites" / "test_specs.py"
    text = specs.read_text().replace("test_one(record)", "test_one(record, request, step)")
    specs.write_text(text)
    for system, earlier in (("first", "0"), ("second", "0"), ("first", "1")):
        text = f"[organisation]\nname = 'Ledger'\nsystem = '{system}'\n"
        pytester.path.joinpath("drillbook.toml").write_text(text)
        drilled(pytester, "--only-evidence")
        (one,) = [one for one in record(pytester)["controls"] if one["id"] == "KEY-1"]
        assert one["specs"][0]["steps"][0]["notes"] == [earlier]


def test_facts_of_the_run_are_recorded(suite):
    pytester = suite()
    drilled(pytester, "--reason=change", "--operator=ada", "--seed=7")
    run = record(pytester)["run"]
    assert (run["reason"], run["operator"], run["seed"]) == ("change", "ada", 7)
    assert run["tool"]["version"]
    assert run["command"].endswith("--seed=7 suites")


def test_evidence_of_a_terminal_is_that_of_a_pipe(suite):
    pytester = suite(one="record.note('\\x1b[1mbold'); assert 'left' == 'right'")
    assert drilled(pytester, "--color=yes").ret == 1
    (failed,) = [one for one in record(pytester)["controls"] if one["verdict"] == "violated"]
    assert "- right" in failed["specs"][0]["message"]
    # What is packed may hold any two bytes by chance.
    texts = [one for one in latest(pytester).rglob("*.*") if one.suffix not in (".pdf", ".zip")]
    marked = [one for one in texts if b"\x1b[" in one.read_bytes()]
    assert marked == []
    assert "\\u001b" not in latest(pytester).joinpath("evidence.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--controls=KEY-7"], "*--controls KEY-7 matches no control; did you mean KEY-1*"),
        (["--controls=SEC-*"], "*--controls SEC-* matches no control; *"),
        (
            ["--run-dir=suites/controls.toml/runs"],
            "*cannot write *Not a directory; choose another *",
        ),
        (
            ["--run-dir=/proc/runs"],
            "*cannot write /proc/runs: its file system takes no new folder; choose another*",
        ),
    ],
)
def test_impossible_run_ends_before_it_begins(suite, arguments, said):
    pytester = suite()
    result = drilled(pytester, *arguments)
    assert result.ret == 3
    result.stderr.fnmatch_lines([said])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert "_pytest" not in result.stderr.str() + result.stdout.str()
    assert not latest(pytester).exists()


def test_a_run_is_not_written_into_the_folder_of_another(suite):
    pytester = suite()
    drilled(pytester, "--only-evidence")
    before = sorted(latest(pytester).rglob("*"))
    result = drilled(pytester, f"--run-dir={latest(pytester)}")
    assert result.ret == 3
    result.stderr.fnmatch_lines(["*is the folder of one run; give --run-dir *reports/runs"])
    assert sorted(latest(pytester).rglob("*")) == before


def test_full_disk_ends_the_run_before_it_begins(suite, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1 << 20))
    pytester = suite()
    result = drilled(pytester)
    assert result.ret == 3
    result.stderr.fnmatch_lines(["*reports/runs: 1 MB free, *free some space*"])
    assert list(pytester.path.glob("reports/runs/*")) == []


def test_disk_that_fills_up_while_documents_are_written_is_told(suite, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    pytester = suite()
    monkeypatch.setattr(os, "fsync", full)
    result = drilled(pytester)
    assert result.ret == 3
    assert "Traceback" not in result.stdout.str()
    result.stdout.fnmatch_lines(["cannot write *: No space left on device; free some space*"])


def test_disk_that_fills_up_while_specs_run_ends_the_run(suite):
    one = "(record.logs / 'db.log').mkdir(); record.log('db', 'x')"
    pytester = suite(one=one)
    result = drilled(pytester)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["STOPPED. cannot write*", "*run again.*"])
    assert verdicts(pytester) == {"KEY-1": "satisfied", "DBP-1": "not_run"}


@pytest.mark.parametrize("mark", ["", "@pytest.mark.control('KEY-9')"])
def test_spec_without_a_known_control_ends_the_run(suite, mark):
    pytester = suite()
    pytester.path.joinpath("suites/test_more.py").write_text(
        f"import pytest\n{mark}\ndef test_more(): pass\n"
    )
    result = drilled(pytester)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["*test_more.py::test_more*"])
    assert not latest(pytester).exists()


def test_broken_world_ends_the_run_with_its_sentence(suite):
    stop = "pytest.exit('no engine answers; start Docker', returncode=3)"
    pytester = suite(two=stop)
    result = drilled(pytester)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["STOPPED. no engine answers; start Docker. The run did not end.*"])
    assert verdicts(pytester) == {"KEY-1": "satisfied", "DBP-1": "not_run"}
    assert record(pytester)["exit_code"] == 3


def test_a_run_that_ends_before_it_judged_anything_leaves_no_folder(suite):
    stop = "pytest.exit('no engine answers; start Docker', returncode=3)"
    pytester = suite(one=stop, two=stop)
    result = drilled(pytester)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["no engine answers; start Docker"])
    assert [*pytester.path.glob("reports/runs/*")] == []


def test_a_run_that_ends_before_it_judged_anything_keeps_its_logs(suite):
    stop = "record.log('db', 'full'); pytest.exit('no engine', returncode=3)"
    pytester = suite(one=stop, two=stop)
    assert drilled(pytester).ret == 3
    [folder] = pytester.path.glob("reports/runs/2*")
    assert (folder / "logs" / "db.log").read_text(encoding="utf-8").endswith("\nfull\n")
    assert (folder / "evidence.json").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_keeps_what_it_saw(suite, number):
    # What it lets fall unclosed is found at the end, where warnings are errors.
    pytester = suite(two="left = [open('waiting', 'w')]; left.append(left); time.sleep(60)")
    process = subprocess.Popen(
        [*COMMAND, "-Werror", "suites"],
        cwd=pytester.path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((pytester.path / "waiting").exists, 120)
    process.send_signal(number)
    shown, said = process.communicate(timeout=120)
    assert said.strip() == "stopping, cleaning up"
    report, last = shown.splitlines()[-2:]
    assert (report.split()[0], last) == ("Report:", "Bundle sealed: unsigned")
    assert process.returncode == 2
    assert verdicts(pytester) == {"KEY-1": "satisfied", "DBP-1": "not_run"}
    seen = record(pytester)
    assert seen["run"]["interrupted"]
    assert seen["controls"][1]["specs"][0]["steps"][0]["verdict"] == "not_run"


# Python's traceback module swallows what `__str__` raises, an interruption too.
SWALLOWED = """
class Interrupting(Exception):
    def __str__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
"""
RAISED = """
class Interrupting(Exception): ...
"""
INTERRUPTING = """
import os, pytest, signal, time
{}
@pytest.mark.control("KEY-1")
def test_one(): pass
@pytest.mark.control("DBP-1")
def test_two(): raise Interrupting
"""
MAKING_A_REPORT = """
import os, pytest, signal, time
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call):
    if call.when == "call" and call.excinfo:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
"""


@pytest.mark.parametrize(
    ("spec", "conftest"),
    [
        pytest.param(SWALLOWED, "", id="swallowed"),
        pytest.param(RAISED, MAKING_A_REPORT, id="raised"),
    ],
)
def test_interruption_while_a_failure_is_described_ends_the_run(suite, spec, conftest):
    pytester = suite()
    pytester.path.joinpath("suites/test_specs.py").write_text(INTERRUPTING.format(spec))
    pytester.path.joinpath("suites/conftest.py").write_text(conftest)
    ini = "addopts = '--seed=2'\nfilterwarnings = ['error']"
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{ini}")
    done = subprocess.run(
        [*COMMAND, "suites"],
        cwd=pytester.path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert (done.returncode, record(pytester)["run"]["interrupted"]) == (2, True)
    assert verdicts(pytester)["DBP-1"] in ("not_run", "inconclusive")


def test_interrupted_tear_down_leaves_no_passed_run(suite):
    pytester = suite(two="request.addfinalizer(interrupt)")
    arguments = (*PLUGIN, "--evidence", "suites")
    result = pytester.runpytest_inprocess(*arguments, no_reraise_ctrlc=True)
    assert verdicts(pytester) == {"KEY-1": "satisfied", "DBP-1": "satisfied"}
    assert (result.ret, record(pytester)["exit_code"]) == (2, 2)
    said = "INTERRUPTED. The run did not end. 2 of 2 gating controls were judged *"
    result.stdout.fnmatch_lines([said])


def test_latest_stays_where_a_run_judged_nothing(suite):
    pytester = suite()
    drilled(pytester, "--only-evidence")
    before = latest(pytester).readlink()
    for one in ("pytest.skip('no engine')", "pytest.exit('no engine', returncode=3)"):
        drilled(suite(one=one, two="pytest.skip('nothing')"), "--only-evidence")
        assert latest(pytester).readlink() == before
    drilled(suite(one="assert False"), "--only-evidence")
    assert latest(pytester).readlink() != before


def test_a_folder_in_the_place_of_latest_costs_no_verdict(suite):
    pytester = suite(two="assert False")
    latest(pytester).mkdir(parents=True)
    result = drilled(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED. *", "Not linked: *"])
    assert [*pytester.path.glob("reports/runs/.latest-*")] == []


def test_secret_in_a_log_fails_the_run_and_is_taken_out(suite):
    one = f"record.log('db', 'x {SECRET} x'); record.secret('PW', '{SECRET}')"
    pytester = suite(one=one)
    result = drilled(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED. *logs/db.log held PW*"])
    leaks = record(pytester)["redaction"]["leaks"]
    assert leaks == [{"file": "logs/db.log", "secret": "PW", "encoding": "plain"}]
    assert [f for f in latest(pytester).rglob("*.*") if SECRET.encode() in f.read_bytes()] == []
    assert "x «PW» x" in (latest(pytester) / "logs" / "db.log").read_text(encoding="utf-8")


def test_a_file_of_others_behind_a_link_is_not_changed(suite, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(SECRET)
    place = "next(__import__('pathlib').Path('reports/runs').glob('2*')) / 'a.txt'"
    one = f"record.secret('PW', '{SECRET}'); ({place}).symlink_to({str(other)!r})"
    assert drilled(suite(one=one)).ret == 0
    assert other.read_text() == SECRET


def test_secret_learnt_late_is_taken_out_of_the_record(suite):
    one = f"record.note('{SECRET}'); record.secret('PW', '{SECRET}'); assert not '{SECRET}'"
    pytester = suite(one=one)
    result = drilled(pytester, f"--reason={SECRET}", "-vv")
    assert result.ret == 1
    assert SECRET not in result.stdout.str()
    assert record(pytester)["redaction"] == {
        "secrets_known": 1,
        "secrets_weak": 0,
        "scanned_files": len(WRITERS) + len(qualification.bundle_files()),
        "leaks": [],
    }


def test_plain_output_has_a_line_for_each_control_and_no_escape_codes(suite):
    result = drilled(suite(two="assert 0"))
    result.stdout.fnmatch_lines(["*1/2*KEY-1*satisfied*of KEY-1", "*2/2*DBP-1*violated*of DBP-1"])
    assert "\x1b" not in result.stdout.str()
    assert max(map(len, result.stdout.lines)) <= 80


def test_quiet_prints_the_result_alone(suite):
    result = drilled(suite(two="assert 0"), "--quiet")
    assert result.stdout.lines[0].startswith("No stack was started")
    result.stdout.fnmatch_lines(["FAILED. 1 of 2 gating controls failed: DBP-1 Title of DBP-1."])
    result.stdout.no_fnmatch_line("*KEY-1*")
    result.stdout.fnmatch_lines(["Next: *", "Report: *report.html"])


def test_verbose_shows_no_traceback_and_two_v_do(suite):
    pytester = suite(two="assert 0")
    shown = "*test_specs.py:*: AssertionError"
    drilled(pytester, "--verbose").stdout.no_fnmatch_line(shown)
    drilled(pytester, "-vv").stdout.fnmatch_lines([shown])


def test_specs_of_one_control_can_run_before_all_others(suite):
    pytester = suite(one="open('ran', 'a').write('1')", two="open('ran', 'a').write('2')")
    drilled(pytester, "--only-evidence")
    drilled(pytester, "--only-evidence", "--first=DBP-1")
    assert pytester.path.joinpath("ran").read_text() == "1221"
