"""Next to the assessment results: what Drillbook checks, and the plan that a run followed.

The component definition names Drillbook as a validation component: each control is a rule with its
check, in the properties that compliance-trestle and compliance-to-policy read. The assessment plan
is a stub: what was selected, and that no system security plan is known. The content uses nothing
newer than OSCAL 1.1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports.evidence.model import Control, Run
from reports.export.oscal import drop_empty, line, metadata, nist, selection, uid

_NIST = (
    "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/"
    "NIST_SP-800-53_rev5_catalog.json"
)
_NO_SSP = "Drillbook knows of no system security plan. Put yours in the place of this resource."


def component_definition(run: Run, version: str) -> dict[str, Any]:
    """Drillbook's controls as rules, and which NIST control each is evidence for."""
    mapped = [control for control in run.controls if nist(control)]
    component = {
        "uuid": uid(run, "component-definition", "component"),
        "type": "validation",
        "title": "Drillbook",
        "description": "Carries out each step of a runbook, and says whether it held.",
        "props": [prop for number, one in enumerate(mapped) for prop in _rule(one, number)],
        "control-implementations": [
            {
                "uuid": uid(run, "component-definition", "implementation"),
                "source": _NIST,
                "description": "Proposals: a check is evidence for the control, and does not "
                "meet it alone.",
                "implemented-requirements": list(_requirements(run, mapped)),
            }
        ]
        if mapped
        else [],
    }
    record = {
        "component-definition": {
            "uuid": uid(run, "component-definition"),
            "metadata": metadata(run, version) | {"title": "Drillbook as a validation component"},
            "components": [component],
        }
    }
    return dict(drop_empty(record))


def _rule(control: Control, number: int) -> Iterator[dict[str, str]]:
    known = {
        "Rule_Id": control.id,
        "Rule_Description": control.title,
        "Check_Id": control.id,
        "Check_Description": control.claim,
    }
    for name, value in known.items():
        # The remark is what groups them.
        yield {"name": name, "value": line(value), "remarks": f"rule_set_{number:03}"}


def _requirements(run: Run, mapped: list[Control]) -> Iterator[dict[str, Any]]:
    for name in sorted({one for control in mapped for one in nist(control)}):
        rules = [control.id for control in mapped if name in nist(control)]
        yield {
            "uuid": uid(run, "component-definition", name),
            "control-id": name,
            "description": f"Checked by {', '.join(rules)}.",
            "props": [{"name": "Rule_Id", "value": rule} for rule in rules],
        }


def assessment_plan(run: Run, version: str) -> dict[str, Any]:
    """What the run set out to review."""
    record = {
        "assessment-plan": {
            "uuid": uid(run, "assessment-plan"),
            "metadata": metadata(run, version) | {"title": line(f"Plan of run {run.run.id}")},
            "import-ssp": {"href": f"#{uid(run, 'resource', 'ssp')}"},
            "reviewed-controls": selection(run),
            "back-matter": {
                "resources": [
                    {
                        "uuid": uid(run, "resource", "ssp"),
                        "title": "No system security plan",
                        "description": _NO_SSP,
                    }
                ]
            },
        }
    }
    return dict(drop_empty(record))
