"""A timeout of the harness is not a fault of the product; a measured silence is."""

import contextlib
import json
import subprocess
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.core.errors import NotReady, StackTrouble
from drillbook.core.recorder_protocol import NullRecorder
from drillbook.drill import outage_probe, release_snapshot, unchanged_rows
from drillbook.drill.comparison import Copy
from drillbook.drill.drill import Drill
from drillbook.drill.upgrade import Passage
from drillbook.infisical import key_rotation
from drillbook.infisical.client import CURRENT, Infisical, Place
from drillbook.infisical.http import Answer, Broken, Http, RateLimited, TooSlow, Unreachable
from drillbook.runbook import procedures
from drillbook.stack import waiting
from drillbook.stack.base import BackendState, Command, Resource
from drillbook.stack.containers import compose, container_driver, docker_engine
from fixtures.data.golden import GOLDEN_MARKER
from fixtures.deployment import Misread
from fixtures.faults import failing_backup
from fixtures.lifecycle import operator
from fixtures.lifecycle.model import Model
from fixtures.probes import observations, read_probe
from fixtures.probes.bulk import Bulk
from fixtures.session import golden_session, live_rehearsal
from tests.unit.drill.test_patience import SUITES, loaded

pytestmark = pytest.mark.slow

SECRET = b'{"secret": {"id": "1", "secretKey": "MARKER", "secretValue": "golden", "version": 1}}'
SPEC = loaded(SUITES / "database" / "test_password_trouble.py")


class Server:
    """Answers each read after `delay_s` seconds; not at all for None."""

    def __init__(self):
        self.delay_s, self.status = 0.0, 200
        self.over = threading.Event()
        asked = self

        class Late(live_rehearsal.Handler):
            def answer(self):
                asked.over.wait(60 if asked.delay_s is None else asked.delay_s)
                return asked.status, {}, SECRET

        self.http = live_rehearsal.Server(Late)
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


class Watched(SimpleNamespace):
    """A deployment that reads from that server; a change calls `become` of the test."""

    def change(self, **_):
        self.become()
        time.sleep(0.5)
        return waiting.Start(serves=True, exit_code=None, duration_s=0.5, log="")

    def marker(self):
        return GOLDEN_MARKER


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture
def deployment(server, recorder, monkeypatch):
    monkeypatch.setattr(procedures, "alter_password", lambda _stack, _password: None)
    # A short read times out before a slow machine answers.
    monkeypatch.setattr(read_probe, "_SHORT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(read_probe, "_AT_LEAST_S", 5.0)
    monkeypatch.setattr(read_probe, "_SLOWER", 1.0)
    http = Http(lambda: f"http://127.0.0.1:{server.http.server_port}", recorder)
    golden = SimpleNamespace(place=lambda name: Place("ledger", name))
    return Watched(service=Infisical(http, CURRENT), golden=golden, stack=None, become=lambda: None)


@pytest.fixture
def rotated(deployment, monkeypatch):
    """Runs the spec of DBP-6 and returns its notes."""
    notes = []

    def run():
        step = lambda _title: contextlib.nullcontext()  # noqa: E731
        SPEC.test_outage_of_a_rotation_is_known(
            deployment, "new", SimpleNamespace(note=notes.append), step
        )
        return notes

    return run


def test_a_machine_that_is_slow_all_the_time_is_not_blamed(rotated, server):
    server.delay_s = 0.5
    notes = rotated()
    assert "not answered in time" in notes[-1]
    assert "0 were refused" in notes[-1]


def test_nor_is_a_product_that_does_not_answer_after_it(rotated, deployment, server, monkeypatch):
    deployment.become = lambda: setattr(server, "delay_s", None)
    with pytest.raises(NotReady, match="a read after the rotation: not within 5 s"):
        rotated()


def test_a_product_that_refuses_after_the_rotation_is(rotated, deployment, server, monkeypatch):
    deployment.become = lambda: setattr(server, "status", 500)
    with pytest.raises(AssertionError):
        rotated()


def test_without_a_quiet_answer_nothing_is_concluded(rotated, server, monkeypatch):
    monkeypatch.setattr(read_probe, "_AT_LEAST_S", 0.3)
    server.delay_s = None
    with pytest.raises(NotReady, match="8 of 8 quiet reads"):
        rotated()


def test_an_outage_that_goes_on_is_told_as_at_least():
    reads = read_probe.Reads(
        [read_probe.Read(1.0, "answered", 0.1), read_probe.Read(8.0, "unanswered", 0.1)]
    )
    assert SPEC.told(reads) == "at least 7.0 s"
    reads.every.append(read_probe.Read(9.0, "answered", 0.1))
    assert SPEC.told(reads) == "8.0 s"


def refusing(trouble):
    def fails(*_args, **_named):
        raise trouble

    service = SimpleNamespace(create_folder=fails, write=fails)
    return SimpleNamespace(
        service=service,
        public=SimpleNamespace(routes=SimpleNamespace(batch=None)),
        golden=SimpleNamespace(place=lambda *_: None),
        inventory=fails,
    )


def test_secrets_that_could_not_be_asked_for_are_not_lost(recorder):
    bulk = Bulk(refusing(Unreachable("POST /x: ReadTimeout after 20.0 s")), recorder)
    bulk.write()
    assert bulk.find_lost() == []
    with pytest.raises(NotReady, match=r"ReadTimeout after 20.0 s: whether"):
        bulk.check_answers()


def test_secrets_that_an_instance_refuses_are_lost(recorder):
    deployment = refusing(Broken("POST /x", 500, "no memory"))
    deployment.inventory = refusing(Misread("POST /x: 500 no memory")).inventory
    bulk = Bulk(deployment, recorder)
    bulk.write()
    assert len(bulk.find_lost()) == 200
    bulk.check_answers()


@pytest.mark.parametrize(
    ("batch", "count"),
    [("/api/v4/secrets/batch", 2_000), (None, 200)],
    ids=["batches", "one by one"],
)
def test_fewer_secrets_are_written_where_there_are_no_batches_and_how_many_is_said(batch, count):
    notes, progress, written = [], [], []
    service = SimpleNamespace(
        create_folder=lambda *_: None, write=lambda _place, values: written.extend(values)
    )
    deployment = SimpleNamespace(
        service=service,
        public=SimpleNamespace(routes=SimpleNamespace(batch=batch)),
        golden=SimpleNamespace(place=lambda *_: None),
    )
    recorder = SimpleNamespace(note=notes.append, progress=progress.append, secret=lambda *_: None)
    Bulk(deployment, recorder).write()
    assert len(set(written)) == count
    assert len(progress) == 20
    assert progress[-1] == f"{count:,} of {count:,} written"
    assert notes[-1].startswith(f"{count:,} of {count:,} secrets were written")
    assert ("no batches" in notes[-1]) == (batch is None)


def test_a_start_is_waited_for_as_long_as_starts_take_here(recorder, monkeypatch):
    stack = SimpleNamespace(name="slow", driver="embedded", logs=lambda _service: "")
    assert waiting.patience_s(stack, 15) == 15
    moments = iter([0.0, 10.0])
    monkeypatch.setattr(waiting.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(waiting, "_wait_settled", lambda *_: (None, 0.0))
    monkeypatch.setattr(waiting, "_SLOWEST_S", {})
    assert waiting.outcome(stack, recorder, 0, within_s=60).serves
    assert waiting.patience_s(stack, 15) == 50


@pytest.fixture
def hands(monkeypatch):
    """An operator whose writes a running backend does not answer."""
    made = operator.Operator.__new__(operator.Operator)
    made._patience_s = made._silence_s = 0.1
    made._stack = SimpleNamespace(backend=lambda: BackendState("running", None, 0))
    made._home = SimpleNamespace(place=None)
    made._trouble, made._deployment = None, None

    made.model, made.fault, made._steps = Model(), None, []
    return made


def silent_act():
    raise Unreachable("POST /x: ReadTimeout after 20.0 s")


def test_a_slow_answer_in_a_sequence_is_inconclusive(hands, monkeypatch):
    monkeypatch.setattr(operator.Operator, "_ask_as_machine", lambda _self, _ask: [])
    with pytest.raises(NotReady, match="later requests were answered"):
        hands._act("write", silent_act)


@pytest.mark.parametrize("runs", [True, False])
def test_a_backend_that_has_failed_breaks_the_claim_and_one_that_is_silent_does_not(
    hands, monkeypatch, runs
):
    def silent(_self, _ask):
        raise TooSlow("GET /x: ReadTimeout after 20.0 s")

    monkeypatch.setattr(operator.Operator, "_ask_as_machine", silent)
    monkeypatch.setattr(observations, "comes_up", lambda _deployment: runs)
    with pytest.raises(TooSlow) if runs else contextlib.nullcontext():
        hands._act("write", silent_act)
    assert bool(hands.fault) is not runs


@pytest.mark.parametrize("trouble", [TooSlow("late"), RateLimited("GET /x", 429, "too many", 1.0)])
def test_a_limit_of_ours_while_other_secrets_are_read_is_no_loss(hands, monkeypatch, trouble):
    monkeypatch.setattr(operator.Operator, "_other_secrets", refusing(trouble).inventory)
    with pytest.raises(type(trouble)):
        hands._check_other_secrets()


def test_a_limit_of_requests_is_no_act_that_was_refused(hands, monkeypatch):
    limited = RateLimited("POST /x", 429, "too many", 1.0)
    with pytest.raises(RateLimited):
        hands._act("write", refusing(limited).inventory)


def test_what_runs_and_is_silent_is_waited_for_longer(hands, monkeypatch):
    hands._silence_s = 5.0
    ends = time.monotonic() + 0.4

    def late(_self, _ask):
        if time.monotonic() < ends:
            raise Unreachable("GET /x: ReadTimeout after 20.0 s")
        return []

    monkeypatch.setattr(operator.Operator, "_ask_as_machine", late)
    monkeypatch.setattr(operator.Operator, "_check_other_secrets", lambda _self: None)
    monkeypatch.setattr(observations, "comes_up", lambda _deployment: True)
    hands._act("restart", lambda: None)
    assert hands.fault is None


def test_a_limit_of_requests_is_no_refused_write(recorder):
    from fixtures.deployment import Deployment

    made = Deployment.__new__(Deployment)
    limited = refusing(RateLimited("POST /x", 429, "too many", 1.0))
    made.public = SimpleNamespace(as_bearer=lambda _token: limited.service)
    made.golden = SimpleNamespace(token="", place=lambda _name: None)
    made._numbers, made._recorder = iter([1]), recorder
    with pytest.raises(RateLimited):
        made.writes()


@pytest.mark.parametrize(
    ("state", "restarts", "down"),
    [("running", 1, False), ("running", 2, True), ("exited", 0, True)],
)
def test_a_backend_that_starts_again_on_a_slow_machine_does_not_stay_down(
    monkeypatch, state, restarts, down
):
    monkeypatch.setattr(golden_session, "_RESTARTS_S", 0.0)
    monkeypatch.setattr(golden_session, "serves", lambda _url: False)
    made = golden_session.Installation.__new__(golden_session.Installation)
    made.stack = SimpleNamespace(
        base_url="",
        backend=lambda: BackendState(state, 1, restarts),
        sql=lambda _: [(1,)],
        exec=lambda *_: SimpleNamespace(exit_code=0),
    )
    assert made._stays_down() is down


@pytest.mark.parametrize(
    ("health", "states", "up"),
    [
        (200, [("running", 0)], True),
        (503, [("running", 0)], False),
        (None, [("exited", 0)], False),
        (None, [("running", 3), ("running", 4)], False),
        (None, [("running", 3)], None),
        (0, [("running", 0)], None),
    ],
)
def test_only_a_backend_that_fails_stays_down(monkeypatch, health, states, up):
    left = [BackendState(state, 1, restarts) for state, restarts in states]
    backend = lambda: left.pop(0) if len(left) > 1 else left[0]  # noqa: E731
    stack = SimpleNamespace(name="x", driver="embedded", base_url="http://x", backend=backend)
    monkeypatch.setattr(observations, "_LONGEST_S", 0.1)
    monkeypatch.setattr(observations, "wait_until", lambda *_, **__: False)
    monkeypatch.setattr(observations, "ask_health", lambda *_: health)
    deployment = SimpleNamespace(stack=stack)
    if up is None:
        with pytest.raises(NotReady, match="good health of a backend that runs, or its end"):
            observations.comes_up(deployment)
    else:
        assert observations.comes_up(deployment) is up


def probe_of(monkeypatch, *answers, allowed_s=None):
    """A probe whose instance gives these answers in turn, then the last one forever."""
    left, waited = list(answers), []

    def secrets(_place):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def impatient(client, read_timeout_s=5.0):
        waited.append(read_timeout_s)
        return client

    monkeypatch.setattr(outage_probe, "_impatient", impatient)
    monkeypatch.setattr(outage_probe, "_UNANSWERED_S", 0.01)
    client = SimpleNamespace(secrets=secrets)
    values = SimpleNamespace(
        places={("p", "dev", "/"): ("1",)}, digests={"1": outage_probe.digest(b"held")}
    )
    sessions = SimpleNamespace(of=lambda _project: [client])
    drill = SimpleNamespace(
        stack=SimpleNamespace(driver="embedded"),
        try_keys=lambda: SimpleNamespace(values=values),
        log_in=lambda: sessions,
    )
    return outage_probe.Probe(drill, allowed_s), waited


HELD = [SimpleNamespace(id="1", value="held", hidden=False)]
LATE, REFUSED = TooSlow("GET /x: ReadTimeout after 5.0 s"), Unreachable("GET /x: refused")


def judged(outage, allowed_s):
    start = waiting.Start(serves=True, exit_code=None, duration_s=0.0, log="")
    return Passage(start, outage, None, None, (), 0.0).within(allowed_s)


def test_a_late_read_is_no_outage_and_is_told(monkeypatch):
    probe, _ = probe_of(monkeypatch, HELD, HELD, LATE, HELD)
    assert [probe._note() for _ in range(3)] == [True, None, True]
    assert not probe.outage.seen
    assert str(probe.outage).endswith("reads not answered within 5 s: 1")


def test_an_outage_that_only_late_reads_lengthen_beyond_its_target_is_undecided():
    reads = [(0.0, True), (20.0, False), (21.0, False), (40.0, True)]
    assert judged(outage_probe.Outage(reads, late=3), 60)
    assert not judged(outage_probe.Outage(reads), 10)
    with pytest.raises(StackTrouble, match=r"for 40\.0 s; .* 5 s: 3; whether .* is unknown"):
        judged(outage_probe.Outage(reads, late=3), 10)
    reads[2] = (35.0, False)
    assert not judged(outage_probe.Outage(reads, late=3), 10)


def test_a_new_release_that_does_not_answer_for_a_measured_time_is_down(monkeypatch):
    probe, waited = probe_of(monkeypatch, HELD, HELD, REFUSED, LATE, allowed_s=0.2)
    probe._quiet_s = 2.0
    assert [probe._note() for _ in range(3)] == [True, False, None]
    probe.watch_until_read()
    assert waited == [5.0, 40.0]
    assert not probe.outage.ended
    assert not judged(probe.outage, 0.2)


class Logging:
    """A deployment whose log gets these lines, and a line of each request, after the request."""

    driver, name, base_url = "embedded", "logging", ""
    status_s = 0.0

    def __init__(self, printed="", *arrive, logs_requests=True):
        self.stack, self.printed, self.arrive = self, printed, arrive
        self.logs_requests, self.public, self.http = logs_requests, self, self

    def logs(self, _service):
        return self.printed

    def status(self):
        time.sleep(self.status_s)

    def ask(self, _method, _path, params):
        for line in (*self.arrive, json.dumps({"req": {"url": f"/?{params['marked']}"}})):
            self.printed += f"{line}\n" if self.logs_requests else ""


NOTICED = '{"reqId": "1", "level": 40, "req": {"method": "GET", "url": "/login"}}'
MAILED = SimpleNamespace(find_codes=lambda log, _email: [log] if "/login" in log else [])


@pytest.mark.parametrize(
    "look",
    [
        lambda given: observations.is_noticed_in_log(given, 0, "/login"),
        lambda given: bool(observations.wait_for_codes(given, 0, MAILED, "a@example.com")),
    ],
)
def test_a_log_that_is_late_says_neither_yes_nor_no(monkeypatch, look):
    monkeypatch.setattr(observations, "_WRITTEN_S", 0.0)
    monkeypatch.setattr(observations, "_READABLE_S", 0.0)
    monkeypatch.setattr(observations, "_LONGEST_S", 0.1)
    assert not look(Logging())
    assert look(Logging("", NOTICED, ENDED))
    with pytest.raises(NotReady, match="a later request in the backend's log: not within"):
        look(Logging(logs_requests=False))


ENDED = '{"reqId": "1", "level": 30, "res": {"statusCode": 200}, "responseTime": 2}'


def test_a_log_is_searched_only_when_all_is_in_it(monkeypatch):
    monkeypatch.setattr(observations, "_LONGEST_S", 0.1)
    assert "/login" in observations.whole_log_since(Logging("", NOTICED), 0)
    with pytest.raises(NotReady, match="a later request in the backend's log: not within"):
        observations.whole_log_since(Logging(NOTICED, logs_requests=False), 0)


def test_a_key_is_not_kept_because_there_were_too_many_requests():
    delete = {"paths": {"/api/v1/admin/encryption/previous/{label}": {"delete": {}}}}
    limited = Answer(429, "application/json", "{}", {"retry-after": "60"})
    owner = Infisical(Http(lambda: "", NullRecorder()), CURRENT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Http, "call", lambda *_: delete)
        patched.setattr(Http, "ask", lambda *_, **__: limited)
        with pytest.raises(RateLimited):
            key_rotation.remove(owner, "1234")
        patched.setattr(Http, "ask", lambda *_, **__: replace(limited, status=409))
        assert key_rotation.remove(owner, "1234") == 409


def test_mails_are_waited_for_by_the_pace_of_answers(monkeypatch):
    waited = []
    monkeypatch.setattr(observations, "_log_gets", lambda *given: waited.append(given[-1]))
    slow = Logging()
    observations.wait_for_codes(slow, 0, MAILED, "a@example.com")
    slow.status_s = 0.1
    observations.wait_for_codes(slow, 0, MAILED, "a@example.com")
    assert 1.0 <= waited[0] < 5.0 <= waited[1]


def test_a_start_is_silent_only_after_its_first_line(monkeypatch):
    monkeypatch.setattr(observations, "patience_s", lambda *_: 0.1)
    with pytest.raises(NotReady, match="a line of the starting backend in its log: not within"):
        observations.log_names_cause(Logging(), 0, "cache_unavailable")
    silent = Logging("Cryptography module initialized in normal operation mode.\n")
    assert not observations.log_names_cause(silent, 0, "cache_unavailable")
    named = "[ioredis] Unhandled error event: Error: connect ECONNREFUSED 127.0.0.1:6379\n"
    assert observations.log_names_cause(Logging(named * 3), 0, "cache_unavailable")


def test_a_value_that_was_asked_for_too_long_may_have_been_served(monkeypatch, recorder):
    stack = SimpleNamespace(base_url="")
    service = SimpleNamespace(http=Http(lambda: "", recorder), routes=CURRENT)
    golden = SimpleNamespace(place=lambda name: name)
    deployment = SimpleNamespace(stack=stack, service=service, golden=golden)
    probe = read_probe.ExposureProbe(deployment, SimpleNamespace(values={}))
    for trouble in (Broken("GET /x", 500, "no key"), Unreachable("GET /x: it has ended")):
        monkeypatch.setattr(Http, "call", refusing(trouble).inventory)
        monkeypatch.setattr(Infisical, "secrets", refusing(trouble).inventory)
        probe.ask()
        probe.check_answers()
    monkeypatch.setattr(Infisical, "secrets", refusing(LATE).inventory)
    probe.ask()
    with pytest.raises(NotReady, match=r"after 5\.0 s: whether a value was served is not known"):
        probe.check_answers()
    assert (probe.answers, probe.values) == (0, 0)


def test_a_backup_that_begins_late_has_not_hidden_that_it_was_cut_off(
    isolated, monkeypatch, tmp_path
):
    # As if the half minute were over at once.
    statement = failing_backup._CUT_OFF.replace("15000", "1")
    monkeypatch.setattr(failing_backup, "_CUT_OFF", statement)
    by = SimpleNamespace(back_up=lambda *_: Command(("pg_dump",), 0))
    (tmp_path / "cut.sql").touch()
    with pytest.raises(StackTrouble, match="the backup began too late for its session"):
        failing_backup.back_up_cut_off(isolated, tmp_path / "cut.sql", by)


def hung(*_args):
    raise subprocess.TimeoutExpired("docker", 600)


def failed(*_args):
    raise StackTrouble("compose run ended with 1")


def migrator(migrate):
    stack = SimpleNamespace(
        image="i", owner=("u", "d"), inside=lambda *_: [["9"]], run_in_backend=migrate
    )
    return container_driver.Migrator(stack, NullRecorder())


def test_migrations_that_our_limit_ended_are_no_failed_start(monkeypatch, tmp_path):
    assert migrator(failed).try_to_migrate() == "compose run ended with 1"
    (tmp_path / "compose.yml").write_text("services: {}\n")
    project = compose.Project("slow", [tmp_path / "compose.yml"])
    monkeypatch.setattr(compose, "call_compose", hung)
    with pytest.raises(NotReady, match="docker compose hung for 600 s"):
        migrator(lambda *_: project.call("run")).try_to_migrate()


def drill_of(**more):
    made = Drill.__new__(Drill)
    made.__dict__.update(_recorder=NullRecorder(), **more)
    return made


def test_a_health_report_that_is_late_has_lost_no_field():
    late = SimpleNamespace(status=refusing(LATE).inventory)
    drill = SimpleNamespace(log_in=lambda: SimpleNamespace(public=late))
    before = release_snapshot.Look({"redisConfigured": True}, {}, frozenset(), {})
    after = replace(before, status=release_snapshot._status(drill))
    assert release_snapshot.differences(before, after) == []
    late.status = refusing(Unreachable("GET /api/status: refused")).inventory
    after = replace(before, status=release_snapshot._status(drill))
    assert release_snapshot.differences(before, after) == [
        "status redisConfigured is gone; it was true"
    ]


def test_a_copy_is_waited_for_by_its_own_pace(monkeypatch):
    stack = SimpleNamespace(name="slow", driver="embedded")
    assert drill_of(made=stack).patience_s == 30.0
    monkeypatch.setattr(waiting, "_SLOWEST_S", {"slow": 40.0})
    assert drill_of(made=stack).patience_s == 200.0


@pytest.mark.parametrize(
    ("trouble", "starts"),
    [(StackTrouble("no such table"), True), (NotReady("did not answer within 120 s"), False)],
)
def test_rows_that_could_not_be_read_in_time_are_not_left_uncompared(monkeypatch, trouble, starts):
    drill = drill_of(made=None, first_start=None, copy=Copy(None), _restored={})
    drill.refuse_wrong_backend = lambda: None
    drill.deploy = lambda *_, **__: waiting.Start(False, 1, 0.0, "")
    drill.made = SimpleNamespace()
    drill.order = SimpleNamespace(statement_limit_s=None)
    monkeypatch.setitem(drill.__dict__, "settings", None)
    monkeypatch.setattr(unchanged_rows, "read_kept", refusing(trouble).inventory)
    if starts:
        assert drill.start().exit_code == 1
    else:
        with pytest.raises(NotReady):
            drill.start()
        assert drill.first_start is None


def test_what_a_busy_engine_is_still_removing_is_not_left(monkeypatch, tmp_path):
    left = [[Resource("container", "x", "r")], []]
    monkeypatch.setattr(
        docker_engine, "resources", lambda _: left.pop(0) if len(left) > 1 else left[0]
    )
    drill = drill_of(
        run_id="r",
        made=SimpleNamespace(driver="containers"),
        place=SimpleNamespace(path=tmp_path / "gone"),
        order=SimpleNamespace(origin=None),
    )
    assert drill.find_leftovers() == []
