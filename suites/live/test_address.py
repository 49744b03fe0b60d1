"""The public address is HTTPS: certificate, redirect, HSTS, and cookies that stay encrypted."""

import pytest

from drillbook.core.errors import NotGiven
from drillbook.live import https

pytestmark = pytest.mark.control("SEC-2")


def test_certificate_is_trusted_and_renewed(instance, record, findings, step):
    with step("shake hands as a browser does"):
        record.note(f"{instance.address}: {instance.certificate}")
        assert instance.address.secure

    with step("its chain, its name and its dates hold, and it was renewed in time"):
        assert findings(https.certificate_faults(instance.certificate)) == []


def test_nothing_is_served_without_encryption(instance, findings, step):
    with step("ask the plain address for the health report"):
        assert findings(https.plain_http_faults(instance.plain)) == []


def test_browsers_are_told_to_stay_with_https(instance, findings, step):
    with step("look for Strict-Transport-Security, kept for half a year at least"):
        assert findings(https.hsts_faults([instance.public.status()])) == []


def test_cookies_are_secure(instance, record, observe, findings, step):
    with step("look at every cookie that is set before a log-in"):
        cookies = [cookie for page in instance.pages for cookie in page.cookies]
        record.note(f"{len(cookies)} cookies on {len(instance.pages)} pages")
        assert findings(https.insecure_cookies(cookies)) == []

    with step("look at the setting by which the product makes its session cookie Secure"):
        if not cookies and instance.parts is None:
            raise NotGiven("no page sets a cookie before a log-in, and DOCKER was not given")
        insecure = findings(https.session_cookie_setting(instance.variables_seen))
        if insecure:
            observe("session_cookie_insecure")
        assert insecure == []
