"""`make sign-off`: a person prepared, reviewed or approved a bundle, said beside it.

Evidence does not change after a run, so a signature is a file of its own that covers the bundle's
SHA-256: `bundle.zip.approved.json`, an in-toto statement, in a DSSE envelope where a key was given.
Without a key it is a note that anyone could have written, and verify-evidence says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.errors import BadBundle, BadSignOff, Distrusted, ReportError
from reports.framing import separated
from reports.lines import Line, printable, write
from reports.seal.archive import Archive
from reports.seal.options import chosen
from reports.seal.record import read_record
from reports.seal.statement import STATEMENT
from reports.verdict import PASSED, UNUSABLE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from reports.seal.signature import SigningKey

ACTS = ("prepared", "reviewed", "approved")
SIGN_OFF = "urn:drillbook:sign-off:1"
_LONGEST = 300
_LARGEST = 64 << 10


def sign_off(
    bundle: Path, act: str, name: str, role: str, remark: str, key: SigningKey | None
) -> Path:
    """Write the signature's file, which is returned; nothing that was signed is overwritten."""
    if act not in ACTS:
        raise BadSignOff(f"ACT={act or ' is missing'}: give one of {', '.join(ACTS)}")
    for what, text in (("NAME", name), ("ROLE", role), ("REMARK", remark)):
        if len(text) > _LONGEST or not text.isprintable():
            raise BadSignOff(f"{what}: give one line of at most {_LONGEST} characters")
    if not name.strip():
        raise BadSignOff('NAME is missing: name the person who signs, NAME="Grace Hopper"')
    said = _statement(bundle, act, name.strip(), role.strip(), remark.strip())
    payload = json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"
    path = bundle.with_name(f"{bundle.name}.{act}.json")
    try:
        with path.open("xb") as file:
            file.write(key.sign(payload) if key else payload)
    except FileExistsError:
        raise BadSignOff(f"{path} exists: it was {act} before; remove it to sign again") from None
    return path


def _statement(bundle: Path, act: str, name: str, role: str, remark: str) -> dict[str, Any]:
    try:
        with bundle.open("rb") as file:
            run = read_record(Archive(file))
    except OSError as trouble:
        raise BadBundle(f"{bundle}: {trouble.strerror}; give BUNDLE=.../bundle.zip") from None
    executor = run.sign_off.executed_by
    return {
        "_type": STATEMENT,
        "subject": [{"name": bundle.name, "digest": {"sha256": _digest(bundle)}}],
        "predicateType": SIGN_OFF,
        "predicate": {
            "run": run.run.id,
            "act": act,
            "name": name,
            "role": role or None,
            "remark": remark or None,
            "signed": datetime.now(UTC).isoformat(timespec="seconds"),
            "executedBy": executor,
            "separated": separated(name, executor) if act == "approved" else None,
        },
    }


def found(bundle: Path, keys: dict[str, Ed25519PublicKey] | None) -> Iterator[tuple[bool, str]]:
    """For each signature beside a bundle, whether a trusted key vouches for it, and a sentence.

    Distrusted if one is about another bundle, or cannot be read.
    """
    for act in ACTS:
        path = bundle.with_name(f"{bundle.name}.{act}.json")
        if path.is_file():
            with path.open("rb") as file:
                yield _examined(file.read(_LARGEST + 1), act, bundle, keys)


def _examined(
    data: bytes, act: str, bundle: Path, keys: dict[str, Ed25519PublicKey] | None
) -> tuple[bool, str]:
    payload, vouched, by = _opened(data, keys)
    try:
        said = json.loads(payload)
        kind, told = said["predicateType"], said["predicate"]
        digests = [one["digest"]["sha256"] for one in said["subject"]]
        who = f"{told['name']} ({told['role']})" if told["role"] else str(told["name"])
        sentence = f"{act} by {who} on {datetime.fromisoformat(told['signed']):%d %B %Y}, {by}"
        same = kind == SIGN_OFF and told["act"] == act
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Distrusted(f"the file that says {act} is no signature") from None
    if not same or digests != [_digest(bundle)]:
        raise Distrusted(f"what {who} {act} is another bundle than this one")
    return vouched, sentence + _independence(told)


def _independence(told: dict[str, Any]) -> str:
    if told.get("separated") is None:
        return ""
    return "; did not execute the run" if told["separated"] else "; executed it: not independent"


def _opened(data: bytes, keys: dict[str, Ed25519PublicKey] | None) -> tuple[bytes, bool, str]:
    """What was said, whether a trusted key vouches for it, and how."""
    if b'"payload"' not in data[:64]:  # an envelope begins with it
        return data, False, "without a signature: anyone could have written it"
    from reports.seal import signature

    opened = signature.opened_envelope(data)
    name = next(iter(opened.signatures))[:16]
    if keys is None or not set(opened.signatures) & set(keys):
        return opened.payload, False, f"by key {name}, for which nobody vouches here"
    payload, signer = signature.verify(data, keys)
    return payload, True, f"by the trusted key {signer[:16]}"


def _digest(bundle: Path) -> str:
    with bundle.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Sign one bundle off; exit code 3 and one sentence if that cannot be."""
    given = _parser().parse_args(arguments)
    try:
        if given.bundle == Path():
            raise BadSignOff("BUNDLE is missing: BUNDLE=reports/runs/latest/bundle.zip")
        key = chosen(given.signing_key, given.signing_key_env, None).key
        path = sign_off(given.bundle, given.act, given.name, given.role, given.remark, key)
    except OSError as trouble:
        write([Line(f"{trouble.filename}: {trouble.strerror}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
    except ReportError as trouble:
        write([Line(printable(str(trouble)), ("red", "bold"))], sys.stderr)
        return UNUSABLE
    by = f"signed with key {key.id[:16]}" if key else "without a key: a note, and no proof"
    write([Line(f"{path}: {given.act} by {given.name}, {by}")], sys.stdout)
    return PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sign-off", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--act", default="")
    for name in ("name", "role", "remark"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--signing-key")
    parser.add_argument("--signing-key-env")
    return parser


if __name__ == "__main__":
    sys.exit(main())
