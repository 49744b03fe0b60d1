"""The pytest plugin: options, marks and what a spec may ask for; `--evidence` makes it a run."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from reports.catalogue import Catalogue, load
from reports.errors import ReportError
from reports.plan import controls
from reports.record import Recorder
from reports.seal.options import add_options
from reports.session import EvidenceRun
from reports.terminal import install
from reports.verdict import UNUSABLE

RECORDER = pytest.StashKey[Recorder]()
_MARKS = (
    "control(id, ...): the controls of suites/controls.toml that this spec checks",
    "not_applicable(reason): the spec has no meaning here; its control is not_applicable",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Everything about a run that is not about the stack."""
    group = parser.getgroup("drillbook", "drillbook: evidence of a run")
    group.addoption("--evidence", action="store_true", help="judge, record and write a bundle")
    group.addoption(
        "--run-dir", default="reports/runs", help="where bundles go (default: %(default)s)"
    )
    group.addoption(
        "--controls", default="", metavar="IDS", help='only these controls: "KEY-*,DBP-1"'
    )
    group.addoption(
        "--one-question",
        action="store_true",
        help="the controls of the given specs alone decide the exit code; the rest is not asked",
    )
    group.addoption(
        "--strict-claims", action="store_true", help="a contradicted claim fails the run"
    )
    group.addoption(
        "--config", metavar="FILE", help="declared facts (default: drillbook.toml, if it is there)"
    )
    group.addoption(
        "--waivers", metavar="FILE", help="deviations (default: waivers.toml, if it is there)"
    )
    group.addoption(
        "--certified", action="store_true", help="refuse waivers, filters, mutants, local changes"
    )
    group.addoption("--reason", help="why this run: scheduled, change, incident, pre-deploy")
    group.addoption("--operator", help="who runs it (default: the login name)")
    group.addoption(
        "--seed", type=int, default=secrets.randbelow(2**32), help="repeat a run's random data"
    )
    add_options(group)
    group.addoption("--catalogue", default="suites/controls.toml", help="(default: %(default)s)")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Recording is always possible; only with --evidence is there a run to judge and keep."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    recorder = config.stash[RECORDER] = Recorder(config.getoption("--seed"))
    if not config.getoption("--evidence") or config.option.collectonly:
        return
    if getattr(config.option, "numprocesses", None):
        pytest.exit("one run is one process: leave out -n with --evidence", returncode=UNUSABLE)
    try:
        run = EvidenceRun(config, _catalogue(config), recorder)
    except ReportError as trouble:
        pytest.exit(str(trouble), returncode=UNUSABLE)
    config.pluginmanager.register(run, "drillbook-run")
    install(config, run)


def _catalogue(config: pytest.Config) -> Catalogue:
    return load(config.rootpath / Path(config.getoption("--catalogue")))


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config) -> Recorder:
    """Where drivers, clients and specs leave what they saw."""
    return pytestconfig.stash[RECORDER]


@pytest.fixture
def step(record: Recorder) -> Callable[[str], AbstractContextManager[None]]:
    """`with step("restore the dump"):` announces a part of a spec; its title is evidence."""
    return record.step


@pytest.fixture
def observe(
    record: Recorder, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Callable[[str], None]:
    """`observe("boots_anyway")` says in a known word what was seen instead of the claim."""
    catalogue, named = _catalogue(pytestconfig), controls(request.node)

    def note(word: str) -> None:
        catalogue.sentence(word, named)
        record.observe(word)

    return note
