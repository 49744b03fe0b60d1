"""An evidence run: a pytest plugin that makes evidence of what was recorded, and writes it."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reports.config import declarations
from reports.config.declarations import Declared, Setting
from reports.controls import Catalogue, Entry
from reports.errors import ReportError
from reports.evidence.json_file import RECORD
from reports.evidence.model import (
    INTERRUPTED,
    LEFT_OUT,
    RULES,
    Change,
    Control,
    Correction,
    Exposure,
    Redaction,
    Run,
    RunFacts,
    Spec,
    Subject,
    Tool,
    count,
    gate,
    is_gating,
)
from reports.history import compare
from reports.qualification.record import bundle_files
from reports.record import run_metadata
from reports.record import tested_runbook as runbook
from reports.record.recorder import Recorder, SpecDraft, wall_clock_s
from reports.record.run_metadata import kernel_clock
from reports.seal.sealer import Sealer, make_sealer
from reports.session.bundle import WRITERS, Bundle, new_id
from reports.session.spec_selection import Plan, controls, plan, shuffle
from reports.verdict import IDLE, UNDECIDED, UNUSABLE, Verdict, worst

_FILTERS = {
    "controls": "--controls",
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--last-failed",
    "failedfirst": "--failed-first",
    "maxfail": "-x or --maxfail",
}
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
_EVIDENCE = (RECORD,)
_ENDED_EARLY = "interrupted before it ended"


@contextmanager
def ignore_interruptions() -> Iterator[None]:
    """Ignore interruptions while the block runs: a second Ctrl-C must not cost the evidence."""
    before = [signal.signal(number, signal.SIG_IGN) for number in INTERRUPTIONS]
    try:
        yield
    finally:
        for number, handler in zip(INTERRUPTIONS, before, strict=True):
            signal.signal(number, handler)


def refuse_uncertifiable(config: pytest.Config, declared: Declared, tool: Tool) -> None:
    """Raise ReportError for the first thing that a certified run must not have."""
    option = config.getoption
    used = [shown for name, shown in _FILTERS.items() if option(name, None)]
    if used:
        raise ReportError(f"a certified run leaves nothing out: run it without {used[0]}")
    if option("mutant", None):
        raise ReportError("a certified run examines what is deployed: run it without --mutant")
    if declared.waivers:
        raise ReportError(
            f"a certified run knows no waivers, and {len(declared.waivers)} are given (the first "
            f"for {declared.waivers[0].control}): take them out of the waivers file"
        )
    if not tool.commit:
        raise ReportError(
            "a certified run names the commit it was made with: run it from a git checkout"
        )
    if tool.dirty is None:
        raise ReportError(
            "a certified run is repeatable, and git status did not say whether the checkout was "
            "changed: run it where git status works"
        )
    if tool.dirty:
        raise ReportError(
            f"a certified run is repeatable, and the checkout differs from {tool.commit[:12]}: "
            "commit the changes or remove them (git status lists them)"
        )


def refuse_gaps(plan: Plan) -> None:
    """Raise ReportError if any spec was left out."""
    if plan.left_out:
        raise ReportError(
            f"a certified run leaves nothing out, and {len(plan.left_out)} specs were (the first "
            f"is {next(iter(plan.left_out))}): run it without that filter"
        )
    if plan.uncollected:
        raise ReportError(
            f"a certified run leaves nothing out, and {plan.uncollected[0]} cannot be collected: "
            "repair it, or run without --certified to see why"
        )


class EvidenceRun:
    """A pytest plugin that lives for one run; `result` is the evidence once it is written."""

    def __init__(self, config: pytest.Config, catalogue: Catalogue, recorder: Recorder) -> None:
        self.config = config
        self.catalogue = catalogue
        self.recorder = recorder
        self.plan = plan(config)
        catalogue.select(self.plan.selection)
        self.tool = run_metadata.tool()
        self.setting = self._settle(config)
        self.compared = compare.load_pair(config.getoption)
        self.workers = 1
        # When each spec that is under way on a worker began; None where specs run in this process.
        self.on_workers: dict[str, float] | None = None
        self.interrupted = False
        self.stopped: str | None = None
        self.ended: str | None = None
        self.result: Run | None = None
        self.trouble: str | None = None
        self.id = new_id(recorder.clock.at(0))
        names = _EVIDENCE if config.getoption("--only-evidence") else WRITERS
        self.bundle = Bundle(runs_folder(config), self.id, sealer_for(config, recorder), names)
        recorder.logs = self.bundle.logs
        # A supervisor's SIGTERM is an interruption like Ctrl-C: what was seen is still written.
        # A shell starts background jobs with SIGINT ignored; here it interrupts them as well.
        self._before = [signal.signal(number, self._interrupt) for number in INTERRUPTIONS]
        # An interruption while a report is made passes through Hypothesis' old-style hook; where
        # warnings are errors, what pluggy says of that would take the interruption's place.
        config.addinivalue_line("filterwarnings", "ignore::pluggy.PluggyTeardownRaisedWarning")
        # pytest captures standard error while specs run; after a Ctrl-C this is to be seen.
        self._stderr = os.dup(2)
        self._told = False

    def _settle(self, config: pytest.Config) -> Setting:
        """What was declared for this run; ReportError if --certified forbids it."""
        option, folder = config.getoption, config.invocation_params.dir
        said = declarations.load(folder, option("--config"), option("--waivers"), self.catalogue)
        if name := option("--instance"):
            whose = said.words.organisation.model_copy(update={"system_id": name})
            said = replace(said, words=said.words.model_copy(update={"organisation": whose}))
        if option("--certified"):
            refuse_uncertifiable(config, said, self.tool)
        return Setting(
            declared=replace(said, executor=option("--operator")),
            pack=run_metadata.pack(config.rootpath / "suites", self.tool),
            previous_run=run_metadata.previous_run(runs_folder(config)),
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what --controls selects; end at once on an unknown control."""
        try:
            others = self.plan.choose(items, self.catalogue)
        except ReportError as trouble:
            pytest.exit(str(trouble), returncode=UNUSABLE)
        if others:
            self.config.hook.pytest_deselected(items=others)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note what a filter leaves out: it is not_run, never satisfied."""
        self.plan.leave_out(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be imported, the reason for missing specs."""
        if report.failed:
            self.plan.uncollected.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Fix the plan, which the counts of the evidence refer to, and shuffle the specs.

        The record keeps the order of the plan; the seed decides the order of execution.
        """
        self.plan.settle(session.items)
        first = self.config.getoption("--first")
        mixed = shuffle(session.items, self.recorder.seed)
        session.items[:] = sorted(mixed, key=lambda item: first not in controls(item))
        if self.config.getoption("--certified"):
            try:
                refuse_gaps(self.plan)
            except ReportError as trouble:
                pytest.exit(str(trouble), returncode=UNUSABLE)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that Ctrl-C, SIGTERM or a fixture ended the run early."""
        self.interrupted = True
        code = getattr(excinfo.value, "returncode", None)
        if code == UNUSABLE:
            self.stopped = self.recorder.redactor.text(str(excinfo.value))
        elif code == UNDECIDED:
            self.ended = self.recorder.redactor.text(str(excinfo.value))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note an error of the harness: what was seen is written, and the run does not count."""
        last = str(excrepr).strip().splitlines()[-1:]
        self.stopped = self.recorder.redactor.text(" ".join(["error of the harness:", *last]))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Write the evidence, after pytest has torn down what an interruption left running."""
        try:
            return (yield)
        finally:
            with ignore_interruptions():
                self._write(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Restore the signal handlers, and remove the folder if nothing was written."""
        if self.interrupted:
            # A connection that an interruption left half open is not a bug to report.
            warnings.simplefilter("ignore")
        self.bundle.discard()
        for number, handler in zip(INTERRUPTIONS, self._before, strict=True):
            signal.signal(number, handler)
        os.close(self._stderr)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Interrupt the run even if pytest swallowed the signal while it described a failure."""
        report = yield
        if self._told:
            raise KeyboardInterrupt
        return report

    def _interrupt(self, *_: object) -> None:
        if not self._told:
            self._told = True
            os.write(self._stderr, b"\nstopping, cleaning up\n")
        raise KeyboardInterrupt

    def _write(self, session: pytest.Session) -> None:
        ended_before_it_began = self.stopped or session.exitstatus == pytest.ExitCode.USAGE_ERROR
        if ended_before_it_began and not self._saw_anything():
            return
        try:
            if self.bundle.whole and not self.config.getoption("--mutant", None):
                # The proof that the suite can fail; a run with a planted bug shows that itself.
                for name, data in bundle_files().items():
                    self.bundle.add(name, data)
            self.result = self.bundle.write(self.recorder.redactor, self._assemble)
            session.exitstatus = self.bundle.exit_code(self.result)
        except ReportError as trouble:
            self.trouble = str(trouble)
            session.exitstatus = UNUSABLE
        except Exception as trouble:  # a bug in a writer must not look like exit code 1
            session.config.notify_exception(pytest.ExceptionInfo.from_exception(trouble))
            said = f"{type(trouble).__name__}: {trouble}"
            self.trouble = f"error of the harness while writing {self.bundle.path}: {said}"
            session.exitstatus = UNUSABLE

    def _saw_anything(self) -> bool:
        """Whether a spec came to a verdict, or began and left a log of a service."""
        judged = any(draft.verdict not in IDLE for draft in self.recorder.specs)
        return judged or (bool(self.recorder.specs) and any(self.bundle.logs.iterdir()))

    def _assemble(self, redaction: Redaction) -> Run:
        self.recorder.specs.sort(key=lambda draft: self.plan.place(draft.id))
        if changed := self.recorder.changed:
            changed |= compare.compared_facts(self.compared, changed, runs_folder(self.config))
        return assemble(
            self.catalogue, self.plan, self.recorder, self._facts(), redaction, self.setting
        )

    def _facts(self) -> RunFacts:
        option, clock = self.config.getoption, self.recorder.clock
        return RunFacts(
            id=self.id,
            started=clock.at(0),
            finished=clock.at(clock.seconds()),
            duration_s=round(clock.seconds(), 3),
            command=run_metadata.command(self.config.invocation_params.args, option("--called-as")),
            reason=option("--reason"),
            seed=self.recorder.seed,
            tool=self.tool,
            host=run_metadata.host(),
            operator=option("--operator") or run_metadata.operator(),
            strict_claims=option("--strict-claims"),
            certified=option("--certified"),
            clock=kernel_clock().model_copy(update={"compared": tuple(self.recorder.clocks)}),
            selection=self.plan.selection,
            asked=self.plan.asked,
            workers=self.workers,
            interrupted=self.interrupted,
            stopped=self.stopped,
            ended=self.ended,
        )


def sealer_for(config: pytest.Config, recorder: Recorder) -> Sealer:
    """The sealer; its key is read before the run, so that a bad one (BadKey) costs no run."""
    option = config.getoption
    made = make_sealer(option("--signing-key"), option("--signing-key-env"), option("--tsa"))
    if made.key:
        for name, value in made.key.secrets.items():
            recorder.secret(name, value)
    return made


def runs_folder(config: pytest.Config) -> Path:
    """The folder of bundles: relative to where the run was started."""
    return config.invocation_params.dir / str(config.getoption("--run-dir"))


def assemble(
    catalogue: Catalogue,
    plan: Plan,
    recorder: Recorder,
    facts: RunFacts,
    redaction: Redaction,
    setting: Setting,
) -> Run:
    """The evidence so far, redacted again with every secret that is known by now."""
    judged = [_control(entry, catalogue, plan, recorder, facts) for entry in catalogue.control]
    controls = declarations.apply_waivers(judged, setting.declared, facts.started.date())
    executed = {draft.id for draft in recorder.specs if draft.verdict not in IDLE}
    planned = plan.specs.keys() | plan.left_out.keys()
    verdict, code = gate(controls, facts, redaction)
    subject = Subject.model_validate(recorder.facts)
    context = declarations.build_context(setting, facts)
    if not subject.document:
        book = runbook.load()
        context["identity"] = context["identity"].model_copy(update={"runbook": book.named()})
        controls = [
            control.model_copy(update={"statements": book.statements(control.id)})
            for control in controls
        ]
    run = Run(
        run=facts,
        subject=subject,
        controls=tuple(controls),
        counts=count(controls, executed, len(planned), len(executed & planned)),
        timeline=tuple(sorted(recorder.spans, key=lambda span: span.started)),
        objectives=declarations.objectives(recorder.measured, setting.declared),
        redaction=redaction,
        change=Change.model_validate(recorder.changed) if recorder.changed else None,
        verdict=verdict,
        exit_code=code,
        rules=RULES,
        **context,
    )
    return Run.model_validate(recorder.redactor.tree(run.model_dump(mode="json")))


def _control(
    entry: Entry, catalogue: Catalogue, plan: Plan, recorder: Recorder, facts: RunFacts
) -> Control:
    drafts = [draft for draft in recorder.specs if entry.id in draft.controls]
    specs = [_spec(entry, draft, recorder) for draft in drafts]
    specs += _missing_specs(entry, plan, {spec.id for spec in specs})
    verdict = worst(spec.verdict for spec in specs)
    words = _words(entry, catalogue, [spec for spec in specs if spec.verdict is verdict])
    amiss = verdict in (Verdict.CONTRADICTED, Verdict.VIOLATED)
    found = [entry.corrections[word] for word in words if word in entry.corrections]
    corrections = tuple(Correction(**said.model_dump()) for said in found) if amiss else ()
    control = Control(
        **entry.model_dump(exclude={"claim", "corrections", "parts", "avoid"}),
        claim=entry.claim_of(spec.id for spec in specs),
        gating=False,
        verdict=verdict,
        observed="; ".join(catalogue.sentence(word, [entry.id]) for word in words) or None,
        correction=" ".join(said.sentence for said in corrections) or None,
        corrections=corrections,
        duration_s=round(wall_clock_s(drafts, recorder.clock.seconds()), 3),
        specs=tuple(specs),
        note=None if drafts else plan.reason(entry.id),
        exposure=_exposure(entry, drafts),
    )
    return control.model_copy(update={"gating": is_gating(control, facts)})


def _exposure(entry: Entry, drafts: list[SpecDraft]) -> Exposure | None:
    """What was judged of the condition of a control; None for a control without one."""
    if entry.avoid is None:
        return None
    judged = (draft.exposure for draft in drafts if draft.exposure)
    unknown = Exposure(state="not_judged", because="no spec of it came to its condition")
    return next(judged, unknown).model_copy(update={"avoid": entry.avoid})


def _words(entry: Entry, catalogue: Catalogue, specs: list[Spec]) -> list[str]:
    """What these specs observed, in the order of the catalogue.

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
    """The specs of a control that were left out or not reached, as not_run."""
    for spec, named in {**plan.specs, **plan.left_out}.items():
        if entry.id in named and spec not in executed:
            reason = LEFT_OUT if spec in plan.left_out else INTERRUPTED
            yield Spec(id=spec, verdict=Verdict.NOT_RUN, duration_s=0.0, message=reason)
