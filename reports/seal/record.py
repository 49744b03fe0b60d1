"""What the record inside a bundle must be: of its schema, and of one piece with itself."""

from __future__ import annotations

from collections import Counter

from pydantic import ValidationError

from reports import evidence
from reports.assemble import gate
from reports.errors import BadEvidence, Distrusted
from reports.lines import printable
from reports.model import Control, Run
from reports.part import strict_json
from reports.seal.archive import Archive
from reports.seal.manifest import digest
from reports.verdict import Verdict, gates, worst

RECORD = "evidence.json"
PDF = "report.pdf"
_LARGEST = 64 << 20
_MOST_VALUES = 3_000_000


def read_record(archive: Archive) -> Run:
    """The run of a bundle; Distrusted if its record breaks the schema."""
    data = archive.read(RECORD, _LARGEST)
    if data.count(b",") > _MOST_VALUES:
        raise Distrusted(f"{RECORD} has more values than is sane")
    try:
        record = strict_json(data)
        evidence.check(record)
        return Run.model_validate(record)
    except BadEvidence as trouble:
        raise Distrusted(str(trouble)) from None
    except ValidationError:
        raise Distrusted(f"{RECORD} cannot be read") from None
    except (ValueError, RecursionError) as trouble:
        said = str(trouble) if "twice" in str(trouble) else "it cannot be read"
        raise Distrusted(f"{RECORD}: {printable(said)}") from None


def consistent(run: Run) -> str:
    """A sentence on what was counted; Distrusted if counts or verdicts contradict each other."""
    tally = Counter(control.verdict.value for control in run.controls)
    counted = {verdict.value: getattr(run.counts, verdict.value) for verdict in Verdict}
    if any(tally[word] != count for word, count in counted.items()):
        raise Distrusted(f"{RECORD}: its counts are not those of its controls")
    if run.counts.planned != len(run.controls):
        raise Distrusted(
            f"{RECORD}: {run.counts.planned} controls planned, {len(run.controls)} told"
        )
    for control in run.controls:
        if told := _odd(control, run):
            raise Distrusted(f"{RECORD}: {control.id} {told}")
    if gate(list(run.controls), run.run, run.redaction) != (run.verdict, run.exit_code):
        raise Distrusted(f"{RECORD}: its verdict or exit code is not what its controls amount to")
    return f"of its schema; counts and verdicts of {len(run.controls)} controls agree"


def _odd(control: Control, run: Run) -> str | None:
    """How a control contradicts the rules by which it was judged."""
    if control.verdict is not worst(spec.verdict for spec in control.specs):
        return "has another verdict than its specs"
    strict, asked = run.run.strict_claims, run.run.asked
    gating = gates(control.nature, control.severity, strict=strict)
    if control.gating is not (gating and (not asked or control.id in asked)):
        return "gates, or does not, against the rule"
    if control.waived and (control.waiver is None or control.waiver.state != "in_force"):
        return "is waived without a waiver in force"
    return None


def attached(archive: Archive) -> str:
    """That report.pdf carries the record itself; Distrusted if it carries another or none."""
    from reports.seal.attachment import attachment_digest

    size = archive.entries[RECORD].size
    found = attachment_digest(archive.read(PDF, _LARGEST), RECORD, size)
    if found != digest(archive.chunks(RECORD)):
        raise Distrusted(f"the {RECORD} attached to it is another than the bundle's")
    return f"the {RECORD} attached to it is the bundle's"
