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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from drillbook.core import options as o
from drillbook.core.application import install_extra
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import load_text, refuse_open
from reports.evidence.json_file import RECORD
from reports.verdict import UNUSABLE

PATIENCE_S = 10.0


class Announcement:
    """Tells a monitor, receivers of Apprise and a command of the shell how a command ended.

    values are those of the options. BadInput if a file of addresses is missing, open to others, or
    has a wrong address. As a plugin of pytest it learns where the record of the run is.
    """

    def __init__(self, command: str, values: Mapping[str, Any]) -> None:
        self._name, self._on_end = f"drillbook {command}", values[o.ON_END.key]
        self._run: Any = None
        # Whoever has a monitor's address can report to it, so it never stands in a command line.
        origin, self._monitor = "DRILLBOOK_PING", os.environ.pop("DRILLBOOK_PING", "")
        if ping_file := values[o.PING_FILE.key]:
            origin, self._monitor = ping_file, " ".join(_load_addresses(ping_file))
        if self._monitor and not re.fullmatch(r"https?://[^\s/@]+([/?]\S*)?", self._monitor):
            raise BadInput(f"{origin}: give one web address without a user, such as https://…")
        receivers_file = values[o.RECEIVERS_FILE.key]
        self._receivers = _load_receivers(receivers_file) if receivers_file else []

    def pytest_sessionstart(self, session: Any) -> None:
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
        title, evidence = f"{self._name}: exit code {code}", ""
        if self._run and self._run.result:
            evidence = str(self._run.bundle.path / RECORD)
        if self._monitor:
            self._deliver("the monitor", _ping, self._monitor, code, f"{title}\n{evidence}")
        # A notice that comes each day is not read when it matters.
        for number, receiver in enumerate(self._receivers if code else (), 1):
            self._deliver(f"receiver {number}", _notify, receiver, title, evidence)
        if self._on_end:
            self._deliver("--on-end", _call, self._on_end, code, evidence)

    def _deliver(self, receiver: str, send: Callable[..., str], *content: Any) -> None:
        """Send something; warn if that failed, and why."""
        try:
            reason = send(*content)
        except Exception as trouble:  # a library's bug must not change what the run came to
            # The message of any other one may contain the address.
            reason = str(trouble) if isinstance(trouble, HTTPError) else type(trouble).__name__
        if reason:
            sentence = f"{self._name}: warning: {receiver} failed: {reason}"
            sys.stderr.write(f"{printable(sentence)}\n")


def _load_addresses(path: str) -> list[str]:
    """The lines of a private file, without comments; BadInput if others can read it."""
    text = load_text(Path(path), what := "file of addresses")
    refuse_open(Path(path), what)
    return [line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"]


def _load_receivers(path: str) -> list[Any]:
    """Apprise's receivers of the addresses in a file; BadInput for one that it does not know."""
    try:
        import apprise
    except ImportError:
        raise BadInput(f"{path}: notices are sent by Apprise; {install_extra('notify')}") from None
    # Its log messages name the address, with the key in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    receivers = [apprise.Apprise.instantiate(address) for address in _load_addresses(path)]
    if None in receivers:
        number = receivers.index(None) + 1
        raise BadInput(f"{path}: entry {number} is not an address that Apprise knows")
    return receivers


# Each of these sends something, and returns why it did not arrive, or "".
def _notify(receiver: Any, title: str, text: str) -> str:
    sent = receiver.notify(body=text or title, title=title, notify_type="failure")
    return "" if sent else "it was refused or nothing answered"


def _ping(address: str, code: int, text: str) -> str:
    # A monitor's address is that of success, and address/fail that of a failure.
    url = urlsplit(address)
    if code:
        url = url._replace(path=f"{url.path.rstrip('/')}/fail")
    # Not httpx2: it imports anyio, which pytest can no longer rewrite once it is imported.
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    request = Request(url.geturl(), text.encode(), headers)  # noqa: S310 - judged before
    urlopen(request, timeout=PATIENCE_S).close()  # noqa: S310
    return ""


def _call(command: str, code: int, evidence: str) -> str:
    env = os.environ | {"DRILLBOOK_EXIT_CODE": str(code), "DRILLBOOK_EVIDENCE": evidence}
    # Standard output has the answer of Drillbook's own command alone.
    ended = subprocess.call(["/bin/sh", "-c", command], env=env, stdout=sys.stderr, timeout=600)
    return f"exit code {ended}" if ended else ""
