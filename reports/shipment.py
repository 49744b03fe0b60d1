"""What a worker sends to the run it works for: all it has seen since it last sent something."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from reports.drafts import SpecDraft
from reports.frame import Comparison
from reports.model import Span
from reports.record import Recorder


@dataclass
class Shipment:
    """Secrets travel in it as they are: it goes through a pipe of ours and is never stored."""

    secrets: list[tuple[str, str]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    specs: list[SpecDraft] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    clocks: list[Comparison] = field(default_factory=list)


_WIRE = TypeAdapter(Shipment)


class Packer:
    """Packs what a recorder has seen, each thing once; a spec again as it goes on."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._secrets = self._spans = self._specs = self._clocks = 0

    def pack(self) -> str:
        """Everything that is new, as JSON in ASCII."""
        recorder = self._recorder
        specs = recorder.specs[max(self._specs - 1, 0) :]
        shipment = Shipment(
            secrets=recorder.redactor.learnt(self._secrets),
            spans=recorder.spans[self._spans :],
            specs=[replace(spec, open=[]) for spec in specs],
            facts=dict(recorder.facts),
            measured=dict(recorder.measured),
            clocks=recorder.clocks[self._clocks :],
        )
        self._secrets += len(shipment.secrets)
        self._spans += len(shipment.spans)
        self._specs = len(recorder.specs)
        self._clocks += len(shipment.clocks)
        # A value may hold what UTF-8 cannot; json escapes it.
        return json.dumps(_WIRE.dump_python(shipment, mode="json"))


def unpack(wire: str, recorder: Recorder) -> None:
    """Add what a worker has seen to the record of the run."""
    shipment = _WIRE.validate_python(json.loads(wire))
    for name, value in shipment.secrets:
        recorder.secret(name, value)
    recorder.spans += shipment.spans
    recorder.clocks += shipment.clocks
    recorder.measured |= shipment.measured
    _state(recorder, shipment.facts)
    for spec in shipment.specs:
        spec.open = [step for step in spec.steps if step.state == "open"]
        _put(recorder.specs, spec)


def _state(recorder: Recorder, facts: dict[str, object]) -> None:
    """Facts about one subject; workers without a golden state in common have keys of their own."""
    known = recorder.facts.get("keys")
    recorder.facts |= facts
    told = facts.get("keys")
    if isinstance(known, list) and isinstance(told, list):
        recorder.facts["keys"] = known + [key for key in told if key not in known]


def _put(specs: list[SpecDraft], fresh: SpecDraft) -> None:
    for at, spec in enumerate(specs):
        if spec.id == fresh.id:
            specs[at] = fresh
            return
    specs.append(fresh)
