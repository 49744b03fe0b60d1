"""An HTTP server on loopback that records requests, and can answer with errors or not at all."""

import threading
from contextlib import contextmanager, suppress

from fixtures.session.live_rehearsal import Handler, Server, running


class Receiver:
    """The received requests in order, as tuples of method, path with query, and body."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.seen = []
        self.credentials = []
        self.released = threading.Event()

    @property
    def paths(self):
        return [path for _, path, _ in self.seen]


@contextmanager
def receiving(answers=(), *, silent=False, drips=False):
    """A receiver that answers 200, after these statuses; or never, or with dripping bytes."""
    answers = list(answers)

    class Taker(Handler):
        def answer(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            receiver.seen.append((self.command, self.path, body))
            receiver.credentials.append(self.headers["Authorization"])
            if silent:
                receiver.released.wait(60)
            while drips and not receiver.released.wait(0.05):
                # Each byte restarts the time-out of a single read.
                with suppress(OSError):
                    self.wfile.write(b"H")
            return answers.pop(0) if answers else 200, {}, b""

    with running(Server(Taker)) as server:
        receiver = Receiver(server)
        try:
            yield receiver
        finally:
            receiver.released.set()
