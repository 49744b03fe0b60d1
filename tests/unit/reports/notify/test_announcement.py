"""Who waits for a run hears how it ended and nothing secret, and never of a pass that was none."""

import json
import logging
import signal
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from reports.config.declarations import Words
from reports.errors import BadDeclaration
from reports.evidence.context import Organisation
from reports.history import status
from reports.notify.notice import Announcement, announce
from reports.record import run_metadata
from reports.redaction.redactor import Redactor
from reports.render.phrases import outcome
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.commands import given
from tests.support.receiver import receiving
from tests.unit.reports.history.test_cadence import left_days_ago
from tests.unit.reports.notify.test_ping import private, short

__all__ = ["short"]
MODES = ["fail", "recover", "stale", "due"]


@pytest.fixture
def hooks(monkeypatch):
    """Two receivers at once: a monitor, and a webhook by Apprise."""
    # On a busy machine the first notice of a process takes seconds.
    monkeypatch.setattr("reports.notify.notice.PATIENCE_S", 60)
    with receiving() as receiver:
        yield receiver


def told(hooks):
    """The titles of notices, and the texts of pings after the start."""
    notices = [json.loads(body)["title"] for _, path, body in hooks.seen if path == "/hook"]
    pings = [(path, body) for _, path, body in hooks.seen if path not in ("/hook", "/p/start")]
    return notices, pings


def announcement(hooks, tmp_path, command="drill", wanted=MODES):
    hook = hooks.url.replace("http:", "json:") + "/hook"
    words = Words(organisation=Organisation(system_id="SYS-042"))
    return Announcement(command, words, tmp_path, f"{hooks.url}/p", [hook], wanted)


def ran(exit_code=1, name="run-1", **changes):
    """A run as its plugin has it, of which one word is secret."""
    made = sample_run.run()
    verdict = Verdict.VIOLATED if exit_code else Verdict.SATISFIED
    facts = made.run.model_copy(update={"id": name, **changes})
    redactor = Redactor()
    redactor.add("CANARY", "SYS-042")
    result = made.model_copy(update={"run": facts, "exit_code": exit_code, "verdict": verdict})
    recorder = SimpleNamespace(redactor=redactor, secret=redactor.add)
    return SimpleNamespace(result=result, recorder=recorder, interrupted=facts.interrupted)


def leave(run, runs):
    """Write the record of a run into its folder."""
    folder = runs / run.result.run.id
    folder.mkdir()
    (folder / "evidence.json").write_text(run.result.model_dump_json())


def see(one, run):
    manager = SimpleNamespace(get_plugin=lambda _: run)
    one.pytest_sessionstart(SimpleNamespace(config=SimpleNamespace(pluginmanager=manager)))


def test_a_failure_names_controls_and_no_secret(hooks, tmp_path):
    with announcement(hooks, tmp_path) as one:
        run = ran()
        see(one, run)
        assert one.end(1) == 1
    notices, [(path, body)] = told(hooks)
    assert notices == ["drillbook drill: failed («CANARY»)"]
    assert path == "/p/1"
    assert "exit code 1\nrun run-1: violated" in body
    assert "violated: KEY-3\ninconclusive: DBP-2\ncontradicted: DBP-1" in body
    assert "SYS-042" not in str(hooks.seen)
    assert run.recorder.redactor.text(f"see {hooks.url}/p") == "see «PING»"


@pytest.mark.parametrize("user", ["", "ada:pw@"])
def test_a_token_in_an_address_is_not_in_the_record(tmp_path, user):
    address = f"https://{user}kuma.example/api/push/Xk2abcDEF99?status=up&msg=OK&ping="
    run = ran()
    see(Announcement("drill", Words(), tmp_path, monitor=address), run)
    redact = run.recorder.redactor.text
    assert redact(run_metadata.command([f"--ping={address}"])) == "pytest '--ping=«PING#2»'"
    assert redact("GET /api/push/Xk2abcDEF99 of push") == "GET /api/push/«PING#4» of push"


def test_a_pass_after_a_failure_is_a_recovery(hooks, tmp_path):
    for number, code in enumerate((1, 0, 0)):
        run = ran(code, f"run-{number}", finished=datetime.now(UTC) + timedelta(hours=number))
        with announcement(hooks, tmp_path) as one:
            see(one, run)
            leave(run, tmp_path)
            one.end(code)
    assert told(hooks)[0] == [
        "drillbook drill: failed («CANARY»)",
        "drillbook drill: passed again («CANARY»)",
    ]
    assert [path for path, _ in told(hooks)[1]] == ["/p/1", "/p/0", "/p/0"]


@pytest.mark.parametrize(
    ("grade", "code", "word"),
    [
        ("rehearsal", 0, "passed in rehearsal"),
        ("rehearsal", 1, "failed in rehearsal"),
        ("deployment", 2, "undecided"),
        ("deployment", 0, "passed"),
    ],
)
def test_a_notice_says_what_the_result_is_worth(hooks, tmp_path, grade, code, word):
    run = ran(code)
    subject = run.result.subject.model_copy(update={"grade": grade})
    run.result = run.result.model_copy(update={"subject": subject})
    with announcement(hooks, tmp_path, wanted=["success", "fail"]) as one:
        see(one, run)
        one.end(code)
    assert told(hooks)[0] == [f"drillbook drill: {word} («CANARY»)"]


def test_a_run_that_is_not_sealed_did_not_pass(hooks, tmp_path):
    """Its record says 0, the command ends with 3."""
    with announcement(hooks, tmp_path) as one:
        see(one, ran(0))
        one.end(3)
    assert told(hooks)[0] == ["drillbook drill: failed («CANARY»)"]


def test_a_run_that_judged_nothing_is_neither_a_pass_nor_a_recovery(hooks, tmp_path):
    failed, run = ran(1, "run-0"), ran(0, finished=datetime.now(UTC) + timedelta(hours=1))
    leave(failed, tmp_path)
    away = {"verdict": Verdict.NOT_APPLICABLE}
    controls = tuple(one.model_copy(update=away) for one in run.result.controls)
    run.result = run.result.model_copy(update={"controls": controls, **away})
    with announcement(hooks, tmp_path, wanted=["success", "recover"]) as one:
        see(one, run)
        one.end(0)
    assert told(hooks)[0] == ["drillbook drill: nothing shown («CANARY»)"]
    [notice] = [json.loads(body) for _, path, body in hooks.seen if path == "/hook"]
    assert notice["type"] == "warning"


def test_a_pass_beside_a_violated_advisory_control_is_told_with_its_warning(hooks, tmp_path):
    run = ran(0)
    advisory = next(one for one in run.result.controls if not one.gating)
    controls = tuple(
        one.model_copy(update={"verdict": Verdict.VIOLATED}) if one is advisory else one
        for one in run.result.controls
    )
    run.result = run.result.model_copy(update={"controls": controls})
    with announcement(hooks, tmp_path, wanted=["success"]) as one:
        see(one, run)
        one.end(0)
    warning = f"; {advisory.id} is violated: do not rely on what is checked there."
    notices, [(_, ping)] = told(hooks)
    for said in (notices[0], ping.partition("\n")[0]):
        assert said.endswith(f"passed («CANARY»){warning}")
    assert warning[2:] in outcome(run.result).next


def test_pytest_can_keep_it_in_a_set(tmp_path):
    one = Announcement("drill", Words(), tmp_path)
    assert one in {one}


def test_success_is_a_notice_on_wish(hooks, tmp_path):
    with announcement(hooks, tmp_path, wanted=["success"]) as one:
        one.end(0)
    assert told(hooks)[0] == ["drillbook drill: passed (SYS-042)"]


@pytest.mark.parametrize("way", ["exception", "SIGTERM", "in a run"])
def test_an_interruption_never_passes(hooks, tmp_path, way):
    before = signal.getsignal(signal.SIGTERM)
    try:
        with announcement(hooks, tmp_path) as one:
            if way == "exception":
                raise KeyboardInterrupt
            if way == "SIGTERM":
                signal.raise_signal(signal.SIGTERM)
            see(one, ran(2, interrupted=True))
            one.end(0)
    except KeyboardInterrupt:
        pass
    notices, [(path, _)] = told(hooks)
    assert "interrupted" in notices[0]
    assert path in ("/p/3", "/p/2")
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_could_not_start_is_a_failure(hooks, tmp_path):
    with announcement(hooks, tmp_path) as one:
        one.end(3)
    assert told(hooks) == (
        ["drillbook drill: failed (SYS-042)"],
        [("/p/3", "drillbook drill: failed (SYS-042)\nexit code 3")],
    )


@pytest.mark.parametrize("way", ["silent", "drips"])
def test_a_bad_receiver_changes_no_exit_code(short, tmp_path, capsys, caplog, way):
    with receiving(silent=way == "silent", drips=way == "drips") as bad:
        with announcement(bad, tmp_path) as one:
            assert one.end(0) == 0
        with announcement(bad, tmp_path) as one:
            assert one.end(1) == 1
    said = capsys.readouterr().err
    assert "the monitor at 127.0.0.1 was not reached: no answer" in said
    assert "receiver 1 (json) was not reached: no answer" in said
    assert "/hook" not in said + caplog.text


def configure(folder, text):
    (folder / "drillbook.toml").write_text(text)


def asked(folder, command="drill", **given):
    return announce(command, folder, {"config": None, "run_dir": "runs", **given})


def test_receivers_come_from_files(tmp_path, hooks):
    configure(tmp_path, '[notify]\nping_file = "p"\nreceivers_file = "r"\non = ["success"]\n')
    private(tmp_path / "p", f"drill {hooks.url}/p\n")
    private(tmp_path / "r", hooks.url.replace("http:", "json:") + "/hook\n")
    with asked(tmp_path) as one:
        one.end(0)
    assert hooks.paths == ["/p/start", "/p/0", "/hook"] or hooks.paths[1:] == ["/hook", "/p/0"]
    hooks.seen.clear()
    with asked(tmp_path, "verify") as one:
        one.end(0)
    assert hooks.paths == ["/hook"]
    hooks.seen.clear()
    with asked(tmp_path, "verify", ping=f"{hooks.url}/own") as one:
        one.end(1)
    assert hooks.paths == ["/own/start", "/own/1"]
    hooks.seen.clear()
    private(tmp_path / "q", f"{hooks.url}/q\n")
    with asked(tmp_path, "verify", ping=None, ping_file="q") as one:
        one.end(1)
    assert hooks.paths == ["/q/start", "/q/1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ping_file = "absent"', "absent does not exist"),
        ('receivers_file = "open"', "open can be read by others"),
        ('receivers_file = "odd"', "odd: entry 1 is not an address that Apprise knows"),
        ('on = ["always"]', "notify.on"),
        ('pinf_file = "x"', "did you mean ping_file"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(tmp_path, text, said):
    (tmp_path / "open").write_text("json://x")
    private(tmp_path / "odd", "T0ken://x\n")
    configure(tmp_path, f"[notify]\n{text}\n")
    with pytest.raises((BadDeclaration, BadInput), match=said) as refused:
        asked(tmp_path)
    assert "T0ken" not in str(refused.value)


def test_an_address_is_not_logged(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        configure(tmp_path, '[notify]\nreceivers_file = "r"\non = ["success"]\n')
        private(tmp_path / "r", "json://127.0.0.1:9/T0ken\n")
        with asked(tmp_path) as one:
            one.end(0)
    assert "T0ken" not in caplog.text


@pytest.mark.parametrize(("days", "title"), [(100, "stale"), (85, "due soon"), (2, None)])
def test_status_announces_what_is_stale_or_due(hooks, tmp_path, monkeypatch, capsys, days, title):
    monkeypatch.chdir(tmp_path)
    everything = {control: "satisfied" for act in status.ACTS for control in act.controls}
    left_days_ago(tmp_path, "a", days, **everything)
    with announcement(hooks, tmp_path, "status") as one:
        code = one.end(status.main(given("status", f"--run-dir={tmp_path}"), one.keep_standings))
    notices, [(path, _)] = told(hooks)
    assert notices == ([f"drillbook status: {title} (SYS-042)"] if title else [])
    assert (code, path) == ((1, "/p/1") if title == "stale" else (0, "/p/0"))


def test_the_example_is_read(tmp_path):
    configure(tmp_path, (ROOT / "docs" / "drillbook.example.toml").read_text("utf-8"))
    with pytest.raises(BadInput, match=r"ping\.txt does not exist"):
        asked(tmp_path)
