"""The reference backend has optional features only when they are requested by name."""

import pytest

from drillbook.core.errors import BadInput
from drillbook.infisical import mails
from drillbook.infisical.crypto import label
from fixtures.reference.modes import VARIABLE, feature_variables, switch_on
from tests.support.backends import Backend, die, running

pytestmark = pytest.mark.slow

ROUTE = "/api/v1/admin/encryption/root-key/rotations"


@pytest.fixture(scope="module")
def services():
    with running() as made:
        yield made


@pytest.fixture
def start(services):
    """Starts a backend on this test's own database, with features or without."""
    database = services.copy()

    def begin(features="rotation", **changes):
        return Backend(services, database, offers=features, **changes)

    return begin


def staged(backend, services, **body):
    return backend.ask("POST", ROUTE, body, services.golden.admin)


def test_features_are_for_the_reference_backend():
    assert feature_variables("", rehearsal=False) == {}
    assert feature_variables("audit,rotation", rehearsal=True) == {VARIABLE: "audit,rotation"}
    with pytest.raises(BadInput, match="leave it out with a real image"):
        feature_variables("audit", rehearsal=False)


def test_an_unknown_feature_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="no 'time-travel'; it can offer audit, printed-address, "):
        feature_variables("audit,time-travel", rehearsal=True)
    with pytest.raises(LookupError):
        switch_on(None, "time-travel")


def test_an_address_that_is_no_url_is_printed_where_a_release_does(services):
    uri = "postgres://infisical:half/of/it@127.0.0.1:5432/infisical"
    code, quiet = die(services, "golden", DB_CONNECTION_URI=uri)
    assert (code, "Invalid URL" in quiet, "half" in quiet) == (1, True, False)
    offer = {VARIABLE: "printed-address"}
    code, printed = die(services, "golden", DB_CONNECTION_URI=uri, **offer)
    assert code == 1
    assert f'"code":"ERR_INVALID_URL","input":"{uri}"' in printed
    uri = "postgres://infisical:%ff@127.0.0.1:5432/infisical"
    code, printed = die(services, "golden", DB_CONNECTION_URI=uri, **offer)
    assert (code, "URI malformed" in printed, "%ff" in printed) == (1, True, False)


@pytest.mark.parametrize("kind", [mails.SIGN_UP, mails.RESET], ids=lambda one: one.name)
def test_a_mail_without_a_server_is_printed_where_a_release_does(start, kind):
    email, (asked, tried) = "owner@example.com", kind.routes[0]
    for features, server, count in (("", None, 0), ("printed-mails", "a", 0)):
        with start(features, SMTP_HOST=server) as backend:
            assert backend.ask("POST", asked, {"email": email}).status == 200
            assert len(kind.find_codes(backend.journal.text, email)) == count
    with start("printed-mails") as backend:
        assert backend.ask("POST", asked, {"email": email}).status == 200
        (code,) = kind.find_codes(backend.journal.text, email)
        assert kind.find_codes(backend.journal.text, "another@example.com") == []
        for said, status in ((f"{code[:-1]}x", 400), (code, 200)):
            answer = backend.ask("POST", tried, {"email": email, "code": said})
            assert answer.status == status


def test_who_may_not_sign_up_gets_no_mail(start, services):
    with start("printed-mails") as backend:
        closed = {"allowSignUp": False}
        backend.ask("PATCH", "/api/v1/admin/config", closed, services.golden.admin)
        answer = backend.ask("POST", mails.SIGN_UP.routes[0][0], {"email": "new@example.com"})
        assert (answer.status, answer.body["message"]) == (403, "Signup's are disabled")


def test_without_the_feature_there_is_no_route(start, services):
    with start("") as backend:
        assert staged(backend, services).status == 404


def test_a_key_is_staged_once_and_replaced_on_request(start, services):
    with start() as backend:
        first, refused = staged(backend, services), staged(backend, services)
        second = staged(backend, services, replaceStaged=True)
    assert first.body["label"] == label(first.body["key"])
    assert (refused.status, second.status) == (400, 200)
    assert "already staged" in refused.body["message"]
    with start(ENCRYPTION_KEY=first.body["key"]) as backend:
        assert backend.code == 1
    with start(ENCRYPTION_KEY=second.body["key"]) as backend:
        assert "Promoted staged encryption key rotation" in backend.journal.text


def test_only_an_administrator_stages(start, services):
    with start() as backend:
        assert backend.ask("POST", ROUTE, {}, services.golden.token).status == 403


def rotated(start, services, key, times=1):
    """Stage a key and start with it, `times` times; return the keys in order, the newest last."""
    keys = [key]
    for _ in range(times):
        with start(ENCRYPTION_KEY=keys[-1]) as backend:
            fresh = staged(backend, services).body["key"]
        with start(ENCRYPTION_KEY=fresh) as backend:
            assert backend.code is None
        keys.append(fresh)
    return keys


def test_a_second_rotation_ends_the_window_of_the_first(start, services):
    keys = rotated(start, services, services.settings["ENCRYPTION_KEY"], times=2)
    for key, code in zip(keys, (1, None, None), strict=True):
        with start(ENCRYPTION_KEY=key) as backend:
            assert backend.code == code
    with start(ENCRYPTION_KEY=keys[0]) as backend:
        known = ", ".join(label(key) for key in reversed(keys))
        assert f"encryption key label(s): {known}." in backend.journal.text


def test_the_window_ends_when_the_old_key_is_removed(start, services):
    old, new = rotated(start, services, services.settings["ENCRYPTION_KEY"])
    with start() as backend:
        assert "started on a superseded encryption key" in backend.journal.text
    with start(ENCRYPTION_KEY=new) as backend:
        warned = staged(backend, services).body["removesExpiringKey"]
        assert warned["label"] == label(old)
        admin = services.golden.admin
        asked = [
            ("staged", "another", {}, 409),
            ("expiring", "another", {}, 409),
            ("expiring", label(old), {}, 400),
            ("expiring", label(old), {"force": "true"}, 204),
            ("expiring", label(old), {}, 404),
        ]
        for which, named, words, status in asked:
            path = ROUTE.replace("rotations", f"{which}/{named}")
            assert backend.ask("DELETE", path, None, admin, **words).status == status
    with start() as backend:
        assert backend.code == 1
    with start("", ENCRYPTION_KEY=new) as backend:
        assert backend.code is None, "a release of before finds the active key's row"


def test_a_licence_keeps_who_read_what(start, services):
    golden, asked = services.golden, "/api/v1/organization/audit-logs"
    seen = {}
    for features in ("", "audit"):
        with start(features) as backend:
            backend.ask("GET", "/api/v4/secrets/PLAIN", None, golden.token, **golden.at)
            plan = backend.ask(
                "GET", f"/api/v1/organizations/{golden.org}/plan", None, golden.admin
            )
            events = backend.ask("GET", asked, None, golden.admin).body["auditLogs"]
            seen[plan.body["plan"]["auditLogs"]] = [one["event"] for one in events]
    assert seen[False] == []
    assert [one["metadata"]["secretKey"] for one in seen[True]] == ["PLAIN"]
