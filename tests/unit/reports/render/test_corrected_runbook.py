"""The corrected runbook says what holds, corrects what was contradicted, and admits the rest."""

import shutil
import subprocess
from shutil import which

import pytest

from reports.render import markdown
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, sealed

RUN = sample_run.run()
PAGE = markdown.corrected_runbook(RUN)


def sectioned(verdict):
    return [one for one in RUN.controls if one.verdict is verdict and one.runbook]


def test_every_correction_stands_in_it():
    corrected = sectioned(Verdict.CONTRADICTED)
    assert corrected
    assert [one.id for one in corrected if one.correction and one.correction not in PAGE] == []


def test_what_was_not_judged_is_open_and_nothing_else():
    judged = (Verdict.SATISFIED, Verdict.CONTRADICTED, Verdict.VIOLATED)
    unjudged = {one.id for one in RUN.controls if one.verdict not in judged and one.runbook}
    lines = [line for line in PAGE.splitlines() if "*Open*" in line]
    missing = [one for one in unjudged if not any(f"({one})" in line for line in lines)]
    assert missing == []
    assert [line for line in lines if not any(f"({control})" in line for control in unjudged)] == []


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"command": "drillbook drill --rto=4h -- b.sql"},
            "drillbook drill --rto=4h --seed=7 -- b.sql",
        ),
        ({"command": "drillbook drill b.sql --seed=9"}, "drillbook drill b.sql --seed=9"),
        ({"command": "pytest suites"}, "python -m pytest suites --seed=7"),
    ],
)
def test_a_command_is_repeated_with_its_seed_by_the_program_that_ran_it(facts, line):
    tool = RUN.run.tool.model_copy(update={"commit": None})
    made = [{"tool": RUN.run.tool}, {"tool": tool}]
    pages = [
        markdown.reproduce(
            RUN.model_copy(
                update={"run": RUN.run.model_copy(update={"seed": 7} | facts | one)},
            )
        ).splitlines()
        for one in made
    ]
    assert f".venv/bin/{line}" in pages[0]
    assert line in pages[1]
    assert "make .venv/ready" not in "".join(pages[1]), "an installed Drillbook has no Makefile"


def test_an_unsigned_bundle_is_checked_without_a_key():
    page = markdown.reproduce(RUN)
    assert "`drillbook evidence verify bundle.zip --pubkey KEY.pub` if it is\nsigned" in page
    assert "else\n`drillbook evidence verify bundle.zip --unsigned`" in page


@pytest.mark.skipif(not all(map(which, ("unzip", "jq", "openssl"))), reason="needs these three")
def test_the_check_without_drillbook_accepts_what_was_sealed(tmp_path):
    signer, public = key(tmp_path)
    run = sample_run.drill_run()
    folder = sealed(tmp_path, signer, subject=run.subject)
    shutil.copy(public, folder / "KEY.pub")
    script = (
        (folder / "REPRODUCE.md").read_text().rpartition("```sh\n")[2].partition("# if it is st")[0]
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("bundle.zip", "KEY.pub"):
        shutil.copy(folder / name, empty)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=empty, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_rehearsal_says_so_first():
    rehearsal = RUN.model_copy(
        update={"subject": RUN.subject.model_copy(update={"grade": "rehearsal"})}
    )
    assert "rehearsal" in markdown.corrected_runbook(rehearsal).split("##")[0]
