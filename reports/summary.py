"""The end of a run on the terminal: what is wrong, what the runbook should say, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from reports import changing
from reports.lines import Line as Line
from reports.lines import wrapped as _wrapped
from reports.model import Control, Run
from reports.plan import OUTSIDE
from reports.prose import NEXT, cause, grade, outcome, reasons, sentence, waiver
from reports.question import inside
from reports.recovery import recovery
from reports.verdict import Verdict

STYLES: dict[Verdict, tuple[str, ...]] = {
    Verdict.NOT_APPLICABLE: (),
    Verdict.SATISFIED: ("green",),
    Verdict.NOT_RUN: ("yellow",),
    Verdict.CONTRADICTED: ("purple",),
    Verdict.INCONCLUSIVE: ("yellow", "bold"),
    Verdict.VIOLATED: ("red", "bold"),
}
_COLUMNS = (
    (Verdict.SATISFIED, "satisfied"),
    (Verdict.CONTRADICTED, "contradicted"),
    (Verdict.VIOLATED, "violated"),
    (Verdict.INCONCLUSIVE, "inconclusive"),
    (Verdict.NOT_RUN, "not run"),
    (Verdict.NOT_APPLICABLE, "n/a"),
)
_LINES = 8


def summary(run: Run, report: str) -> Iterator[Line]:
    """Everything to say at the end, in lines of at most 80 columns; the result comes last."""
    yield Line("")
    yield from _table(run)
    for verdict in (Verdict.NOT_RUN, Verdict.INCONCLUSIVE, Verdict.VIOLATED):
        yield from _group(run, verdict)
    yield from _corrections(run)
    yield from _not_given(run)
    yield from _waivers(run)
    yield from _result(run, report)


def _table(run: Run) -> Iterator[Line]:
    head = "".join(f"{word:>{_wide(word)}}" for _, word in _COLUMNS)
    yield Line(f"{'controls':<17}{head}", ("bold",))
    asked = inside(run)
    for chapter in dict.fromkeys(control.chapter for control in asked):
        yield Line(_row(chapter, [c for c in asked if c.chapter == chapter]))
    yield Line(_row("all", asked), ("bold",))


def _row(name: str, controls: list[Control]) -> str:
    verdicts = [control.verdict for control in controls]
    cells = ((verdicts.count(verdict) or "-", _wide(word)) for verdict, word in _COLUMNS)
    return f"{name[:16]:<17}" + "".join(f"{count:>{wide}}" for count, wide in cells)


def _wide(word: str) -> int:
    return len(word) + 2


def _group(run: Run, verdict: Verdict) -> Iterator[Line]:
    members = [control for control in run.controls if control.verdict is verdict]
    outside = [control for control in members if control.note == OUTSIDE]
    members = [control for control in members if control not in outside]
    if outside:
        yield Line("")
        yield Line(f"Outside the question that this run asks: {len(outside)} controls")
    if not members:
        return
    yield Line("")
    yield Line(f"{verdict.words.capitalize()}: {len(members)}", STYLES[verdict])
    if verdict is not Verdict.VIOLATED:
        yield from _by_reason(members)
    else:
        for control in members:
            yield from _finding(control)
    yield from _wrapped(NEXT[verdict], "  -> ", "     ")


def _by_reason(controls: list[Control]) -> Iterator[Line]:
    """Many controls are often unknown for one reason, which is then said once."""
    causes: dict[str, list[tuple[Control, str]]] = {}
    for control in controls:
        for reason in reasons(control):
            causes.setdefault(cause(reason), []).append((control, reason))
    for found in causes.values():
        control, reason = found[0]
        ids = ", ".join(one.id for one, _ in found)
        yield from _wrapped(ids if len(found) > 1 else f"{ids}  {control.title}", "  ", "  ")
        yield from _wrapped(_shortened(reason), "      ", "      ")


def _finding(control: Control) -> Iterator[Line]:
    advisory = "" if control.gating else " (advisory)"
    yield from _wrapped(f"{control.id}  {control.title}{advisory}", "  ", "      ")
    if control.observed:
        yield from _wrapped(sentence(control.observed), "      ", "      ")
    for reason in reasons(control):
        yield from _wrapped(_shortened(reason), "      ", "      ")


def _corrections(run: Run) -> Iterator[Line]:
    wrong = [control for control in run.controls if control.verdict is Verdict.CONTRADICTED]
    if not wrong:
        return
    yield Line("")
    yield Line(f"Contradicted: {len(wrong)}", STYLES[Verdict.CONTRADICTED])
    for control in wrong:
        if control.correction is None:
            yield from _finding(control)
            continue
        yield from _wrapped(f"{control.id}  {control.title}", "  ", "      ")
        yield from _wrapped(f"runbook: {control.claim}", "      ", "               ")
        yield from _wrapped(f"better:  {control.correction}", "      ", "               ")
    yield from _wrapped(NEXT[Verdict.CONTRADICTED], "  -> ", "     ")


def _not_given(run: Run) -> Iterator[Line]:
    """Controls that would gate and are about something that this run has not: nothing holds."""
    found = [one for one in inside(run) if one.gating and one.verdict is Verdict.NOT_APPLICABLE]
    if not found:
        return
    yield Line("")
    yield Line(f"Not judged, for want of input or of a feature ({len(found)}):")
    yield from _by_reason(found)


def _waivers(run: Run) -> Iterator[Line]:
    waived = [control for control in run.controls if control.waiver]
    if not waived:
        return
    yield Line("")
    yield Line(f"Waivers: {len(waived)}", ("bold",))
    for control in waived:
        yield from _wrapped(
            f"{control.id}  {control.verdict.words}: {control.title}", "  ", "      "
        )
        if control.waiver:
            yield from _wrapped(waiver(control.waiver), "      ", "      ")
            yield from _wrapped(f"reason: {control.waiver.reason}", "      ", "      ")


def _result(run: Run, report: str) -> Iterator[Line]:
    end = outcome(run)
    style = {0: ("green", "bold"), 1: ("red", "bold")}.get(run.exit_code, ("yellow", "bold"))
    yield Line("")
    if trial := changing.experimental(run):
        yield from _wrapped(trial, style=("bold",))
        yield Line("")
    worth = grade(run)
    if worth:
        yield from _wrapped(worth, style=("bold",))
        yield Line("")
    yield from _wrapped(f"{end.word.upper()}. {end.sentence}", style=style)
    if changed := changing.sentence(run):
        yield from _wrapped(changed, style=("bold",))
    if recovered := recovery(run):
        yield from _wrapped(recovered.sentence, style=("bold",))
    yield from _wrapped(f"Next: {end.next}", "", "      ")
    yield Line(f"Report: {report}")


def _shortened(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "...", lines[-1]])
