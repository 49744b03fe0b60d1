"""What a running instance may answer: nothing, too much, too late, in circles, or a web page."""

import contextlib
import gzip
import socket
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import httpx2
import pytest

from drillbook.core.errors import BadInput, NoHost, NotReady, StackTrouble, Unsupported
from drillbook.infisical.address import Address, parse_address
from drillbook.infisical.http import Answer, TooSlow, Unreachable
from drillbook.live import https, readonly_clients
from drillbook.live.instance import Instance
from drillbook.live.readonly_clients import Reader
from fixtures.session.live_rehearsal import (
    Handler,
    Plain,
    Proxy,
    Scene,
    Server,
    certify,
    running,
    serving,
)
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow


class Backend(Handler):
    def answer(self):
        return 200, {}, b"{}"


@pytest.fixture(scope="module")
def backend():
    with running(Server(Backend)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def address(backend):
    """The address of a proxy on loopback that answers /api/status as it is told to."""
    scene = Scene()
    with serving(Proxy, scene, backend) as server:

        def answering(*answer):
            scene.answers["/api/status"] = lambda _: answer
            return Address("http", "127.0.0.1", server.server_port)

        yield answering


def ask(address, recorder):
    return Reader(lambda: str(address), recorder).ask("GET", "/api/status")


def test_answer_that_never_fits_is_given_up(address, recorder, monkeypatch):
    monkeypatch.setattr(readonly_clients, "_LARGEST", 1 << 20)
    huge = address(200, "application/json", b"x" * (3 << 20))
    with pytest.raises(Unreachable, match="larger than 1 MiB"):
        ask(huge, recorder)


def test_answer_that_drips_is_given_up(address, recorder, monkeypatch):
    monkeypatch.setattr(readonly_clients, "_LONGEST_S", -1.0)
    with pytest.raises(Unreachable, match="took longer than"):
        ask(address(200, "application/json", b"{}"), recorder)


@contextlib.contextmanager
def raw(*pieces, pause_s=0.0):
    """A server that sends these pieces to everybody, one by one, and then the last for ever."""
    over = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            connection = server.accept()[0]
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                while not over.wait(pause_s):
                    connection.sendall(pieces[-1])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Address("http", "127.0.0.1", server.getsockname()[1])
        over.set()
        thread.join(10)


OK = b"HTTP/1.1 200 OK\r\n"
PACKED = OK + b"content-encoding: gzip\r\n\r\n"
# A gzip file's head, and blocks that hold nothing: it never ends, and nothing comes of it.
EMPTY_BLOCK = b"\0\0\0\xff\xff"


@pytest.mark.parametrize(
    "pieces",
    [(OK, b"x"), (PACKED, gzip.compress(b"")[:10], EMPTY_BLOCK)],
    ids=["in its head", "in what is compressed"],
)
def test_answer_that_drips_for_ever_has_an_end(recorder, monkeypatch, pieces):
    monkeypatch.setattr(readonly_clients, "_LONGEST_S", 0.5)
    with raw(*pieces, pause_s=0.05) as address, pytest.raises(Unreachable, match="took longer"):
        ask(address, recorder)


def test_answer_that_unpacks_to_more_than_fits_is_given_up_while_it_is_unpacked(
    recorder, monkeypatch
):
    monkeypatch.setattr(readonly_clients, "_LARGEST", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    with raw(PACKED, bomb, b"") as address:
        tracemalloc.start()
        try:
            with pytest.raises(Unreachable, match="larger than 1 MiB"):
                ask(address, recorder)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


def test_answer_in_a_form_nobody_asked_for_or_cut_is_none(recorder):
    for head, body, why in (
        (OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n", b"{}", "is encoded as 'br'"),
        (OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n", b"{}", "decompressed"),
        (
            OK + b"content-encoding: gzip\r\ncontent-length: 12\r\n\r\n",
            gzip.compress(b"a" * 10_000)[:12],
            "breaks off",
        ),
    ):
        with raw(head + body, b"") as address, pytest.raises(Unreachable, match=why):
            ask(address, recorder)


def test_redirect_is_told_and_not_followed(address, recorder):
    assert ask(address(302, "text/html", b"/api/status"), recorder).status == 302


def test_web_page_is_an_answer_like_any_other(address, recorder):
    answer = ask(address(200, "text/html", b"<!doctype html>"), recorder)
    assert (answer.status, answer.content_type) == (200, "text/html")


def test_closed_port_and_unknown_name_are_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = Address("https", "127.0.0.1", probe.getsockname()[1])
        with pytest.raises(NoHost, match=r"cannot be reached: the connection was refused; is the"):
            https.fetch_certificate(closed, https.tls_context(None))
    with pytest.raises(NoHost, match=r"https://nowhere\.invalid cannot be reached: the name is"):
        https.connect(parse_address("https://nowhere.invalid"))


def test_silent_port_is_not_judged(monkeypatch):
    monkeypatch.setattr(https, "_PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("https", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(NoHost, match=r"took a connection, and began no TLS within 0\.2 s"):
            https.fetch_certificate(address, https.tls_context(None))


def test_http_behind_an_https_address_is_no_tls(address):
    plain = address(200, "application/json", b"{}")
    told = https.fetch_certificate(
        Address("https", plain.host, plain.port), https.tls_context(None)
    )
    assert "no TLS is spoken there" in told.distrust


def test_authority_that_is_no_certificate_is_one_sentence(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(BadInput, match=r"CA .*ca\.pem is not a readable file of certificates"):
        https.tls_context(path)


def test_nothing_is_asked_of_whom_nobody_vouches_for(backend, tmp_path, recorder):
    scene = Scene(certificate_signed=False)
    _, chain = certify(tmp_path, scene)
    with serving(Proxy, scene, backend, chain) as server:
        address = Address("https", "localhost", server.server_port)
        told = https.fetch_certificate(address, https.tls_context(None))
        reader = Reader(lambda: str(address), recorder)
        instance = Instance(address, address, told, reader, None, None, None, None, recorder)
        with pytest.raises(Unsupported, match="no credential was sent"):
            instance.public  # noqa: B018
    assert scene.asked == []
    assert told.names == ("localhost",)


@pytest.mark.parametrize(
    ("left", "life", "words"),
    [
        (60, 90, ""),
        (16, 90, ""),
        (13, 90, "ends in"),
        (20, 398, ""),
        (13, 398, "ends in"),
        (2, 6, ""),
        (0.5, 6, "ends in"),
    ],
)
def test_renewal_that_did_not_happen_shows_before_the_end(left, life, words):
    now = datetime.now(UTC)
    ends = now + timedelta(days=left)
    told = https.Certificate(None, "TLSv1.3", begins=ends - timedelta(days=life), ends=ends)
    assert words in "".join(https.certificate_faults(told, now))
    assert bool(words) == bool(https.certificate_faults(told, now))


@pytest.mark.parametrize(
    ("cookie", "secure"),
    [
        ("jid=a; Path=/; Secure; HttpOnly", True),
        ("jid=a;SECURE", True),
        ("jid=a; Expires=Wed, 21 Oct 2026 07:28:00 GMT", False),
        ("jid=secure; Path=/secure", False),
    ],
)
def test_cookie_is_secure_by_its_attribute_alone(cookie, secure):
    assert https.insecure_cookies([cookie]) == ([] if secure else ["cookie jid lacks Secure"])


def test_plain_port_may_be_closed_or_lead_to_https(backend):
    scene = Scene()
    with serving(Plain, scene, "secrets.example.com") as server:
        plain = Address("http", "127.0.0.1", server.server_port)
        assert https.plain_http_faults(plain, plain) == []
        scene.plain_redirects_to = "http"
        assert https.plain_http_faults(plain, plain) == [
            f"{plain} sends browsers to another unencrypted address; let the proxy lead it to https"
        ]
    assert https.plain_http_faults(plain, plain) == []


def test_plain_port_that_says_nothing_or_fails_is_not_judged(monkeypatch):
    monkeypatch.setattr(https, "_PLAIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plain = Address("http", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(StackTrouble, match="takes a connection and says nothing"):
            https.plain_http_faults(plain, plain)
    with pytest.raises(NoHost, match="the name is unknown here"):
        https.plain_http_faults(Address("http", "nowhere.invalid", 80), plain)
    dripping = Mock(side_effect=TooSlow("GET /api/status: the answer took longer than 20 s"))
    monkeypatch.setattr(https, "fetch_whole", dripping)
    with pytest.raises(StackTrouble, match="longer than 20 s, so whether anything is served"):
        https.plain_http_faults(plain, plain)
    failing = Answer(502, "text/plain", "", {})
    monkeypatch.setattr(https, "fetch_whole", lambda *_, **__: failing)
    with pytest.raises(StackTrouble, match="answers 502"):
        https.plain_http_faults(plain, plain)
    limited = Answer(429, "text/plain", "", {})
    monkeypatch.setattr(https, "fetch_whole", lambda *_, **__: limited)
    with pytest.raises(StackTrouble, match="answers 429"):
        https.plain_http_faults(plain, plain)


def out_of_time(*_):
    raise TimeoutError


def refused(*_):
    raise ConnectionRefusedError


def lost(*_):
    raise OSError(101, "Network is unreachable")


def taken(*_):
    return Mock()


@pytest.mark.parametrize(
    ("plain", "served", "closed"),
    [
        (out_of_time, taken, True),
        (out_of_time, refused, True),
        (out_of_time, out_of_time, False),
        (taken, taken, False),
    ],
)
def test_plain_port_that_takes_no_connection_is_closed_only_if_the_host_answers(
    monkeypatch, plain, served, closed
):
    def time_out(*_, **__):
        raise httpx2.ConnectTimeout("5 s")

    def connect(where, _within_s):
        return (plain if where[1] == 80 else served)()

    monkeypatch.setattr(https, "fetch_whole", time_out)
    monkeypatch.setattr(https.socket, "create_connection", connect)
    addresses = Address("http", "127.0.0.1", 80), Address("https", "127.0.0.1", 443)
    with (
        contextlib.nullcontext()
        if closed
        else pytest.raises(StackTrouble, match="takes no connection")
    ):
        assert https.plain_http_faults(*addresses) == []


@pytest.mark.parametrize(
    ("plain", "served", "closed"),
    [(refused, lost, True), (lost, taken, True), (lost, lost, False)],
)
def test_plain_port_is_not_closed_only_because_our_network_is_lost(
    monkeypatch, plain, served, closed
):
    fail = Mock(side_effect=httpx2.ConnectError("no connection"))
    monkeypatch.setattr(https, "fetch_whole", fail)
    monkeypatch.setattr(
        https.socket,
        "create_connection",
        lambda where, _within_s: (plain if where[1] == 80 else served)(),
    )
    addresses = Address("http", "127.0.0.1", 80), Address("https", "127.0.0.1", 443)
    undecided = pytest.raises(StackTrouble, match=r"neither .* nor .* is reached, so whether")
    with contextlib.nullcontext() if closed else undecided:
        assert https.plain_http_faults(*addresses) == []


def test_an_error_of_a_proxy_does_not_show_that_the_product_sends_no_header():
    assert https.hsts_faults([Answer(200, "application/json", "{}", {})])
    for status in (429, 504):
        with pytest.raises(StackTrouble, match=f"the answer was {status}, so whether"):
            https.hsts_faults([Answer(status, "text/html", "", {})])


def test_a_page_that_is_late_may_set_a_cookie(recorder):
    def ask(_method, path):
        if path == "/login":
            raise TooSlow("GET /login: ReadTimeout after 20.0 s")
        return Answer(200, "text/html", "", {})

    trusted = https.Certificate(None, "TLSv1.3")
    instance = Instance(None, None, trusted, None, None, None, None, None, recorder)
    instance.__dict__["public"] = Mock(http=Mock(ask=ask))
    instance.refuse_late_pages()
    assert len(instance.pages) == 3
    with pytest.raises(NotReady, match=r"ReadTimeout after 20\.0 s: which cookies"):
        instance.refuse_late_pages()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--url=https://ada:hunter2@secrets.example.com"], "holds a user name or a password"),
        (["--url=https://nowhere.invalid"], "cannot be reached: the name is unknown here"),
    ],
)
def test_run_that_cannot_start_is_one_sentence_and_3(tmp_path, given, words):
    done, _ = run_specs(tmp_path, "suites/live", "--stack=remote", *given)
    assert done.returncode == 3
    said = done.stdout + done.stderr
    assert words in said
    assert "Traceback" not in said
    assert "hunter2" not in said
