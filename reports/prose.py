"""A run in plain sentences, the same on the terminal and in every document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from reports.model import Control, Run, Spec
from reports.verdict import Verdict

REHEARSAL = (
    "This was a rehearsal. The backend was Drillbook's reference backend, not Infisical: "
    "the result is no evidence about a deployment."
)
LIMITS = (
    "Drillbook is sound, not complete: a violated control was seen to fail, a satisfied one was "
    "only not seen to fail, under the conditions described here. "
    "What no control asks, this report does not answer."
)
NEXT = {
    Verdict.VIOLATED: "Do not rely on the deployment in these points: repair, then run again.",
    Verdict.INCONCLUSIVE: "Nothing is known about these: remove the cause, then run again.",
    Verdict.NOT_RUN: "Nothing is known about these: give them what they lacked, then run again.",
    Verdict.CONTRADICTED: "Change the runbook: the procedure was followed, and this happened.",
}


class Outcome(NamedTuple):
    """The result in a word, a sentence, and what to do next."""

    word: str
    sentence: str
    next: str


def outcome(run: Run) -> Outcome:
    """What the gate says, and why."""
    if run.redaction.leaks:
        return _leaked(run)
    gating = [control for control in run.controls if control.gating and not control.waived]
    if run.exit_code == 0:
        return _passed(run, gating)
    return _failed(gating) if run.exit_code == 1 else _undecided(run, gating)


def _leaked(run: Run) -> Outcome:
    files = _listed(dict.fromkeys(leak.file for leak in run.redaction.leaks))
    names = _listed(dict.fromkeys(leak.secret for leak in run.redaction.leaks))
    return Outcome(
        "Failed",
        f"A secret stood in the finished report: {files} held {names}. It has been taken out.",
        "Find out how it got there; make it known to the recorder before anything prints it.",
    )


def _passed(run: Run, gating: list[Control]) -> Outcome:
    sentence = f"Every gating control holds ({len(gating)} of {len(gating)})."
    if run.subject.grade == "rehearsal":
        return Outcome("Passed", sentence, "Run it against the image you deploy.")
    return Outcome("Passed", sentence, "Keep the folder of this run with your audit records.")


def _failed(gating: list[Control]) -> Outcome:
    bad = [c for c in gating if c.verdict in (Verdict.VIOLATED, Verdict.CONTRADICTED)]
    return Outcome(
        "Failed",
        f"{len(bad)} of {len(gating)} gating controls failed: {_ids(bad)}.",
        f"Do not deploy. Begin with {bad[0].id}.",
    )


def _undecided(run: Run, gating: list[Control]) -> Outcome:
    unknown = [c for c in gating if c.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN)]
    if not gating:
        sentence = "No control gates this run, so it proves nothing."
    elif not unknown:
        sentence = "The run was interrupted."
    else:
        sentence = (
            f"Nothing failed, but {len(unknown)} of {len(gating)} gating controls could not be "
            f"judged: {_ids(unknown)}."
        )
    if run.run.selection:
        advice = "Controls left out count as not run; for a verdict run all of them."
        return Outcome("Undecided", sentence, advice)
    return Outcome("Undecided", sentence, "Remove the causes named above, then run again.")


def reasons(control: Control) -> list[str]:
    """Why a control has its verdict: what its worst specs said, each sentence once."""
    said = [spec.message for spec in control.specs if spec.verdict is control.verdict]
    return list(dict.fromkeys(message for message in said if message)) or [control.note or ""]


def failing_step(spec: Spec) -> str | None:
    """The title of the step at which a spec left its path."""
    amiss = [step.title for step in spec.steps if step.verdict is not Verdict.SATISFIED]
    return amiss[0] if amiss else None


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 05 s, 1 h 02 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _ids(controls: list[Control]) -> str:
    return _listed([control.id for control in controls])


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
