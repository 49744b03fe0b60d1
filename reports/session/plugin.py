"""The pytest plugin of evidence runs: options, marks and fixtures; `--evidence` makes a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

import pytest

from drillbook.core import options
from reports.config import declarations
from reports.controls import Catalogue, load
from reports.errors import ReportError
from reports.history.runs import History, Past, last_good_drill, load_history
from reports.history.status import of_system
from reports.record.recorder import Recorder
from reports.session import xdist_workers
from reports.session.evidence_run import EvidenceRun, runs_folder
from reports.session.judging import Judging
from reports.session.spec_selection import controls, plan
from reports.session.terminal_reporter import install
from reports.verdict import UNUSABLE

RECORDER = pytest.StashKey[Recorder]()
_CATALOGUE = pytest.StashKey[Catalogue]()
_MARKS = (
    "control(id, ...): the controls of suites/controls.toml that this spec checks",
    "closing: the spec ends what the others of its folder share, and so runs after them",
    "reading: the spec changes nothing, and runs together with the others that change nothing",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of a run that are not about the stack."""
    options.declare(
        parser.getgroup("drillbook", "drillbook: evidence of a run"),
        *(options.EVIDENCE, options.ONLY_EVIDENCE, options.RUN_DIR, options.CALLED_AS),
        *(options.CONTROLS, options.FIRST, options.STRICT, options.SEED),
        *(options.ONE_QUESTION, options.OWN_QUESTION, options.VERIFY_FROM, options.VERIFY_TO),
        *(options.CONFIG, options.WAIVERS, options.CERTIFIED, options.REASON, options.OPERATOR),
        *(options.INSTANCE, options.SIGNING_KEY, options.SIGNING_KEY_ENV, options.TSA),
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set up the recorder, and with --evidence the run."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    orders = getattr(config, "workerinput", {}).get(xdist_workers.MESSAGE)
    made = xdist_workers.worker_recorder(orders) if orders else Recorder(config.getoption("--seed"))
    config.stash[RECORDER] = made
    if not config.getoption("--evidence") or config.option.collectonly:
        return
    # Evidence is the same on a terminal and in a pipe.
    config.option.code_highlight = "no"
    try:
        _work(config, made) if orders else _run(config, made)
    except ReportError as trouble:
        pytest.exit(str(trouble), returncode=UNUSABLE)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Keep pytest from repeating as an Exit the sentence that says why a run did not start."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and config.getoption("--evidence"):
        reporter._keyboardinterrupt_memo = None


def _run(config: pytest.Config, recorder: Recorder) -> None:
    """Register the plugins of a run, whose specs run in this process or on workers."""
    run = EvidenceRun(config, _catalogue(config), recorder)
    config.pluginmanager.register(run, "drillbook-run")
    if config.option.numprocesses:
        config.pluginmanager.register(xdist_workers.Controller(run), "drillbook-workers")
    else:
        config.pluginmanager.register(Judging(recorder), "drillbook-judging")
    install(config, run)


def _work(config: pytest.Config, recorder: Recorder) -> None:
    """Register the plugins of a worker."""
    worker = xdist_workers.Worker(config, _catalogue(config), recorder, plan(config))
    config.pluginmanager.register(Judging(recorder), "drillbook-judging")
    config.pluginmanager.register(worker, "drillbook-worker")


def _catalogue(config: pytest.Config) -> Catalogue:
    """The controls, read once: every spec that observes needs them."""
    if _CATALOGUE not in config.stash:
        config.stash[_CATALOGUE] = load(config.rootpath / "suites" / "controls.toml")
    return config.stash[_CATALOGUE]


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config) -> Recorder:
    """The recorder of the run, for drivers, clients and specs."""
    return pytestconfig.stash[RECORDER]


@pytest.fixture(scope="session")
def _folder_history(pytestconfig: pytest.Config) -> History:
    """The evidence of all earlier runs in the folder this run writes to."""
    return load_history(runs_folder(pytestconfig))


@pytest.fixture(scope="session")
def _declared(pytestconfig: pytest.Config) -> declarations.Words:
    folder, option = pytestconfig.invocation_params.dir, pytestconfig.getoption
    return declarations.load(folder, option("--config"), None, _catalogue(pytestconfig)).words


@pytest.fixture(scope="session")
def history(_folder_history: History, _declared: declarations.Words) -> History:
    """The evidence of earlier runs of the declared system; of all runs where none is declared."""
    runs = of_system(_folder_history.runs, _declared.organisation)
    return replace(_folder_history, runs=runs)


@pytest.fixture(scope="session")
def good_drill(_folder_history: History) -> Callable[[str | None], Past | None]:
    """The last good drill of an instance, by its id."""
    return partial(last_good_drill, _folder_history)


@pytest.fixture(scope="session")
def declared_objectives(_declared: declarations.Words) -> declarations.Targets:
    """The wanted recovery time and point of drillbook.toml, in seconds; None where not set."""
    return _declared.objectives


@pytest.fixture
def step(record: Recorder) -> Callable[[str], AbstractContextManager[None]]:
    """`with step("restore the dump"):` announces a part of a spec; its title is evidence."""
    return record.step


@pytest.fixture
def observe(
    record: Recorder, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Callable[[str], None]:
    """`observe("boots_anyway")` records in a known word what was seen instead of the claim."""
    catalogue, named = _catalogue(pytestconfig), controls(request.node)

    def note(word: str) -> None:
        catalogue.sentence(word, named)
        record.observe(word)

    return note


@pytest.fixture(scope="session")
def conclusions(
    record: Recorder, pytestconfig: pytest.Config
) -> Callable[[], list[tuple[str, str, str, str]]]:
    """A function that returns of each spec so far, by control: its id, the control, verdict, why.

    Why is the correction of what was observed, else the first line of what the spec raised.
    """
    catalogue = _catalogue(pytestconfig)

    def conclude() -> list[tuple[str, str, str, str]]:
        found = []
        for draft in record.specs:
            for entry in (catalogue[control] for control in draft.controls):
                said = [
                    entry.corrections[w].sentence for w in draft.words if w in entry.corrections
                ]
                why = " ".join(said) or next(iter("\n".join(draft.messages).splitlines()), "")
                verdict = draft.verdict_for(entry.nature)
                found.append((draft.id, entry.id, verdict.value, why))
        return found

    return conclude
