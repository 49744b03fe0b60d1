"""The public address is HTTPS: certificate, redirect, HSTS and secure cookies."""

import pytest

from drillbook.core.errors import NotGiven
from drillbook.live import https

pytestmark = pytest.mark.control("SEC-2")


def test_certificate_is_trusted_and_renewed(instance, record, findings, step):
    with step("perform a TLS handshake as a browser does"):
        record.note(f"{instance.address}: {instance.certificate}")
        assert instance.address.secure

    with step("its chain, name and dates are valid, and it was renewed in time"):
        assert findings(https.certificate_faults(instance.certificate)) == []


def test_nothing_is_served_without_encryption(instance, findings, step):
    with step("request the health report over plain HTTP"):
        assert findings(https.plain_http_faults(instance.plain)) == []


def test_browsers_are_required_to_use_https(instance, findings, step):
    with step("check for Strict-Transport-Security with an age of at least half a year"):
        assert findings(https.hsts_faults([instance.public.status()])) == []


def test_cookies_are_secure(instance, record, observe, findings, step):
    with step("check every cookie that is set before a log-in"):
        cookies = [cookie for page in instance.pages for cookie in page.cookies]
        record.note(f"{len(cookies)} cookies on {len(instance.pages)} pages")
        assert findings(https.insecure_cookies(cookies)) == []

    with step("check the setting that makes the session cookie Secure"):
        variables = instance.variables
        if variables is None:
            raise NotGiven(
                "the session cookie is set at a log-in; give --docker to see its setting"
            )
        insecure = findings(https.session_cookie_setting(variables))
        if insecure:
            observe("session_cookie_insecure")
        assert insecure == []
