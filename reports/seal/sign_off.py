"""`drillbook evidence sign-off`: who prepared, reviewed or approved a bundle, in a file next to it.

Evidence does not change after a run, so a signature is a file of its own that covers the bundle's
SHA-256: `bundle.zip.approved.json`, an in-toto statement, in a DSSE envelope where a key was given.
Without a key it is a note that anyone could have written, and `evidence verify` says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from reports.errors import BadSignOff
from reports.evidence.model import Run
from reports.render import phrases
from reports.render.terminal import Line, printable, wrap, write
from reports.seal.manifest import STATEMENT, bundle_of, file_digest
from reports.seal.sealer import make_sealer
from reports.seal.signature import SigningKey, load_trusted_keys
from reports.seal.verification import SIGN_OFF, Examination, Trust, intact
from reports.verdict import FAILED, PASSED

_LONGEST = 300


def sign_off(bundle: Path, run: Run, who: Who, key: SigningKey | None) -> Path:
    """Write the signature's file, which is returned; nothing that was signed is overwritten."""
    payload = json.dumps(_statement(bundle, run, who), indent=2, ensure_ascii=False).encode()
    path = bundle.with_name(f"{bundle.name}.{who.act}.json")
    try:
        with path.open("xb") as file:
            file.write(key.sign(payload + b"\n") if key else payload + b"\n")
    except FileExistsError:
        done = f"it was {who.act} before; to sign again, keep that file elsewhere"
        raise BadSignOff(f"{path} exists: {done}") from None
    return path


class Who(NamedTuple):
    """A person and what they did."""

    act: str
    name: str
    role: str
    remark: str

    def check(self) -> Who:
        """Without white space around; BadSignOff if something cannot be shown."""
        for what, text in (("--name", self.name), ("--role", self.role), ("--remark", self.remark)):
            if len(text) > _LONGEST or not text.isprintable():
                raise BadSignOff(f"{what}: give one line of at most {_LONGEST} characters")
        return Who(*(text.strip() for text in self))


def examine_to_sign(
    bundle: Path, keys: dict[str, Ed25519PublicKey] | None = None, *, anyway: bool
) -> tuple[Run, list[Line]]:
    """The run that is to be signed off, and what it is, in lines.

    Refused is a bundle that was changed, or that none of these keys signed, and, unless `anyway`,
    one that decides or proves little.
    """
    run, examination = intact(bundle, Trust(keys, keys is None), "it is not signed off")
    doubts = []
    if run.exit_code not in (PASSED, FAILED):
        doubts.append(f"the run is {phrases.outcome(run).word.lower()}")
    if run.subject.grade == "rehearsal":
        doubts.append("it is a rehearsal, no evidence about a deployment")
    if not examination.envelope:
        doubts.append("the bundle is unsigned")
    if doubts and not anyway:
        raise BadSignOff(f"{bundle}: {'; '.join(doubts)}. To sign it all the same: --anyway")
    return run, list(_preview(run, examination))


def _preview(run: Run, examination: Examination) -> Iterator[Line]:
    """The facts of the run that the person signs off."""
    end = phrases.outcome(run)
    trusted = "trusted" if examination.signed else "not checked; give --pubkey"
    by = (
        f"signed by key {str(run.seal.key_id)[:16]} ({trusted})"
        if examination.envelope
        else "unsigned"
    )
    yield from wrap(f"Run {run.run.id}: {printable(run.run.make or run.run.command)}")
    yield Line(f"{run.run.finished:%d %B %Y, %H:%M} UTC, grade {run.subject.grade}, bundle {by}")
    yield from wrap(printable(f"{end.word.upper()}. {end.sentence}"))


def _statement(bundle: Path, run: Run, who: Who) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [{"name": bundle.name, "digest": {"sha256": file_digest(bundle)}}],
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


def main(given: SimpleNamespace) -> int:
    """Sign one bundle off; the exit code."""
    who = Who(*(getattr(given, one) or "" for one in ("act", "name", "role", "remark"))).check()
    key = make_sealer(given.signing_key, given.signing_key_env, None).key
    bundle = bundle_of(Path(given.bundle))
    trusted = load_trusted_keys(*given.pubkey) if given.pubkey else None
    run, shown = examine_to_sign(bundle, trusted, anyway=given.anyway)
    path = sign_off(bundle, run, who, key)
    by = f"signed with key {key.id[:16]}" if key else "without a key: a note, and no proof"
    write(shown, sys.stdout)
    write([Line(f"{path}: {given.act} by {given.name}, {by}")], sys.stdout)
    return PASSED
