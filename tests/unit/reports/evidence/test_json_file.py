"""evidence.json keeps its contract: a committed schema, checked on every write."""

import json
import time

import pytest

from drillbook.core.application import ROOT
from reports.errors import BadEvidence
from reports.evidence import json_file
from reports.evidence.model import Subject
from reports.seal import verify_bundle
from tests.support import sample_run
from tests.support.commands import render

PUBLISHED = ROOT / "tests" / "evidence-1-fields.txt"


def test_committed_schema_is_that_of_the_model():
    committed = json_file.SCHEMA.read_text(encoding="utf-8")
    assert committed == json_file.text(json_file.schema()), (
        "run: python -m reports.evidence.json_file"
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "b": {"c": 1, "c": 1}}',
        b'["\\ud800"]',
        b'{"\\uDFFF\\ud800": 1}',
        b'["\xed\xa0\x80"]',
        '["a"]'.encode("utf-16"),
        b"[" * 99_999,
        b"[" * 99_999 + b"]" * 99_999,
        b'{"a":' * 99_999,
        b"{" + b",".join(b'"%d":1' % at for at in range(60_000)) + b',"59999":1}',
    ],
)
def test_json_that_two_readers_may_read_differently_is_refused(data):
    before = time.process_time()
    with pytest.raises(ValueError):  # noqa: PT011
        json_file.strict_json(data)
    assert time.process_time() - before < 25
    with pytest.raises((ValueError, RecursionError, verify_bundle.Tampered)):
        verify_bundle.strict_json(data)


@pytest.mark.parametrize("text", ["[" * 99_999, '{"schema": "\\ud800"}'])
def test_render_refuses_such_a_record_in_one_sentence(tmp_path, capsys, text):
    record = tmp_path / "evidence.json"
    record.write_text(text)
    assert render([record]) == 3
    assert "no record of a run that this version can read" in capsys.readouterr().err


def test_a_record_with_half_a_character_is_not_rendered(tmp_path, capsys):
    made = json.loads(json_file.render(sample_run.run()))
    made["run"]["operator"] = "\ud800"
    (tmp_path / "evidence.json").write_text(json.dumps(made))
    assert render([tmp_path]) == 3
    assert "no record of a run that this version can read" in capsys.readouterr().err


def test_json_may_have_any_whole_character():
    for text in ('["\\ud83d\\ude00"]', '["\\\\ud800"]', '["😀"]'):
        assert json_file.strict_json(text.encode()) == json.loads(text)
        assert verify_bundle.strict_json(text.encode()) == json.loads(text)


def fields(schema, node, path="$"):
    """Each field below a node of the schema: its path, its types, and whether it is needed."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for name, one in node.get("properties", {}).items():
        kinds = sorted(kind for part in one.get("anyOf", [one]) for kind in words(schema, part))
        needed = " needed" * (name in node.get("required", ()))
        yield f"{path}.{name}", set(kinds), needed
        for part in one.get("anyOf", [one]):
            yield from fields(schema, part, f"{path}.{name}")
    if "items" in node:
        yield from fields(schema, node["items"], f"{path}[]")


def words(schema, node):
    """What a value may be: its types, or the words that it is one of."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return map(str, node.get("enum") or [node.get("const") or node.get("type", "any")])


def test_the_schema_only_grows():
    """Each published field is still there, takes what it took, and asks no more.

    A line that ends with `gone` is a field of earlier records. The model ignores it, and its name
    never comes back with another meaning. A new field is added to the list:
    `python -m tests.unit.reports.evidence.test_json_file`.
    """
    schema = json_file.schema()
    now = {path: (kinds, needed) for path, kinds, needed in fields(schema, schema)}
    known = {}
    for line in PUBLISHED.read_text().splitlines():
        path, kinds, *rest = line.split()
        if rest[-1:] == ["gone"]:
            assert path not in now, f"{path} has the name of a field that is gone"
            continue
        known[path] = ({*kinds.split("|")}, bool(rest))
    assert now.keys() == known.keys(), "a field is gone, or a new one is not in the list"
    for path, (kinds, needed) in known.items():
        assert kinds <= now[path][0], path
        assert needed >= bool(now[path][1]), f"{path} became needed"


def test_what_is_written_reads_back_equal(tmp_path):
    path = tmp_path / "evidence.json"
    path.write_text(json_file.render(sample_run.run()), encoding="utf-8")
    assert json_file.load(path) == sample_run.run()


def test_field_of_another_version_is_ignored(tmp_path):
    path = tmp_path / "evidence.json"
    other = json.loads(json_file.render(sample_run.run())) | {"mood": "good"}
    other |= {"people": [{"name": "Ada"}], "exercise": {"runbook": None}, "key_register": []}
    other["controls"][0]["taken_over"] = None
    path.write_text(json.dumps(other))
    assert json_file.load(path) == sample_run.run()


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_record_that_breaks_the_schema_is_not_written():
    broken = sample_run.run(subject=Subject.model_construct(driver=7, grade="rehearsal"))
    with pytest.raises(BadEvidence, match=r"\$\.subject\.driver"):
        json_file.render(broken)


if __name__ == "__main__":
    found = fields(json_file.schema(), json_file.schema())
    gone = [line for line in PUBLISHED.read_text().splitlines(True) if line.endswith(" gone\n")]
    present = [f"{path} {'|'.join(sorted(kinds))}{needed}\n" for path, kinds, needed in found]
    PUBLISHED.write_text("".join(present + gone))
