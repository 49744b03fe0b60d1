"""A start is over when health check and API answer, or the backend is dead; untrue health shows."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from drillbook.core.errors import NotReady, StackTrouble
from drillbook.core.recorder_protocol import NullRecorder
from drillbook.stack import waiting
from drillbook.stack.base import BackendState
from drillbook.stack.waiting import NeverWell
from fixtures.session.live_rehearsal import Handler, Server, running

RUNNING, DEAD = BackendState("running"), BackendState("exited", 1)


@contextmanager
def backend(api, state=lambda: RUNNING, health=lambda: 200, logs=lambda _service: ""):
    """A stack whose health check answers what health returns, and whose API what api returns."""

    class Backend(Handler):
        def answer(self):
            return health() if self.path == "/api/status" else api(), {}, b""

    with running(Server(Backend)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        yield SimpleNamespace(name="s", driver="embedded", base_url=url, backend=state, logs=logs)


def test_the_last_look_begins_when_the_time_is_over(monkeypatch):
    moments, seen = [0.0], []

    def look():
        # A machine that stalls for twenty seconds.
        moments[0] += 20.0
        seen.append(moments[0])
        return len(seen) == 2

    clock = SimpleNamespace(monotonic=lambda: moments[0], sleep=lambda _: None)
    monkeypatch.setattr(waiting, "time", clock)
    assert waiting.wait_until(look, within_s=5.0)
    seen.append(0.0)
    with pytest.raises(NotReady, match="a state: not within 5 s"):
        waiting.wait_for(look, within_s=5.0, what="a state")


def test_a_look_that_gave_up_says_neither_yes_nor_no():
    def look():
        raise NotReady("psql has not ended in 3600 s")

    with pytest.raises(NotReady, match="psql has not ended"):
        waiting.wait_until(look, within_s=0.0)


def ended(stack):
    return waiting.outcome(stack, NullRecorder(), 0, within_s=60)


@pytest.mark.parametrize("status", [200, 401, 404])
def test_an_api_that_answers_ends_the_wait(status):
    with backend(lambda: status) as stack:
        start = ended(stack)
    assert (start.serves, start.untrue_s) == (True, 0)


def test_health_before_the_api_is_waited_for_and_told():
    answers = iter([503, 503])
    with backend(lambda: next(answers, 200)) as stack:
        start = ended(stack)
    assert start.serves
    assert start.untrue_s > 0


def test_one_failure_of_the_api_is_not_held_against_the_backend():
    answers = iter([503])
    with backend(lambda: next(answers, 200)) as stack:
        assert ended(stack).untrue_s == 0


def test_a_backend_that_dies_with_good_health_has_not_served():
    states = iter([RUNNING])
    with backend(lambda: 503, lambda: next(states, DEAD)) as stack:
        start = ended(stack)
    assert (start.serves, start.exit_code) == (False, 1)
    assert start.untrue_s > 0


def test_health_without_an_api_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setitem(waiting._UNTRUE_S, "embedded", 0.1)
    with backend(lambda: 503) as stack:
        start = ended(stack)
        assert waiting.works(stack.base_url) is False
    assert start.serves
    assert start.untrue_s > 0.1


def test_an_open_port_without_good_health_ends_the_wait_where_that_is_asked_for():
    with backend(lambda: 200, health=lambda: 404) as stack:
        with pytest.raises(NeverWell, match=r"for 0 s its port was open, .* answered 404"):
            waiting.outcome(stack, NullRecorder(), 0, 60, ill_s={"embedded": 0.1})
        with pytest.raises(
            NotReady, match=r"neither served nor ended within 0 s; it is running, after 0 restarts"
        ) as raised:
            waiting.outcome(stack, NullRecorder(), 0, 0.3, ill_s={"containers": 0.1})
    assert not isinstance(raised.value, NeverWell)


@pytest.mark.parametrize(
    ("answers_in_s", "says"), [(1.4, "serves"), (30.0, "did not answer, once for 5 s")]
)
def test_an_answer_that_only_a_slow_machine_delays_is_no_illness(answers_in_s, says):
    over = threading.Event()

    def health():
        over.wait(answers_in_s)
        return 200

    with backend(lambda: 200, health=health) as stack:
        try:
            start = waiting.outcome(stack, NullRecorder(), 0, 60, ill_s={"embedded": 5.0})
            seen = "serves" if start.serves else "ended"
        except NeverWell as trouble:
            seen = str(trouble)
        over.set()
    assert says in seen


def test_health_that_turns_good_in_time_is_no_illness():
    answers = iter([503, 503, 503])
    with backend(lambda: 200, health=lambda: next(answers, 200)) as stack:
        assert waiting.outcome(stack, NullRecorder(), 0, 60, ill_s={"embedded": 30.0}).serves


LATE = "Plugin did not start in time: 'registerRoutes'. FastifyError: Plugin did not start in time"


def loop(*states, log):
    """A backend in a crash loop: each look takes the next state; log is what it prints by then."""
    left, seen = iter(states), []

    def look():
        seen.append(next(left, states[-1]))
        return seen[-1]

    return look, lambda _service: "\n".join(log[: len(seen)])


AGAIN, TWICE = BackendState("restarting", 1, 1), BackendState("restarting", 1, 2)


def test_a_start_that_the_product_ends_as_too_slow_is_done_once_more():
    state, logs = loop(AGAIN, BackendState("running", 1, 1), log=[LATE])
    healthy = iter([503, 503])
    with backend(lambda: 200, state, lambda: next(healthy, 200), logs) as stack:
        start = ended(stack)
    assert (start.serves, start.exit_code) == (True, None)


@pytest.mark.parametrize(
    ("states", "log"),
    [
        ([AGAIN, TWICE], [LATE, LATE]),
        ([AGAIN, TWICE, BackendState("running", 1, 3)], [LATE, "another cause"]),
        ([DEAD], [LATE]),
        ([AGAIN], ["another cause"]),
    ],
)
def test_a_start_that_does_not_serve_the_second_time_either_is_dead(states, log):
    state, logs = loop(*states, log=log)
    with backend(lambda: 200, state, lambda: 503, logs) as stack:
        start = ended(stack)
    assert (start.serves, start.exit_code) == (False, 1)


def test_a_backend_that_an_exhausted_machine_kills_is_not_judged(monkeypatch):
    killed = iter([4, 5])
    monkeypatch.setattr(waiting, "memory_kills", lambda: next(killed))
    dead = BackendState("exited", 137)
    with (
        backend(lambda: 200, lambda: dead, lambda: 503) as stack,
        pytest.raises(StackTrouble, match="ran out of memory"),
    ):
        ended(stack)


def test_a_backend_that_its_own_limit_kills_is_judged(monkeypatch):
    killed = iter([4, 5])
    monkeypatch.setattr(waiting, "memory_kills", lambda: next(killed))
    dead = BackendState("exited", 137, memory_limit=1 << 30)
    with backend(lambda: 200, lambda: dead, lambda: 503) as stack:
        assert not ended(stack).serves


def test_a_backend_that_kills_itself_is_judged(monkeypatch):
    monkeypatch.setattr(waiting, "memory_kills", lambda: 4)
    dead = BackendState("exited", 137)
    with backend(lambda: 200, lambda: dead, lambda: 503) as stack:
        assert not ended(stack).serves
