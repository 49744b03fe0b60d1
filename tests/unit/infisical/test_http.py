"""One request, one answer: troubles have names, and a rate limit is respected in both its forms."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

import pytest

from drillbook.infisical import client as client_module
from drillbook.infisical import http as http_module
from drillbook.infisical.client import DEPRECATED, Infisical, Place
from drillbook.infisical.http import (
    Broken,
    Http,
    NotFound,
    RateLimited,
    TooSlow,
    Unauthorized,
    Unreachable,
)
from fixtures.session.live_rehearsal import Handler, Server, running


class Scripted(Handler):
    """Answers with what the test has queued: (status, headers, body)."""

    answers: ClassVar[list] = []
    asked: ClassVar[list] = []
    cookies: ClassVar[list] = []
    addresses: ClassVar[list] = []

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.cookies.append(self.headers.get("Cookie"))
        self.addresses.append(self.headers.get("X-Forwarded-For"))
        status, headers, body = self.answers.pop(0)
        return status, {"content-type": "application/json", **headers}, body


@pytest.fixture
def server():
    Scripted.answers, Scripted.asked, Scripted.cookies, Scripted.addresses = [], [], [], []
    with running(Server(Scripted)) as listening:
        yield f"http://127.0.0.1:{listening.server_port}"


@pytest.fixture
def ask(server, recorder):
    return Http(lambda: server, recorder)


@pytest.fixture
def naps(monkeypatch):
    taken = []
    monkeypatch.setattr(http_module.time, "sleep", taken.append)
    return taken


def queue(status, message="", **headers):
    Scripted.answers.append((status, headers, json.dumps({"message": message}).encode()))


def test_a_cookie_is_seen_and_not_sent_back(ask):
    queue(200, "fine", **{"set-cookie": "jid=secret; Path=/"})
    queue(200, "fine")
    assert ask.ask("GET", "/x").cookies == ("jid=secret; Path=/",)
    ask.ask("GET", "/x")
    assert Scripted.cookies == [None, None]


LIMITS = {
    "429": (429, {"retry-after": "7"}),
    "500 of late 2024": (500, {"retry-after": "7", "x-ratelimit-remaining": "0"}),
}


@pytest.mark.parametrize(("status", "headers"), LIMITS.values(), ids=LIMITS)
def test_a_rate_limit_is_waited_for_once(ask, naps, status, headers):
    queue(status, "Something went wrong", **headers)
    queue(200, "fine")
    assert ask.call("GET", "/x") == {"message": "fine"}
    assert naps == [7.0]


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [("Thu, 26 Nov 2020 12:00:00 GMT", 0), ("soon", 60), ("inf", 60), ("-1", 60), ("", 60)],
)
def test_a_rate_limit_that_says_a_date_or_nonsense_is_waited_for_too(ask, naps, told, wait_s):
    queue(429, "slow down", **{"retry-after": told})
    queue(200, "fine")
    assert ask.call("GET", "/x") == {"message": "fine"}
    assert naps == [wait_s]


def test_a_date_to_come_is_waited_for_until_then():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 20 < http_module._retry_after_s(at) <= 30


def test_a_second_rate_limit_is_told(ask, naps):
    queue(429, "slow down", **{"retry-after": "900"})
    queue(429, "slow down", **{"retry-after": "900"})
    with pytest.raises(RateLimited, match="slow down"):
        ask.call("GET", "/x")
    assert naps == [65.0]


def test_a_plain_500_is_not_taken_for_a_limit(ask, naps):
    queue(500, "Something went wrong")
    with pytest.raises(Broken, match="GET /x: 500 Something went wrong"):
        ask.call("GET", "/x")
    assert naps == []


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Unauthorized), (404, NotFound)]
)
def test_refusals_have_names(ask, status, kind):
    queue(status, "no")
    with pytest.raises(kind) as refusal:
        ask.call("GET", "/x")
    assert (refusal.value.status, refusal.value.message) == (status, "no")


@pytest.mark.parametrize("body", [b"<html>", b"[" * 200_000])
def test_a_body_that_is_no_json_is_told(ask, body):
    Scripted.answers.append((200, {}, body))
    with pytest.raises(Broken, match="not JSON"):
        ask.call("GET", "/x")


def test_no_answer_is_unreachable_and_says_how(recorder):
    nobody = Http(lambda: "http://127.0.0.1:9", recorder)
    with pytest.raises(Unreachable, match=r"GET /x: ConnectError after"):
        nobody.call("GET", "/x")


@pytest.mark.parametrize(("late_s", "late"), [(0.0, True), (20.0, False)])
def test_a_connection_that_is_cut_after_long_is_late(monkeypatch, ask, late_s, late):
    monkeypatch.setattr(http_module, "_LATE_S", late_s)
    # Without an answer to give, the server ends the connection.
    with pytest.raises(Unreachable, match="RemoteProtocolError") as cut:
        ask.call("GET", "/x")
    assert isinstance(cut.value, TooSlow) is late


def test_the_token_goes_into_the_header_only(ask):
    queue(200)
    ask.as_bearer("s3cret-token").call("GET", "/x")
    assert Scripted.asked == [("/x", "Bearer s3cret-token")]


def test_batch_that_wants_a_slug_of_mid_2024_gets_it(ask):
    queue(403, '[{"path": ["projectSlug"], "message": "Required"}]')
    Scripted.answers.append((200, {}, b'{"workspace": {"slug": "ledger-x"}}'))
    queue(200)
    Infisical(ask, DEPRECATED).write(Place("ledger", "dev"), {"A": "1", "B": "2"})
    paths = [DEPRECATED.batch, "/api/v1/workspace/ledger", DEPRECATED.batch]
    assert [path for path, _ in Scripted.asked] == paths


def test_a_large_batch_of_mid_2024_goes_in_parts(ask):
    queue(403, '[{"path": ["projectSlug"], "message": "Required"}]')
    Scripted.answers.append((200, {}, b'{"workspace": {"slug": "ledger-x"}}'))
    for _ in range(3):
        queue(200)
    values = {f"N{number}": "1" for number in range(51)}
    Infisical(ask, DEPRECATED).write(Place("ledger", "dev"), values)
    assert [path for path, _ in Scripted.asked].count(DEPRECATED.batch) == 1 + 3


def test_a_batch_that_takes_long_is_followed_by_smaller_ones(ask, monkeypatch):
    monkeypatch.setattr(client_module, "_BATCH_AIM_S", 0.0)
    queue(403, '[{"path": ["projectSlug"], "message": "Required"}]')
    Scripted.answers.append((200, {}, b'{"workspace": {"slug": "ledger-x"}}'))
    for _ in range(4):
        queue(200)
    values = {f"N{number}": "1" for number in range(8)}
    Infisical(ask, DEPRECATED).write(Place("ledger", "dev"), values)
    assert [path for path, _ in Scripted.asked].count(DEPRECATED.batch) == 1 + 4


@pytest.mark.parametrize(
    ("answer", "slow"), [('[{"path": ["projectSlug"]}]', True), ("at least one secret", False)]
)
def test_slow_batches_are_known_by_the_slug_they_want(ask, answer, slow):
    queue(403, answer)
    assert Infisical(ask, DEPRECATED).writes_slowly(Place("ledger", "dev")) is slow


def test_without_batches_writes_are_slow(ask):
    routes = replace(DEPRECATED, batch=None)
    assert Infisical(ask, routes).writes_slowly(Place("ledger", "dev"))
    assert not Scripted.asked


@pytest.mark.parametrize(
    "new",
    [
        [{"secretKey": "A"}, {"secretKey": "B"}],
        [{"secretKey": "A", "tagIds": ["t"]}, {"secretKey": "B"}],
    ],
)
def test_batch_without_a_known_slug_or_with_tags_is_written_one_by_one(ask, new):
    queue(403, '[{"path": ["projectSlug"], "message": "Required"}]')
    if "tagIds" not in new[0]:
        queue(404, "no such project")
    queue(200)
    queue(200)
    Infisical(ask, DEPRECATED).create(Place("ledger", "dev"), new)
    single = [f"{DEPRECATED.secrets}/{name}" for name in "AB"]
    assert [path for path, _ in Scripted.asked][-2:] == single
    assert [path for path, _ in Scripted.asked].count(DEPRECATED.batch) == 1


def test_batch_that_is_refused_for_another_reason_stays_refused(ask):
    queue(403, "you may not")
    with pytest.raises(Unauthorized, match="you may not"):
        Infisical(ask, DEPRECATED).write(Place("ledger", "dev"), {"A": "1"})
