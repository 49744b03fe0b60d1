"""An HTTP server on loopback that records requests, and can answer with errors or not at all."""

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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

    class Handler(BaseHTTPRequestHandler):
        def _take(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            receiver.seen.append((self.command, self.path, body))
            receiver.credentials.append(self.headers["Authorization"])
            if silent:
                receiver.released.wait(60)
            while drips and not receiver.released.wait(0.05):
                # Each byte restarts the time-out of a single read.
                with suppress(OSError):
                    self.wfile.write(b"H")
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            with suppress(OSError):
                self.end_headers()

        do_GET = do_POST = _take  # noqa: N815 - names of the library

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    receiver = Receiver(server)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
