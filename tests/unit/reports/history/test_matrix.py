"""Runs of several subjects stand side by side, and none of them lends its verdict to another."""

import json
from pathlib import Path

import jsonschema
import pytest

from reports.evidence import json_file
from reports.history.compare import (
    SCHEMA,
    Matrix,
    describe,
    files,
    matrix,
    render_page,
    verdict_changes,
)
from reports.render.terminal import WIDTH
from reports.session.bundle import render
from reports.verdict import Verdict
from tests.support import commands, sample_run
from tests.unit.reports.render.test_documents import parsed

OK, BAD = Verdict.SATISFIED, Verdict.VIOLATED
SILENT = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)


def on(image, host="drill-1", name=None, drop=(), **verdicts):
    """The sample run on another image or machine, with some verdicts changed."""
    run = sample_run.run()
    backend = run.subject.backend.model_copy(update={"image": image, "version": None})
    controls = [
        one.model_copy(update={"verdict": verdicts.get(one.id.replace("-", "_"), one.verdict)})
        for one in run.controls
        if one.id not in drop
    ]
    place = run.run.host.model_copy(update={"name": host})
    facts = run.run.model_copy(update={"id": name or f"run-{image}-{host}", "host": place})
    subject = run.subject.model_copy(update={"backend": backend})
    return run.model_copy(update={"run": facts, "subject": subject, "controls": tuple(controls)})


@pytest.fixture
def made():
    return matrix(
        [on("infisical:v1"), on("infisical:v2", KEY_3=OK, drop=("DEP-2",)), on("<b>|v3", DBP_1=OK)]
    )


def row(made, control):
    return next(one for one in made.rows if one.id == control)


def test_each_cell_is_what_its_own_run_saw(made):
    assert [cell.verdict for cell in row(made, "KEY-3").cells] == [BAD, OK, BAD]
    assert [cell.verdict for cell in row(made, "DEP-2").cells] == [
        Verdict.NOT_RUN,
        None,
        Verdict.NOT_RUN,
    ]
    assert [column.verdict for column in made.columns] == [BAD] * 3


def test_there_is_no_verdict_over_all(made):
    assert "verdict" not in made.model_dump()
    assert "exit_code" not in made.model_dump()


def test_what_was_judged_and_is_not_alike_differs(made):
    assert [one.id for one in made.different] == ["KEY-3", "DBP-1"]


def test_what_was_not_judged_differs_from_nothing():
    idle = on("v2", KEY_5=Verdict.NOT_RUN, KEY_3=Verdict.NOT_APPLICABLE)
    made = matrix([on("v1"), idle])
    assert made.different == []
    assert [one.id for one in made.partly] == ["KEY-3", "KEY-5"]
    judged = [row for row in made.rows if all(one.verdict not in SILENT for one in row.cells)]
    assert made.compared == len(judged) > 0
    assert f"0 of {made.compared} compared controls differ" in render_page(made)
    assert "2 of them judged on some subjects only" in render_page(made)


def test_labels_say_no_more_than_tells_runs_apart():
    labels = [one.label for one in matrix([on("x/infisical:v1"), on("x/infisical:v2")]).columns]
    assert labels == ["infisical:v1", "infisical:v2"]
    machines = matrix([on("v1", "east"), on("v1", "west")]).columns
    assert [one.label.rpartition(", ")[2] for one in machines] == ["east", "west"]
    twins = matrix([on("v1", name="one"), on("v1", name="two")]).columns
    assert [one.label.rpartition(", ")[2] for one in twins] == ["one", "two"]


def test_statements_whose_verdict_changes_are_found():
    rows = verdict_changes(on("v1", DBP_1=OK), on("v2"))
    assert [one.id for one in rows] == ["DBP-1"]


def test_documents_are_whole_and_read_nothing_as_markup(made):
    page = render_page(made)
    structure = parsed(page)
    assert all(place.startswith("#") for place in structure.fetched)
    assert page.count('class="differs"') == 2
    assert "<b>|v3" not in page


def test_equal_matrices_give_equal_bytes_that_satisfy_their_schema(made):
    assert files(made) == files(made.model_copy())
    record = json.loads(files(made)["matrix.json"])
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(record)
    now = json_file.schema(Matrix, "matrix")
    assert json.loads(SCHEMA.read_text()) == now, "python -m reports.history.compare"


def test_the_terminal_is_told_in_lines_that_fit(made):
    lines = [line.text for line in describe(made)]
    assert max(map(len, lines)) < WIDTH
    assert "Different: 2 of 4 compared" in lines


@pytest.fixture
def folders(tmp_path):
    made = []
    for run in (on("v1"), on("v2", KEY_3=OK)):
        place = tmp_path / "runs" / run.run.id
        place.mkdir(parents=True)
        (place / "evidence.json").write_bytes(render("evidence.json", run))
        made.append(place)
    return made


def test_merge_takes_runs_of_different_images(folders, tmp_path, capsys):
    code = commands.merge([*map(str, folders), f"--run-dir={tmp_path / 'runs'}"])
    said = capsys.readouterr().out
    assert code == 0
    place = Path(said.strip().splitlines()[-1].removeprefix("Matrix: ")).parent
    record = json.loads((place / "matrix.json").read_text())
    assert len(record["columns"][0]["evidence_sha256"]) == 64
    assert sorted(path.name for path in place.iterdir()) == [
        "matrix.html",
        "matrix.json",
    ]


def test_the_same_run_twice_is_refused(folders, tmp_path, capsys):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "evidence.json").write_bytes((folders[0] / "evidence.json").read_bytes())
    assert commands.merge([str(folders[0]), str(tmp_path / "copy"), f"--run-dir={tmp_path}"]) == 3
    assert "run run-v1-drill-1 is there twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    "signed", ["--signing-key=signer.key", "--signing-key-env=K", "--tsa=file"]
)
def test_a_matrix_says_that_it_is_not_signed(folders, tmp_path, capsys, monkeypatch, signed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signer.key").touch()
    assert commands.merge([*map(str, folders), "--run-dir=runs", signed]) == 0
    assert "a matrix is neither signed nor time-stamped" in capsys.readouterr().err


def test_a_run_with_a_planted_bug_is_refused(folders, tmp_path, capsys):
    record = folders[0] / "evidence.json"
    found = json.loads(record.read_text())
    found["run"]["command"] = "drillbook verify --mutant LosesLongValues"
    record.write_text(json.dumps(found))
    assert commands.merge([*map(str, folders), f"--run-dir={tmp_path / 'runs'}"]) == 3
    assert "the planted bug LosesLongValues, which a matrix would not" in capsys.readouterr().err


def test_a_matrix_is_not_written_into_the_folder_of_a_run(folders, capsys):
    assert commands.merge([*map(str, folders), f"--run-dir={folders[0]}"]) == 3
    assert "is the folder of one run; give --run-dir " in capsys.readouterr().err
    assert [one.name for one in folders[0].iterdir()] == ["evidence.json"]


def test_what_only_some_were_asked_is_listed_whole_where_it_is_short():
    made = matrix([on("a"), on("b", KEY_3=Verdict.NOT_RUN)])
    (said,) = [line.text for line in describe(made) if "some of them only" in line.text]
    assert said.endswith("1 (KEY-3)")
