"""`make verify-evidence`: is this bundle what was sealed, and who says so? No stack is needed.

Exit code 0: genuine. 1: changed, or nobody trusted vouches for it. 3: no bundle at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reports import prose
from reports.errors import BadBundle, BadKey
from reports.lines import Line, printable, wrapped, write
from reports.seal.checks import Check, Examination, Trust
from reports.seal.folder import BUNDLE
from reports.summary import STYLES
from reports.verdict import FAILED, PASSED, UNUSABLE

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
        write([Line(f"UNUSABLE. {printable(f'{where}{trouble}')}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
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
        from reports.seal.signature import trusted

        keys = trusted(given.pubkey)
    if given.tsa_cert:
        from reports.seal.stamp import authorities as certificates

        authorities = certificates(given.tsa_cert)
    return Trust(keys, given.unsigned, given.previous, authorities)


def _bad(examination: Examination) -> list[Check]:
    return [check for check in examination.checks if check.state == "bad"]


def _account(bundle: Path, examination: Examination) -> Iterator[Line]:
    yield Line(f"Bundle {bundle}", ("bold",))
    for check in examination.checks:
        first = f"  {_MARKS[check.state]}  {check.name:<11} "
        style = _COLOURS[check.state]
        yield from wrapped(printable(check.sentence), first, " " * len(first), style=style)
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
        yield from wrapped(
            "Next: sign runs with a key (make signing-key, SIGNING_KEY=). UNSIGNED=1 looks at "
            "this one all the same.",
            then="      ",
        )
    elif bad == ["signature"]:
        yield Line(
            "UNTRUSTED. It fits together, and nobody you trust vouches for it.", _COLOURS["bad"]
        )
        yield from wrapped(
            "Next: ask whoever made it for their public key, by another way than the bundle's "
            "(PUBKEY=). UNSIGNED=1 looks at it without one.",
            then="      ",
        )
    else:
        yield Line("TAMPERED. Do not rely on it.", _COLOURS["bad"])
        yield from wrapped("Next: get the bundle again from whoever made it.", then="      ")


def _told(examination: Examination) -> Iterator[Line]:
    """What the genuine record says, which may be bad news."""
    assert examination.run
    run = examination.run
    end = prose.outcome(run)
    yield Line("")
    yield Line(f"Run {printable(run.run.id)}, as recorded:")
    if worth := prose.grade(run):
        yield from wrapped(worth, "  ", "  ")
    text = f"{end.word.upper()}. {end.sentence}"
    yield from wrapped(printable(text), "  ", "  ", style=STYLES[run.verdict])


if __name__ == "__main__":
    sys.exit(main())
