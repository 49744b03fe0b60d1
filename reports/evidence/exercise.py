"""What is missing in a declared exercise, or cannot be as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from reports.evidence.context import Action, DeclaredExercise, Exercise
from reports.evidence.model import Run


def judge(run: Run) -> Run:
    """The run with the findings of its exercise; of one that is not declared nothing is said.

    Records are checked by finding the same again, so a sentence here is part of the contract.
    """
    found = tuple(_findings(run)) if is_declared(run.exercise) else ()
    return run.model_copy(update={"exercise": run.exercise.model_copy(update={"findings": found})})


def is_declared(said: Exercise) -> bool:
    """Whether anything of an exercise was declared."""
    return any(getattr(said, name) for name in DeclaredExercise.model_fields)


def _findings(run: Run) -> Iterator[str]:
    said = run.exercise
    yield from _of_runbook(run)
    for before, after in pairwise(said.timeline):
        if after.at < before.at:
            yield f"{after.what} stands after {before.what}, and is earlier"
    moments = [(one.what, one.at) for one in said.timeline]
    moments += [(f"the report to {one.to}", one.at) for one in said.reported]
    for what, at in moments:
        if at > run.run.finished:
            yield f"{what} is later than the end of the run"
    if run.subject.backup:
        if said.authorisation is None:
            yield "a backup was restored, and no authorisation is declared"
        elif said.authorisation.at > run.run.started:
            yield "the restore was authorised after it had begun"
    critical = [one.name for one in said.functions if one.critical]
    if critical and not any(one.kind == "bia" for one in said.references):
        yield f"{', '.join(critical)}: critical, and no business impact analysis is referred to"
    for party in said.third_parties:
        if not party.involved:
            yield f"{party.name}: a third party, and not involved"
    yield from _of_production(run)
    for action in run.deviations.actions:
        yield from _of_action(action, run.run.finished.date())


def _of_runbook(run: Run) -> Iterator[str]:
    book, people = run.exercise.runbook, {one.name for one in run.people}
    if book is None:
        yield "no runbook is named"
        return
    if not book.followed_by:
        yield "no one is named who worked from the runbook"
    for name in book.followed_by:
        if name not in people:
            yield f"{name} worked from the runbook, and is not among the people"


def _of_production(run: Run) -> Iterator[str]:
    data, said = run.subject.data_set or run.scope.data_set, run.exercise.production
    if data is None or data.kind not in ("production", "production copy"):
        return
    missing = {
        "data": "production data were used, and no reason is declared",
        "keys": "production keys were used, and no reason is declared",
        "disposal": "production data were used, and no disposal is declared",
    }
    yield from (words for name, words in missing.items() if not getattr(said, name, None))


def _of_action(action: Action, day: date) -> Iterator[str]:
    name = f"the action about {action.control}"
    if action.closed is None:
        if action.due and action.due < day:
            yield f"{name} was due on {action.due}, and is open"
    elif action.closed > day:
        yield f"{name} is closed on {action.closed}, after the run"
    elif action.retest_run is None:
        yield f"{name} is closed without a re-test"
