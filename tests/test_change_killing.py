"""A start is over when it is, and not when the one before it was."""

import threading
from types import SimpleNamespace

from fixtures.change import killing
from fixtures.stack.base import BackendState

DEAD = BackendState("exited", 1, restarts=3)


class Held:
    """A connection that sees nobody wait to write a record, and counts how often it is asked."""

    def __init__(self, launch):
        self.asked = 0
        self.launch = launch

    def execute(self, _statement):
        self.asked += 1
        if self.asked == 3:
            self.launch()
        return []


def test_deaths_of_the_start_before_are_not_taken_for_the_end_of_this_one():
    launch = threading.Event()
    starting = threading.Thread(target=launch.wait, daemon=True)
    starting.start()

    def launched():
        launch.set()
        starting.join()

    held = Held(launched)
    stack = SimpleNamespace(backend=lambda: DEAD, base_url="http://127.0.0.1:1", name="stack")
    assert killing._held_up(stack, held, starting) == []
    assert held.asked == 4
