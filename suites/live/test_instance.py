"""A running instance: its address, sign-up, health, tokens, keys, containers and newest backup."""

from datetime import UTC, datetime

import pytest

from drillbook.core.errors import NotGiven, StackTrouble, Unsupported
from drillbook.infisical import health_report
from drillbook.infisical.client import DAY_S, observation
from drillbook.infisical.http import refuse_limit
from drillbook.live import container_checks, https
from drillbook.live.instance import SIGN_UP, sign_up, untrue_flags
from drillbook.preflight import backupfile
from fixtures.data.plaintext_search import find_keys


@pytest.mark.control("SEC-2")
def test_certificate_is_trusted_and_renewed(instance, record, findings, step):
    with step("perform a TLS handshake as a browser does"):
        record.note(f"{instance.address}: {instance.certificate}")
        assert instance.address.secure

    with step("its chain, name and dates are valid, and it was renewed in time"):
        assert findings(https.certificate_faults(instance.certificate)) == []


@pytest.mark.control("SEC-2")
def test_nothing_is_served_without_encryption(instance, findings, step):
    with step("request the health report over plain HTTP"):
        assert findings(https.plain_http_faults(instance.plain, instance.address)) == []


@pytest.mark.control("SEC-2")
def test_browsers_are_required_to_use_https(instance, findings, step):
    with step("check for Strict-Transport-Security with an age of at least half a year"):
        assert findings(https.hsts_faults([instance.public.status()])) == []


@pytest.mark.control("SEC-2")
def test_cookies_are_secure(instance, record, observe, findings, step):
    with step("check every cookie that is set before a log-in"):
        cookies = [cookie for page in instance.pages for cookie in page.cookies]
        record.note(f"{len(cookies)} cookies on {len(instance.pages)} pages")
        assert findings(https.insecure_cookies(cookies)) == []

    with step("check the setting that makes the session cookie Secure"):
        variables = instance.variables
        if variables is None:
            instance.refuse_late_pages()
            raise NotGiven(
                "the session cookie is set at a log-in; give --docker to see its setting"
            )
        insecure = findings(https.session_cookie_setting(variables))
        if insecure:
            observe("session_cookie_insecure")
        assert insecure == []
        instance.refuse_late_pages()


@pytest.mark.control("SEC-9")
def test_running_instance_takes_no_stranger(instance, observe, record, step):
    with step("read, without a log-in, the public configuration"):
        config = instance.config
        if newer := instance.newer_release:
            record.note(newer)

    with step("it says that sign-up is closed, or open to one domain alone"):
        seen = sign_up(config)
        observe(seen)
        assert seen != "sign_up_open"


@pytest.mark.control("HLT-1")
def test_running_instance_reports_in_the_documented_form(instance, step):
    with step("request the health report over the public address"):
        public, sent = instance.public, datetime.now(UTC)
        answer = public.status()
        came = datetime.now(UTC)
        # The backend's own answers are JSON.
        refuse_limit("GET /api/status", answer)
        if answer.status in (401, 403) and health_report.report(answer) is None:
            raise StackTrouble(
                f"what stands in front of the backend answers {answer.status}, so the report was "
                "not read; let GET /api/status pass, or give an address behind it"
            )
        assert answer.status == 200
        assert answer.content_type.startswith("application/json")

    with step("it has the documented fields with the documented types"):
        report = health_report.report(answer)
        assert health_report.departures(report) == []

    with step("its date is current, and its message is Ok"):
        health_report.prove_clock(answer, sent, came)
        assert health_report.age_s(report, sent) < 5
        assert health_report.age_s(report, came) > -5
        assert report["message"] == "Ok"


@pytest.mark.control("HLT-2")
def test_flags_agree_with_what_else_can_be_seen(instance, observe, step):
    with step("read the flags, the public configuration, and the variables if the engine is given"):
        answer = refuse_limit("GET /api/status", instance.public.status())
        report = health_report.report(answer)
        if answer.status != 200 or not isinstance(report, dict):
            raise StackTrouble(f"GET /api/status answered {answer.status}, so it shows no flags")
        known = instance.expected_flags()

    with step("each flag agrees with the setting it is named after"):
        untrue = untrue_flags(report, known)
        observe(WORDS.get(tuple(untrue), "flag_untrue"))
        assert untrue == []


WORDS = {(): "flags_agree", (SIGN_UP,): "signup_flag_inverted"}


@pytest.mark.control("SEC-3")
def test_tokens_of_a_running_instance_live_for_hours(instance, record, observe, step):
    with step("list every machine identity with the longest lifetime of its tokens"):
        stated = instance.lifetimes()
        record.note("; ".join(map(str, stated)) or "the credential sees no machine identity")

    with step("read the lifetime from the credential's own token"):
        issued = instance.token_lifetime_s()
        record.note(f"issued for {issued / 3600:g} h" if issued else "issued without an end")

    with step("none lives for a day or longer"):
        lasting = {one.identity for one in stated if one.in_days}
        if not stated and issued is not None and issued < DAY_S:
            raise Unsupported(
                "the credential sees no machine identity, so only its own token was judged; if "
                "there are others, give the credential of an administrator"
            )
        observe(observation(lasting, issued))
        assert lasting == set()
        assert issued is not None
        assert issued < DAY_S


@pytest.mark.control("KEY-10")
def test_running_instance_does_not_hold_its_own_keys(instance, record, findings, step):
    with step("read every secret the credential may see"):
        keys = instance.keys
        seen = list(instance.secrets())
        record.note(f"{len(seen)} secrets compared with {len(keys)} keys")
        if not seen:
            raise Unsupported("the credential sees no secret, so nothing was compared")

    with step("compare each with every key, by label and inside longer values"):
        assert findings(find_keys(seen, keys)) == []


@pytest.mark.control("DEP-1")
def test_running_servers_are_of_the_documented_versions(instance, observe, record, step):
    with step("read the versions that database and cache logged when they started"):
        parts = {role: instance.part(role) for role in ("db", "redis")}
        database, cache = (
            container_checks.version(role, part, instance.engine) for role, part in parts.items()
        )
        record.note(f"PostgreSQL {database}, Redis {cache}")

    with step("PostgreSQL says 14, Redis says 7"):
        found = (database.split(".")[0], cache.split(".")[0])
        observe("components_as_documented" if found == ("14", "7") else "components_differ")
        assert found == ("14", "7")


@pytest.mark.control("DEP-1")
def test_running_backend_is_set_to_the_documented_port(instance, observe, step):
    with step("read which port the backend's container is configured to listen on"):
        ports = container_checks.listening(instance.part("backend"))
        observe("components_as_documented" if 8080 in ports else "components_differ")
        assert 8080 in ports


@pytest.mark.control("DEP-3")
def test_running_database_and_cache_are_published_nowhere(instance, findings, step):
    with step("check every port binding, IPv4 and IPv6, and every network"):
        instance.part("db"), instance.part("redis")
        assert findings(container_checks.find_exposure(instance.containers, instance.engine)) == []


@pytest.mark.control("DEP-4")
def test_running_cache_keeps_the_jobs_of_the_queue(instance, findings, step):
    with step("read the command that started the cache, and where its data is stored"):
        assert findings(container_checks.find_lost_jobs(instance.part("redis"))) == []


@pytest.mark.control("DEP-5")
def test_documented_patterns_find_the_running_containers(instance, observe, findings, step):
    with step("apply the documented patterns to the names of the containers"):
        unfound = findings(container_checks.unfound(instance.containers))
        observe("names_lack_the_word" if unfound else "names_match_patterns")
        if unfound:
            observe("wipe_selects_by_a_word")
        assert unfound == []


@pytest.mark.control("BKP-5")
def test_newest_backup_of_the_instance_is_fresh_and_whole(live_backup, findings, step):
    with step("check its age, and whether it is whole"):
        assert findings(backupfile.find_damage(live_backup)) == []

    with step("its own content proves that it is at most 24 hours old"):
        backupfile.prove_fresh(live_backup)


@pytest.mark.control("BKP-5")
def test_newest_backup_opens_with_the_deployed_key(live_backup, instance, findings, step):
    with step("open its root key with the key of the running backend"):
        key = instance.root_key
        assert findings(backupfile.find_other_instance(live_backup, key)) == []
