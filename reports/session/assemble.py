"""From what was recorded to the frozen evidence: verdicts of controls, counts, gate."""

from __future__ import annotations

from collections.abc import Iterable

from reports.config.run_context import (
    Setting,
    apply_waivers,
    build_context,
    compare_runbook,
    objectives,
)
from reports.controls.catalogue import Catalogue, Entry
from reports.evidence.findings import judge, match_keys
from reports.evidence.model import (
    INTERRUPTED,
    Change,
    Control,
    Counts,
    Redaction,
    Run,
    RunFacts,
    Spec,
    Subject,
    count,
    gate,
    is_gating,
)
from reports.record.in_progress import SpecDraft
from reports.record.recorder import Recorder
from reports.seal import custody
from reports.session.spec_selection import Plan
from reports.verdict.verdicts import IDLE, Verdict, worst

_ENDED_EARLY = "interrupted before it ended"


def assemble(
    catalogue: Catalogue,
    plan: Plan,
    recorder: Recorder,
    facts: RunFacts,
    redaction: Redaction,
    setting: Setting,
) -> Run:
    """The evidence as it stands, redacted once more with every secret known by now."""
    judged = [_control(entry, catalogue, plan, recorder, facts) for entry in catalogue.control]
    compared = compare_runbook(judged, setting.declared)
    controls = apply_waivers(compared, setting.declared, facts.started.date())
    executed = {draft.id for draft in recorder.specs if draft.verdict not in IDLE}
    verdict, code = gate(controls, facts, redaction)
    subject = Subject.model_validate(recorder.facts)
    run = Run(
        run=facts,
        subject=subject,
        key_register=match_keys(
            custody.register(setting.declared, subject.keys, recorder.redactor.new_secrets(0)),
            subject.keys,
            facts.finished.date(),
        ),
        controls=tuple(controls),
        counts=_counts(controls, plan, executed),
        timeline=tuple(sorted(recorder.spans, key=lambda span: span.started)),
        objectives=objectives(recorder.measured, setting.declared),
        redaction=redaction,
        change=Change.model_validate(recorder.changed) if recorder.changed else None,
        verdict=verdict,
        exit_code=code,
        **build_context(setting, facts, controls),
    )
    return judge(Run.model_validate(recorder.redactor.tree(run.model_dump(mode="json"))))


def _control(
    entry: Entry, catalogue: Catalogue, plan: Plan, recorder: Recorder, facts: RunFacts
) -> Control:
    drafts = [draft for draft in recorder.specs if entry.id in draft.controls]
    specs = [_spec(entry, draft, recorder) for draft in drafts]
    specs += _missing_specs(entry, plan, {spec.id for spec in specs})
    verdict = worst(spec.verdict for spec in specs)
    words = _words(entry, catalogue, [spec for spec in specs if spec.verdict is verdict])
    amiss = verdict in (Verdict.CONTRADICTED, Verdict.VIOLATED)
    corrections = [entry.corrections[word] for word in words if word in entry.corrections]
    control = Control(
        **entry.model_dump(exclude={"corrections"}),
        gating=False,
        verdict=verdict,
        observed="; ".join(catalogue.sentence(word, [entry.id]) for word in words) or None,
        correction=" ".join(corrections) or None if amiss else None,
        duration_s=round(sum(spec.duration_s for spec in specs), 3),
        specs=tuple(specs),
        note=None if drafts else plan.reason(entry.id),
    )
    return control.model_copy(update={"gating": is_gating(control, facts)})


def _words(entry: Entry, catalogue: Catalogue, specs: list[Spec]) -> list[str]:
    """What these specs observed, in the catalogue's order whatever the order of the specs.

    A spec of several controls may use words of the others.
    """
    seen = {word for spec in specs for word in spec.observations}
    known = dict.fromkeys((*catalogue.observations, *entry.corrections))
    return [word for word in known if word in seen]


def _spec(entry: Entry, draft: SpecDraft, recorder: Recorder) -> Spec:
    verdict = draft.verdict_for(entry.nature)
    cut = None if draft.verdicts else _ENDED_EARLY
    duration = recorder.clock.seconds() - draft.started
    return Spec(
        id=draft.id,
        verdict=verdict,
        duration_s=round(draft.duration if draft.duration is not None else duration, 3),
        message="\n".join(draft.messages) or cut,
        observations=tuple(draft.words),
        steps=tuple(step.freeze(recorder.clock, verdict) for step in draft.steps),
    )


def _missing_specs(entry: Entry, plan: Plan, executed: set[str]) -> Iterable[Spec]:
    """A spec that was left out or not reached is evidence, too: of nothing."""
    for spec, named in {**plan.specs, **plan.left_out}.items():
        if entry.id in named and spec not in executed:
            reason = plan.absent(spec) if spec in plan.left_out else INTERRUPTED
            yield Spec(id=spec, verdict=Verdict.NOT_RUN, duration_s=0.0, message=reason)


def _counts(controls: list[Control], plan: Plan, executed: set[str]) -> Counts:
    """The counts of the record; what was seen next to a spec is not a spec of the plan."""
    known = {*plan.specs, *plan.left_out}
    counts = count(controls, len(plan.specs) + len(plan.left_out), executed)
    return counts.model_copy(update={"specs_executed": len(executed & known)})
