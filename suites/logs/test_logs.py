"""Logs show failed log-ins, and never contain a value, key or password."""

import secrets
from dataclasses import replace

import pytest

from drillbook.infisical import mails
from drillbook.infisical.client import MACHINE_LOG_IN
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.infisical.http import Refused, Unauthorized
from drillbook.preflight.exposure import cache_needs_password, no_mail_server, password_breaks_url
from drillbook.runbook import procedures
from drillbook.stack.base import SERVICES
from fixtures.data.golden import MARKER
from fixtures.data.plaintext_search import Search
from fixtures.faults import temporary_faults
from fixtures.oracle import credentials
from fixtures.probes import observations

# Without host and user, no release looks at the password of a mail server.
MAIL = {
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": "9",
    "SMTP_USERNAME": "bookkeeping",
    "SMTP_FROM_ADDRESS": "a@example.com",
}


@pytest.mark.control("SEC-4")
def test_failed_login_and_bad_token_are_in_the_log(deployment, observe, step):
    golden, mark = deployment.golden, deployment.log_mark()
    with step("log a temporary machine in with a wrong secret; it is refused"):
        # Releases of 2026 lock a machine out after three wrong secrets.
        owner, organization = deployment.owner, golden.admin.organization
        machine = owner.create_machine(organization, golden.project, "throw-away")
        with pytest.raises(Refused) as refusal:
            deployment.public.login(replace(machine, client_secret=openssl_rand_hex(32)))
        assert isinstance(refusal.value, Unauthorized)

    with step("request secrets with a token whose signature is wrong; it is refused"):
        login = observations.is_noticed_in_log(deployment, mark, MACHINE_LOG_IN)
        mark = deployment.log_mark()
        assert not deployment.accepts(golden.token[:-8] + "AAAAAAAA")

    with step("the log has a warning about each"):
        secrets_path = deployment.public.routes.secrets
        token = observations.is_noticed_in_log(deployment, mark, secrets_path)
        observe("failures_in_log" if login and token else "failures_not_in_log")
        assert login
        assert token


@pytest.mark.control("SEC-5")
def test_no_log_holds_a_secret(deployment, record, step):
    written = f"opening balance {secrets.token_urlsafe(24)}"
    wrong = {
        "ENCRYPTION_KEY": openssl_rand_hex(16),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(32),
        "SMTP_PASSWORD": secrets.token_urlsafe(32),
    }
    record.secret("WRITTEN", written)
    with step("read, write, and fail to log in, as on an ordinary day"):
        assert deployment.inventory().values
        deployment.mark(written)
        assert not deployment.accepts(deployment.golden.token[:-8] + "AAAAAAAA")
        assert deployment.machine_can_log_in()

    with step("send it again in JSON that is broken by a line end, and by a quotation mark"):
        http, routes = deployment.service.http, deployment.public.routes
        for sign in ("\n", '" '):
            broken = f'{{"secretValue": "{written}{sign}"}}'
            headers = {"Content-Type": "application/json"}
            http.ask("PATCH", f"{routes.secrets}/{MARKER}", content=broken, headers=headers)

    with step("send the machine's token after another word than Bearer, and with a stray sign"):
        for form in ("bearer {}", "Token {}", 'Bearer "{}"', "Bearer {},"):
            headers = {"Authorization": form.format(deployment.golden.token)}
            deployment.public.http.ask("GET", f"{routes.secrets}/{MARKER}", headers=headers)

    with step("set the database role's password to its current one, as in a rotation"):
        password = deployment.golden_settings["POSTGRES_PASSWORD"]
        procedures.alter_password(deployment.stack, password)

    for name, value in wrong.items():
        with step(f"redeploy with another {name}, and with a mail server that refuses"):
            settings = deployment.golden_settings.but(**MAIL, **{name: value})
            deployment.redeploy(settings)

    with step("no service's log holds any known secret, in any encoding"):
        search = Search(known(deployment, wrong) | {"written": written})
        logs = [deployment.stack.logs(service).encode() for service in SERVICES]
        assert search.find(logs) == []


@pytest.mark.control("SEC-5")
def test_a_refused_request_prints_no_secret(deployment, record, step):
    ended, mark = deployment.dead_credentials, deployment.log_mark()
    with step("log in with each credential that is over; it is refused"):
        let_in = [one for one in ended if credentials.can_log_in(deployment.public, ended[one])]
        assert let_in == []

    with step("send a value in writes that are refused, singly and in batches"):
        written = f"closing balance {secrets.token_urlsafe(24)}"
        record.secret("WRITTEN", written)
        observations.write_where_refused(deployment, written)

    with step("the backend's log holds no client secret of them, and not the value"):
        refused = {f"one that is {one}": ended[one].client_secret for one in ended}
        printed = observations.whole_log_since(deployment, mark).encode()
        assert Search({**refused, "written": written}).find([printed]) == []


@pytest.mark.control("SEC-10")
@pytest.mark.golden("stopped")
def test_a_password_that_breaks_the_address_is_not_printed(
    deployment, exposure, record, observe, step
):
    exposure(password_breaks_url)
    halves = [secrets.token_urlsafe(16) for _ in range(2)]
    broken = "/".join(halves)
    record.secret("BROKEN_PASSWORD", broken)
    with step("start with an unencoded password that makes the connection string an invalid URL"):
        start = deployment.change(POSTGRES_PASSWORD=broken, POSTGRES_PASSWORD_ENCODED=broken)

    with step("the output of that start holds no part of it"):
        names = ("first half of POSTGRES_PASSWORD", "second half of POSTGRES_PASSWORD")
        found = Search(dict(zip(names, halves, strict=True))).find([start.log.encode()])
        if found:
            observe("database_password_printed")
        assert not found, "; ".join(f"the log of backend holds {name}" for name in found)


@pytest.mark.control("SEC-11")
@pytest.mark.golden("stopped")
def test_a_password_that_the_cache_refuses_is_not_printed(
    deployment, exposure, record, observe, step
):
    exposure(cache_needs_password)
    stack, refused, own = deployment.stack, *(secrets.token_urlsafe(24) for _ in range(2))
    record.secret("REFUSED_CACHE_PASSWORD", refused)
    record.secret("CACHE_PASSWORD", own)
    with (
        step("give the cache a password, and start with another one in REDIS_URL"),
        temporary_faults.under_password(stack, own),
        temporary_faults.cache_password_on_redeploy(stack, refused),
    ):
        start = deployment.redeploy(deployment.golden_settings)

    with step("the output of that start does not hold it"):
        found = Search({"the refused REDIS_PASSWORD": refused}).find([start.log.encode()])
        if found:
            observe("cache_password_printed")
        assert not found, "; ".join(f"the log of backend holds {name}" for name in found)


@pytest.mark.control("SEC-12")
@pytest.mark.parametrize("mailed", [mails.SIGN_UP, mails.RESET], ids=lambda one: one.name)
def test_without_a_mail_server_no_mail_is_printed(
    deployment, exposure, record, observe, step, mailed
):
    exposure(no_mail_server)
    email, http = deployment.golden.admin.email, deployment.public.http
    if mailed is mails.SIGN_UP:
        email = f"newcomer-{secrets.token_hex(4)}@example.com"
        deployment.owner.allow_sign_up(True)
    with step(f"without a mail server, request a {mailed.name}"):
        assert "SMTP_HOST" not in deployment.stack.settings
        mark = deployment.log_mark()
        tried = mailed.request(http, email)

    with step("the log holds none that gives access to the account"):
        codes = observations.wait_for_codes(deployment, mark, mailed, email)
        for code in codes:
            record.secret("MAILED_CODE", code)
        # Counted, because the message of a failed assertion would show the codes.
        opening = sum(mails.opens(http, tried, email, code) for code in codes)
        if opening:
            observe("mails_printed")
        assert opening == 0


def known(deployment, wrong):
    golden = deployment.golden
    return {
        **golden.canaries,
        **deployment.golden_settings.sensitive(),
        **{f"wrong {name}": value for name, value in wrong.items()},
        "machine's token": golden.token,
        "machine's client secret": golden.machine.client_secret,
        "administrator's token": golden.admin.token,
    }
