"""A Docker engine for tests that kill it; the machine's own engine must not be killed.

It and its containers live in namespaces of their own. They share no network, port or rule with
others, and whatever becomes of us ends with the first process in them, which ends with us.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress

from tests.support.disturbances import children, program

IMAGES = ("drillbook/reference:latest", "drillbook/postgres:14", "drillbook/redis:7")
_KEEPER = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount", "--fork"]
# A shell, because the first process must reap: an engine takes a dead containerd for a living one.
_KEEPER += ["--kill-child", "--mount-proc", "sh", "-c", "ip link set lo up && sleep infinity; exit"]
_PATIENCE_S = 60
# An engine waits fifteen seconds for containerd, too few on a busy machine.
_TRIES = 4


class EngineEnded(OSError):
    """The engine stopped before it answered."""


class OwnEngine:
    """Running, with the images a rehearsal needs; its folder takes all it writes."""

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
        """Start the engine, again on its earlier data; does nothing if it runs."""
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
        """The words before a command that is to reach the ports this engine publishes."""
        return self._beside()

    def _beside(self, *others):
        return ["nsenter", "--target", str(self._inside), "--net", *others]

    def _load(self):
        """The machine's engine hands its images over; CalledProcessError where it has none."""
        with subprocess.Popen(["docker", "save", *IMAGES], stdout=subprocess.PIPE) as saved:
            load = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)

    def ask(self, *words, check=True):
        """The lines a docker command prints; None where it fails and that is no trouble."""
        argv = ["docker", "--host", self.address, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=check, timeout=120)
        return None if done.returncode else done.stdout.splitlines()

    def kill(self):
        """Kill the engine; its containers stay. False if it does not run."""
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
