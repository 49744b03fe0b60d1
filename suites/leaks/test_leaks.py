"""No secret of a run is in a place that may not hold it; the search also runs after each spec."""

import base64
import gzip
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.infisical.http import ApiError
from drillbook.stack.waiting import wait_until
from fixtures.faults.temporary_faults import outage
from fixtures.oracle import credentials
from fixtures.oracle.leaks import LeakSearch, MadeUpSecrets
from fixtures.probes import observations
from fixtures.probes.observations import MORE_THAN_A_POOL

PATIENCE_S = 30

pytestmark = pytest.mark.control("SEC-7")


def asks(deployment):
    for ask in (deployment.marker, deployment.public.status):
        with suppress(ApiError):
            ask()


def sends_credentials(deployment):
    public, golden = deployment.public, deployment.golden
    with suppress(ApiError):
        public.login(golden.machine)
    with suppress(ApiError):
        credentials.renew_token(public, golden.token)


def test_no_secret_is_stored_in_plain(deployment, leak_search, record, step):
    golden = deployment.golden
    day = "read, write, log in, be refused: an ordinary day; what the cache is sent is noted"
    with step(day), leak_search.watch_cache(deployment.stack):
        assert deployment.inventory().values
        assert deployment.writes()
        deployment.mark(golden.canaries["PLAIN"])
        assert deployment.machine_can_log_in()
        assert not deployment.accepts(golden.token[:-8] + "AAAAAAAA")
        assert not deployment.accepts("")
        if ended := golden.dead_tokens.get("ended"):
            assert wait_until(lambda: not deployment.accepts(ended), PATIENCE_S, every_s=0.3)

    restart = "restart; what the cache is sent is noted"
    with step(restart), leak_search.watch_cache(deployment.stack):
        assert deployment.restart().serves

    with step("be asked, also for tokens, while the database is gone, and again when it is back"):
        with outage(deployment.stack, "db"), ThreadPoolExecutor(MORE_THAN_A_POOL) as clients:
            with suppress(ApiError):
                deployment.mark(golden.canaries["PLAIN"])
            asked = [sends_credentials, *[asks] * MORE_THAN_A_POOL]
            list(clients.map(lambda ask: ask(deployment), asked))
        assert observations.reads_again(deployment)

    with step("fail to start under another key, and start again"):
        deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16))
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.inventory().values

    with step(
        "search cache, database, health report, answers, processes and logs; none holds a secret "
        "that it must not hold"
    ):
        searched = leak_search.search(deployment.stack)
        record.note(str(searched))
        assert leaks_of(searched) == []


def leaks_of(searched):
    if searched.unread and not searched.leaks:
        raise StackTrouble(f"could not be read: {', '.join(searched.unread)}")
    return [str(leak) for leak in searched.leaks]


@pytest.mark.golden("shared")
def test_no_table_is_open_to_every_role(deployment, step):
    with step("no table may be read or changed by every role of the database"):
        assert observations.tables_open_to_all(deployment.stack) == []


def test_the_search_is_not_blind(deployment, answers, record, step):
    value = secrets.token_urlsafe(24)
    packed = base64.urlsafe_b64encode(gzip.compress(f"made up: {value}".encode())).decode()
    search = LeakSearch(MadeUpSecrets({"MADE_UP": value}), record, answers)
    mark = deployment.log_mark()
    with step("request a path that does not exist, with a made-up value compressed in its name"):
        deployment.public.http.ask("GET", f"/api/v1/{packed}")

    with step("the log has that path, and the search finds the value in it"):
        printed = observations.log_with_request(deployment, mark, packed).encode()
        assert {leak.secret for leak in search.find("log", "the log", printed)} == {"MADE_UP"}
