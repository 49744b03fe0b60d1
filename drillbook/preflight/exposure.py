"""Whether a deployment is exposed to a weakness of its release, by its compose and env file.

Each condition is a function of the operator's two files. Its sentence never has a value.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from drillbook.preflight.compose_checks import find_exposure
from drillbook.preflight.key_strength import Deployed, cache_password

State = Literal["exposed", "not_exposed", "not_judged"]
NO_FILES = "the compose file and env file of the deployment were not given"


class Exposure(NamedTuple):
    """Whether a deployment meets the condition of a weakness, and why, in a sentence."""

    state: State
    because: str


def password_breaks_url(deployed: Deployed) -> Exposure:
    """Whether the backend's connection string is not a valid URL, or a sign cuts its password."""
    name, address = "DB_CONNECTION_URI", deployed.get("DB_CONNECTION_URI") or ""
    if not address:
        # The product puts these together as they are, without encoding them.
        parts = [deployed.get(f"DB_{part}") for part in ("USER", "PASSWORD", "HOST", "PORT")]
        if not parts[1]:
            return Exposure("not_judged", "neither file has DB_CONNECTION_URI or DB_PASSWORD")
        user, password, host, port = (part or "" for part in parts)
        name, address = "DB_PASSWORD", f"postgres://{user}:{password}@{host}:{port}/"
    if broken := why_no_url(address.strip()):
        return Exposure("exposed", f"the address that the backend makes of {name} breaks: {broken}")
    return Exposure("not_exposed", f"the address that the backend makes of {name} is a valid URL")


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NO_HOST = "what stands for its host is not a host"
# What a host may not contain, by the WHATWG URL standard (forbidden host code points).
_NOT_IN_HOST = re.compile(r"[\x00\t\n\r #/:<>?@\[\\\]^|]")


def why_no_url(address: str) -> str:
    """Why `new URL` refuses a database's address, or reads a cut password; empty if neither.

    Scheme, credentials, host and port are judged: no path or query makes a URL invalid, and an @,
    a percent sign or a blank in a password does not either. An IPv6 address is not parsed.
    """
    scheme = _SCHEME.match(address)
    if not scheme:
        return "it does not begin with a scheme such as postgres://"
    authority, *rest = re.split("([/?#])", address[scheme.end() :], maxsplit=1)
    if rest and "@" in (re.split("[?#]", rest[1])[0] if rest[0] == "/" else rest[1]):
        return f"a raw {rest[0]} stands before the @ behind the password"
    _, at, server = authority.rpartition("@")
    host, colon, port = server.partition(":")
    if server.startswith("["):
        is_address = re.fullmatch(r"\[[0-9A-Fa-f:.]+\](?::(?P<port>.*))?", server)
        return "" if is_address and _is_port(is_address["port"] or "") else _NO_HOST
    if not _is_port(port):
        return "what stands for its port is not a number up to 65535"
    if _NOT_IN_HOST.search(host) or (not host and (at or colon)):
        return _NO_HOST
    return ""


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and int(text) <= 65_535)


def cache_needs_password(deployed: Deployed) -> Exposure:
    """Whether the backend or its cache has a password of the cache."""
    if cache_password(deployed):
        sentence = "the cache has a password, by REDIS_URL, REDIS_PASSWORD or its command"
        return Exposure("exposed", sentence)
    return Exposure("not_exposed", "neither the cache nor REDIS_URL has a password")


def no_mail_server(deployed: Deployed) -> Exposure:
    """Whether the backend gets no SMTP_HOST, or an empty one."""
    if (deployed.get("SMTP_HOST") or "").strip():
        return Exposure("not_exposed", "SMTP_HOST names a mail server")
    return Exposure("exposed", "SMTP_HOST does not reach the backend: no mail server is set")


def cache_is_reachable(deployed: Deployed) -> Exposure:
    """Whether the cache is reached from outside the deployment's own network, as DEP-3 judges."""
    cache = deployed.compose.part("redis")
    if cache is None:
        return Exposure("not_judged", "the compose file has no service for the cache")
    for finding in find_exposure(deployed.compose):
        if finding.sentence.startswith((f"{cache} ", "the cache ")):
            return Exposure("exposed", finding.sentence)
    return Exposure("not_exposed", "the compose file keeps the cache on its own network")
