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
from typing import TYPE_CHECKING, Any, NamedTuple

from drillbook.core.files import open_file, read_file
from reports import prose
from reports.errors import BadBundle, BadSignOff, Distrusted, ReportError
from reports.framing import separated
from reports.lines import Line, printable, wrapped, write
from reports.model import Run
from reports.part import strict_json
from reports.seal.checks import Examination, Trust
from reports.seal.folder import bundle_of
from reports.seal.options import chosen
from reports.seal.statement import STATEMENT
from reports.verdict import FAILED, PASSED, UNUSABLE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from reports.seal.signature import SigningKey

ACTS = ("prepared", "reviewed", "approved")
SIGN_OFF = "urn:drillbook:sign-off:1"
_LONGEST = 300
_LARGEST = 64 << 10


def sign_off(bundle: Path, run: Run, who: Who, key: SigningKey | None) -> Path:
    """Write the signature's file, which is returned; nothing that was signed is overwritten."""
    payload = json.dumps(_statement(bundle, run, who), indent=2, ensure_ascii=False).encode()
    path = bundle.with_name(f"{bundle.name}.{who.act}.json")
    try:
        with path.open("xb") as file:
            file.write(key.sign(payload + b"\n") if key else payload + b"\n")
    except FileExistsError:
        done = f"it was {who.act} before; remove it to sign again"
        raise BadSignOff(f"{path} exists: {done}") from None
    return path


class Who(NamedTuple):
    """A person and what they did."""

    act: str
    name: str
    role: str
    remark: str

    def checked(self) -> Who:
        """Without white space around; BadSignOff if something is missing or cannot be shown."""
        if self.act not in ACTS:
            raise BadSignOff(f"ACT={self.act or ' is missing'}: give one of {', '.join(ACTS)}")
        for what, text in (("NAME", self.name), ("ROLE", self.role), ("REMARK", self.remark)):
            if len(text) > _LONGEST or not text.isprintable():
                raise BadSignOff(f"{what}: give one line of at most {_LONGEST} characters")
        if not self.name.strip():
            raise BadSignOff('NAME is missing: name the person who signs, NAME="Grace Hopper"')
        return Who(*(text.strip() for text in self))


def examined(bundle: Path, *, anyway: bool) -> tuple[Run, list[Line]]:
    """The run that is to be signed off, and what it is, in lines.

    Refused is a bundle that was changed, and, unless `anyway`, one that decides or proves little.
    """
    try:
        examination = Examination(bundle, Trust(unsigned=True))
        examination.examine()
    except BadBundle as trouble:
        raise BadBundle(f"{bundle}: {trouble}; give BUNDLE=.../bundle.zip") from None
    bad = [check.sentence for check in examination.checks if check.state == "bad"]
    run = examination.run
    if bad or run is None:
        raise Distrusted(f"{bundle}: {bad[0]}; it is not signed off")
    doubts = []
    if run.exit_code not in (PASSED, FAILED):
        doubts.append(f"the run is {prose.outcome(run).word.lower()}")
    if run.subject.grade == "rehearsal":
        doubts.append("it is a rehearsal, no evidence about a deployment")
    if not examination.envelope:
        doubts.append("the bundle is unsigned")
    if doubts and not anyway:
        raise BadSignOff(f"{bundle}: {'; '.join(doubts)}. To sign it all the same: ANYWAY=1")
    return run, list(_shown(run, examination.envelope))


def _shown(run: Run, signed: bool) -> Iterator[Line]:
    """What whoever signs puts their name to."""
    end = prose.outcome(run)
    by = f"signed by key {str(run.seal.key_id)[:16]}" if signed else "unsigned"
    yield from wrapped(f"Run {run.run.id}: {printable(run.run.make or run.run.command)}")
    yield Line(f"{run.run.finished:%d %B %Y, %H:%M} UTC, grade {run.subject.grade}, bundle {by}")
    yield from wrapped(printable(f"{end.word.upper()}. {end.sentence}"))


def _statement(bundle: Path, run: Run, who: Who) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [{"name": bundle.name, "digest": {"sha256": _digest(bundle)}}],
        "predicateType": SIGN_OFF,
        "predicate": {
            "run": run.run.id,
            "act": who.act,
            "name": who.name,
            "role": who.role or None,
            "remark": who.remark or None,
            "signed": datetime.now(UTC).isoformat(timespec="seconds"),
            "executedBy": run.sign_off.executed_by,
        },
    }


def found(
    bundle: Path, keys: dict[str, Ed25519PublicKey] | None, executor: str | None
) -> Iterator[tuple[bool, str]]:
    """For each signature beside a bundle, whether a trusted key vouches for it, and a sentence.

    The executor is the record's. Distrusted if one is about another bundle, or cannot be read.
    """
    for act in ACTS:
        path = bundle.with_name(f"{bundle.name}.{act}.json")
        if path.is_file():
            yield _examined(read_file(path, _LARGEST), act, bundle, keys, executor)


def _examined(
    data: bytes,
    act: str,
    bundle: Path,
    keys: dict[str, Ed25519PublicKey] | None,
    executor: str | None,
) -> tuple[bool, str]:
    payload, vouched, by = _opened(data, keys)
    try:
        said = strict_json(payload)
        kind, told = said["predicateType"], said["predicate"]
        digests = [one["digest"]["sha256"] for one in said["subject"]]
        who = f"{told['name']} ({told['role']})" if told["role"] else str(told["name"])
        sentence = f"{act} by {who} on {datetime.fromisoformat(told['signed']):%d %B %Y}, {by}"
        independent = separated(str(told["name"]), executor) if act == "approved" else None
        same = kind == SIGN_OFF and told["act"] == act
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Distrusted(f"the file that says {act} is no signature") from None
    if not same or digests != [_digest(bundle)]:
        raise Distrusted(f"what {who} {act} is another bundle than this one")
    if independent is None:
        return vouched, sentence
    by = f"; executed by {executor}" if independent else "; executed it: not independent"
    return vouched, sentence + by


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
    with open_file(bundle) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Sign one bundle off; exit code 3 and one sentence if that cannot be."""
    given = _parser().parse_args(arguments)
    try:
        if given.bundle == Path():
            raise BadSignOff("BUNDLE is missing: BUNDLE=reports/runs/latest/bundle.zip")
        who = Who(given.act, given.name, given.role, given.remark).checked()
        key = chosen(given.signing_key, given.signing_key_env, None).key
        bundle = bundle_of(given.bundle)
        run, shown = examined(bundle, anyway=given.anyway)
        path = sign_off(bundle, run, who, key)
    except OSError as trouble:
        write([Line(f"{trouble.filename}: {trouble.strerror}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
    except ReportError as trouble:
        write([Line(printable(str(trouble)), ("red", "bold"))], sys.stderr)
        return UNUSABLE
    by = f"signed with key {key.id[:16]}" if key else "without a key: a note, and no proof"
    write(shown, sys.stdout)
    write([Line(f"{path}: {given.act} by {given.name}, {by}")], sys.stdout)
    return PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sign-off", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--act", default="")
    parser.add_argument("--anyway", action="store_true", help="although it proves little")
    for name in ("name", "role", "remark"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--signing-key")
    parser.add_argument("--signing-key-env")
    return parser


if __name__ == "__main__":
    sys.exit(main())
