"""Reports how a command ended: a heartbeat, notices, a command. None changes the exit code.

What could not be delivered is a warning on standard error, which names neither an address nor the
command of --on-end, because these can hold a secret.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from drillbook.core import options as o
from drillbook.core.application import install_extra
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import load_text, refuse_open
from reports.evidence.json_file import RECORD
from reports.render.phrases import outcome
from reports.verdict import HOLDS, UNUSABLE, Verdict

if TYPE_CHECKING:
    import pytest

# Whoever has a monitor's address can report to it, so it never stands in a command line.
PING_VARIABLE = "DRILLBOOK_PING"
PATIENCE_S = 10.0
_PAUSES_S = (0, 0.3, 0.3)
_WEB = re.compile(r"https?://[^\s/@]+(?:[/?]\S*)?")


def announce(command: str, folder: Path, values: Mapping[str, Any]) -> Announcement:
    """The announcement that the options of a command and the environment ask for.

    BadInput if a file of addresses is missing, open to others, or has a wrong address.
    """
    origin, monitor = PING_VARIABLE, os.environ.pop(PING_VARIABLE, "")
    if ping_file := values[o.PING_FILE.key]:
        origin, monitor = ping_file, " ".join(load_addresses(folder / ping_file))
    if monitor and not _WEB.fullmatch(monitor):
        raise BadInput(f"{origin}: give one web address without a user, such as https://…")
    receivers_file = values[o.RECEIVERS_FILE.key]
    receivers = load_receivers(folder / receivers_file) if receivers_file else ()
    return Announcement(command, monitor, receivers, values[o.ON_END.key] or "")


# Not compared by value: pytest keeps its plugins in sets.
@dataclass(eq=False)
class Announcement:
    """Tells a monitor, receivers of Apprise and a command of the shell how a command ended.

    As a plugin of pytest it gets the result of the run.
    """

    command: str
    monitor: str = ""
    receivers: Sequence[str] = ()
    on_end: str = ""
    _run: Any = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the run."""
        self._run = session.config.pluginmanager.get_plugin("drillbook-run")

    def watch(self, run_command: Callable[[], int]) -> int:
        """Run the command and announce its exit code; 3 if it raises."""
        code = UNUSABLE
        try:
            code = run_command()
        finally:
            self._tell(code)
        return code

    def _tell(self, code: int) -> None:
        lines, evidence = [f"drillbook {self.command}: exit code {code}"], ""
        if self._run and (run := self._run.result):
            evidence = str(self._run.bundle.path / RECORD)
            lines.append(f"{outcome(run).word} ({run.subject.grade}), run {run.run.id}")
            lines += [
                f"{control.verdict.words}: {control.id}"
                for control in run.controls
                if control.verdict not in (*HOLDS, Verdict.NOT_RUN)
            ]
        text = "\n".join(lines)
        if self.monitor:
            self._deliver("the monitor", partial(send_ping, self.monitor, code, text))
        # A notice that comes each day is not read when it matters.
        for number, address in enumerate(self.receivers if code else (), 1):
            self._deliver(f"receiver {number}", partial(send_notice, address, text))
        if self.on_end:
            self._deliver("--on-end", partial(call, self.on_end, code, evidence))

    def _deliver(self, receiver: str, send: Callable[[], str]) -> None:
        """Send something; warn if that failed, and why."""
        try:
            reason = send()
        except Exception as trouble:  # a library's bug must not change what the run came to
            reason = type(trouble).__name__
        if reason:
            sentence = f"drillbook {self.command}: warning: {receiver} failed: {reason}"
            sys.stderr.write(f"{printable(sentence)}\n")


def load_addresses(path: Path) -> list[str]:
    """The lines of a private file, without comments; BadInput if others can read it."""
    text = load_text(path, what := "file of addresses")
    refuse_open(path, what)
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def load_receivers(path: Path) -> list[str]:
    """The addresses in a file, one a line; BadInput for one that Apprise does not know."""
    addresses = load_addresses(path)
    try:
        import apprise
    except ImportError:
        raise BadInput(f"{path}: notices are sent by Apprise; {install_extra('notify')}") from None
    # Its log messages name the address, with the key in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for number, address in enumerate(addresses, 1):
        if not apprise.Apprise.instantiate(address):
            raise BadInput(f"{path}: entry {number} is not an address that Apprise knows")
    return addresses


def send_notice(address: str, text: str) -> str:
    """Send one notice of a failure; returns why it was not received, or ""."""
    import apprise

    receiver = apprise.Apprise.instantiate(address)
    title = text.partition("\n")[0]
    sent = receiver and receiver.notify(body=text, title=title, notify_type="failure")
    return "" if sent else "it was refused or nothing answered"


def send_ping(address: str, code: int, text: str) -> str:
    """Send a text to a monitor: its address is that of success, and address/fail of a failure.

    Returns why it was not received, or "".
    """
    url = urlsplit(address)
    if code:
        url = url._replace(path=f"{url.path.rstrip('/')}/fail")
    # Not httpx2: it imports anyio, which pytest can no longer rewrite once it is imported.
    request = Request(urlunsplit(url), data=text.encode())  # noqa: S310 - judged before
    request.add_header("Content-Type", "text/plain; charset=utf-8")
    for pause in _PAUSES_S:
        time.sleep(pause)
        try:
            with urlopen(request, timeout=PATIENCE_S):  # noqa: S310
                return ""
        except (HTTPException, OSError) as trouble:
            # Its message may contain the address.
            status = getattr(trouble, "code", None)
            reason = f"answer {status}" if status else type(trouble).__name__
    return reason


def call(command: str, code: int, evidence: str) -> str:
    """Run a command of the shell, ten minutes at most; returns why it failed, or ""."""
    result = {"DRILLBOOK_EXIT_CODE": str(code), "DRILLBOOK_EVIDENCE": evidence}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=os.environ | result,
        # Standard output has the answer of Drillbook's own command alone.
        stdout=sys.stderr,
        timeout=600,
        check=False,
    )
    return f"exit code {done.returncode}" if done.returncode else ""
