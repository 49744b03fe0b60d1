"""Who waits for a run hears how it ended and nothing secret, and never of a pass that was none."""

import json
import logging
import os
from types import SimpleNamespace

import pytest

from drillbook.core.errors import BadInput
from reports.notify import notice
from reports.notify.notice import Announcement
from tests.support.receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def announcement(folder, **texts):
    """What reports a drill: to the addresses in files, and to a command of the shell."""
    values = dict.fromkeys(("ping_file", "receivers_file", "on_end"))
    for name, text in texts.items():
        is_file = name.endswith("_file")
        values[name] = str(private(folder / name, text)) if is_file else text
    return Announcement("drill", values)


def hook_of(receiver):
    return receiver.url.replace("http:", "json:") + "/hook"


def test_a_failure_reaches_everyone_with_the_place_of_its_record(receiver, folder):
    announced = announcement(
        folder,
        ping_file=f"# a monitor\n{receiver.url}/p?rid=1\n",
        receivers_file=f"{hook_of(receiver)}\n",
        on_end='echo "$DRILLBOOK_EXIT_CODE $DRILLBOOK_EVIDENCE" > told',
    )
    run = SimpleNamespace(result=object(), bundle=SimpleNamespace(path=folder / "run"))
    manager = SimpleNamespace(get_plugin={"drillbook-run": run}.get)
    announced.pytest_sessionstart(SimpleNamespace(config=SimpleNamespace(pluginmanager=manager)))
    assert announced.watch(lambda: 1) == 1
    (_, path, text), (_, hook, notice_text) = receiver.seen
    assert (path, hook) == ("/p/fail?rid=1", "/hook")
    assert text == f"drillbook drill: exit code 1\n{folder}/run/evidence.json"
    assert json.loads(notice_text)["title"] == "drillbook drill: exit code 1"
    assert json.loads(notice_text)["message"] == f"{folder}/run/evidence.json"
    assert (folder / "told").read_text() == f"1 {folder}/run/evidence.json\n"


def test_a_pass_pings_the_address_itself_and_sends_no_notice(receiver, folder):
    files = {"ping_file": f"{receiver.url}/p/", "receivers_file": hook_of(receiver)}
    assert announcement(folder, **files).watch(lambda: 0) == 0
    assert receiver.paths == ["/p/"]


@pytest.mark.parametrize("trouble", [BadInput("x"), KeyboardInterrupt()])
def test_what_did_not_end_by_itself_never_passes(receiver, trouble, folder):
    def run():
        raise trouble

    files = {"ping_file": f"{receiver.url}/p", "receivers_file": hook_of(receiver)}
    announced = announcement(folder, **files, on_end='echo "$DRILLBOOK_EXIT_CODE" > told')
    with pytest.raises(type(trouble)):
        announced.watch(run)
    assert receiver.paths == ["/p/fail", "/hook"]
    assert (folder / "told").read_text() == "3\n"


def test_the_command_prints_on_standard_error_and_its_failure_is_a_warning(folder, capfd):
    announced = announcement(folder, on_end="echo heard; exit 7 # T0ken")
    assert announced.watch(lambda: 0) == 0
    told = capfd.readouterr()
    assert told.out == ""
    assert "heard" in told.err
    assert "drillbook drill: warning: --on-end failed: exit code 7\n" in told.err
    assert "T0ken" not in told.err


@pytest.mark.parametrize(
    ("way", "why"),
    [("silent", "TimeoutError"), ("closed", "URLError"), ("refuses", "HTTP Error 500")],
)
def test_a_bad_receiver_changes_no_exit_code(folder, monkeypatch, capsys, caplog, way, why):
    monkeypatch.setattr(notice, "PATIENCE_S", 0.2)
    with receiving([500], silent=way == "silent") as bad, caplog.at_level(logging.DEBUG):
        url = "http://127.0.0.1:9" if way == "closed" else bad.url
        files = {"ping_file": f"{url}/T0ken", "receivers_file": "json://127.0.0.1:9/T0ken"}
        assert announcement(folder, **files).watch(lambda: 1) == 1
        assert len(bad.seen) == (way != "closed")
    told = capsys.readouterr().err
    assert f"the monitor failed: {why}" in told
    assert "receiver 1 failed: it was refused or nothing answered" in told
    assert "T0ken" not in told + caplog.text


def test_a_bug_of_a_library_is_a_warning(folder, monkeypatch, capsys):
    announced = announcement(folder, receivers_file="json://127.0.0.1:9/x")
    monkeypatch.setattr(notice, "_notify", lambda *_: 1 // 0)
    assert announced.watch(lambda: 1) == 1
    assert "receiver 1 failed: ZeroDivisionError" in capsys.readouterr().err


def test_the_address_of_the_environment_is_not_inherited(receiver, folder, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_PING", f"{receiver.url}/T0ken")
    assert announcement(folder, on_end="env > told").watch(lambda: 0) == 0
    assert receiver.paths == ["/T0ken"]
    assert "DRILLBOOK_PING" not in os.environ
    assert "T0ken" not in (folder / "told").read_text()


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
def test_a_wrong_file_is_one_sentence_without_its_content(folder, option, text, mode, sentence):
    private(folder / "file", text).chmod(mode)
    values = dict.fromkeys(("ping_file", "receivers_file", "on_end")) | {option: "file"}
    with pytest.raises(BadInput, match=sentence) as refused:
        Announcement("drill", values)
    assert "T0ken" not in str(refused.value)
