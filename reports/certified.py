"""--certified: a run that nobody can have bent refuses to begin, in one sentence, when it was.

It has no waivers, leaves out nothing, plants no bug, and comes from a commit without local changes.
"""

from __future__ import annotations

import pytest

from reports.declared import Declared
from reports.errors import NotCertifiable
from reports.model import Tool
from reports.plan import Plan

_FILTERS = {
    "controls": "--controls (CONTROLS=)",
    "shard": "--shard (SHARD=)",
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--last-failed",
    "failedfirst": "--failed-first",
    "maxfail": "-x or --maxfail",
}


def refuse(config: pytest.Config, declared: Declared, tool: Tool) -> None:
    """NotCertifiable for the first thing that a certified run must not have."""
    option = config.getoption
    used = [shown for name, shown in _FILTERS.items() if option(name, None)]
    if used:
        raise NotCertifiable(f"a certified run leaves nothing out: run it without {used[0]}")
    if option("mutant", None):
        raise NotCertifiable(
            "a certified run examines what is deployed: run it without --mutant (MUTANT=)"
        )
    if declared.waivers:
        raise NotCertifiable(
            f"a certified run knows no waivers, and {len(declared.waivers)} are given (the first "
            f"for {declared.waivers[0].control}): take them out of the waivers file"
        )
    if not tool.commit:
        raise NotCertifiable(
            "a certified run names the commit it was made with: run it from a git checkout"
        )
    if tool.dirty:
        raise NotCertifiable(
            f"a certified run is repeatable, and the checkout differs from {tool.commit[:12]}: "
            "commit the changes or remove them (git status lists them)"
        )


def refuse_gaps(plan: Plan) -> None:
    """NotCertifiable when something was left out after all, whoever did it."""
    if plan.left_out:
        raise NotCertifiable(
            f"a certified run leaves nothing out, and {len(plan.left_out)} specs were (the first "
            f"is {next(iter(plan.left_out))}): run it without that filter"
        )
    if plan.uncollected:
        raise NotCertifiable(
            f"a certified run leaves nothing out, and {plan.uncollected[0]} cannot be collected: "
            "repair it, or run without --certified to see why"
        )
