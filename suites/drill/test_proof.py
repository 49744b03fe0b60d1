"""The given keys open the backup, and a random key does not: proved offline, without a start."""

import pytest

from drillbook.backup import integrity
from drillbook.core.errors import StackTrouble
from drillbook.drill import drill_report
from drillbook.keys.hierarchy import ROOTLESS

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(18_000)]


@pytest.mark.control("DRL-1")
def test_these_keys_open_this_backup(drill, record, step):
    with step("read the backup in place, and its own description"):
        drill_report.backup(drill, record)
        record.note(f"{drill.facts.migrations} migrations, {sum(drill.facts.rows.values())} rows")

    with step("try the keys: they open the root key, each project's key, each secret"):
        proof = drill.try_keys().proof
        first = "bots' keys" if proof.rootless else "root keys"
        opened = (
            f"{proof.roots_opened} of {proof.root_keys} {first}, {proof.projects_opened} of "
            f"{proof.projects} projects, {proof.secrets_opened} of {proof.secrets} secrets open"
        )
        record.note(opened)
        if proof.rootless:
            record.note(ROOTLESS)
        if proof.is_undecided:
            raise StackTrouble("; ".join(filter(None, [opened, proof.damage, *proof.unproven])))
        assert proof.roots_opened > 0, opened
        assert proof.projects_opened == proof.projects, opened
        assert proof.secrets_opened == proof.secrets, opened
        if not (proof.secrets or proof.empty):
            raise StackTrouble(
                f"{opened}: the backup holds no secret, so nothing shows that the keys open one; "
                "look whether it is of the right database"
            )

    with step("try a random key: it opens nothing"):
        assert drill.try_keys().other.opens_nothing


@pytest.mark.control("BKP-4")
def test_backup_is_whole_and_only_data(drill, step):
    with step("the backup is complete, and a checksum next to it matches the file"):
        assert drill.facts.damage == ""
        assert integrity.compare_checksum(drill.order.backup) is None
        if drill.facts.beyond:
            # It may be sound: psql creates the database that it names.
            raise StackTrouble(f"the backup {drill.facts.beyond}")
        assert drill.problem is None

    with step("its statements only create tables and fill them"):
        assert drill.facts.orders == ""
