"""Pings: a monitor that expects them alarms when none comes (healthchecks.io, Uptime Kuma).

A monitor of the healthchecks protocol gets URL/start, then URL/<exit status> with a short text. A
push address of Uptime Kuma (…/api/push/…) gets a status and the first line, at the end only.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from drillbook.core.display import printable
from drillbook.core.files import open_mode, read_file
from reports.errors import BadDeclaration

PATIENCE_S = 10.0
_TRIES, _PAUSE_S = 3, 0.3
_LARGEST = 1 << 16
_KUMA = re.compile(r"/api/push/[^/]+/?$")
_WEB = re.compile(r"https?://[^\s/]+\S*")


def load_private_lines(path: Path) -> list[str]:
    """The lines of a file that only its owner can read, without comments; or BadDeclaration."""
    try:
        data = read_file(path, _LARGEST)
        is_open = open_mode(path)
    except OSError as trouble:
        raise BadDeclaration(f"{path}: {trouble.strerror}; name a text file") from None
    if is_open:
        raise BadDeclaration(f"{path}: others can read what gives access; run `chmod 600` on it")
    lines = map(str.strip, data.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def load_addresses(path: Path) -> dict[str, str]:
    """The addresses of a ping file by command; "" has the one of all other commands."""
    found = {}
    for number, line in enumerate(load_private_lines(path), 1):
        command, _, address = line.rpartition(" ")
        if not _WEB.fullmatch(address):
            said = f"entry {number} is not `COMMAND URL` or `URL`; write `drill https://…`"
            raise BadDeclaration(f"{path}: {said}")
        found[command.strip()] = address
    return found


def send(address: str, status: int | None, body: str) -> str:
    """Send one ping, status None at the start; why it was not received, or nothing."""
    url = urlsplit(address)
    if _KUMA.search(url.path):
        if status is None:
            return ""
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        query |= {"status": "down" if status else "up", "msg": body.partition("\n")[0]}
        url, body = url._replace(query=urlencode(query)), ""
    else:
        path = f"{url.path.rstrip('/')}/{'start' if status is None else status}"
        url = url._replace(path=path)
    # A larger client may not be loaded before pytest, which is to rewrite parts of it.
    request = Request(urlunsplit(url), data=body.encode() or None)  # noqa: S310 - judged before
    request.add_header("Content-Type", "text/plain; charset=utf-8")
    for left in reversed(range(_TRIES)):
        try:
            with urlopen(request, timeout=PATIENCE_S):  # noqa: S310
                return ""
        except HTTPError as trouble:
            why = f"answer {trouble.code}"
            trouble.close()
            if trouble.code < 500:
                break
        except (HTTPException, OSError) as trouble:
            # Its message may hold the address.
            reason = getattr(trouble, "reason", trouble)
            why = getattr(reason, "strerror", None) or type(reason).__name__
        if left:
            time.sleep(_PAUSE_S)
    return why


def deliver(command: str, messages: Sequence[tuple[str, Callable[[], str]]]) -> None:
    """Send all at once, and warn of each that was not received within 10 s, and why.

    A message is the name of its receiver, which is shown, and what sends it. A receiver that
    answers a byte at a time is left to a thread that does not keep the program from ending.
    """
    outcome: dict[int, str] = {}

    def attempt(number: int, act: Callable[[], str]) -> None:
        try:
            outcome[number] = act()
        except Exception as trouble:  # a library's bug must not change what the run came to
            outcome[number] = type(trouble).__name__

    threads = [
        Thread(target=attempt, args=(number, act), daemon=True)
        for number, (_, act) in enumerate(messages)
    ]
    end = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for number, (name, _) in enumerate(messages):
        if why := outcome.get(number, f"no answer within {PATIENCE_S:.0f} s"):
            warn(command, f"{name} was not reached: {why}")


def warn(command: str, sentence: str) -> None:
    """Say on standard error what did not arrive."""
    sys.stderr.write(f"{printable(f'drillbook {command}: warning: {sentence}')}\n")


def host(address: str) -> str:
    """The part of an address that may be shown."""
    with suppress(ValueError):
        return urlsplit(address).hostname or "the address"
    return "the address"
