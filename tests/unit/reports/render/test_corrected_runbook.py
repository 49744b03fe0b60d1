"""The corrected runbook says what holds, corrects what was contradicted, and admits the rest."""

import shutil
import subprocess
import tomllib
from shutil import which

import pytest

from drillbook.core.application import ROOT
from reports.controls import load
from reports.record import tested_runbook as runbook
from reports.render import markdown
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, sealed

RUN = sample_run.run()
BOOK = runbook.load()
TABLES = tomllib.loads((ROOT / "tests" / "predicted.toml").read_text())


def predicted(table):
    """A run with the verdicts and observations that are predicted of a release."""
    entries, controls = load(), []
    sample = {one.verdict: one for one in RUN.controls}
    for name, (verdict, *words) in (TABLES["reference"] | TABLES[table]).items():
        entry, kind = entries[name], Verdict(verdict)
        amiss = kind in (Verdict.CONTRADICTED, Verdict.VIOLATED)
        known = [entry.corrections[word] for word in words if word in entry.corrections]
        changed = {"id": name, "runbook": entry.runbook, "verdict": kind, "claim": entry.claim}
        changed |= {"corrections": tuple(known) if amiss else ()}
        controls.append(sample[Verdict.SATISFIED].model_copy(update=changed))
    return RUN.model_copy(update={"controls": tuple(controls)})


@pytest.mark.parametrize("table", ["reference", "newest"])
def test_each_correction_stands_once_in_its_section_and_a_person_can_read_it_all(table):
    run = predicted(table)
    page = markdown.corrected_runbook(run)
    corrections = [one for control in run.controls for one in control.corrections]
    assert len(corrections) > 9
    assert [one.sentence for one in corrections if page.count(f"**{one.sentence}**") != 1] == []
    assert [one for one in corrections if one.commands and page.count(one.commands) != 1] == []
    assert len(page.split()) <= 2500
    assert "Other corrections" not in page


def test_what_held_stands_as_it_is_and_what_did_not_is_gone():
    run = predicted("reference")
    page = markdown.corrected_runbook(run).splitlines()
    verdicts = {control.id: control.verdict for control in run.controls}
    for line in BOOK.lines:
        seen = {verdicts[name] for name in line.controls if name in verdicts}
        false = seen & {Verdict.CONTRADICTED, Verdict.VIOLATED}
        statement = f"- {line.text} ({', '.join(line.controls)})"
        assert (statement in page) is (not false and Verdict.SATISFIED in seen), line
    (wipe,) = [number for number, line in enumerate(page) if "docker rm -f" in line]
    heads = [line for line in page[:wipe] if line.startswith("## ")]
    assert heads[-1] == "## Option 2: Complete Data Wipe (Last Resort)"


def test_what_was_not_judged_is_marked():
    page = markdown.corrected_runbook(RUN.model_copy(update={"controls": ()}))
    assert page.count("; not judged)") == len(BOOK.lines)
    assert all(part in page for line in BOOK.lines for part in line.body)


def test_what_has_no_correction_or_no_statement_is_not_lost():
    judged = [one for one in RUN.controls if one.verdict is Verdict.CONTRADICTED]
    without = {"id": "TRB-4", "corrections": (), "runbook": ("Issue",)}
    other = {"id": "ZZZ-1", "runbook": ()}
    controls = [judged[0].model_copy(update=change) for change in (without, other)]
    page = markdown.corrected_runbook(RUN.model_copy(update={"controls": tuple(controls)}))
    assert "- **This does not hold here:** Read the end of the backend's log" in page
    assert "**Redeploy instead" in page.partition("## Other corrections")[2]


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
