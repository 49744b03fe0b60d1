"""Restored into an isolated stack with these keys, the backup starts, reads, restarts, writes."""

from datetime import UTC, datetime

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill import drill_report
from drillbook.infisical import health_report
from drillbook.stack.base import SERVICES
from drillbook.stack.waiting import Watch
from fixtures.data.plaintext_search import Search

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(18_000)]


@pytest.mark.control("DRL-2")
def test_every_row_comes_back(drill, record, step):
    with step("start an empty database and cache, alone, without a route to the outside"):
        assert drill.prepare().ways_out() == []
        drill_report.stack(drill, record)

    with step("restore the backup as an unprivileged role"):
        assert drill.restore().trouble == ""

    with step("every table has as many rows as in the backup"):
        assert drill.restore().miscounted == {}
        drill_report.report_restore(drill, record)


@pytest.mark.control("DRL-2", "BKP-6")
def test_it_starts_reads_starts_again_and_writes(drill, record, observe, step):
    with step("start it with these keys; AUTH_SECRET and password are new, the cache is empty"):
        assert drill.bring_up().serves
        assert drill.stack.ways_out() == []

    with step("every secret is there, opens, and has the value of the backup"):
        found = drill.compare_first()
        observe(found.observation)
        assert found.faults == []
        drill_report.times(drill, record)

    with step("start it again: it serves, and every secret is still there"):
        assert drill.restart().serves
        assert drill.compare().faults == []

    with step("no start has changed names, folders, imports, tags, roles, limits or settings"):
        assert drill.changed_by_starts() == []

    with step("write a new secret, change it, read it back, delete it"):
        written = drill.write_probe()
        observe("written_through_api" if written == "written" else "not_written")
        assert written in ("written", "not taken")
        assert drill.compare().kept.amiss == []

    with step("all of this is about every secret of the backup"):
        values = drill.try_keys().values
        if shut := len(values.unopened):
            raise StackTrouble(
                f"{shut} of the secrets of the backup stay shut under these keys (DRL-1), so their "
                "values were not compared"
            )
        drill.refuse_empty()


@pytest.mark.control("HLT-1")
def test_its_health_report_has_the_documented_form(drill, step):
    with step("ask the copy for its health report: it answers 200, and in JSON"):
        assert drill.start().serves
        sent = datetime.now(UTC)
        answer = drill.log_in().public.status()
        came = datetime.now(UTC)
        assert answer.status == 200
        assert answer.content_type.startswith("application/json")
        health_report.prove_clock(answer, sent, came)

    with step("it has the documented fields with the documented types, and the current date"):
        report = health_report.report(answer)
        assert health_report.departures(report) == []
        assert health_report.age_s(report, sent) < 5
        assert health_report.age_s(report, came) > -5


@pytest.mark.control("BKP-2")
def test_another_key_opens_nothing(drill, step):
    with step("stop the copy, and start it with another ENCRYPTION_KEY while health is requested"):
        assert drill.start().serves
        drill.stack.stop("backend")
        with Watch(drill.stack).watching() as watch:
            end = drill.deploy_another_key()

    with step("it refuses to start, and no health check succeeded"):
        assert not end.serves
        assert end.exit_code not in (None, 0)
        assert watch.successes() == 0

    with step("put the right keys back: it serves, and every secret is there"):
        assert drill.deploy(drill.settings).serves
        assert drill.compare().kept.amiss == []


@pytest.mark.control("KEY-5")
def test_the_right_key_recovers_after_another(drill, step, try_write):
    with step("start the copy with another ENCRYPTION_KEY, unless a spec before this one has"):
        drill.refuse_empty()
        assert drill.start().serves
        if not drill.tried_another_key:
            drill.deploy_another_key()

    with step("put the right keys back: it serves, and every secret is there"):
        assert drill.deploy(drill.settings).serves
        assert drill.compare().kept.amiss == []

    with step("a write works, and everything is there after one more start"):
        assert try_write(drill) in ("written", "not taken")
        assert drill.restart().serves
        assert drill.compare().kept.amiss == []


@pytest.mark.control("SEC-5")
def test_its_logs_hold_none_of_the_secrets(drill, record, step):
    with step("start the copy, read it, and start it with another ENCRYPTION_KEY"):
        assert drill.start().serves
        drill.compare_first()
        # Specs run in any order, and the logs hold what the earlier ones did.
        if not drill.tried_another_key:
            drill.deploy_another_key()
            drill.deploy(drill.settings)

    with step("collect the keys, and as many values of the backup as the search covers"):
        samples = {f"value {n}": value for n, value in enumerate(drill.try_keys().values.samples)}
        known = {**samples, **drill.settings.sensitive()}
        search = Search(known)
        sought = samples.keys() - {*search.blind_to}
        record.note(f"{len(sought)} values of {len(drill.try_keys().values.digests)} secrets")

    with step("no service's log holds any of them, in any encoding"):
        logs = [drill.stack.logs(service).encode() for service in SERVICES]
        if not all(logs):
            raise StackTrouble("the log of a service is empty, so nothing was searched in it")
        assert search.find(logs) == []
