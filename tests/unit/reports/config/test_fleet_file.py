"""fleet.toml: what is wrong with it is one sentence that names the key."""

import shlex
from dataclasses import replace

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from reports.config.fleet_file import find, load
from reports.errors import BadDeclaration

GIVEN = {
    "name": "payments",
    "label": "eu",
    "cadence": "weekly",
    "backup": "/b",
    "env_file": "/k.env",
}


def written(folder, *instances):
    path = folder / "fleet.toml"
    rows = [
        "\n".join(["[[instance]]", *(f"{key} = {value!r}" for key, value in one.items())])
        for one in instances
    ]
    path.write_text("\n".join(rows).replace("True", "true"))
    return path


WRONG = [
    ({"cadance": "weekly"}, "cadance is unknown; did you mean cadence?"),
    ({"cadence": "daily"}, "[1].cadence: is none of 'weekly', 'monthly'"),
    ({"name": "Payments EU"}, "name: payments eu is not a name; write at most 40 small"),
    ({"label": "x" * 41}, "is not a name"),
    ({"rto": "4x"}, "rto: 4x: write a duration such as 4h"),
    ({"stack": "podman"}, "stack: podman is none of auto, containers, embedded"),
    ({"stack": "embedded", "image": "infisical/infisical:v0.154.6"}, "takes neither image nor"),
    ({"stack": "embedded", "compose": "/c.yml"}, "remove them"),
    ({"to_database": "13"}, "to_database: 13 is none of 14"),
    ({"backup": "-"}, "standard input is not a place"),
    ({"backup": "sftp://ada:geheim@host/b"}, "backup: a url with a credential"),
    ({"backup": "sftp://ada:ge/heim@host/b"}, "backup: a url with a credential"),
    ({"backup": "https://ghp_geheim@host/b.sql"}, "backup: a url with a credential"),
    ({"backup": "https://host/b.sql?sig=geheim"}, "backup: a url with a credential"),
    ({"certified": "perhaps"}, "certified: is neither true nor false, without quotes"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG, ids=[str(one) for one, _ in WRONG])
def test_a_wrong_key_is_named(tmp_path, change, sentence):
    with pytest.raises(BadDeclaration) as refused:
        load(written(tmp_path, GIVEN | change))
    assert sentence in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_name_stands_once(tmp_path):
    with pytest.raises(BadDeclaration, match="two instances have the name payments"):
        load(written(tmp_path, GIVEN, GIVEN))


def test_a_file_without_instances_is_refused(tmp_path):
    with pytest.raises(BadDeclaration, match="instance"):
        load(written(tmp_path))


def test_the_words_are_those_that_drill_takes(tmp_path, monkeypatch):
    more = {"rto": "4h", "rpo": "1d", "to_database": "17", "stack": "embedded", "certified": True}
    given = {"backup": "b.sql", "env_file": "k.env", **more}
    (instance,) = load(written(tmp_path, GIVEN | given))
    for name in ("b.sql", "k.env"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    found = []
    heard = [replace(one, run=lambda given: found.append(given.values) or 0) for one in COMMANDS]
    assert run(heard, ["drill", *instance.words]) == 0
    taken = {**more, **given, "instance": "payments", "reason": "scheduled"}
    assert {key: found[0][key] for key in taken} == taken


def test_a_name_that_is_not_there_is_refused(tmp_path):
    known = load(written(tmp_path, GIVEN))
    assert [one.name for one in find(known, ["payments", "payments"])] == ["payments"]
    with pytest.raises(BadDeclaration, match="no instance paymnts; did you mean payments"):
        find(known, ["paymnts"])


REFUSED = [
    ("fleet report runs --pubkey k.pub --fleet flet.toml", "did you mean fleet.toml?"),
    ("fleet report runs", "--pubkey is missing"),
    ("fleet enqueue --queue gone.txt", "say --pubkey, or --instance"),
    ("fleet enqueue --queue gone.txt --instance crm", "fleet.toml has no instance crm"),
    ("fleet work --queue gone.txt --label eu", "say --sign: an unsigned drill counts for nothing"),
    ("fleet work --queue gone.txt --label ue --sign k", "has the label ue; its labels are eu"),
    ("fleet work --queue postgresql://a:geheim@h/d --label eu", "a connection string is a secret"),
    ("fleet work --queue 'host=h password=geheim' --label eu", "a connection string is a secret"),
    (
        "fleet enqueue --queue open.txt --instance payments",
        "can be read by others (mode 644)",
    ),
    ("fleet enqueue --queue odd.txt --instance payments", "holds no connection string"),
    ("fleet enqueue --queue gone.txt --instance payments", "does not answer, or refuses"),
]


@pytest.mark.parametrize(("line", "sentence"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_fleet_that_cannot_work_is_one_sentence(tmp_path, monkeypatch, capsys, line, sentence):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, GIVEN)
    (tmp_path / "runs").mkdir()
    nowhere = "host=127.0.0.1 port=9 user=ada password=geheim"
    for name, text, mode in (
        ("k", "", 0o600),
        ("k.pub", "", 0o600),
        ("open.txt", nowhere, 0o644),
        ("odd.txt", "geheim", 0o600),
        ("gone.txt", nowhere, 0o600),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    assert run(COMMANDS, shlex.split(line)) == 3
    told = capsys.readouterr()
    assert sentence in " ".join(told.err.split())
    assert "geheim" not in told.err + told.out
    assert "Traceback" not in told.err


def test_a_queue_without_its_library_is_one_sentence(tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.chdir(tmp_path)
    written(tmp_path, GIVEN)
    for name in [
        one for one in sys.modules if one.startswith(("procrastinate", "drillbook.fleet_queue"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    (tmp_path / "gone.txt").touch()
    assert run(COMMANDS, shlex.split("fleet enqueue --queue gone.txt --instance payments")) == 3
    assert "procrastinate is not installed" in capsys.readouterr().err
