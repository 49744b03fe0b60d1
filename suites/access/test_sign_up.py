"""If sign-up is closed, the public configuration says so, and a stranger is refused."""

import secrets

import pytest

from drillbook.infisical import mails


@pytest.mark.control("SEC-9")
def test_closed_sign_up_refuses_a_stranger(deployment, record, observe, step):
    with step("close sign-up; without a log-in, the configuration says that it is closed"):
        deployment.owner.allow_sign_up(False)
        assert deployment.public.settings()["allowSignUp"] is False

    with step("a stranger signs up, and is refused"):
        http, email = deployment.public.http, f"stranger-{secrets.token_hex(4)}@example.com"
        asked = [path for path, _ in mails.SIGN_UP.routes]
        answers = [http.ask("POST", path, json={"email": email}).status for path in asked]
        record.note(f"answers to a stranger's sign-up: {answers}")
        if set(answers) == {404}:
            observe("no_route_for_mails")
        assert [status for status in answers if status not in (400, 401, 403, 404, 429)] == []

    with step("no account was made for that address"):
        found = deployment.stack.sql(f"SELECT count(*) FROM users WHERE email = '{email}'")
        assert found == [(0,)]
