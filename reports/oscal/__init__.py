"""oscal-assessment-results.json: the run in NIST's language for assessments.

OSCAL knows two states of a finding. So only what was judged becomes one: satisfied, or
not-satisfied for violated and contradicted. Everything else is an observation without a finding,
and the property `verdict` of each observation holds the true one.

A finding's target is our own objective, defined in the document under the NIST control it
belongs to: one drill does not satisfy all of `sc-12_obj`, and should not say so.
The content uses nothing that is newer than OSCAL 1.1.2. Ids follow from the run, so the same run
gives the same bytes. Source: https://pages.nist.gov/OSCAL, assessment-results model.
"""

from __future__ import annotations

import json
from typing import Any

from reports.model import Run
from reports.oscal.document import document

VERSION = "1.1.2"


def render(run: Run, version: str = VERSION) -> str:
    """The run as assessment results that say they are of this OSCAL version."""
    record: dict[str, Any] = {"assessment-results": document(run, version)}
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
