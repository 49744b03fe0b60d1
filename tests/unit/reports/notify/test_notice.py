"""Who waits for a run hears how it ended and nothing secret, and never of a pass that was none."""

import json
import logging
import os
from types import SimpleNamespace

import pytest

from drillbook.core.errors import BadInput
from reports.notify import notice
from reports.notify.notice import Announcement, announce
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def asked(folder, **options):
    return announce(
        "drill", folder, dict.fromkeys(("ping_file", "receivers_file", "on_end")) | options
    )


def watched(announcement, code, folder):
    """The announcement after a run that ended with this exit code."""
    verdict = Verdict.VIOLATED if code else Verdict.SATISFIED
    result = sample_run.run().model_copy(update={"exit_code": code, "verdict": verdict})
    run = SimpleNamespace(result=result, bundle=SimpleNamespace(path=folder))
    manager = SimpleNamespace(get_plugin=lambda _: run)
    announcement.pytest_sessionstart(SimpleNamespace(config=SimpleNamespace(pluginmanager=manager)))
    # pytest keeps its plugins in sets.
    assert announcement in {announcement}
    return announcement.watch(lambda: code)


def test_a_failure_reaches_everyone_and_names_controls(receiver, tmp_path):
    private(tmp_path / "p", f"# a monitor\n{receiver.url}/p?rid=1\n")
    private(tmp_path / "r", receiver.url.replace("http:", "json:") + "/hook\n")
    told = f'echo "$DRILLBOOK_EXIT_CODE $DRILLBOOK_EVIDENCE" > {tmp_path}/told'
    announcement = asked(tmp_path, ping_file="p", receivers_file="r", on_end=told)
    assert watched(announcement, 1, tmp_path / "run") == 1
    (_, path, text), (_, hook, notice_text) = receiver.seen
    assert (path, hook) == ("/p/fail?rid=1", "/hook")
    assert text.startswith("drillbook drill: exit code 1\nFailed")
    assert "violated: KEY-3" in text
    assert json.loads(notice_text)["title"] == "drillbook drill: exit code 1"
    assert json.loads(notice_text)["message"] == text
    assert (tmp_path / "told").read_text() == f"1 {tmp_path}/run/evidence.json\n"


def test_a_pass_pings_the_address_itself_and_sends_no_notice(receiver, tmp_path):
    hook = receiver.url.replace("http:", "json:") + "/hook"
    announcement = Announcement("drill", f"{receiver.url}/p/", [hook])
    assert watched(announcement, 0, tmp_path) == 0
    assert receiver.paths == ["/p/"]


@pytest.mark.parametrize("trouble", [BadInput("x"), KeyboardInterrupt()])
def test_what_did_not_end_by_itself_never_passes(receiver, trouble, tmp_path):
    def run():
        raise trouble

    announcement = Announcement(
        "drill", f"{receiver.url}/p", on_end=f'echo "$DRILLBOOK_EXIT_CODE" > {tmp_path}/told'
    )
    with pytest.raises(type(trouble)):
        announcement.watch(run)
    assert receiver.paths == ["/p/fail"]
    assert (tmp_path / "told").read_text() == "3\n"


def test_the_command_prints_on_standard_error_and_its_failure_is_a_warning(capfd):
    assert Announcement("status", on_end="echo heard; exit 7 # T0ken").watch(lambda: 0) == 0
    told = capfd.readouterr()
    assert told.out == ""
    assert "heard" in told.err
    assert "drillbook status: warning: --on-end failed: exit code 7\n" in told.err
    assert "T0ken" not in told.err


@pytest.mark.parametrize(
    ("answers", "warning", "tries"),
    [([500, 503], "", 3), ([500] * 9, "the monitor failed: answer 500", 3)],
)
def test_two_retries_and_no_more(capsys, answers, warning, tries):
    with receiving(answers) as monitor:
        assert Announcement("drill", f"{monitor.url}/T0ken").watch(lambda: 0) == 0
        assert len(monitor.seen) == tries
    told = capsys.readouterr().err
    assert (warning in told, bool(told), "T0ken" in told) == (True, bool(warning), False)


@pytest.mark.parametrize("way", ["silent", "closed"])
def test_a_bad_receiver_changes_no_exit_code(monkeypatch, capsys, caplog, way):
    monkeypatch.setattr(notice, "PATIENCE_S", 0.2)
    with receiving(silent=way == "silent") as bad:
        url = "http://127.0.0.1:9" if way == "closed" else bad.url
        hook = "json://127.0.0.1:9/T0ken"
        assert Announcement("drill", f"{url}/T0ken", [hook]).watch(lambda: 1) == 1
    told = capsys.readouterr().err
    assert "the monitor failed: " in told
    assert "receiver 1 failed: it was refused or nothing answered" in told
    assert "T0ken" not in told + caplog.text


def test_a_bug_of_a_library_is_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(notice, "send_notice", lambda *_: 1 // 0)
    assert Announcement("drill", receivers=["x"]).watch(lambda: 1) == 1
    assert "receiver 1 failed: ZeroDivisionError" in capsys.readouterr().err


def test_the_address_of_the_environment_is_not_inherited(tmp_path, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_PING", "https://a/T0ken")
    assert asked(tmp_path).monitor == "https://a/T0ken"
    assert "DRILLBOOK_PING" not in os.environ


@pytest.mark.parametrize(
    ("option", "text", "mode", "sentence"),
    [
        ("ping_file", "https://a/T0ken", 0o644, "chmod 600"),
        ("ping_file", "T0ken", 0o600, "give one web address"),
        ("ping_file", "https://T0ken:x@a/b", 0o600, "give one web address"),
        ("ping_file", "https://a/1\nhttps://a/T0ken", 0o600, "give one web address"),
        ("receivers_file", "json://T0ken", 0o644, "chmod 600"),
        ("receivers_file", "T0ken://x", 0o600, "entry 1 is not an address that Apprise knows"),
    ],
)
def test_a_wrong_file_is_one_sentence_without_its_content(tmp_path, option, text, mode, sentence):
    private(tmp_path / "file", text).chmod(mode)
    with pytest.raises(BadInput, match=sentence) as refused:
        asked(tmp_path, **{option: "file"})
    assert "T0ken" not in str(refused.value)


def test_an_address_is_not_logged(tmp_path, caplog):
    private(tmp_path / "r", "json://127.0.0.1:9/T0ken\n")
    with caplog.at_level(logging.DEBUG):
        asked(tmp_path, receivers_file="r").watch(lambda: 1)
    assert "T0ken" not in caplog.text
