"""What coverage-guided fuzzing found, or reading for it: right words in no right form."""

import json

import pytest

from drillbook.core.errors import BadInput
from reports.history.runs import load_history
from reports.session import xdist_workers
from tests.support import sample_run
from tests.support.commands import history as main
from tests.support.compose_documents import reader

HEAD = '{"run": {"id": "x", "command": ""}, "subject": {"grade": "rehearsal"}, "controls": '
SPEC = '{"id": "a", "steps": [1], "duration_s": %s}'


@pytest.fixture
def compose(tmp_path, monkeypatch):
    # Where docker is, it refuses these first.
    return reader(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ("depends_on: {db: soon}", "db"),
        ("deploy: 3", "deploy"),
        ("deploy: {restart_policy: any}", "restart_policy"),
        ("healthcheck: [CMD, true]", "healthcheck"),
        ("networks: {inner: here}", "inner"),
    ],
)
def test_a_service_in_no_form_of_compose_is_refused(compose, service, where):
    with pytest.raises(BadInput, match=f"service backend, {where} is not a mapping"):
        compose(f"services:\n  backend:\n    image: infisical/infisical:v1\n    {service}\n")


@pytest.mark.parametrize("kind", ["networks", "volumes"])
def test_a_network_or_volume_in_no_form_of_compose_is_refused(compose, kind):
    with pytest.raises(BadInput, match=f"{kind}, mine is not a mapping"):
        compose(f"services: {{db: {{image: 'postgres:14'}}}}\n{kind}: {{mine: here}}\n")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        HEAD + '[{"id": [], "verdict": {}, "specs": []}]}',
        HEAD + '[{"specs": [' + SPEC % ("9" * 400) + "]}]}",
    ],
    ids=["deep", "no names", "huge"],
)
def test_evidence_of_nobody_says_nothing_about_a_control(tmp_path, text):
    run = tmp_path / "20261124T000000Z-aaaaaa"
    run.mkdir()
    (run / "evidence.json").write_text(text)
    (tmp_path / "latest").symlink_to(run.name)
    known = (past.facts.verdicts.keys() for past in load_history(tmp_path).runs)
    assert not {"KEY-1", "a"} & set().union(*known)
    assert xdist_workers.durations(tmp_path) == {}


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("objectives", "rto_s", "1e999"),
        ("objectives", "rto_s", "NaN"),
        ("run", "finished", '"9999-12-31T23:59:59Z"'),
        ("run", "finished", '"0001-01-01T00:00:00+14:00"'),
    ],
)
def test_one_odd_number_or_day_spoils_one_record_and_no_history(
    tmp_path, capsys, table, key, value
):
    record = json.loads(sample_run.run().model_dump_json())
    for name in ("fine", "odd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evidence.json").write_text(json.dumps(record).replace('"@"', value))
        record[table][key] = "@"
    assert main([f"--run-dir={tmp_path}"]) == 1
    assert "Folder odd: its evidence cannot be read" in capsys.readouterr().out
