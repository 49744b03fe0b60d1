"""Prints the verdicts of runs on several releases as a Markdown table.

python -m tests.support.release_table 2024-07=FOLDER 2024-10=FOLDER,LATER 2026-07=FOLDER

The verdicts of a later run of a release replace those of an earlier one.
"""

import json
import sys
from pathlib import Path

from reports.evidence.model import OUTSIDE


def read(folders):
    """The verdicts of the controls that these runs were asked for, by id."""
    records = [json.loads((Path(one) / "evidence.json").read_text("utf-8")) for one in folders]
    controls = [one for record in records for one in record["controls"] if one["note"] != OUTSIDE]
    return {one["id"]: one["verdict"].replace("_", " ") for one in controls}


def table(runs):
    """A row for each control on which releases differ, then a row for each shared verdict."""
    controls = list(dict.fromkeys(control for run in runs.values() for control in run))
    lines = [f"| control | {' | '.join(runs)} |", f"| --- {'| --- ' * len(runs)}|"]
    shared = {}
    for control in controls:
        verdicts = [run.get(control, "not asked") for run in runs.values()]
        if len(set(verdicts)) == 1:
            shared.setdefault(verdicts[0], []).append(control)
        else:
            lines.append(f"| {control} | {' | '.join(verdicts)} |")
    lines += ["", "| on every release | controls |", "| --- | --- |"]
    lines += [f"| {verdict}, {len(ids)} | {', '.join(ids)} |" for verdict, ids in shared.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    runs = {name: read(folders.split(",")) for name, folders in given.items()}
    sys.stdout.write(table(runs) + "\n")
