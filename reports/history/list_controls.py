"""`drillbook catalogue`: every control, its statement and spec, and how it was judged last here."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from drillbook.core import options
from reports.controls.catalogue import load
from reports.controls.listing import FOLDER, Last, markdown, rows, text
from reports.errors import ReportError
from reports.history.runs import History, load_history
from reports.verdict.verdicts import UNUSABLE, Verdict


def last_verdicts(history: History) -> dict[str, Last]:
    """The latest verdict on each control.

    A run that was not asked for a control says nothing about it, nor does one with a planted bug.
    """
    return {
        control: Last(verdict.value, past.id, past.grade)
        for past in history.runs
        if not past.facts.mutant
        for control, verdict in past.facts.verdicts.items()
        if verdict is not Verdict.NOT_RUN
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the catalogue; exit code 3 and one sentence when it cannot be read."""
    form = options.parse("catalogue", arguments, (options.LISTING,), judged=True).output
    try:
        catalogue = load(FOLDER / "controls.toml")
    except ReportError as trouble:
        print(trouble, file=sys.stderr)  # noqa: T201 - this module speaks to a person
        return UNUSABLE
    verdicts = last_verdicts(load_history(Path(options.run_folder())))
    if form == "json":
        shown = json.dumps(list(rows(catalogue, verdicts)), indent=2, ensure_ascii=False) + "\n"
    else:
        shown = markdown(catalogue) if form == "markdown" else text(catalogue, verdicts)
    sys.stdout.write(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
