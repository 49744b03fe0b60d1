"""What watches the health check sees how the watched block ended."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

from drillbook.stack.waiting import Watch


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


def test_a_block_that_ends_at_once_is_looked_at_all_the_same(monkeypatch):
    # The thread runs only when the block has ended, as it may on a busy machine.
    late = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    monkeypatch.setattr(threading.Thread, "join", lambda thread: (late(thread), JOIN(thread)))
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        late(serving)
        stack = SimpleNamespace(base_url=f"http://127.0.0.1:{server.server_port}")
        with Watch(stack).watching() as watch:
            pass
        server.shutdown()
    assert watch.successes() == 1


JOIN = threading.Thread.join
