"""The answer about a key as people read it on a terminal, and as programs read it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drillbook.backup.facts import Backup
from drillbook.keys.hierarchy import Project, Proof
from drillbook.keys.key_check import Answer, as_text, write_answer
from drillbook.keys.key_files import KeyFile

DUMPED = datetime(2026, 11, 24, 23, 30, 5)
NEWEST = datetime(2026, 11, 24, 13, 41, 9, tzinfo=UTC)
FACTS = Backup(
    path=Path("last.dump"),
    size=1234567,
    form="custom",
    packed="gzip",
    server="14.23",
    dumped_by="16.1",
    dumped_at=DUMPED,
    newest=NEWEST,
    instance="5a68c59e",
    schema="20241014084900_identity-multiple-auth.mjs",
    migrations=160,
    labels=("cccc",),
    rows={"secrets_v2": 8},
)
BARE = Backup(path=Path("b.sql"), size=12, form="plain", damage="ends")
LEDGER = Project("p1", "Ledger", 3, key_opened=True, secrets=5, secrets_opened=5)
SHOP = Project("p2", "Shop", 2, key_opened=True, secrets=3, secrets_opened=3)
ALL = {"root_keys": 1, "roots_opened": 1, "projects": 2, "projects_opened": 2}
ALL |= {"secrets": 8, "secrets_opened": 8, "by_project": [SHOP, LEDGER]}
PART = ALL | {"projects_opened": 1, "secrets_opened": 5}
PART |= {"by_project": [replace(SHOP, key_opened=False, secrets_opened=0), LEDGER]}


def one(word="OPENS", proof=None, name="one", reasons=()):
    file = KeyFile(f"{name}.env", "ENCRYPTION_KEY", "the key itself", f"label-{name}")
    return Answer(file, word, reasons, proof or Proof(**ALL))


def lines(*answers, facts=FACTS, name="last.dump"):
    return as_text(facts, name, answers or [one()]).split("\n")


def test_a_key_that_opens_is_told_with_all_that_is_known():
    assert as_text(FACTS, "last.dump", [one()]) == (
        "OPENS: this key opens this backup, to the last secret\n"
        "\n"
        "  key        one.env: ENCRYPTION_KEY with label label-one\n"
        "  backup     last.dump: custom format, packed by gzip, 1,234,567 bytes, complete\n"
        "  instance   5a68c59e\n"
        "  product    database schema of 2024-10-14 (160 migrations), so a release from then on\n"
        "  dumped     2026-11-24 23:30 by the clock of its machine, "
        "not before 2026-11-24 13:41 UTC (newest row), from PostgreSQL 14.23, by pg_dump 16.1\n"
        "  root key   1 of 1 open\n"
        "  projects   2 of 2 keys open\n"
        "  secrets    8 of 8 open\n"
        "    Ledger: 5 of 5 (keys held by the KMS)\n"
        "    Shop: 3 of 3 (keys held by bots, as until 2024)\n"
        "\n"
        "Next: keep this key as long as this backup. If an instance needs it, set ENCRYPTION_KEY "
        "to this key and redeploy (where the image's tag moves, with --pull never: else this "
        "upgrades, too); AUTH_SECRET (a new one ends every token) and the password of a new "
        "database may be new. "
        "Coolify's own template takes it from SERVICE_PASSWORD_ENCRYPTIONKEY: there, set that one; "
        "a variable ENCRYPTION_KEY next to it changes nothing.\n"
        "  drillbook drill last.dump --env-file one.env  "
        "# starts the product from them; --image names the release that you run\n"
    )


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (one("DOES NOT OPEN", Proof(root_keys=1)), "this key opens nothing of this backup"),
        (one("DOES NOT OPEN", Proof(**PART)), "this key opens only a part of this backup"),
        (one("CANNOT TELL"), "this may or may not be the key to all of this backup"),
        (one(proof=Proof(1, 1)), "this key opens this backup, in which no secret has a value"),
    ],
)
def test_first_line_says_how_far_a_key_reaches_and_the_end_what_is_next(answer, sentence):
    first, *rest = lines(answer)
    assert first == f"{answer.word}: {sentence}"
    nexts = {
        "DOES NOT OPEN": "make no new one.\n  drillbook key check last.dump --env-file ",
        "CANNOT TELL": "try an older one",
        "OPENS": "  drillbook drill last.dump --env-file one.env",
    }
    assert nexts[answer.word] in "\n".join(rest)
    # Of an application from Git, Coolify keeps them elsewhere.
    asked = "/data/coolify/applications/<uuid>/.env" in "\n".join(rest)
    assert asked is (answer.word == "DOES NOT OPEN")


@pytest.mark.parametrize(
    ("form", "server", "by", "stops"),
    [
        ("plain", "14.23", "17.2 (Debian)", True),
        ("plain", "14.23", "16.1", False),
        ("plain", "17.5", "18.1", False),
        ("custom", "14.23", "17.2", False),
        ("plain", None, "17.2", False),
    ],
)
def test_a_dump_of_a_newer_pg_dump_stops_psql(form, server, by, stops):
    facts = replace(FACTS, form=form, server=server, dumped_by=by)
    assert ("SET transaction_timeout" in as_text(facts, "d.sql", [one()])) is stops


def test_command_that_is_next_works_when_pasted():
    assert lines(name="last night.dump")[-2].startswith(
        "  drillbook drill 'last night.dump' --env-file one.env  # "
    )
    assert lines(name="standard input")[-2].startswith(
        "  drillbook drill BACKUP --env-file one.env"
    )


def test_no_drill_is_next_of_a_backup_that_no_restore_takes():
    said = as_text(replace(FACTS, rows_alone=True), "last.dump", [one()])
    assert "Note: no restore works from it alone" in said
    assert "drillbook drill" not in said


def test_command_that_is_next_reaches_the_same_backup():
    said = as_text(FACTS, "sftp://host/last.dump", [one()])
    assert "  drillbook drill sftp://host/last.dump --env" in said
    # Of an address with a query only a part is shown.
    assert "  drillbook drill BACKUP --env-file" in as_text(FACTS, "https://host/d?…", [one()])


def test_of_a_backup_that_lost_the_keys_of_its_kms_no_other_key_is_looked_for():
    shut = replace(LEDGER, key_opened=False, secrets_opened=0)
    right = Proof(root_keys=1, roots_opened=1, projects=1, secrets=5, by_project=[shut])
    *_, last, _ = lines(one("DOES NOT OPEN", right))
    assert "no other opens more; take an earlier backup" in last


def test_of_a_damaged_backup_no_other_key_is_looked_for():
    right = Proof(root_keys=1, roots_opened=1, projects=1, projects_opened=1, secrets=2)
    *_, last, _ = lines(one("DOES NOT OPEN", right))
    assert "take an earlier backup for what stays shut" in last


def test_of_a_cut_backup_the_transfer_is_suspected_first():
    last = lines(one("CANNOT TELL"), facts=BARE)[-2]
    assert last.index("fetch it again") < last.index("take an older one")


def test_reasons_and_the_other_keys_stand_under_the_answer():
    wrong = one("DOES NOT OPEN", Proof(root_keys=1), "two", ("it has 5 bytes",))
    unsure = one("CANNOT TELL", name="three", reasons=("it was cut", "an HSM\x1b[0m"))
    assert lines(wrong, unsure)[:6] == [
        "CANNOT TELL: this may or may not be the key to all of this backup",
        "  because it was cut",
        "  because an HSM\N{REPLACEMENT CHARACTER}[0m",
        "",
        "  key        three.env: ENCRYPTION_KEY with label label-three",
        "  tried too  two.env: ENCRYPTION_KEY with label label-two: DOES NOT OPEN",
    ]


def test_empty_secrets_are_told_apart():
    assert "  secrets    8 of 8 open; 2 empty" in lines(one(proof=Proof(**ALL, empty=2)))


@pytest.mark.parametrize(("keys", "opened", "rotating"), [(1, 1, 0), (2, 1, 1), (2, 0, 0)])
def test_two_root_keys_of_which_one_opens_are_a_rotation(keys, opened, rotating):
    proof = Proof(**ALL | {"root_keys": keys, "roots_opened": opened})
    (line,) = (line for line in lines(one(proof=proof)) if line.startswith("  root key"))
    told_so = "; it lies under several keys, so another one opens as well" * rotating
    assert line == f"  root key   {opened} of {keys} open{told_so}"


def listed(*projects):
    proof = Proof(**ALL | {"by_project": list(projects)})
    return [line.strip() for line in lines(one(proof=proof)) if line.startswith("    ")]


def test_projects_that_stay_shut_come_first_and_of_each_kind_the_largest():
    small, large = Project("a", "Small", 3, secrets=1), Project("b", "", 4, secrets=9)
    small.reason = "its key is held by an external KMS"
    assert listed(SHOP, small, Project("c", "Empty", 3), LEDGER, large) == [
        "unknown project: 0 of 9 ()",
        "Small: 0 of 1 (its key is held by an external KMS)",
        "Ledger: 5 of 5 (keys held by the KMS)",
        "Shop: 3 of 3 (keys held by bots, as until 2024)",
    ]


def test_twenty_projects_are_listed_and_the_rest_added_up():
    projects = [Project(f"p{n}", f"N{n}", 3, secrets=n, secrets_opened=n) for n in range(1, 23)]
    assert listed(*projects)[19:] == [
        "N3: 3 of 3 (keys held by the KMS)",
        "other projects (2): 3 of 3",
    ]
    assert listed(*projects[:20])[19:] == ["N1: 1 of 1 (keys held by the KMS)"]


def test_programs_read_the_same_and_no_row_and_no_key(capsys):
    right, wrong = one(), one("DOES NOT OPEN", Proof(root_keys=1), "two", ("it is not",))
    write_answer(FACTS, "Sicherung für alle.dump", [wrong, right])
    text = capsys.readouterr().out
    assert text.endswith("}\n")
    assert "für alle" in text
    assert "the key itself" not in text
    read = json.loads(text)
    assert (read["answer"], read["exit_code"], read["reasons"]) == ("OPENS", 0, [])
    about = {
        key: read["backup"][key] for key in ("path", "complete", "dumped_at", "newest", "size")
    }
    assert about == {
        "path": "Sicherung für alle.dump",
        "complete": True,
        "dumped_at": "2026-11-24T23:30:05",
        "newest": "2026-11-24T13:41:09+00:00",
        "size": 1234567,
    }
    assert "rows" not in read["backup"]
    first, second = read["keys"]
    assert (first["file"], first["answer"], first["reasons"]) == (
        "two.env",
        "DOES NOT OPEN",
        ["it is not"],
    )
    assert (second["label"], second["secrets_opened"]) == ("label-one", 8)
    assert second["by_project"][1]["name"] == "Ledger"
