"""Every document of a run follows from its record alone, byte for byte."""

import pytest

from reports.session.bundle import WRITERS
from tests.support import sample_run
from tests.support.bundles import sealed
from tests.support.commands import export
from tests.support.commands import render as main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sealed(tmp_path_factory.mktemp("runs"), pdf=True)


@pytest.mark.parametrize("origin", ["", "bundle.zip"])
def test_all_documents_come_again_byte_for_byte(folder, tmp_path, capsys, origin):
    assert main([str(folder / origin), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [f"  ok  {name}" for name in WRITERS]
    made = {name: (tmp_path / "out" / name).read_bytes() for name in WRITERS}
    assert made == {name: (folder / name).read_bytes() for name in WRITERS}


def test_record_alone_is_enough(folder, tmp_path):
    (tmp_path / "kept.json").write_bytes((folder / "evidence.json").read_bytes())
    assert main([str(tmp_path / "kept.json"), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_second_rendering_of_the_same_record_is_no_trouble(folder, tmp_path):
    assert main([str(folder), "--out", str(tmp_path)]) == 0
    assert main([str(folder), "--out", str(tmp_path)]) == 0


def refuse_to_overwrite(call, place, name, capsys):
    """Neither a file nor what a link leads to is overwritten by this call."""
    mine = place.parent / "mine"
    mine.write_text("mine")
    place.mkdir()
    (place / name).write_text("mine")
    assert call() == 3
    assert "exists with other content, and is not overwritten" in capsys.readouterr().err
    assert (place / name).read_text() == "mine"
    for target in (mine, place.parent / "nowhere"):
        (place / name).unlink()
        (place / name).symlink_to(target)
        assert call() == 3
        assert "is a link, and is not written through" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert not (place.parent / "nowhere").exists()


def test_rendering_overwrites_no_file_of_others(folder, tmp_path, capsys):
    out = tmp_path / "out"
    refuse_to_overwrite(lambda: main([str(folder), "--out", str(out)]), out, "report.html", capsys)


def test_exporting_overwrites_no_file_of_others(folder, tmp_path, capsys):
    words = ["ctrf", str(folder), "--out"]
    assert export([*words, str(tmp_path / "first")]) == 0
    assert export([*words, str(tmp_path / "first")]) == 0
    (made,) = (tmp_path / "first").iterdir()
    out = tmp_path / "out"
    refuse_to_overwrite(lambda: export([*words, str(out)]), out, made.name, capsys)


def changed(folder):
    page = folder / "report.html"
    page.write_text(page.read_text().replace("Failed", "Passed"))
    return str(folder)


def test_document_that_says_something_else_is_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("reports.record.run_metadata.tool", lambda: sample_run.run().run.tool)
    folder = sealed(tmp_path)
    assert main([changed(folder)]) == 1
    told = capsys.readouterr().out
    assert "NO  report.html is not what this record gives" in told
    assert "report.pdf was not there" in told
    assert told.count("NO  ") == 1


def test_document_of_another_version_is_not_accused(tmp_path, capsys):
    assert main([changed(sealed(tmp_path))]) == 0
    assert "--  report.html differs, as it may: the record is of 0.1.0" in capsys.readouterr().out


def test_record_at_odds_with_itself_is_not_rendered(tmp_path, capsys):
    run = sample_run.run(controls=(), exit_code=1)
    (tmp_path / "evidence.json").write_text(run.model_dump_json())
    assert main([str(tmp_path)]) == 3
    assert "its counts are not those of its controls" in capsys.readouterr().err


def test_record_at_the_edge_of_the_calendar_is_no_record(tmp_path, capsys):
    started = sample_run.run().run.started.isoformat().replace("+00:00", "Z")
    text = sample_run.run().model_dump_json().replace(started, "0001-01-01T00:00:00+14:00")
    (tmp_path / "evidence.json").write_text(text)
    assert main([str(tmp_path)]) == 3
    assert "no record of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "no record"),
        (b"{}", "no record"),
        (b"\xff\x00", "no record"),
    ],
)
def test_what_is_no_record_is_one_sentence(tmp_path, capsys, content, said):
    path = tmp_path / "evidence.json"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path)]) == 3
    assert said in capsys.readouterr().err
