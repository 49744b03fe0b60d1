"""`drillbook evidence verify`: is this bundle what was sealed, and who signed it?

Exit code 0: genuine. 1: changed, or without a trusted signature. 3: not a bundle.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from drillbook.core.answer import write_json
from reports.errors import BadBundle, BadKey
from reports.render import phrases
from reports.render.terminal import STYLES, Line, printable, wrap, write
from reports.seal.examine import Examination, Trust
from reports.seal.sealer import bundle_of
from reports.seal.signature import load_trusted_keys
from reports.seal.timestamp import authorities as certificates
from reports.verdict.verdicts import FAILED, PASSED

_WORD = re.compile("[A-Z]+")
_MARKS = {"ok": "ok", "bad": "NO", "open": "--"}
_COLOURS: dict[str, tuple[str, ...]] = {"ok": ("green",), "bad": ("red", "bold"), "open": ()}


def main(given: SimpleNamespace) -> int:
    """Examine one bundle and say what was found."""
    place = Path(given.bundle)
    bundle = bundle_of(place)
    try:
        examination = Examination(bundle, _trust(given), place if place.is_dir() else None)
        examination.examine()
    except (BadBundle, BadKey) as trouble:
        where = "" if isinstance(trouble, BadKey) else f"{bundle}: "
        raise BadBundle(f"UNUSABLE. {where}{trouble}") from None
    if given.output == "json":
        _write_answer(bundle, examination)
    else:
        write(_account(bundle, examination), sys.stdout)
    return FAILED if examination.bad else PASSED


def _trust(given: SimpleNamespace) -> Trust:
    keys = authorities = None
    if given.pubkey:
        keys = load_trusted_keys(*given.pubkey)
    if given.tsa_cert:
        authorities = certificates(Path(given.tsa_cert))
    previous = Path(given.previous) if given.previous else None
    return Trust(keys, given.unsigned, previous, authorities)


def _account(bundle: Path, examination: Examination) -> Iterator[Line]:
    yield Line(f"Bundle {bundle}", ("bold",))
    for check in examination.checks:
        first = f"  {_MARKS[check.state]}  {check.name:<11} "
        style = _COLOURS[check.state]
        yield from wrap(printable(check.sentence), first, " " * len(first), style=style)
    yield Line("")
    yield from _result(examination)
    if examination.run and not examination.bad:
        yield from _run_lines(examination)


def _write_answer(bundle: Path, examination: Examination) -> None:
    said, _, _ = _judge(examination)
    run = None if examination.bad else examination.run
    write_json(
        "evidence-verify",
        bundle=str(bundle),
        answer=_WORD.findall(said)[0],
        checks=[one._asdict() for one in examination.checks],
        run={
            "id": run.run.id,
            "grade": run.subject.grade,
            "verdict": run.verdict,
            "exit_code": run.exit_code,
        }
        if run
        else None,
    )


def _judge(examination: Examination) -> tuple[str, str, tuple[str, ...]]:
    """The answer by the checks, the next step, and the style."""
    bad, red = [check.name for check in examination.bad], _COLOURS["bad"]
    if not bad and examination.signed:
        said = "GENUINE. It is, byte for byte, what the holder of the key sealed."
        return said, "", _COLOURS["ok"]
    if not bad:
        said = "INTACT, and no more: it fits together, and nothing proves who made it."
        return said, "", ("yellow", "bold")
    if bad != ["signature"]:
        return "TAMPERED. Do not rely on it.", "get the bundle again from its maker.", red
    if not examination.envelope:
        return (
            "UNSIGNED. It fits together, and nothing says who made it.",
            "sign runs with a key (drillbook evidence sign-key, --sign). --unsigned looks at this "
            "one all the same.",
            red,
        )
    return (
        "UNTRUSTED. It fits together, and no one you trust vouches for it.",
        "ask its maker for the public key, by another way than the bundle's (--pubkey). "
        "--unsigned looks at it without one.",
        red,
    )


def _result(examination: Examination) -> Iterator[Line]:
    said, then, style = _judge(examination)
    yield Line(said, style)
    if then:
        yield from wrap(f"Next: {then}", then="      ")


def _run_lines(examination: Examination) -> Iterator[Line]:
    """The result that the genuine record reports, which may be bad."""
    assert examination.run
    run = examination.run
    end = phrases.outcome(run)
    yield Line("")
    yield Line(f"Run {printable(run.run.id)}, as recorded:")
    if worth := phrases.grade(run):
        yield from wrap(worth, "  ", "  ")
    text = f"{end.word.upper()}. {end.sentence}"
    yield from wrap(printable(text), "  ", "  ", style=STYLES[run.verdict])
