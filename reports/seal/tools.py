"""Sealing without a run: a new key, a seal afterwards, a time-stamp."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from types import SimpleNamespace

from drillbook.core.files import read_file
from reports.errors import BadEvidence, BadKey, CannotSeal
from reports.evidence import json_file
from reports.render.terminal import Line, write
from reports.seal import signature, timestamp
from reports.seal.manifest import SIGNATURE
from reports.seal.sealer import (
    BUNDLE,
    BY_FILE,
    bundle_of,
    companion,
    describe_seal,
    make_sealer,
    refuse_changes,
)
from reports.verdict.verdicts import PASSED


def sign_key(given: SimpleNamespace) -> int:
    """Make a key to sign with; the exit code."""
    write(_signing_key(given), sys.stdout)
    return PASSED


def seal(given: SimpleNamespace) -> int:
    """Seal a run that has ended; the exit code."""
    write(_seal(given), sys.stdout)
    return PASSED


def stamp(given: SimpleNamespace) -> int:
    """Have a bundle time-stamped; the exit code."""
    write(_timestamp(given), sys.stdout)
    return PASSED


def _signing_key(given: SimpleNamespace) -> Iterator[Line]:
    name = signature.generate(Path(given.out))
    used = f"drillbook verify --sign {quote(str(given.out))}"
    yield Line(f"Private key: {given.out} (keep it secret; {used})")
    yield Line(f"Public key:  {given.out}.pub (give it to anyone who checks your bundles)")
    yield Line(f"Key id:      {name}")


def _seal(given: SimpleNamespace) -> Iterator[Line]:
    """Sign a folder that was sealed before, after checking that it has not changed since."""
    folder = Path(given.run)
    sealer = make_sealer(given.signing_key, given.signing_key_env, given.tsa)
    try:
        run = json_file.load(folder / json_file.RECORD)
    except (OSError, ValueError):
        raise BadEvidence(f"{given.run}: no folder of a run with its {json_file.RECORD}") from None
    refuse_changes(folder)
    if sealer.key is None and (folder / SIGNATURE).is_file():
        raise BadKey(f"{given.run} is signed; give --signing-key to sign it anew")
    stamped = companion(folder / BUNDLE, ".tsr").is_file()
    sealed = sealer.seal(folder, run, lambda _: True)
    if sealed.trouble:
        raise CannotSeal(sealed.trouble)
    yield from describe_seal(sealed)
    yield Line(f"Bundle: {folder / BUNDLE}")
    if stamped and not companion(folder / BUNDLE, ".tsr").is_file():
        yield Line(
            "Its time-stamp was of the bundle before: drillbook evidence timestamp gets another."
        )


def _timestamp(given: SimpleNamespace) -> Iterator[Line]:
    make_sealer(None, None, given.tsa)
    bundle = bundle_of(Path(given.bundle))
    query, answered = (companion(bundle, suffix) for suffix in (".tsq", ".tsr"))
    asked = timestamp.request(bundle)
    if given.tsr is None and given.tsa in (None, "", BY_FILE):
        query.write_bytes(asked)
        yield Line(
            f"Carry {query} to the authority, then: drillbook evidence timestamp ... --tsr ..."
        )
        return
    answer = read_file(Path(given.tsr), 1 << 20) if given.tsr else timestamp.ask(given.tsa, asked)
    moment = timestamp.accept(answer, bundle)
    answered.write_bytes(answer)
    query.unlink(missing_ok=True)
    yield Line(f"{answered}: {moment:%d %B %Y, %H:%M:%S} UTC, says the authority that stamped it")
