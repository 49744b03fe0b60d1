"""Starts a separate Docker engine for tests that kill it, instead of the machine's own.

It runs with its containers in its own namespaces, so they share no network or port with others. All
of them end with the first process of the namespaces, which ends with the test process.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress

from tests.support.disturbances import children, program

IMAGES = ("drillbook/reference:latest", "drillbook/postgres:14", "drillbook/redis:7")
_KEEPER = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount", "--fork"]
# A shell, because the first process must reap: an unreaped containerd looks alive to an engine.
_KEEPER += ["--kill-child", "--mount-proc", "sh", "-c", "ip link set lo up && sleep infinity; exit"]
_PATIENCE_S = 60
# An engine waits only fifteen seconds for containerd, which is short on a busy machine.
_TRIES = 4


class EngineEnded(OSError):
    """The engine stopped before it answered."""


class OwnEngine:
    """A running engine with the images of a rehearsal; it writes only into its folder."""

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir()
        self.address = f"unix://{folder / 'socket'}"
        self._daemon = None
        self._keeper = subprocess.Popen(_KEEPER, stdin=subprocess.DEVNULL)
        try:
            self._inside = _until(lambda: children(self._keeper.pid), "a namespace")[0]
            self.start()
            self._load()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Start the engine on its earlier data, unless it runs; EngineEnded after four tries."""
        if self._daemon and self._daemon.poll() is None:
            return
        for _ in range(_TRIES):
            self._launch()
            with suppress(EngineEnded):
                _until(self._answers, "an answer of the engine")
                return
        raise EngineEnded(f"the engine ended {_TRIES} times: {self._said()}")

    def _launch(self):
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self._beside("--pid", "--mount"), "dockerd", *self._places()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self):
        if self._daemon.poll() is not None:
            raise EngineEnded(self._said())
        return self.ask("version", check=False) is not None

    def _said(self):
        said = (self._folder / "log").read_text(errors="replace").splitlines()
        return said[-1] if said else "it said nothing"

    def _places(self):
        folder = self._folder
        yield from ("--host", self.address, "--data-root", str(folder / "data"))
        yield from ("--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"))

    def beside(self):
        """The prefix for a command that must reach the ports that this engine publishes."""
        return self._beside()

    def _beside(self, *others):
        return ["nsenter", "--target", str(self._inside), "--net", *others]

    def _load(self):
        """Copy the images from the machine's engine; CalledProcessError if loading fails."""
        with subprocess.Popen(["docker", "save", *IMAGES], stdout=subprocess.PIPE) as saved:
            load = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)

    def ask(self, *words, check=True):
        """The output lines of a docker command; without `check` None if it fails."""
        argv = ["docker", "--host", self.address, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=check, timeout=120)
        return None if done.returncode else done.stdout.splitlines()

    def kill(self):
        """Kill the engine but not its containers; False if it does not run."""
        found = [one for one in children(self._daemon.pid) if program(one) == "dockerd"]
        with suppress(ProcessLookupError):
            for one in found:
                os.kill(one, signal.SIGKILL)
            self._daemon.wait(_PATIENCE_S)
            return bool(found)
        return False

    def close(self):
        """Stop the engine and remove everything in it."""
        with suppress(ProcessLookupError):
            self._keeper.kill()
        self._keeper.wait()
        if self._daemon:
            self._daemon.wait(_PATIENCE_S)


def _until(asked, what):
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := asked()):
        if time.monotonic() > deadline:
            raise OSError(f"waited {_PATIENCE_S} s for {what}")
        time.sleep(0.1)
    return found
