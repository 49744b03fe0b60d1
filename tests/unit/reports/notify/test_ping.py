"""A monitor is pinged as its protocol wants it; one that fails costs seconds and a warning."""

import time
from base64 import b64encode

import pytest

from drillbook.core.errors import BadInput
from reports.errors import BadDeclaration
from reports.notify.notice import deliver, host, load_addresses, send_ping
from tests.support.receiver import receiving


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr("reports.notify.notice.PATIENCE_S", 0.5)


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_healthchecks_monitor_gets_start_and_exit_status():
    with receiving() as monitor:
        address = f"{monitor.url}/ping/c0ffee?rid=1"
        assert send_ping(address, None, "") == ""
        assert send_ping(address, 2, "one\ntwo") == ""
        assert monitor.seen == [
            ("GET", "/ping/c0ffee/start?rid=1", ""),
            ("POST", "/ping/c0ffee/2?rid=1", "one\ntwo"),
        ]


def test_a_monitor_behind_a_password_gets_it_in_a_header(capsys):
    with receiving([200, 200, 404]) as monitor:
        address = monitor.url.replace("://", "://ada:p%40ss@")
        assert send_ping(f"{address}/ping", 0, "") == ""
        assert send_ping(f"{monitor.url}/ping", 0, "") == ""
        deliver("drill", [(host(address), lambda: send_ping(address, 0, ""))])
        ada = f"Basic {b64encode(b'ada:p@ss').decode()}"
        assert monitor.credentials == [ada, None, ada]
        assert monitor.paths == ["/ping/0", "/ping/0", "/0"]
    told = capsys.readouterr().err
    assert told == "drillbook drill: warning: 127.0.0.1 was not reached: answer 404\n"


def test_uptime_kuma_gets_status_and_one_line():
    with receiving() as monitor:
        address = f"{monitor.url}/api/push/T0ken?status=up&msg=OK&ping="
        assert send_ping(address, None, "") == ""
        assert send_ping(address, 1, "drill failed\nmore") == send_ping(address, 0, "ok") == ""
        assert monitor.paths == [
            "/api/push/T0ken?status=down&msg=drill+failed&ping=",
            "/api/push/T0ken?status=up&msg=ok&ping=",
        ]


@pytest.mark.parametrize(
    ("answers", "said", "tries"),
    [([500, 503], "", 3), ([500] * 9, "answer 500", 3), ([404] * 9, "answer 404", 1)],
)
def test_two_retries_and_no_more(answers, said, tries):
    with receiving(answers) as monitor:
        assert (send_ping(f"{monitor.url}/x", 0, "b"), len(monitor.seen)) == (
            said,
            tries,
        )


@pytest.mark.parametrize("way", ["silent", "drips", "closed", "nonsense"])
def test_an_unreachable_monitor_is_a_warning(short, capsys, way):
    began = time.monotonic()
    with receiving(silent=way == "silent", drips=way == "drips") as monitor:
        address = {"closed": "http://127.0.0.1:9/T0ken", "nonsense": "http://[T0ken"}.get(
            way, f"{monitor.url}/T0ken"
        )
        deliver("drill", [("the monitor", lambda: send_ping(address, 0, "b"))])
    assert time.monotonic() - began < 30
    told = capsys.readouterr().err
    assert "drillbook drill: warning: the monitor was not reached: " in told
    assert (told.count("\n"), "T0ken" in told) == (1, False)


def test_a_bug_of_a_library_is_a_warning(capsys):
    deliver("drill", [("mail", lambda: 1 // 0), ("chat", lambda: "")])
    assert capsys.readouterr().err.count("not reached: ZeroDivisionError") == 1


def test_each_command_has_its_own_address(tmp_path):
    text = "# monitors\ndrill https://a/1\nrunbook run https://a/2\n\nhttps://a/3\n"
    found = load_addresses(private(tmp_path / "ping", text), ["drill", "runbook run"])
    assert found == {"drill": "https://a/1", "runbook run": "https://a/2", "": "https://a/3"}


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("https://a/T0ken", 0o644, "chmod 600"),
        ("drill T0ken", 0o600, "entry 1 is not"),
        ("dril https://a/T0ken", 0o600, "entry 1 names no command that pings; did you mean drill"),
        ("drill https://a/1\ndrill https://a/T0ken", 0o600, "entry 2 is a second address"),
        ("https://a/1\nhttps://a/T0ken", 0o600, "entry 2 is a second address"),
        (None, 0, "does not exist"),
    ],
)
def test_a_wrong_ping_file_is_one_sentence_without_its_content(tmp_path, text, mode, said):
    path = tmp_path / "ping"
    if text:
        private(path, text).chmod(mode)
    with pytest.raises((BadDeclaration, BadInput), match=said) as refused:
        load_addresses(path, ["drill", "runbook run"])
    assert "T0ken" not in str(refused.value)
