"""If sign-up is closed or open to one domain, the configuration says so; others are refused."""

import secrets

import pytest

from fixtures.oracle import credentials

pytestmark = pytest.mark.control("SEC-9")

DOMAIN = "example.com"
OTHERS = ("example.org", f"not-{DOMAIN}", f"{DOMAIN}.example.org", DOMAIN[1:])


def test_closed_sign_up_refuses_a_stranger(deployment, step):
    with step("close sign-up; without a log-in, the configuration says that it is closed"):
        deployment.owner.allow_sign_up(False)
        assert deployment.setting("allowSignUp") is False

    with step("name a domain, and close it again: neither setting changes the other"):
        deployment.owner.change_settings({"allowedSignUpDomain": DOMAIN})
        assert deployment.setting("allowSignUp") is False
        deployment.owner.allow_sign_up(False)
        assert deployment.setting("allowedSignUpDomain") == DOMAIN

    with step("a stranger signs up, and is refused; no account is made for that address"):
        email = f"stranger-{secrets.token_hex(4)}@{DOMAIN}"
        answers = credentials.sign_up(deployment.public.http, [email])
        found = deployment.stack.sql(f"SELECT count(*) FROM users WHERE email = '{email}'")
        assert found == [(0,)]
        credentials.check_refusals(answers)


def test_sign_up_of_one_domain_refuses_others(deployment, step):
    with step("open sign-up to one domain; without a log-in, the configuration says so"):
        deployment.owner.change_settings({"allowSignUp": True, "allowedSignUpDomain": DOMAIN})
        assert deployment.setting("allowSignUp") is True
        assert deployment.setting("allowedSignUpDomain") == DOMAIN

    with step("strangers of other domains sign up, and are refused; no account is made for them"):
        name = f"stranger-{secrets.token_hex(4)}"
        answers = credentials.sign_up(deployment.public.http, [f"{name}@{one}" for one in OTHERS])
        found = deployment.stack.sql(f"SELECT count(*) FROM users WHERE email LIKE '{name}@%'")
        assert found == [(0,)]
        credentials.check_refusals(answers)
