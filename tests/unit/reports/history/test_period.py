"""A period is reported with what was due, what was done, and each gap; nothing hides one."""

import csv
import hashlib
import json
import shutil
from datetime import UTC, date, datetime, timedelta

import pypdfium2
import pytest

from reports.evidence.context import Organisation, Schedule, Waiver
from reports.evidence.model import BackupFile
from reports.history import period_report
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, latest, sealed
from tests.support.commands import history as show_history
from tests.support.commands import period as main
from tests.support.commands import seal, sign_off

TODAY = date(2027, 1, 10)
YEAR = ("--from=2026-01-01", "--to=2026-12-31")
DECLARED = """
[organisation]
name = "Example Ltd"
system = "Infisical, production"
[schedule]
cadence = "quarterly"
"""
# What each run found of DRL-2: of a missed third quarter nothing is there.
RUNS = {
    "2026-01-20": "satisfied",
    "2026-04-15": "violated",
    "2026-05-02": "satisfied",
    "2026-10-20": "satisfied",
}


def drilled(runs, signer, day, found, waiver=None, **changes):
    """The sealed folder of a drill that ended on this day."""
    made, ended = sample_run.run(), datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)
    when = {"id": f"{day}-drill", "started": ended - timedelta(hours=1), "finished": ended}
    name = "KEY-5" if found == "satisfied" else "KEY-3"
    said = {
        "run": made.run.model_copy(update=when),
        "organisation": Organisation(system="Infisical, production"),
        "controls": tuple(
            one.model_copy(update={"id": "DRL-2"}) if one.id == name else one
            for one in made.controls
            if found == "violated" or one.id != "KEY-3"
        ),
    }
    if found == "satisfied":
        counts = made.counts.model_copy(update={"violated": 0, "planned": 5})
        said |= {"counts": counts, "verdict": Verdict.INCONCLUSIVE, "exit_code": 2}
    if waiver:
        given = {"waiver": waiver, "waived": True}
        controls = tuple(
            one.model_copy(update=given) if one.id == waiver.control else one
            for one in said["controls"]
        )
        counts = said["counts"].model_copy(update={"waived": 1})
        said |= {"controls": controls, "counts": counts}
        said |= {"verdict": Verdict.SATISFIED, "exit_code": 0}
    folder = sealed(runs, signer, **said | changes)
    latest(runs, folder)
    return folder


WAIVER = Waiver(
    control="DBP-2",
    reason="=the vendor repairs it",
    owner="Ada",
    approved_by="Grace",
    expires=date(2026, 12, 31),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A year with a missed quarter, sealed, and the public key of who sealed it."""
    place = tmp_path_factory.mktemp("year")
    signer, public = key(place)
    for day, found in RUNS.items():
        drilled(place / "runs", signer, day, found)
    drilled(place / "runs", signer, "2026-11-05", "satisfied", WAIVER)
    bundle = place / "runs" / "2026-01-20-drill"
    key(place, "grace.key")
    given = ["--act=approved", "--name=Grace Hopper", f"--signing-key={place / 'grace.key'}"]
    assert sign_off([str(bundle), *given, "--anyway"]) == 0
    return place, public


@pytest.fixture
def year(made, tmp_path, monkeypatch):
    """A copy of it that a test may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(period_report, "_today", lambda: TODAY)
    (tmp_path / "drillbook.toml").write_text(DECLARED)
    shutil.copytree(made[0] / "runs", tmp_path / "runs", symlinks=True)
    return tmp_path / "runs"


def reported(runs, capsys, *options, days=YEAR):
    """The exit code, the answer, and its rows by kind."""
    words = [*days, f"--run-dir={runs}", f"--out={runs.parent / 'out'}", "--output=json"]
    capsys.readouterr()
    code = main([*words, *options])
    answer = json.loads(capsys.readouterr().out)
    rows = {}
    for row in answer["rows"]:
        rows.setdefault(row["kind"], []).append(row)
    return code, answer, rows


def drills(rows):
    return [one["state"] for one in rows["due"] if one["what"] == "drill of a backup"]


def test_the_missed_quarter_is_said(year, made, capsys):
    code, answer, rows = reported(year, capsys, f"--pubkey={made[1]}")
    assert code == 1
    assert drills(rows) == ["done", "done", "missed", "done"]
    lapses = [one for one in rows["no proof in force"] if one["what"] == "drill of a backup"]
    assert [(one["since"], one["until"]) for one in lapses] == [
        ("2026-01-01", "2026-01-19"),
        ("2026-04-21", "2026-05-01"),
        ("2026-08-03", "2026-10-19"),
    ]
    assert answer["signed"] is True


def test_a_failure_stands_with_its_retest(year, capsys):
    _, _, rows = reported(year, capsys)
    (failed,) = rows["failure"]
    assert (failed["what"], failed["state"]) == ("DRL-2", "re-tested")
    assert failed["note"] == "satisfied again in run 2026-05-02-drill, 17 days later"


def test_a_retest_that_no_trusted_key_signed_is_none(year, made, tmp_path, capsys):
    signer, public = key(tmp_path, "own.key")
    for folder in year.iterdir():
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()
    drilled(year, signer, "2026-04-15", "violated")
    drilled(year, None, "2026-05-02", "satisfied")
    assert reported(year, capsys)[2]["failure"][0]["state"] == "re-tested"
    assert reported(year, capsys, f"--pubkey={public}")[2]["failure"][0]["state"] == "open"


@pytest.mark.parametrize(("instance", "state"), [("one", "re-tested"), ("other", "open")])
def test_a_backup_of_another_instance_is_no_retest(year, capsys, instance, state):
    for folder in year.iterdir():
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()
    for day, found, of in (("04-15", "violated", "one"), ("05-02", "satisfied", instance)):
        backup = BackupFile(name="backup.sql", sha256="0" * 64, bytes=1, instance=of)
        subject = sample_run.run().subject.model_copy(update={"backup": backup})
        drilled(year, None, f"2026-{day}", found, subject=subject)
    assert reported(year, capsys)[2]["failure"][0]["state"] == state


def test_a_failure_stays_one_without_a_trusted_signature(year, tmp_path, capsys):
    _, foreign = key(tmp_path, "other.key")
    _, _, rows = reported(year, capsys, f"--pubkey={foreign}")
    (failed,) = rows["failure"]
    assert failed["note"].endswith("; it is not)")


def test_a_run_of_the_future_is_not_counted(year, capsys, monkeypatch):
    monkeypatch.setattr(period_report, "_today", lambda: date(2026, 10, 19))
    _, _, rows = reported(year, capsys)
    assert drills(rows) == ["done", "done", "missed", "not yet due"]
    assert [one["run"] for one in rows["run"] if "after the day of this report" in one["note"]] == [
        "2026-10-20-drill",
        "2026-11-05-drill",
    ]


def test_runs_of_another_system_or_rehearsals_disturb_no_report(year, capsys):
    monthly = Schedule(cadence="monthly")
    other = Organisation(system="Infisical, test")
    drilled(year, None, "2026-12-01", "violated", schedule=monthly, organisation=other)
    subject = sample_run.run().subject.model_copy(update={"grade": "rehearsal"})
    drilled(year, None, "2026-12-02", "violated", schedule=monthly, subject=subject)
    _, answer, rows = reported(year, capsys)
    assert (answer["troubles"], len(rows["failure"])) == ([], 1)


def test_a_failed_run_of_another_subject_is_not_a_try_of_this_one(year, capsys):
    other = Organisation(system="Infisical, test")
    drilled(year, None, "2026-08-01", "violated", organisation=other)
    ended = datetime(2026, 8, 2, 9, tzinfo=UTC)
    bug = {"id": "bug", "finished": ended, "command": "drillbook verify --mutant=LosesRows"}
    facts = sample_run.run().run.model_copy(update=bug)
    drilled(year, None, "2026-08-02", "violated", run=facts)
    _, _, rows = reported(year, capsys)
    drill = [one for one in rows["due"] if one["what"] == "drill of a backup"]
    assert [one.get("run") for one in drill if one["state"] == "missed"] == [None]


def test_one_odd_record_does_not_end_the_report(year, capsys):
    """The history reads less of a record than the report."""
    file = year / "2026-10-20-drill" / "evidence.json"
    record = json.loads(file.read_text())
    del record["counts"]
    file.write_text(json.dumps(record))
    code, _, rows = reported(year, capsys)
    assert (code, drills(rows)[-1]) == (1, "done")
    assert "its evidence cannot be read" in json.dumps(rows)


def test_a_record_of_a_stranger_steers_no_terminal_or_spreadsheet(year, capsys):
    """Its id, and so its name in every list, is whatever its author likes."""
    (year / "x").mkdir()
    record = json.loads((year / "2026-04-15-drill" / "evidence.json").read_text())
    record["run"]["id"] = "=1+1 \x1b]0;owned\x07 \u202e"
    (year / "x" / "evidence.json").write_text(json.dumps(record))
    main([*YEAR, f"--run-dir={year}", "--out=out"])
    show_history([f"--run-dir={year}"])
    said = capsys.readouterr().out
    assert "owned" in said
    (table,) = (year.parent / "out").glob("*.csv")
    text = table.read_text("utf-8-sig")
    assert {"\x1b", "\x07", "\u202e"}.isdisjoint(said + text)
    assert all(row["run"][:1] != "=" for row in csv.DictReader(text.splitlines()))


def test_the_same_history_gives_the_same_bytes(year, capsys):
    found = []
    for _ in range(2):
        reported(year, capsys)
        found.append([one.read_bytes() for one in sorted((year.parent / "out").iterdir())])
    assert found[0] == found[1]
    assert (len(found[0]), max(map(len, found[0])) < 200_000) == (2, True)


def test_signatures_and_waivers_are_listed(year, made, capsys):
    _, _, rows = reported(year, capsys, f"--pubkey={made[1]}")
    assert "approved by Grace Hopper" in rows["run"][0]["sign_off"]
    assert {one["seal"].split(",")[0][:4] for one in rows["run"]} == {"key "}
    (waiver,) = rows["waiver"]
    assert (waiver["what"], waiver["until"]) == ("DBP-2", "2026-12-31")


def test_a_run_that_was_signed_afterwards_has_the_key_of_its_signature(year, made, capsys):
    drilled(year, None, "2026-12-01", "satisfied")
    own, _ = key(made[0], "later.key")
    assert seal(["seal", str(year / "2026-12-01-drill"), f"--signing-key={made[0]}/later.key"]) == 0
    _, _, rows = reported(year, capsys)
    assert rows["run"][-1]["seal"] == f"key {own.id[:16]}, not checked"


def test_a_changed_record_is_noticed_and_counts_no_more(year, capsys):
    """A failure is rewritten to a success, in a record that looks whole."""
    shutil.rmtree(year / "2026-05-02-drill")
    folder = year / "2026-04-15-drill"
    (folder / "bundle.zip").unlink()
    record = folder / "evidence.json"
    said = '"verdict": "violated"'
    record.write_text(record.read_text().replace(said, said.replace("violated", "satisfied")))
    code, answer, rows = reported(year, capsys)
    assert (code, drills(rows)[1]) == (1, "not proven")
    assert any(one.startswith("run 2026-04-15-drill") for one in answer["troubles"])


def test_a_foreign_signature_does_not_count(year, tmp_path, capsys):
    _, foreign = key(tmp_path, "other.key")
    code, _, rows = reported(year, capsys, f"--pubkey={foreign}")
    assert (code, drills(rows)) == (1, ["not proven", "not proven", "missed", "not proven"])


def test_another_system_does_not_fill_a_gap(year, capsys):
    text = DECLARED.replace("Infisical, production", "Infisical, test")
    (year.parent / "drillbook.toml").write_text(text)
    _, _, rows = reported(year, capsys)
    assert "done" not in drills(rows)


def test_a_cadence_that_was_changed_afterwards_is_said(year, capsys):
    drilled(year, None, "2026-12-01", "satisfied", schedule=Schedule(cadence="monthly"))
    _, answer, _ = reported(year, capsys)
    assert any("under the cadence monthly" in one for one in answer["troubles"])


def test_a_part_that_has_not_ended_is_not_yet_due(year, capsys):
    days = ("--from=2027-01-01", "--to=2027-12-31")
    code, answer, rows = reported(year, capsys, days=days)
    assert (code, drills(rows)) == (0, ["not yet due"])
    assert answer["sentence"] == "Nothing fell due by 10 January 2027."


@pytest.mark.parametrize(
    ("since", "until", "result", "sentence"),
    [
        ("2026-01-01", "2026-12-30", "Complete so far", "2 of 2 due acts were done; 2 fall due"),
        ("2026-06-01", "2026-08-30", "Nothing was due", "Nothing fell due by 30 August 2026"),
        (
            *("2024-06-01", "2024-08-30", "No proof in force since 1 June 2024"),
            "Nothing fell due by 30 August 2024",
        ),
    ],
)
def test_a_period_that_is_shorter_than_the_cadence_is_not_complete(
    year, capsys, since, until, result, sentence
):
    text = DECLARED.replace("quarterly", "yearly")
    (year.parent / "drillbook.toml").write_text(text)
    main([f"--from={since}", f"--to={until}", f"--run-dir={year}", "--out=out"])
    assert f"{result}. {sentence}" in capsys.readouterr().out
    pdf = year.parent / "out" / f"period-{since}-{until}.pdf"
    words = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range().split()
    assert f"period {result} {sentence}" in " ".join(words)


def test_parts_begin_on_the_31st_wherever_there_is_one(year, capsys):
    text = DECLARED.replace("quarterly", "monthly")
    (year.parent / "drillbook.toml").write_text(text)
    _, _, rows = reported(year, capsys, days=("--from=2026-01-31", "--to=2026-07-30"))
    dues = [one for one in rows["due"] if one["what"] == "drill of a backup"]
    assert [(one["since"], one["until"]) for one in dues] == [
        ("2026-01-31", "2026-02-27"),
        ("2026-02-28", "2026-03-30"),
        ("2026-03-31", "2026-04-29"),
        ("2026-04-30", "2026-05-30"),
        ("2026-05-31", "2026-06-29"),
        ("2026-06-30", "2026-07-30"),
    ]


def test_a_part_in_which_the_drill_failed_names_the_run(year, capsys):
    shutil.rmtree(year / "2026-05-02-drill")
    _, _, rows = reported(year, capsys)
    (due,) = [one for one in rows["due"] if one["since"] == "2026-04-01" and "drill" in one["what"]]
    assert (due["state"], due["run"]) == ("missed", "2026-04-15-drill")
    assert due["note"] == "tried, and not shown"
    main([*YEAR, f"--run-dir={year}", "--out=out"])
    said = " ".join(capsys.readouterr().out.split())
    assert "run 2026-04-15-drill, 15 April 2026: tried, and not shown" in said


def test_a_bundle_counts_for_its_own_run_alone(year, capsys):
    folder = year / "2026-08-01-drill"
    shutil.copytree(year / "2026-05-02-drill", folder)
    text = (folder / "evidence.json").read_text()
    (folder / "evidence.json").write_text(text.replace("2026-05-02", "2026-08-01"))
    (folder / "MANIFEST.json").unlink()
    _, _, rows = reported(year, capsys)
    (odd,) = [one for one in rows["run"] if one["run"] == "2026-08-01-drill"]
    assert odd["note"] == "its bundle is of run 2026-05-02-drill"
    assert drills(rows)[2] == "not proven"


@pytest.mark.parametrize("name", ["0-copy", "z-copy"])
def test_a_copy_under_another_name_hides_no_failure(year, made, capsys, name):
    """A record of the failed run, as of another year and of nothing that recurs."""
    (year / name).mkdir()
    text = (year / "2026-04-15-drill" / "evidence.json").read_text()
    text = text.replace('"2026-04-15T', '"2020-04-15T').replace('"DRL-2"', '"HLT-1"')
    (year / name / "evidence.json").write_text(text)
    code, answer, rows = reported(year, capsys, f"--pubkey={made[1]}")
    assert (code, len(rows["failure"])) == (1, 1)
    assert "run 2026-04-15-drill: two folders hold a record of it" in answer["troubles"]


def test_a_run_that_was_taken_out_is_missed_by_the_one_after_it(year, capsys):
    """What came before the period is not missed."""
    shutil.rmtree(year / "2026-04-15-drill")
    code, answer, _ = reported(year, capsys)
    said = "run 2026-05-02-drill follows run 2026-04-15-drill, of which nothing is here"
    assert (code, answer["troubles"]) == (1, [said])
    later = reported(year, capsys, days=("--from=2026-05-01", "--to=2026-12-31"))
    assert later[1]["troubles"] == []
    # The run that names it ended after the period.
    earlier = reported(year, capsys, days=("--from=2026-01-01", "--to=2026-04-30"))
    assert earlier[1]["troubles"] == [said]


def test_with_keys_the_sealed_record_says_what_a_run_was(year, made, capsys):
    """The loose record of the failed run says another year, and that it tried nothing."""
    folder = year / "2026-04-15-drill"
    text = (folder / "evidence.json").read_text()
    text = text.replace('"2026-04-15T', '"2020-04-15T').replace('"DRL-2"', '"HLT-1"')
    (folder / "evidence.json").write_text(text)
    (folder / "MANIFEST.json").unlink()
    _, _, rows = reported(year, capsys, f"--pubkey={made[1]}")
    assert [one["run"] for one in rows["failure"]] == ["2026-04-15-drill"]


def test_what_counts_is_the_record_that_was_sealed(year, capsys):
    _, before, _ = reported(year, capsys)
    record = year / "2026-05-02-drill" / "evidence.json"
    record.write_text(record.read_text().replace('"operator": "ada"', '"operator": "eve"'))
    code, answer, _ = reported(year, capsys)
    assert (code, answer["digest"]) == (1, before["digest"])
    assert any("differ" in one for one in answer["troubles"])


FLEET = """
[[instance]]
name = "payments"
label = "eu"
cadence = "quarterly"
backup = "/backups/payments"
env_file = "payments.env"
[[instance]]
name = "wiki"
label = "eu"
cadence = "half-yearly"
backup = "/backups/wiki"
env_file = "wiki.env"
"""


def test_a_fleet_is_reported_by_instance(year, capsys):
    (year.parent / "fleet.toml").write_text(FLEET)
    for folder in year.iterdir():
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()
    for day, found, name in (
        ("2026-02-01", "satisfied", "payments"),
        ("2026-02-02", "satisfied", "wiki"),
        ("2026-05-01", "violated", "payments"),
        ("2026-05-02", "satisfied", "wiki"),
        ("2026-07-15", "satisfied", "stranger"),
        ("2026-08-01", "satisfied", "wiki"),
        ("2026-11-01", "satisfied", "payments"),
    ):
        waiver = WAIVER if day in ("2026-08-01", "2026-11-01") else None
        drilled(year, None, day, found, waiver, organisation=Organisation(system_id=name))
    code, answer, rows = reported(year, capsys, f"--fleet={year.parent / 'fleet.toml'}")
    found = [(one["system"], one["state"]) for one in rows["due"]]
    assert found == [
        *(("payments", state) for state in ("done", "missed", "missed", "done")),
        *(("wiki", "done") for _ in range(2)),
    ]
    assert (code, answer["troubles"]) == (1, [])
    (stranger,) = [one for one in rows["run"] if one["note"]]
    assert stranger["note"] == "of another system: stranger"
    # The drill of wiki heals nothing.
    (failure,) = rows["failure"]
    assert (failure["system"], failure["state"]) == ("payments", "re-tested")
    assert "2026-11-01-drill" in failure["note"]
    (pdf,) = (year.parent / "out").glob("*.pdf")
    text = " ".join(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range().split())
    assert "payments: drill of a backup (DRL-2; quarterly)" in text
    assert "wiki: drill of a backup (DRL-2; half-yearly)" in text
    assert "Instances declared in fleet.toml, SHA-256" in text
    assert {one["system"] for one in rows["waiver"]} == {"wiki", "payments"}


def test_a_fleet_of_one_goes_by_its_own_cadence(year, capsys):
    (year.parent / "drillbook.toml").unlink()
    one = FLEET.partition('[[instance]]\nname = "wiki"')[0]
    (year.parent / "fleet.toml").write_text(one.replace("payments", "solo"))
    drilled(year, None, "2026-08-01", "satisfied", organisation=Organisation(system_id="wiki"))
    _, _, rows = reported(year, capsys, f"--fleet={year.parent / 'fleet.toml'}")
    assert [one["state"] for one in rows["due"]] == ["missed"] * 4
    assert {one["system"] for one in rows["due"]} == {"solo"}
    (pdf,) = (year.parent / "out").glob("*.pdf")
    text = " ".join(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range().split())
    assert "solo: drill of a backup (DRL-2; quarterly)" in text


def test_table_and_pages_say_the_same(year, made, capsys):
    reported(year, capsys, f"--pubkey={made[1]}")
    out = year.parent / "out"
    table = (out / "period-2026-01-01-2026-12-31.csv").read_bytes()
    rows = list(csv.DictReader(table.decode("utf-8-sig").splitlines()))
    assert [row["state"] for row in rows if row["what"] == "drill of a backup"][2] == "missed"
    assert next(row for row in rows if row["kind"] == "waiver")["note"].startswith("'=the vendor")
    pdf = out / "period-2026-01-01-2026-12-31.pdf"
    pages = pypdfium2.PdfDocument(pdf)
    text = " ".join("".join(page.get_textpage().get_text_range() for page in pages).split())
    assert "Incomplete" in text
    assert "1 July 2026 to 30 September 2026 missed no run" in text


def test_the_digest_is_one_that_anyone_can_compute(year, capsys):
    _, answer, rows = reported(year, capsys)
    lines = "".join(f"{one['evidence_sha256']}  {one['run']}\n" for one in rows["run"])
    assert answer["digest"] == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (("--from=2026-12-31", "--to=2026-01-01"), "the period is empty"),
        (("--from=2028-01-01", "--to=2028-12-31"), "has not begun"),
    ],
)
def test_an_impossible_period_is_refused(year, capsys, days, said):
    assert main([*days, f"--run-dir={year}", "--out=out"]) == 3
    assert said in capsys.readouterr().err
