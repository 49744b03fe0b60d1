"""`make signing-key`, `make seal`, `make timestamp`: sealing without a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from drillbook.core.files import read_file
from reports.errors import BadEvidence, BadKey, CannotSeal, ReportError
from reports.evidence import json_file
from reports.render.terminal import Line, refuse, write
from reports.seal import signature, timestamp
from reports.seal.manifest import SIGNATURE
from reports.seal.sealer import (
    BUNDLE,
    BY_FILE,
    bundle_of,
    companion,
    describe_seal,
    make_sealer,
    refuse_changed,
)
from reports.verdict.verdicts import PASSED

_EXAMPLES = {
    "out": "drill.key",
    "run": "reports/runs/latest",
    "bundle": "reports/runs/latest/bundle.zip",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of them; exit code 3 and one sentence if it cannot be."""
    given = _parser().parse_args(arguments)
    try:
        _named(given)
        write(given.act(given), sys.stdout)
    except (ReportError, OSError) as trouble:
        return refuse(trouble)
    return PASSED


def _named(given: argparse.Namespace) -> None:
    """Make hands over an empty word where a variable was not given."""
    for name, example in _EXAMPLES.items():
        if getattr(given, name, None) == Path():
            raise BadKey(f"{name.upper()} was not given; for example {name.upper()}={example}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reports.seal.tools", description=__doc__)
    acts = parser.add_subparsers(required=True)
    key = acts.add_parser("signing-key")
    key.add_argument("out", type=Path)
    key.set_defaults(act=_signing_key)
    again = acts.add_parser("seal")
    again.add_argument("run", type=Path)
    again.add_argument("--signing-key")
    again.add_argument("--signing-key-env")
    again.add_argument("--tsa")
    again.set_defaults(act=_seal)
    timestamp = acts.add_parser("timestamp")
    timestamp.add_argument("bundle", type=Path)
    timestamp.add_argument("--tsa")
    timestamp.add_argument("--tsr", type=Path)
    timestamp.set_defaults(act=_timestamp)
    return parser


def _signing_key(given: argparse.Namespace) -> Iterator[Line]:
    name = signature.generate(given.out)
    used = f"make verify SIGNING_KEY={quote(str(given.out))}"
    yield Line(f"Private key: {given.out} (keep it secret; {used})")
    yield Line(f"Public key:  {given.out}.pub (give it to whoever checks your bundles)")
    yield Line(f"Key id:      {name}")


def _seal(given: argparse.Namespace) -> Iterator[Line]:
    """Sign a folder that was sealed before, after checking that it has not changed since."""
    sealer = make_sealer(given.signing_key, given.signing_key_env, given.tsa)
    try:
        run = json_file.load(given.run / "evidence.json")
    except (OSError, ValueError):
        raise BadEvidence(f"{given.run}: no folder of a run with its evidence.json") from None
    refuse_changed(given.run)
    if sealer.key is None and (given.run / SIGNATURE).is_file():
        raise BadKey(f"{given.run} is signed; give SIGNING_KEY= to sign it anew")
    stamped = companion(given.run / BUNDLE, ".tsr").is_file()
    sealed = sealer.seal(given.run, run, lambda _: True)
    if sealed.trouble:
        raise CannotSeal(sealed.trouble)
    yield from describe_seal(sealed)
    yield Line(f"Bundle: {given.run / BUNDLE}")
    if stamped and not companion(given.run / BUNDLE, ".tsr").is_file():
        yield Line("Its time-stamp was of the bundle before: make timestamp gets another.")


def _timestamp(given: argparse.Namespace) -> Iterator[Line]:
    make_sealer(None, None, given.tsa)
    bundle = bundle_of(given.bundle)
    query, answered = (companion(bundle, suffix) for suffix in (".tsq", ".tsr"))
    asked = timestamp.request(bundle)
    if given.tsr is None and given.tsa in (None, "", BY_FILE):
        query.write_bytes(asked)
        yield Line(f"Carry {query} to the authority, then: make timestamp BUNDLE=... TSR=...")
        return
    answer = read_file(given.tsr, 1 << 20) if given.tsr else timestamp.ask(given.tsa, asked)
    moment = timestamp.accept(answer, bundle)
    answered.write_bytes(answer)
    query.unlink(missing_ok=True)
    yield Line(f"{answered}: {moment:%d %B %Y, %H:%M:%S} UTC, says whoever stamped it")


if __name__ == "__main__":
    sys.exit(main())
