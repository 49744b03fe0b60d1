"""A lying proxy is honest until a machine has logged in, and lies then about its own stack only."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx2
import pytest

from drillbook.core import bugs
from drillbook.core.bugs import BUGS, seam
from fixtures.mutants.proxy import Told, liar

LOGIN = "/api/v1/auth/universal-auth/login"


class Backend(BaseHTTPRequestHandler):
    """Answers with what it was asked, and refuses a token that was revoked."""

    revoked = False

    def do_GET(self):
        size = int(self.headers.get("content-length") or 0)
        asked = {"path": self.path, "body": self.rfile.read(size).decode()}
        asked["token"] = self.headers.get("Authorization")
        refused = self.revoked and asked["token"]
        body = json.dumps({**asked, "message": "Ok", "date": "now", "secrets": SECRETS}).encode()
        self.send_response(403 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


SECRETS = [
    {"secretKey": "A", "secretValue": "x" * 5000},
    {"secretKey": "B", "secretValue": ""},
    {"secretKey": "C", "secretValue": "pem\n"},
    {"secretKey": "D", "secretValue": "d"},
]


class Stack:
    """As much of a stack as a proxy needs."""

    def __init__(self, url):
        self.url = url

    @property
    @seam("base_url")
    def base_url(self):
        return self.url


@pytest.fixture
def fronted():
    with contextlib.closing(ThreadingHTTPServer(("127.0.0.1", 0), Backend)) as server:
        server.close = server.server_close
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Stack(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def ask(stack, path, method="GET", **sent):
    with httpx2.Client(trust_env=False) as client:
        return client.request(method, stack.base_url + path, **sent)


@contextlib.contextmanager
def in_front_of(stack, lie):
    bug = SimpleNamespace(name="Lies", hooks=liar(lambda: lie), parts={}, inside=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bugs, "find", lambda _: bug)
        with planted("Lies", stack):
            yield


@contextlib.contextmanager
def planted(name, stack):
    with BUGS.planting(name):
        BUGS.stack = stack
        yield


def test_it_hands_everything_on_until_a_machine_has_logged_in(fronted):
    upper = lambda _asked, ask: Told(418, {}, ask().body.upper())  # noqa: E731
    with in_front_of(fronted, upper):
        token = {"Authorization": "Bearer abc"}
        honest = ask(fronted, "/some?where=1", "POST", content=b"words", headers=token)
        assert honest.json()["body"] == "words"
        assert (honest.json()["path"], honest.json()["token"]) == ("/some?where=1", "Bearer abc")
        assert honest.headers["content-type"] == "application/json"
        assert ask(fronted, LOGIN, "POST").status_code == 200
        assert ask(fronted, "/some").status_code == 418


def test_another_stack_of_the_same_kind_is_left_alone(fronted):
    other = Stack(fronted.url)
    with in_front_of(fronted, lambda _asked, _ask: None):
        assert other.base_url == fronted.url
        lying = fronted.base_url
    assert fronted.base_url == fronted.url
    with pytest.raises(httpx2.ConnectError), httpx2.Client(trust_env=False) as client:
        client.get(lying)


def test_a_backend_that_is_not_there_gives_no_answer(fronted):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    gone = Stack(f"http://127.0.0.1:{port}")
    with in_front_of(gone, lambda _asked, ask: ask()), pytest.raises(httpx2.TransportError):
        ask(gone, "/api/status")


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("ProxyDropsEmptyValues", {"A": 5000, "C": 4, "D": 1}),
        ("ProxyTruncatesLongValues", {"A": 4096, "B": 0, "C": 4, "D": 1}),
        ("ProxyTrimsFinalNewline", {"A": 5000, "B": 0, "C": 3, "D": 1}),
        ("ProxyDropsLastPercent", {"A": 5000, "B": 0, "C": 4}),
    ],
)
def test_each_lie_about_secrets(fronted, name, left):
    with planted(name, fronted):
        ask(fronted, LOGIN, "POST")
        found = ask(fronted, "/api/v4/secrets?recursive=true").json()["secrets"]
        assert {one["secretKey"]: len(one["secretValue"]) for one in found} == left
        assert ask(fronted, "/api/v1/projects").json()["secrets"] == SECRETS


def test_a_cache_answers_what_is_refused_now(fronted, monkeypatch):
    token = {"Authorization": "Bearer abc"}
    with planted("ProxyAcceptsOldTokens", fronted):
        ask(fronted, LOGIN, "POST")
        assert ask(fronted, "/api/v4/secrets", headers=token).status_code == 200
        monkeypatch.setattr(Backend, "revoked", True)
        assert ask(fronted, "/api/v4/secrets", headers=token).status_code == 200
        assert ask(fronted, "/api/v4/secrets", headers={"Authorization": "x"}).status_code == 403
