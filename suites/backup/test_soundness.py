"""A backup that cannot be relied on is noticed when it is made, not when it is needed."""

import pytest

from drillbook.backup import integrity
from drillbook.runbook.procedures import back_up
from fixtures.data import corruptions, dumps
from fixtures.faults import failing_backup


@pytest.mark.control("BKP-4")
@pytest.mark.golden("shared")
def test_damage_is_noticed(deployment, step):
    with step("back up and examine the file: it is sound"):
        backup = deployment.back_up()
        wrong = integrity.examine(backup)
        assert wrong is None, f"the backup {wrong}"

    with step("damage copies in each known way, and examine each"):
        unnoticed = [
            kind for kind, copy in corruptions.copies(backup) if not integrity.examine(copy)
        ]
        assert unnoticed == []

    with step("a backup of another database is noticed"):
        other = backup.with_name("other.sql")
        assert back_up(deployment.stack, other, database="postgres").exit_code == 0
        assert integrity.examine(other)

    with step("one digit inside a value is noticed by the checksum written next to the backup"):
        integrity.write_checksum(backup)
        assert integrity.examine(backup) is None
        corruptions.flip_a_byte(backup).replace(backup)
        assert integrity.examine(backup)


@pytest.mark.control("BKP-4")
@pytest.mark.golden("stopped")
def test_success_of_the_restore_is_no_proof(deployment, step):
    with step("cut a backup between two rows of the secrets"):
        backup = deployment.back_up()
        cut = corruptions.cut_at_a_row(backup)

    with step("restore what is left into an empty database"):
        deployment.empty()
        done = deployment.restore_over(cut)

    with step("whatever psql reports, rows are lost, and the examination says where the file ends"):
        lost = dumps.differing_tables(dumps.tables(backup), deployment.tables())
        assert lost
        assert integrity.examine(cut), (done.exit_code, lost)


@pytest.mark.control("BKP-7")
@pytest.mark.golden("shared")
def test_documented_backup_is_usable(deployment, procedures, observe, step):
    with step("back up by the documented command; the file is sound, and holds every row"):
        backup = deployment.back_up(procedures)
        # A document may pack it; whether its restore unpacks it is for BKP-3.
        problem = integrity.examine(backup, by_name=False) or ", ".join(
            deployment.rows_missing_in(backup)
        )
        observe("backup_unusable" if problem else "backup_usable")
        assert not problem, problem


@pytest.mark.control("BKP-7")
@pytest.mark.golden("shared")
def test_documented_backup_survives_terminals_and_pipes(deployment, observe, step):
    with step("through a terminal, which adds carriage returns, it is sound"):
        backup = deployment.back_up()
        sound = integrity.examine(corruptions.through_a_terminal(backup)) is None

    with step("piped into gzip it is sound too"):
        packed = backup.with_name(f"{backup.name}.gz")
        piped = failing_backup.back_up_into_gzip(deployment.stack, packed)
        sound &= piped.exit_code == 0 and integrity.examine(packed) is None
        observe("backup_usable" if sound else "backup_unusable")
        assert sound


@pytest.mark.control("BKP-7")
@pytest.mark.golden("shared")
def test_failed_backup_is_noticed(deployment, procedures, working_folder, observe, step):
    stack, target = deployment.stack, working_folder.path / "failed.sql"
    with step("back up where the database refuses to log in"):
        refused = procedures.back_up_refused(stack, target)
        believed = [integrity.examine(target) is None, refused.exit_code == 0]

    with step("end the backup's database session while it runs"):
        interrupted = failing_backup.back_up_cut_off(stack, target, procedures)
        believed += [integrity.examine(target) is None, interrupted.exit_code == 0]

    with step("each failure shows in the exit status, and in the file left behind"):
        told = not any(believed)
        observe("failed_backups_told" if told else "failed_backup_reports_success")
        assert told


@pytest.mark.control("BKP-7")
@pytest.mark.golden("shared")
def test_backup_to_a_full_disk_is_noticed(deployment, working_folder, observe, step):
    target = working_folder.path / "crammed.sql"
    with step("back up where there is too little space for the file"):
        crammed = failing_backup.back_up_to_full_disk(deployment.stack, target)

    with step("the failure shows in the exit status, and in the file left behind"):
        told = integrity.examine(target) is not None and crammed.exit_code != 0
        observe("failed_backups_told" if told else "failed_backup_reports_success")
        assert told


@pytest.mark.control("BKP-7")
@pytest.mark.golden("shared")
def test_failed_backup_behind_a_pipe_shows_in_its_file(deployment, working_folder, observe, step):
    with step("back up into gzip as a role that does not exist, without pipefail"):
        packed = working_folder.path / "failed.sql.gz"
        piped = failing_backup.back_up_into_gzip(deployment.stack, packed, role="no-such-role")

    with step("the file shows the failure; whether the exit status does is observed"):
        shown = integrity.examine(packed) is not None
        observe(what_a_pipe_tells(shown, piped.exit_code))
        assert shown


def what_a_pipe_tells(shown, exit_code):
    if not shown:
        return "failed_backup_reports_success"
    return "pipe_hides_exit_status" if exit_code == 0 else "pipe_shows_exit_status"
