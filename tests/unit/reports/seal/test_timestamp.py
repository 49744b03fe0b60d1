"""A time-stamp proves that the bundle existed, if it is one of the bundle and of the authority."""

import socket
import subprocess
import threading
import time
from contextlib import suppress

import pytest

from fixtures.session.live_rehearsal import Handler, Server, running
from reports.errors import BadKey, ReportError
from reports.seal import timestamp
from reports.seal.sealer import BY_FILE, Sealer, companion
from reports.seal.verify_bundle import Tampered
from tests.support import sample_run
from tests.support.bundles import key, sealed
from tests.support.commands import seal as tools
from tests.support.commands import verify

CONFIG = """
[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
[req]
distinguished_name = dn
x509_extensions = v3
[dn]
[v3]
extendedKeyUsage = critical, timeStamping
"""


class Authority:
    """A time-stamp authority of our own: openssl, with a certificate made for it."""

    def __init__(self, folder):
        folder.mkdir()
        self.key, self.cert, self.config = (folder / n for n in ("tsa.key", "tsa.pem", "cnf"))
        self.config.write_text(CONFIG.format(folder=folder))
        request = (
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-nodes",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            "/CN=our clock",
        )
        self._openssl(*request, "-config", self.config, "-keyout", self.key, "-out", self.cert)

    def answer(self, query):
        told = ("ts", "-reply", "-config", self.config, "-signer", self.cert, "-inkey", self.key)
        path = self.config.with_name("query")
        path.write_bytes(query)
        return self._openssl(*told, "-queryfile", path)

    def query(self, data, *how):
        return self._openssl("ts", "-query", "-data", data, *how)

    def _openssl(self, *arguments):
        command = ["openssl", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True).stdout


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture
def bundle(tmp_path):
    return sealed(tmp_path) / "bundle.zip"


@pytest.fixture
def online(authority):
    """The authority's address; `online.reply` is what it does with a request."""

    class Online(Handler):
        def answer(self):
            query = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = self.server.reply(query)
            return status, {}, body

    with running(Server(Online)) as server:
        server.reply = lambda query: (200, authority.answer(query))
        server.url = f"http://127.0.0.1:{server.server_port}/tsr"
        yield server


def test_stamp_carried_by_hand_is_checked_against_the_authority(
    bundle, authority, tmp_path, capsys
):
    assert tools(["timestamp", str(bundle)]) == 0
    query = companion(bundle, ".tsq")
    (tmp_path / "answer").write_bytes(authority.answer(query.read_bytes()))
    assert tools(["timestamp", str(bundle), "--tsr", str(tmp_path / "answer")]) == 0
    assert not query.exists()
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == 0
    assert "says the authority of --tsa-cert" in said(capsys)
    assert verify([str(bundle), "--unsigned"]) == 0
    assert "not checked: give --tsa-cert" in said(capsys)


def test_openssl_agrees_that_the_stamp_holds(bundle, authority):
    answer = companion(bundle, ".tsr")
    answer.write_bytes(authority.answer(timestamp.request(bundle)))
    command = ["openssl", "ts", "-verify", "-data", bundle, "-in", answer]
    done = subprocess.run([*command, "-CAfile", authority.cert], capture_output=True, check=False)
    assert b"Verification: OK" in done.stdout + done.stderr


def test_stamp_of_another_authority_or_of_another_bundle_does_not_hold(bundle, authority, tmp_path):
    other = Authority(tmp_path / "other")
    answer = authority.answer(timestamp.request(bundle))
    with pytest.raises(Tampered):
        timestamp.verify(answer, bundle, timestamp.authorities(other.cert))
    changed = tmp_path / "changed.zip"
    changed.write_bytes(bundle.read_bytes() + b" ")
    with pytest.raises(Tampered):
        timestamp.verify(answer, changed, timestamp.authorities(authority.cert))
    with pytest.raises(Tampered, match="for another file"):
        timestamp.accept(answer, changed)


def test_missing_stamp_fails_if_one_is_required(bundle, authority, capsys):
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == 1
    told = said(capsys)
    assert "bundle.zip.tsr is missing" in told
    assert "UNDECIDED. The bundle itself is consistent; it is not shown when it existed." in told


def test_a_stamp_of_another_authority_is_not_the_bundles_fault(bundle, authority, tmp_path, capsys):
    companion(bundle, ".tsr").write_bytes(authority.answer(timestamp.request(bundle)))
    other = Authority(tmp_path / "other")
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(other.cert)]) == 1
    assert "UNDECIDED." in said(capsys)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"0" * 5000, bytes(range(256)) * 8])
def test_answer_that_is_not_a_stamp_is_refused(bundle, answer):
    with pytest.raises(Tampered, match="the answer is not a time-stamp"):
        timestamp.accept(answer, bundle)


def test_refusal_of_the_authority_is_reported(bundle, authority):
    refusal = authority.answer(b"no request")
    with pytest.raises(Tampered, match=r"^the authority refused: \w+ \w+"):
        timestamp.accept(refusal, bundle)
    without_words = bytes.fromhex("30053003020102")
    with pytest.raises(Tampered, match=r"^the authority refused: status 2$"):
        timestamp.accept(without_words, bundle)


def test_authority_online_stamps_as_the_bundle_is_sealed(bundle, online, authority):
    made = Sealer(None, online.url).seal(bundle.parent, sample_run.run(), lambda _: True)
    assert (made.trouble, made.request) == (None, None)
    assert made.stamped is not None
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == 0


def test_authority_online_stamps_a_bundle_that_was_sealed_before(bundle, online, authority, capsys):
    assert tools(["timestamp", str(bundle), f"--tsa={online.url}"]) == 0
    assert said(capsys).startswith(f"{companion(bundle, '.tsr')}: ")
    assert not companion(bundle, ".tsq").exists()
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == 0


@pytest.mark.parametrize("reply", [(500, b""), (200, b"<html>"), (200, "of another file")])
def test_authority_that_does_not_stamp_costs_the_stamp_and_nothing_else(
    bundle, online, authority, reply
):
    status, body = reply
    other = authority.answer(timestamp.request(bundle.parent / "junit.xml"))
    online.reply = lambda query: (status, other if body == "of another file" else body)
    made = Sealer(None, online.url).seal(bundle.parent, sample_run.run(), lambda _: True)
    assert "time-stamp" in made.trouble
    assert f"carry {made.request} to an authority" in made.trouble
    assert made.request.is_file()
    assert not companion(bundle, ".tsr").exists()
    assert verify([str(bundle), "--unsigned"]) == 0


def test_authority_that_cannot_be_reached_is_reported(bundle):
    with pytest.raises(
        ReportError, match=r"^no time-stamp from 127\.0\.0\.1: it cannot be reached; check --tsa$"
    ):
        timestamp.ask("http://127.0.0.1:1/", b"")


def test_an_answer_without_end_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(timestamp, "_PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                for _ in range(50):
                    connection.sendall(b"0")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(ReportError, match=r"no whole answer within 0\.5 s; check --tsa$"):
            timestamp.ask(f"http://127.0.0.1:{server.getsockname()[1]}/", b"")


def test_of_a_large_answer_the_beginning_is_read(online):
    online.reply = lambda _: (200, b"0" * (8 << 20))
    assert len(timestamp.ask(online.url, b"")) < 2 << 20


@pytest.mark.parametrize("status", [401, 500])
def test_the_password_in_an_authoritys_address_is_not_printed(online, status):
    online.reply = lambda _: (status, b"")
    address = online.url.replace("://", "://user:hunter2@") + "?token=hunter2"
    for given in (address, "http://user:hunter2@[", "http://user:hunter2@127.0.0.1:x/"):
        with pytest.raises(ReportError) as caught:
            timestamp.ask(given, b"")
        assert "hunter2" not in str(caught.value)


def test_an_earlier_stamp_is_not_replaced(bundle, online, authority, tmp_path, capsys):
    """It proves more than a later one, and no authority gives it again."""
    stamp = companion(bundle, ".tsr")
    first = authority.answer(timestamp.request(bundle))
    second = authority.answer(timestamp.request(bundle))
    assert first != second
    stamp.write_bytes(first)
    (tmp_path / "answer").write_bytes(second)
    assert tools(["timestamp", str(bundle), f"--tsr={tmp_path / 'answer'}"]) == 3
    said_here = " ".join(capsys.readouterr().err.split())
    assert f"{stamp} is a time-stamp of this bundle, of " in said_here
    assert "keep that file elsewhere" in said_here
    online.reply = lambda query: pytest.fail("the authority was asked")
    for tsa in (online.url, "file"):
        assert tools(["timestamp", str(bundle), f"--tsa={tsa}"]) == 0
        assert "says the authority that stamped it" in capsys.readouterr().out
        made = Sealer(None, tsa).seal(bundle.parent, sample_run.run(), lambda _: True)
        assert (made.trouble, made.request) == (None, None)
        assert made.stamped == timestamp.accept(first, bundle)
    assert stamp.read_bytes() == first
    assert tools(["timestamp", str(bundle), f"--tsr={stamp}"]) == 0
    stamp.write_bytes(b"not a stamp of it")
    assert tools(["timestamp", str(bundle), f"--tsr={tmp_path / 'answer'}"]) == 0
    assert stamp.read_bytes() == second


def test_only_a_bundle_is_stamped(tmp_path, capsys):
    for name, data in (("deep.json", b"[" * 99), ("empty.zip", b"PK\5\6" + bytes(18))):
        (tmp_path / name).write_bytes(data)
        assert tools(["timestamp", str(tmp_path / name), "--tsa=file"]) == 3
        assert "give a bundle.zip" in capsys.readouterr().err
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".zip"}


@pytest.mark.parametrize("form", ["huge", "empty", "cut", "a web page", "request", "refusal"])
def test_a_stamp_that_cannot_be_read_is_not_the_bundles_fault(bundle, authority, capsys, form):
    query = timestamp.request(bundle)
    forms = {
        "huge": bytes((8 << 20) + 1),
        "empty": b"",
        "cut": authority.answer(query)[:-40],
        "a web page": b"<html>503 Service Unavailable</html>",
        "request": query,
        "refusal": authority.answer(b"no request"),
    }
    companion(bundle, ".tsr").write_bytes(forms[form])
    assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == 1
    assert "UNDECIDED." in said(capsys)


@pytest.mark.parametrize("kind", ["-sha256", "-sha512"])
def test_a_stamp_of_another_file_is_tampering(bundle, authority, capsys, kind):
    for data, code in ((bundle, 0), (authority.cert, 1)):
        answer = authority.answer(authority.query(data, kind, "-cert"))
        companion(bundle, ".tsr").write_bytes(answer)
        assert verify([str(bundle), "--unsigned", "--tsa-cert", str(authority.cert)]) == code
        assert ("TAMPERED" in said(capsys)) is bool(code)


def test_by_hand_means_a_request_next_to_the_bundle(bundle):
    made = Sealer(None, BY_FILE).seal(bundle.parent, sample_run.run(), lambda _: True)
    assert made.request == companion(bundle, ".tsq")
    assert made.trouble is None


def test_file_without_a_certificate_is_refused(tmp_path):
    with pytest.raises(BadKey, match="No such file"):
        timestamp.authorities(tmp_path / "none")
    (tmp_path / "bad").write_text("hello")
    with pytest.raises(BadKey, match="no certificate in PEM form"):
        timestamp.authorities(tmp_path / "bad")


def test_sealing_anew_keeps_a_valid_stamp_and_reports_a_lost_one(
    bundle, authority, tmp_path, capsys
):
    key(tmp_path)
    answer = companion(bundle, ".tsr")
    answer.write_bytes(authority.answer(timestamp.request(bundle)))
    assert tools(["seal", str(bundle.parent)]) == 0
    assert answer.is_file()
    assert tools(["seal", str(bundle.parent), "--signing-key", str(tmp_path / "drill.key")]) == 0
    assert not answer.exists()
    assert "time-stamp was for the earlier bundle" in said(capsys)
    assert tools(["seal", str(bundle.parent)]) == 3
    assert "is signed; give --signing-key" in capsys.readouterr().err
