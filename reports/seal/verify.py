"""`make verify-evidence`: is this bundle what was sealed, and who says so? No stack is needed.

Exit code 0: genuine. 1: changed, or nobody trusted vouches for it. 3: no bundle at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reports.errors import BadBundle, BadKey
from reports.render import phrases
from reports.render.terminal import STYLES, Line, printable, refuse, wrap, write
from reports.seal.examine import Check, Examination, Trust
from reports.seal.sealer import BUNDLE
from reports.seal.signature import load_trusted_keys
from reports.seal.timestamp import authorities as certificates
from reports.verdict.verdicts import FAILED, PASSED

_MARKS = {"ok": "ok", "bad": "NO", "open": "--"}
_COLOURS: dict[str, tuple[str, ...]] = {"ok": ("green",), "bad": ("red", "bold"), "open": ()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine one bundle and say what was found."""
    given = _parser().parse_args(arguments)
    if (given.bundle / BUNDLE).is_file():
        given.bundle /= BUNDLE
    try:
        examination = Examination(given.bundle, _trust(given))
        examination.examine()
    except (BadBundle, BadKey) as trouble:
        where = "" if isinstance(trouble, BadKey) else f"{given.bundle}: "
        return refuse(f"UNUSABLE. {where}{trouble}")
    write(_account(given.bundle, examination), sys.stdout)
    return FAILED if _bad(examination) else PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify-evidence", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pubkey", type=Path, help="public keys that are trusted (PEM)")
    parser.add_argument("--previous", type=Path, help="the bundle of the run before")
    parser.add_argument("--tsa-cert", type=Path, help="certificates of time-stamp authorities")
    parser.add_argument("--unsigned", action="store_true", help="do without a signature")
    return parser


def _trust(given: argparse.Namespace) -> Trust:
    if given.bundle == Path():
        raise BadKey("no bundle was named: give BUNDLE=reports/runs/latest/bundle.zip")
    keys = authorities = None
    if given.pubkey:
        keys = load_trusted_keys(given.pubkey)
    if given.tsa_cert:
        authorities = certificates(given.tsa_cert)
    return Trust(keys, given.unsigned, given.previous, authorities)


def _bad(examination: Examination) -> list[Check]:
    return [check for check in examination.checks if check.state == "bad"]


def _account(bundle: Path, examination: Examination) -> Iterator[Line]:
    yield Line(f"Bundle {bundle}", ("bold",))
    for check in examination.checks:
        first = f"  {_MARKS[check.state]}  {check.name:<11} "
        style = _COLOURS[check.state]
        yield from wrap(printable(check.sentence), first, " " * len(first), style=style)
    yield Line("")
    yield from _result(examination)
    if examination.run and not _bad(examination):
        yield from _told(examination)


def _result(examination: Examination) -> Iterator[Line]:
    bad = [check.name for check in _bad(examination)]
    if not bad and examination.signed:
        yield Line(
            "GENUINE. It is, byte for byte, what the holder of the key sealed.", _COLOURS["ok"]
        )
    elif not bad:
        text = "INTACT, and no more: it fits together, and nothing proves who made it."
        yield Line(text, ("yellow", "bold"))
    elif bad == ["signature"] and not examination.envelope:
        yield Line("UNSIGNED. It fits together, and nothing says who made it.", _COLOURS["bad"])
        yield from wrap(
            "Next: sign runs with a key (make signing-key, SIGNING_KEY=). UNSIGNED=1 looks at "
            "this one all the same.",
            then="      ",
        )
    elif bad == ["signature"]:
        yield Line(
            "UNTRUSTED. It fits together, and nobody you trust vouches for it.", _COLOURS["bad"]
        )
        yield from wrap(
            "Next: ask whoever made it for their public key, by another way than the bundle's "
            "(PUBKEY=). UNSIGNED=1 looks at it without one.",
            then="      ",
        )
    else:
        yield Line("TAMPERED. Do not rely on it.", _COLOURS["bad"])
        yield from wrap("Next: get the bundle again from whoever made it.", then="      ")


def _told(examination: Examination) -> Iterator[Line]:
    """What the genuine record says, which may be bad news."""
    assert examination.run
    run = examination.run
    end = phrases.outcome(run)
    yield Line("")
    yield Line(f"Run {printable(run.run.id)}, as recorded:")
    if worth := phrases.grade(run):
        yield from wrap(worth, "  ", "  ")
    text = f"{end.word.upper()}. {end.sentence}"
    yield from wrap(printable(text), "  ", "  ", style=STYLES[run.verdict])


if __name__ == "__main__":
    sys.exit(main())
