"""What a change of the deployment's settings does to an instance; by fingerprint, never a value.

Seen on releases of July and October 2024 and July 2026, unless the product's sources say it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from drillbook.core import dotenv
from drillbook.core.answer import write_json
from drillbook.infisical.crypto import label
from drillbook.infisical.settings import KEYS

Kind = Literal["changed", "added", "removed"]
_SHOWN_BY_LABEL = (*KEYS, "ROOT_ENCRYPTION_KEY", "SERVICE_PASSWORD_ENCRYPTIONKEY")
_ADDRESSES = ("DB_CONNECTION_URI", "AUDIT_LOGS_DB_CONNECTION_URI", "REDIS_URL")

_KEY = (
    "the backend does not start on its database: the root key stays shut. Put the old key back, "
    "unless the instance itself made and staged the new one"
)
_AUTH = (
    "it encrypts nothing: every session ends and every token issued before is refused, among them "
    "that of the bootstrap; client ids and secrets of machines still log in"
)
_ACCESS = (
    "the database must take it: alter it there first, or the backend ends at its start. The "
    "database's container reads it for an empty volume alone"
)
_IGNORED = "the product does not read it"
_MAIL = "mail alone; a server that does not answer delays a start by up to 2 min"
# By pattern, the first that fits counts: whether a change is dangerous, and what it does.
_MEANINGS: dict[str, tuple[bool, str]] = {
    "ENCRYPTION_KEY": (True, _KEY),
    "SERVICE_PASSWORD_ENCRYPTIONKEY": (True, f"Coolify makes ENCRYPTION_KEY of it: {_KEY}"),
    "ROOT_ENCRYPTION_KEY": (
        True,
        "without ENCRYPTION_KEY it opens the root key, and another one keeps the backend from "
        "starting; next to ENCRYPTION_KEY what lies directly under a key is written under this one",
    ),
    "FIPS_ENABLED": (True, "it counts on an empty database alone, and then wants another key"),
    "HSM_*": (True, "a root key that an HSM wrapped opens with that HSM and those settings alone"),
    "AUTH_SECRET": (False, _AUTH),
    "SERVICE_REALBASE64*AUTHSECRET": (False, f"Coolify makes AUTH_SECRET of it: {_AUTH}"),
    "JWT_AUTH_SECRET": (False, f"it stands in for AUTH_SECRET where that is not set: {_AUTH}"),
    "JWT_*_LIFETIME": (False, "how long new tokens live; those issued before keep their time"),
    "JWT_*_SECRET": (False, _IGNORED),
    "INVITE_ONLY*": (False, f"{_IGNORED}: whether people may sign up stands in the database"),
    "DB_CONNECTION_URI": (
        True,
        "the backend serves what that database holds, and makes a new instance of an empty one; if "
        "it does not reach it, or its password is refused, it ends at its start",
    ),
    "POSTGRES_PASSWORD*": (True, _ACCESS),
    "SERVICE_PASSWORD_POSTGRES": (True, _ACCESS),
    "POSTGRES_USER": (True, _ACCESS),
    "SERVICE_USER_POSTGRES": (True, _ACCESS),
    "POSTGRES_DB": (True, "another database: the backend serves what that holds"),
    "DB_*": (True, "it counts where DB_CONNECTION_URI is not set: then as that does"),
    "REDIS_URL": (
        True,
        "no secret and no session is lost with it, jobs that wait there are; if the backend does "
        "not reach it, or its password is refused, it ends at its start",
    ),
    "REDIS_*": (True, "as REDIS_URL; REDIS_PASSWORD does not count where REDIS_URL is set"),
    "SITE_URL": (False, "the origin that browsers are allowed, and links in mails"),
    "HTTPS_ENABLED": (False, "true marks cookies as secure: over http no log-in lasts"),
    "COOKIE_SECRET_SIGN_KEY": (False, "log-ins by SSO that are under way start anew"),
    "TELEMETRY_ENABLED": (False, "whether the instance calls home"),
    "SMTP_*": (False, _MAIL),
    "NODE_ENV": (True, "anything but production is not what the image is made for"),
    "HOST": (True, "where the backend listens: health check and proxy look at 0.0.0.0"),
    "PORT": (True, "where the backend listens: health check and proxy look at 8080"),
    "LICENSE_KEY": (False, "features that are paid for; secrets stay readable without"),
    "MAX_MACHINE_IDENTITY_TOKEN_AGE": (True, "tokens of machines that are older are refused"),
    "KMS_ROOT_KEY_RETENTION_DAYS": (False, "how long a superseded key still starts the backend"),
    "*_IMAGE": (
        True,
        "another release migrates the database, and there is no way back without a "
        "backup: drillbook rehearse tries it on a copy",
    ),
}
# Required by the product at its start, or one of several together.
_REQUIRED = (
    ("ENCRYPTION_KEY", "ROOT_ENCRYPTION_KEY", "SERVICE_PASSWORD_ENCRYPTIONKEY"),
    ("AUTH_SECRET", "JWT_AUTH_SECRET", "SERVICE_REALBASE64_64_AUTHSECRET"),
    ("REDIS_URL", "REDIS_SENTINEL_HOSTS", "REDIS_CLUSTER_HOSTS"),
)
_FORMS = {
    "TELEMETRY_ENABLED": r"true|false",
    "HTTPS_ENABLED": r"true|false",
    "PORT": r"\d+",
    "SMTP_PORT": r"\d+",
    "COOKIE_SECRET_SIGN_KEY": r".{32,}",
}


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting that differs: how, which parts of it, and what that does to the instance."""

    name: str
    kind: Kind
    dangerous: bool
    detail: str
    meaning: str


def print_changes(old: str, new: str, form: str) -> int:
    """Print how two environment files differ: exit code 1 for a dangerous change."""
    before, after = (dotenv.load(Path(path).expanduser()) for path in (old, new))
    changes = compare_settings(before, after)
    if form == "json":
        write_json("env-diff", old=old, new=new, changes=[asdict(c) for c in changes])
    for change in changes if form == "text" else ():
        mark = "DANGEROUS: " if change.dangerous else ""
        detail = f" ({change.detail})" if change.detail else ""
        sys.stdout.write(f"{mark}{change.name} {change.kind}{detail}: {change.meaning}\n")
    if form == "text" and not changes:
        sys.stdout.write("no setting differs\n")
    return int(any(change.dangerous for change in changes))


def compare_settings(old: Mapping[str, str], new: Mapping[str, str]) -> list[SettingChange]:
    """Each setting that differs, the dangerous first; blanks at the ends count for nothing."""
    before, after = ({k: v.strip() for k, v in of.items() if v.strip()} for of in (old, new))
    changes = [
        _change(name, before.get(name), after.get(name), after)
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    return sorted(changes, key=lambda change: not change.dangerous)


def _change(
    name: str, before: str | None, after: str | None, all_after: Mapping[str, str]
) -> SettingChange:
    kind: Kind = "added" if before is None else "removed" if after is None else "changed"
    unknown = (False, "what it does is not known here")
    fits = (said for pattern, said in _MEANINGS.items() if fnmatchcase(name, pattern))
    dangerous, meaning = next(fits, unknown)
    group = next((names for names in _REQUIRED if name in names), ())
    if kind == "removed" and group and not any(other in all_after for other in group):
        dangerous, meaning = True, "without it the backend does not start"
    if after is not None and not re.fullmatch(_FORMS.get(name, ".*"), after, re.DOTALL):
        dangerous, meaning = True, "the backend refuses this value at its start (exit code 255)"
    return SettingChange(name, kind, dangerous, ", ".join(_details(name, before, after)), meaning)


def _details(name: str, before: str | None, after: str | None) -> Iterator[str]:
    """What may be shown of a change: labels of random keys, and which parts of an address differ.

    With a password's label anyone could test guesses.
    """
    if name in _SHOWN_BY_LABEL:
        yield " → ".join(f"label {label(value)}" for value in (before, after) if value)
    elif name in _ADDRESSES and before and after:
        then, now = _parts(before), _parts(after)
        yield from (part for part in then if then[part] != now[part])


def _parts(address: str) -> dict[str, object]:
    try:
        url = urlsplit(address)
        return {
            "scheme": url.scheme,
            "user": url.username,
            "password": url.password,
            "host": url.hostname,
            "port": url.port,
            "database": url.path,
            "options": url.query,
        }
    except ValueError:
        # Such an address is printed with its password into the backend's log.
        parts = ("scheme", "user", "password", "host", "port", "database", "options")
        return dict.fromkeys(parts, address)
