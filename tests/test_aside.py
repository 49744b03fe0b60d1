"""A thread beside the specs takes no signal: the main thread alone can end a run."""

import signal
import threading

from fixtures.stack.spare import Spare
from reports import ahead

BOTH = {signal.SIGINT, signal.SIGTERM}


def mask():
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_gets_documents_ready_is_deaf(monkeypatch):
    monkeypatch.setattr(ahead, "_attached", mask)
    made = ahead.Ahead()
    made.begin()
    assert made.attached() >= BOTH
    assert not mask() & BOTH


def test_what_makes_the_next_clone_is_deaf():
    seen = []

    class Stack:
        def lay_by(self):
            seen.append((mask(), threading.current_thread()))

    spare = Spare()
    spare.begin(Stack())
    spare.wait()
    ((found, thread),) = seen
    assert found >= BOTH
    assert thread is not threading.main_thread()
