"""Notices to people by Apprise: mail, Slack, ntfy, webhooks, and some hundred others."""

from __future__ import annotations

import logging
from pathlib import Path

from reports.errors import BadDeclaration
from reports.notify.ping import load_private_lines

_LIBRARY = "install it: pip install 'drillbook[notify]'"


def load_receivers(path: Path) -> tuple[str, ...]:
    """The addresses of a file, one a line; BadDeclaration for one that Apprise does not know."""
    addresses = tuple(load_private_lines(path))
    try:
        import apprise
    except ImportError:
        raise BadDeclaration(f"{path}: notices are sent by Apprise; {_LIBRARY}") from None
    # What it logs names the address, and so the key in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for number, address in enumerate(addresses, 1):
        if not apprise.Apprise.instantiate(address):
            raise BadDeclaration(f"{path}: entry {number} is not an address that Apprise knows")
    return addresses


def send(address: str, title: str, body: str, kind: str) -> str:
    """Send one notice; why it was not received, or nothing."""
    import apprise

    receiver = apprise.Apprise.instantiate(address)
    sent = receiver and receiver.notify(body=body, title=title, notify_type=kind)
    return "" if sent else "it was refused or nothing answered"
