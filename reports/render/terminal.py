"""The terminal output of a run: lines that fit the terminal, and the summary at its end.

NO_COLOR and pipes take their style away.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from drillbook.core import display
from reports.evidence.model import OUTSIDE, Control, Run
from reports.render import phrases, upgrade_text
from reports.render.charts import recovery
from reports.verdict import Verdict

WIDTH = 80
# Text of an untrusted file must not control the terminal.
printable = partial(display.printable, keep="\n")
STYLES: dict[Verdict, tuple[str, ...]] = {
    Verdict.NOT_APPLICABLE: (),
    Verdict.SATISFIED: ("green",),
    Verdict.NOT_RUN: ("yellow",),
    Verdict.CONTRADICTED: ("purple",),
    Verdict.INCONCLUSIVE: ("yellow", "bold"),
    Verdict.VIOLATED: ("red", "bold"),
}
_COLUMNS = ["n/a" if one is Verdict.NOT_APPLICABLE else one.words for one in phrases.COLUMNS]
_LINES = 8


class Line(NamedTuple):
    """One line for the terminal and its style."""

    text: str
    style: tuple[str, ...] = ()


def columns() -> int:
    """The width of lines: the terminal's or COLUMNS, from 40 to 120; 80 without either."""
    return max(40, min(shutil.get_terminal_size((WIDTH, 24)).columns, 120))


def wrap(
    text: str, first: str = "", then: str = "", *, style: tuple[str, ...] = ()
) -> Iterator[Line]:
    """Paragraphs keep their breaks; words longer than a line are cut rather than overflow."""
    for paragraph in text.splitlines() or [""]:
        lines = textwrap.wrap(
            paragraph,
            columns() - 1,
            initial_indent=first,
            subsequent_indent=then,
            break_on_hyphens=False,
        ) or [first]
        yield from (Line(line, style) for line in lines)
        first = then


def write(lines: Iterable[Line]) -> None:
    """Print lines in their style; under pytest its own reporter does that.

    Nothing in a line steers the terminal: any text may come from a file of someone else.
    """
    console = Console(highlight=False, soft_wrap=True)
    # rich ends the program with status 1 if the reader of a pipe is gone; ours is a verdict.
    with suppress(SystemExit):
        for line in lines:
            text = display.printable(line.text, keep="\n\t")
            console.print(Text(text, " ".join(line.style)))


def summary(run: Run, report: str, *, verbose: bool = False) -> Iterator[Line]:
    """Everything to say at the end, in lines that fit the terminal.

    What failed comes first, and what is advisory last. Whether a deployment may be deployed stands
    before and after all of it; the counts and the end fit a screen of 24 lines. verbose: each
    correction in full, not with its title alone.
    """
    is_deployment = phrases.answers_deployment(run)
    if is_deployment:
        yield Line("")
        yield from _headline(run)
    failures = phrases.failures(run)
    yield from _violated(failures)
    for verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN):
        yield from _group(run, verdict)
    yield from _not_given(run)
    yield from _known_weaknesses(run)
    yield from _corrections(run, report, verbose=verbose)
    others = [one for one in run.controls if one not in failures and not one.known_weakness]
    yield from _violated(others)
    yield from _waivers(run)
    yield Line("")
    yield from _table(run)
    yield Line("")
    if not is_deployment:
        yield from result(run, report)
        return
    end = phrases.outcome(run)
    yield from wrap(end.answer, style=result_style(run))
    yield from wrap(f"Next: {end.next}", "", "      ")
    yield Line(f"Report: {report}")


def _table(run: Run) -> Iterator[Line]:
    controls = phrases.asked_controls(run)
    yield Line(_row("controls", _COLUMNS), ("bold",))
    for chapter, members in phrases.by_chapter(controls).items():
        yield Line(_row(chapter, [count or "-" for _, count in phrases.tally(members)]))
    yield Line(_row("all", [count or "-" for _, count in phrases.tally(controls)]), ("bold",))
    if known := phrases.known_weaknesses(run):
        yield Line(f"not counted: known weaknesses of the release, {len(known)}")


def _row(name: str, cells: Iterable[object]) -> str:
    columns = zip(_COLUMNS, cells, strict=True)
    return f"{name[:16]:<17}" + "".join(f"{cell:>{len(word) + 2}}" for word, cell in columns)


def _group(run: Run, verdict: Verdict) -> Iterator[Line]:
    members = [control for control in run.controls if control.verdict is verdict]
    outside = [control for control in members if control.note == OUTSIDE]
    members = [control for control in members if control not in outside]
    if outside:
        yield Line("")
        yield Line(f"Not requested of this run: {len(outside)} controls")
    if not members:
        return
    yield Line("")
    yield Line(f"{verdict.words.capitalize()}: {len(members)}", STYLES[verdict])
    yield from _by_reason(members)
    yield from wrap(phrases.NEXT[verdict], "  -> ", "     ")


def _violated(controls: list[Control]) -> Iterator[Line]:
    members = [control for control in controls if control.verdict is Verdict.VIOLATED]
    if not members:
        return
    yield Line("")
    yield Line(f"Violated: {len(members)}", STYLES[Verdict.VIOLATED])
    for control in members:
        yield from _finding(control)
    yield from wrap(phrases.NEXT[Verdict.VIOLATED], "  -> ", "     ")


def _known_weaknesses(run: Run) -> Iterator[Line]:
    known = phrases.known_weaknesses(run)
    if not known:
        return
    yield Line("")
    yield Line(phrases.KNOWN_WEAKNESSES, ("bold",))
    for control in known:
        yield from wrap(f"{control.id}  {phrases.weakness(control)}", "  ", "      ")
        if control.exposure and control.exposure.avoid:
            yield from wrap(f"Rule:     {control.exposure.avoid}", "      ", "                ")
        if judged := phrases.exposure(control):
            yield from wrap(f"Here:     {judged}", "      ", "                ")
    if hint := phrases.unjudged_exposure(run):
        yield from wrap(hint, "  -> ", "     ")


def _by_reason(controls: list[Control]) -> Iterator[Line]:
    """The controls by reason: often many are unknown for the same one."""
    causes: dict[str, list[tuple[Control, str]]] = {}
    for control in controls:
        for reason in phrases.reasons(control):
            causes.setdefault(phrases.cause(reason), []).append((control, reason))
    for found in causes.values():
        control, reason = found[0]
        ids = ", ".join(dict.fromkeys(one.id for one, _ in found))
        yield from wrap(ids if len(found) > 1 else f"{ids}  {control.title}", "  ", "  ")
        yield from wrap(_shorten(phrases.cause(reason)), "      ", "      ")


def _finding(control: Control) -> Iterator[Line]:
    advisory = "" if control.gating else " (advisory)"
    yield from wrap(f"{control.id}  {control.title}{advisory}", "  ", "      ")
    if step := phrases.expectation(control):
        yield from wrap(f"Expected: {step}", "      ", "                ")
    head = "Seen:     "
    for words in phrases.observation(control):
        yield from wrap(f"{head}{_shorten(words)}", "      ", "                ")
        head = " " * len(head)
    if exposed := phrases.exposure(control):
        yield from wrap(f"Here:     {exposed}", "      ", "                ")
    yield from _advice(control, "To do:    ")


def _advice(control: Control, head: str) -> Iterator[Line]:
    """The corrections of a control; commands keep their lines, so that they can be copied."""
    for correction in control.corrections:
        then = " " * (6 + len(head))
        yield from wrap(f"{head}{correction.sentence}", "      ", then)
        head = " " * len(head)
        yield from (Line(f"      {line}") for line in (correction.commands or "").splitlines())
        if correction.because:
            yield from wrap(f"{head}{correction.because}", "      ", then)


def _corrections(run: Run, report: str, *, verbose: bool) -> Iterator[Line]:
    wrong = phrases.contradicted_controls(run)
    if not wrong:
        return
    yield Line("")
    yield Line(f"Contradicted: {len(wrong)}", STYLES[Verdict.CONTRADICTED])
    for control in wrong:
        if not control.corrections:
            yield from _finding(control)
            continue
        yield from wrap(f"{control.id}  {control.title}", "  ", "      ")
        if verbose:
            yield from wrap(f"runbook: {phrases.says(control)}", "      ", "               ")
            yield from _advice(control, "better:  ")
    yield from wrap(phrases.NEXT[Verdict.CONTRADICTED], "  -> ", "     ")
    yield Line(f"     {report}#corrections")


def _not_given(run: Run) -> Iterator[Line]:
    """Gating controls that do not apply: this run lacks the input or feature they are about."""
    gating = [one for one in phrases.asked_controls(run) if one.gating]
    found = [one for one in gating if one.verdict is Verdict.NOT_APPLICABLE]
    if not found:
        return
    yield Line("")
    yield Line(f"Gating controls that do not apply to this run: {len(found)}")
    yield from _by_reason(found)


def _waivers(run: Run) -> Iterator[Line]:
    waived = [(control, control.waiver) for control in run.controls if control.waiver]
    if not waived:
        return
    yield Line("")
    yield Line(f"Waivers: {len(waived)}", ("bold",))
    for control, one in waived:
        yield from wrap(f"{control.id}  {control.verdict.words}: {control.title}", "  ", "      ")
        yield from wrap(phrases.waiver(one), "      ", "      ")
        yield from wrap(f"reason: {one.reason}", "      ", "      ")


def result_style(run: Run) -> tuple[str, ...]:
    """The style of the result: green only if something was judged and nothing is violated."""
    colour = {0: "green", 1: "red"}.get(phrases.cover_code(run), "yellow")
    return colour, "bold"


def result(run: Run, report: str) -> Iterator[Line]:
    """The answer, why, what to do next, and where the report is."""
    yield from _headline(run)
    yield Line(f"Report: {report}")


def _headline(run: Run) -> Iterator[Line]:
    """The answer to the question of the run, why, and what to do next; and what limits it."""
    end, grade = phrases.outcome(run), phrases.grade(run)
    next_step = [*wrap(f"Next: {end.next}", "", "      ")]
    limits = [*wrap(grade, style=("bold",))] if grade else []
    is_deployment = phrases.answers_deployment(run)
    if is_deployment:
        yield from wrap(end.answer, style=result_style(run))
    else:
        yield from limits
    yield from wrap(f"{end.word.upper()}. {end.sentence}", style=result_style(run))
    if is_deployment:
        yield from next_step
    if changed := upgrade_text.sentence(run):
        yield from wrap(changed, style=("bold",))
    if recovered := recovery(run):
        yield from wrap(recovered.sentence, style=("bold",))
    if run.subject.document and (sections := run.subject.document.changed):
        yield from wrap(f"Changed since they were last proved: {'; '.join(sections)}.")
    yield from limits if is_deployment else next_step


def _shorten(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "...", lines[-1]])
