"""A certified run refuses whatever could bend it; waivers and declarations reach the evidence."""

import pytest

from fixtures.mutants.base import registry
from reports.evidence.model import Tool
from reports.record import run_metadata
from tests.support.own_suite import PLUGIN, control_table, latest, make_suite, record

pytestmark = pytest.mark.slow

SPECS = """
import pytest
@pytest.mark.control("KEY-1")
def test_one(): assert {held}
"""
WAIVER = """
[[waiver]]
control = "KEY-1"
reason = "known"
owner = "Ada"
approved_by = "Grace"
expires = {expires}
"""
CLEAN = Tool(version="0.1.0", commit="8c1f" * 10, dirty=False)


@pytest.fixture
def suite(pytester, monkeypatch):
    """A folder with one spec, as if from a clean commit."""
    monkeypatch.setattr(run_metadata, "tool", lambda: CLEAN)
    make_suite(pytester.path, control_table("KEY-1"))
    pytester.path.joinpath("suites/test_specs.py").write_text(SPECS.format(held=True))
    return pytester


def drilled(pytester, *arguments):
    plugins = (*PLUGIN, "-p", "fixtures.session.stacks")
    asked = ("--evidence", "--only-evidence", *arguments, "suites")
    return pytester.runpytest_inprocess(*plugins, *asked)


def fails(pytester):
    pytester.path.joinpath("suites/test_specs.py").write_text(SPECS.format(held=False))


def waive(pytester, expires="2999-12-31"):
    pytester.path.joinpath("waivers.toml").write_text(WAIVER.format(expires=expires))


def test_certified_run_says_so(suite):
    assert drilled(suite, "--certified").ret == 0
    assert record(suite)["run"]["certified"] is True
    assert drilled(suite).ret == 0
    assert record(suite)["run"]["certified"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--controls=KEY-*"], "*run it without --controls"),
        (["-k", "one"], "*run it without -k"),
        (["-m", "not slow"], "*run it without -m"),
        (["--deselect", "suites/test_specs.py::test_two"], "*run it without --deselect"),
        (["--ignore", "suites/x.py"], "*run it without --ignore"),
        (["-k", "one", "--lf"], "*run it without -k"),
        (["--lf"], "*run it without --last-failed"),
        (["-x"], "*run it without -x or --maxfail"),
        ([f"--mutant={next(iter(registry()))}"], "*run it without --mutant"),
    ],
)
def test_certified_run_leaves_nothing_out(suite, arguments, said):
    result = drilled(suite, "--certified", *arguments)
    assert result.ret == 3
    result.stderr.fnmatch_lines([said])
    assert not latest(suite).exists()


def test_certified_run_knows_no_waivers_not_even_expired_ones(suite):
    waive(suite, "2020-01-01")
    result = drilled(suite, "--certified")
    assert result.ret == 3
    result.stderr.fnmatch_lines(["*a certified run knows no waivers, and 1 are given*KEY-1*"])
    suite.path.joinpath("waivers.toml").write_text("# none\n")
    assert drilled(suite, "--certified").ret == 0


def test_first_of_several_waivers_is_named(suite):
    toml = suite.path.joinpath("suites/controls.toml")
    toml.write_text(control_table("KEY-1") + control_table("KEY-2"))
    waiver = WAIVER.format(expires="2999-12-31")
    suite.path.joinpath("waivers.toml").write_text(waiver + waiver.replace("KEY-1", "KEY-2"))
    result = drilled(suite, "--certified")
    result.stderr.fnmatch_lines(["*and 2 are given (the first for KEY-1)*"])


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ({"dirty": True}, "*the checkout differs from 8c1f8c1f8c1f: commit the changes*"),
        ({"commit": None, "dirty": None}, "*run it from a git checkout"),
        ({"dirty": None}, "*git status did not say whether the checkout was changed*"),
    ],
)
def test_certified_run_comes_from_a_clean_commit(suite, monkeypatch, tool, said):
    monkeypatch.setattr(run_metadata, "tool", lambda: CLEAN.model_copy(update=tool))
    result = drilled(suite, "--certified")
    assert result.ret == 3
    result.stderr.fnmatch_lines([said])


def test_certified_run_needs_every_spec_file(suite):
    for name in ("test_more.py", "test_yet_more.py"):
        suite.path.joinpath("suites", name).write_text("import nothing_of_that_name")
    result = drilled(suite, "--certified")
    assert result.ret == 3
    result.stdout.fnmatch_lines(["*, and suites/test_more.py cannot be collected*"])
    assert not latest(suite).exists()


def test_certified_run_refuses_what_a_plugin_left_out(suite):
    suite.makeconftest(
        "def pytest_collection_modifyitems(config, items):\n"
        "    config.hook.pytest_deselected(items=[items.pop()])\n"
    )
    result = drilled(suite, "--certified")
    assert result.ret == 3
    result.stdout.fnmatch_lines(["*1 specs were (the first is suites/test_specs.py::test_one)*"])


def test_waiver_lets_the_gate_pass_and_the_verdict_stand(suite):
    fails(suite)
    assert drilled(suite).ret == 1
    waive(suite)
    more = suite.path.joinpath("suites/controls.toml")
    more.write_text(control_table("KEY-1") + control_table("KEY-2"))
    suite.path.joinpath("suites/test_more.py").write_text(
        SPECS.format(held=True).replace("KEY-1", "KEY-2")
    )
    result = drilled(suite)
    assert result.ret == 0
    seen = record(suite)
    control = seen["controls"][0]
    assert (control["verdict"], control["waived"]) == ("violated", True)
    assert control["waiver"]["owner"] == "Ada"
    assert seen["counts"]["violated"] == seen["counts"]["waived"] == 1
    result.stdout.fnmatch_lines(["Waivers: 1", "*Waived until 2999-12-31 by Ada*"])
    result.stdout.fnmatch_lines(["PASSED. 1 of 2 gating controls hold; the gate lets KEY-1 pass*"])


def test_nothing_but_waived_controls_proves_nothing(suite):
    fails(suite)
    waive(suite)
    assert drilled(suite).ret == 2


def test_expired_waiver_no_longer_counts_and_the_run_says_so(suite):
    fails(suite)
    waive(suite, "2020-01-01")
    result = drilled(suite)
    assert result.ret == 1
    assert record(suite)["controls"][0]["waived"] is False
    assert record(suite)["controls"][0]["waiver"]["state"] == "expired"
    result.stdout.fnmatch_lines(["*waiver expired on 2020-01-01 and no longer counts*"])


def test_broken_declarations_end_the_run_before_it_begins(suite):
    suite.path.joinpath("my.toml").write_text("[organisation]\nnme = 'x'")
    result = drilled(suite, "--config=my.toml")
    assert result.ret == 3
    result.stderr.fnmatch_lines(["*my.toml: organisation.nme is unknown; did you mean name*"])
    result = drilled(suite, "--waivers=gone.toml")
    assert result.ret == 3
    result.stderr.fnmatch_lines(["*gone.toml: No such file or directory*"])
    assert not latest(suite).exists()


def test_record_names_the_run_before_and_what_was_applied(suite):
    drilled(suite)
    first = record(suite)
    assert first["identity"]["previous_run"] is None
    drilled(suite)
    second = record(suite)
    assert second["identity"]["previous_run"] == first["run"]["id"]
    assert second["identity"]["pack"]["sha256"] == first["identity"]["pack"]["sha256"]
    fails(suite)
    drilled(suite)
    assert record(suite)["identity"]["pack"]["sha256"] != first["identity"]["pack"]["sha256"]
