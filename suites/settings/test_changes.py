"""After a change of settings documented as safe, the backend starts and every secret reads."""

import secrets

import pytest

from fixtures.oracle import credentials

SITES = [
    "http://localhost:8080",
    "https://vault.example.com/",
    "https://xn--bcher-kva.example:8443/secrets",
]
REFUSING = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "9", "SMTP_FROM_ADDRESS": "a@example.com"}
UNKNOWN = {"SMTP_HOST": "mail.invalid", "SMTP_PORT": "465", "SMTP_USERNAME": "bookkeeping"}


@pytest.mark.control("ENV-2")
@pytest.mark.golden("stopped")
def test_any_application_settings_leave_secrets_readable(deployment, explore, step):
    def reads(changes):
        assert deployment.change(**changes).serves
        assert deployment.differences(before) == ""

    with step("everything was read"):
        before = deployment.inventory_before_stop

    with step("redeploy with other settings, several times: each time everything reads"):
        explore(application_settings(deployment.stack.driver), reads)


def application_settings(driver):
    # Imported here: it takes a while to load.
    from hypothesis import strategies

    # The real product would send telemetry from a test stack.
    telemetry = ["true", "false"] if driver == "embedded" else ["false"]
    return strategies.fixed_dictionaries(
        {
            "SITE_URL": strategies.sampled_from(SITES),
            "INVITE_ONLY": strategies.sampled_from(["true", "false"]),
            "TELEMETRY_ENABLED": strategies.sampled_from(telemetry),
        }
    )


@pytest.mark.control("ENV-3")
def test_invite_only_closes_sign_up(deployment, observe, step):
    with step("open sign-up in the administration, redeploy with INVITE_ONLY=false"):
        deployment.owner.allow_sign_up(True)
        assert deployment.change(INVITE_ONLY="false").serves
        opened = deployment.flag("inviteOnlySignup")

    with step("redeploy with INVITE_ONLY=true"):
        assert deployment.change(INVITE_ONLY="true").serves
        closed = deployment.flag("inviteOnlySignup")

    with step("the health report differs between the two"):
        if opened == closed:
            observe("invite_only_ignored")
        assert opened != closed

    with step("a stranger who signs up while it is true is refused; no account is made"):
        email = f"stranger-{secrets.token_hex(4)}@example.com"
        answers = credentials.sign_up(deployment.public.http, [email])
        made = deployment.stack.sql(f"SELECT count(*) FROM users WHERE email = '{email}'")
        if made != [(0,)]:
            observe("invite_only_shown_alone")
        assert made == [(0,)]
        credentials.check_refusals(answers)
        observe("invite_only_obeyed")


@pytest.mark.control("ENV-4")
@pytest.mark.golden("stopped")
def test_mail_settings_may_change(deployment, observe, step):
    with step("redeploy with a mail server that refuses, then with one that does not exist"):
        before = deployment.inventory_before_stop
        refusing = deployment.change(**REFUSING)
        unknown = deployment.change(**UNKNOWN)

    with step("the backend started each time, reports mail as configured, and everything reads"):
        started = refusing.serves and unknown.serves
        if not started:
            observe("mail_server_stops_start")
        assert started
        assert deployment.flag("emailConfigured")
        assert deployment.differences(before) == ""
        observe("started_without_mail_server")

    with step("without mail settings the report says so"):
        assert deployment.redeploy(deployment.golden_settings).serves
        assert not deployment.flag("emailConfigured")
        assert deployment.differences(before) == ""
