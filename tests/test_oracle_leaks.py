"""The search for secrets after each spec: what it knows, where it looks, and what it tells."""

import base64
import gzip
import json
import secrets

import pytest

from drillbook.infisical.crypto import cipher, seal_bytes
from drillbook.infisical.http import Answer, Http
from fixtures.oracle.leaks import (
    ELSEWHERE,
    LOGS,
    PLACES,
    Answers,
    LeakSearch,
    OpenKeys,
    Values,
    Written,
    following,
    kind_of,
)
from reports.record.recorder import Recorder
from reports.redaction.redactor import Redactor
from reports.session.xdist_worker import Sender, unpack
from reports.verdict.verdicts import Verdict

PASSWORD = secrets.token_urlsafe(32)
TOKEN = ".".join(["eyJhbGciOiJIUzI1NiJ9", secrets.token_urlsafe(60), secrets.token_urlsafe(32)])


def search(recorder):
    values = {"POSTGRES_PASSWORD": PASSWORD, "MACHINE_TOKEN": TOKEN, "CANARY": "opening 1200.00"}
    return LeakSearch(Values(values), recorder, Answers(recorder))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("POSTGRES_PASSWORD", "password"),
        ("NEW_ENCRYPTION_KEY#2", "key"),
        ("JWT_SERVICE_SECRET", "key"),
        ("ROOT_KEY", "open key"),
        ("SIGNATURE_OF_MACHINE_TOKEN", "token"),
        ("CLIENT_SECRET#7", "client secret"),
        ("CANARY#3", "value"),
    ],
)
def test_a_secret_is_of_a_kind_by_its_name(name, kind):
    assert kind_of(name) == kind


def test_each_place_that_may_hold_a_kind_says_why():
    assert all(bool(place.may_hold) == bool(place.why) for place in PLACES.values())
    assert {place.control for place in PLACES.values()} == {LOGS, ELSEWHERE}


@pytest.mark.parametrize(
    ("place", "control"), [("log", "SEC-5"), ("cache", "SEC-7"), ("environment of db", None)]
)
def test_where_a_secret_may_stand_it_is_no_leak(place, control, recorder):
    packed = base64.b64encode(gzip.compress(f"address=infisical:{PASSWORD}@db".encode()))
    found = search(recorder).find(place, "there", b"x" + packed)
    assert [leak.control for leak in found] == ([control] if control else [])
    assert all(PASSWORD not in str(leak) for leak in found)
    assert [str(leak) for leak in found] == (
        ["there holds POSTGRES_PASSWORD (plain, in what was encoded or compressed)"]
        if control
        else []
    )


@pytest.mark.parametrize(
    "text",
    [
        "Error: x\n    at open (/backend/dist/main.mjs:77:3)",
        'File "/backend/main.py", line 77, in open\n    return read(path)\n',
        "panic: x\n\ngoroutine 1 [running]:\nmain.main()",
    ],
)
def test_a_stack_trace_is_for_the_log_alone(recorder, text):
    trace = json.dumps({"message": text}).encode()
    found = search(recorder).find("health report", "the health report", trace)
    assert [leak.secret for leak in found] == ["a stack trace"]
    assert search(recorder).find("log", "the log", trace) == []


def answered(status, text="", **more):
    return Answer(status, "application/json", text, {"x-request": "1"}, **more)


@pytest.mark.parametrize(
    ("token", "path", "status", "place"),
    [
        (None, "/api/status", 200, "answer without a right"),
        ("a", "/api/v1/workspace", 403, "answer without a right"),
        ("a", "/api/v1/workspace", 200, None),
        (None, "/api/v1/auth/universal-auth/login", 200, "answer to a log-in"),
        (None, "/api/v1/auth/universal-auth/login", 401, "answer without a right"),
    ],
)
def test_an_answer_is_kept_where_nobody_had_a_right_to_it(token, path, status, place, recorder):
    answers = Answers(recorder)
    answers.hear(Http(lambda: "", recorder, token=token), path, answered(status, "told"))
    kept = list(answers.take())
    assert [one[0] for one in kept] == ([place] if place else [])
    assert all(b"told" in one[2] for one in kept)
    assert list(answers.take()) == []


def test_the_cookie_of_a_log_in_is_a_secret_from_then_on(recorder):
    answers, cookie = Answers(recorder), "jid=" + "v" * 30 + "; HttpOnly"
    answers.hear(
        Http(lambda: "", recorder), "/api/v1/admin/signup", answered(200, cookies=(cookie,))
    )
    answers.hear(Http(lambda: "", recorder), "/api/status", answered(200, cookies=("lang=en",)))
    assert recorder.secrets == {"COOKIE": "v" * 30}


def test_signature_and_address_follow_from_token_and_password():
    assert dict(following("MACHINE_TOKEN", TOKEN)) == {
        "SIGNATURE_OF_MACHINE_TOKEN": TOKEN.rpartition(".")[2]
    }
    assert dict(following("NEW_POSTGRES_PASSWORD", "a/b")) == {
        "ADDRESS_WITH_NEW_POSTGRES_PASSWORD": "infisical:a%2Fb@"
    }
    assert list(following("CANARY", "a.b.c")) == []


class Database:
    """Answers one question."""

    def __init__(self, rows):
        self.rows = rows

    def sql(self, _):
        return self.rows


def test_the_keys_that_a_backend_holds_open_are_opened_offline():
    instance = secrets.token_hex(16)
    root, project, data = (secrets.token_bytes(32) for _ in range(3))
    rows = [
        ("ROOT_KEY", "\\x" + seal_bytes(cipher(instance.encode()), root).hex()),
        ("PROJECT_KEY", "\\x" + (seal_bytes(cipher(root), project) + b"v01").hex()),
        ("DATA_KEY", "\\x" + (seal_bytes(cipher(project), data) + b"v01").hex()),
    ]
    keys = OpenKeys()
    assert list(keys.find(Database(rows), [secrets.token_hex(16)])) == []
    found = list(keys.find(Database(rows), [instance]))
    assert found == [("ROOT_KEY", root), ("PROJECT_KEY", project), ("DATA_KEY", data)]
    assert list(keys.find(Database(rows), [])) == []


def test_what_a_database_writes_is_read_as_it_grows(embedded, recorder):
    password = secrets.token_urlsafe(24)
    embedded.settings = embedded.settings.but(POSTGRES_PASSWORD=password)
    embedded.database.start(password)
    written, value = Written(), secrets.token_hex(3000)
    embedded.sql("CREATE TABLE kept (value text)")
    assert written.newly(embedded)
    embedded.sql("ALTER TABLE kept ALTER value SET STORAGE EXTERNAL")
    for number in range(6):
        embedded.sql(f"INSERT INTO kept VALUES ('{number}{value}')")
    # Longer than the rest of a page, so that the headers of pages would cut it.
    fresh = written.newly(embedded)
    assert sum(fresh.count(value[at : at + 900].encode()) for at in range(0, 6000, 1000)) >= 30
    assert b"kept" not in written.newly(embedded)


def test_a_find_beside_a_spec_is_a_violated_spec_of_its_own():
    recorder, run = Recorder(), Recorder()
    packer = Sender(recorder)
    assert not recorder.accuse("SEC-5", "search", "no one would judge it")
    recorder.begin("suites/a.py::b", ("BKP-1",))
    unpack(packer.pack(), run)
    recorder.secret("CANARY", "opening 1200.00")
    recorder.judge(Verdict.SATISFIED, None)
    assert recorder.accuse("SEC-5", "search", "the log holds opening 1200.00")
    assert recorder.accuse("SEC-5", "search", "the cache as well")
    recorder.end()
    unpack(packer.pack(), run)
    for one in (recorder, run):
        spec, found = one.specs
        assert (spec.controls, spec.verdict) == (("BKP-1",), Verdict.SATISFIED)
        assert (found.controls, found.verdict) == (("SEC-5",), Verdict.VIOLATED)
        assert found.id == "suites/a.py::b (search)"
        assert found.messages == ["the log holds «CANARY»", "the cache as well"]


def test_the_redactor_tells_what_it_finds():
    redactor = Redactor()
    redactor.add("CANARY", "opening 1200.00")
    assert redactor.find(b"of " + base64.b64encode(b"opening 1200.00")) == {("CANARY", "base64")}
    assert redactor.find(b"of another") == set()


def test_a_stack_that_was_never_started_has_nothing_to_search(embedded, recorder):
    searched = search(recorder).search(embedded)
    assert (searched.contents, searched.leaks, searched.unread) == (0, [], [])
