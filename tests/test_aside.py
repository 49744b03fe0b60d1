"""A thread beside the specs takes no signal: the main thread alone can end a run."""

import signal

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
