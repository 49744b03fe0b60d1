"""A move to a new instance transfers everything, and each instance has its own keys."""

import pytest

from drillbook.infisical import schema
from drillbook.keys.key_check import prove
from drillbook.runbook import procedures
from fixtures.data import dumps, migration
from fixtures.data.golden import ENVIRONMENTS, LATER_IBANS, METADATA
from fixtures.data.machine_inventory import differing, digest, digest_each
from fixtures.data.strategies import secret_sets
from fixtures.deployment import judged_answers

# Tables that an export must not change; tokens and usage counters change with every request.
CONTENT_TABLES = schema.CONTENT
COMMENT = "see the ledger of 2019: Überweisung, 日本"


@judged_answers()
def export(api, project, environments=ENVIRONMENTS):
    return migration.export(api, project, environments)


def moved(deployment, neighbour, environments=ENVIRONMENTS):
    """Import the golden project into the other instance.

    Returns the new project, the export, and the addresses that the release refused.
    """
    exported = export(deployment.service, deployment.golden.project, environments)
    project = neighbour.api.create_project("Ledger moved")
    refused = migration.load(neighbour.api, project, exported)
    return project, exported, refused


@pytest.mark.control("MIG-1")
def test_everything_arrives(deployment, neighbour, step):
    with step("create a secret with a comment; the old instance lists everything that was written"):
        # Created with its comment: a release of July 2024 drops a comment that is added later.
        noted = {"secretKey": "NOTED", "secretValue": "2019", "secretComment": COMMENT}
        deployment.service.create(deployment.golden.place("dev"), [noted])
        written = {**deployment.golden.values(), ("dev", "/", "NOTED"): digest("2019")}
        assert differing(deployment.inventory().values, written) == []

    with step("export from the old instance, import into the new one"):
        project, exported, _ = moved(deployment, neighbour)

    with step("every value is there byte for byte, and every folder, comment, tag and metadata"):
        arrived = export(neighbour.api, project)
        # As one text: pytest shows a text whole, and of a list the first item alone.
        assert "\n".join(map(str, differing(migration.values(arrived), written))) == ""
        assert migration.contents(arrived) == migration.contents(exported)
        assert ("prod", "/payroll/closed", "") in migration.contents(arrived)
        assert digest(COMMENT) in migration.contents(arrived)["dev", "/", "NOTED"]
        described = migration.contents(arrived)["prod", "/payroll", "IBAN"]
        assert "audited" in described
        if "metadata" not in deployment.golden.not_reported:
            assert all(f"{key}={digest(said)}" in described for key, said in METADATA.items())

    with step("read one by one, the values of a sample are the same"):
        sample = deployment.golden.sample
        singly = digest_each(neighbour.api, project, sample)
        assert differing(singly, {one: written[one] for one in sample}) == []


@pytest.mark.control("MIG-1")
def test_any_secret_arrives(deployment, neighbour, explore, step):
    def arrives(values):
        deployment.fill(values)
        project, _, refused = moved(deployment, neighbour, ("archive",))
        arrived = migration.values(export(neighbour.api, project, ("archive",)))
        shelf = {name: found for (_, path, name), found in arrived.items() if path == "/shelf"}
        left = {name for _, path, name in refused if path == "/shelf"}
        assert shelf == {name: digest(values[name]) for name in values.keys() - left}

    with step("move random secrets: each is byte for byte the same"):
        explore(secret_sets(most=8), arrives)


@pytest.mark.control("MIG-3")
@pytest.mark.golden("shared")
def test_each_instance_has_keys_of_its_own(deployment, neighbour, step):
    old_key = deployment.golden_settings["ENCRYPTION_KEY"]
    new_key = neighbour.stack.settings["ENCRYPTION_KEY"]
    with step("move everything, then back up both instances"):
        moved(deployment, neighbour)
        old = deployment.back_up()
        new = old.with_name(f"new-{old.name}")
        assert procedures.back_up(neighbour.stack, new).exit_code == 0

    with step("offline, each key opens its own backup"):
        assert prove(old, old_key).opens_everything
        assert prove(new, new_key).opens_everything

    with step("and nothing of the other"):
        assert prove(old, new_key).opens_nothing
        assert prove(new, old_key).opens_nothing


@pytest.mark.control("MIG-2")
def test_old_instance_is_unchanged_and_new_one_survives_it(
    deployment, neighbour, working_folder, step
):
    with step("read everything in the old instance, compare it with what was written; then move"):
        before, rows = deployment.inventory(), deployment.tables()
        written = deployment.golden.values()
        assert differing(before.values, written) == []
        project, exported, _ = moved(deployment, neighbour)

    with step("the old instance is unchanged, and still accepts writes"):
        changed = dumps.differing_tables(rows, deployment.tables())
        assert [name for name in changed if name in CONTENT_TABLES] == []
        assert deployment.differences(before) == ""
        assert deployment.writes()

    with step("destroy the old instance: the new one has everything"):
        deployment.wipe(working_folder.run_id)
        arrived = export(neighbour.api, project)
        # As one text: pytest shows a text whole, and of a list the first item alone.
        assert "\n".join(map(str, differing(migration.values(arrived), written))) == ""
        assert migration.contents(arrived) == migration.contents(exported)


@pytest.mark.control("MIG-2")
@pytest.mark.golden("shared")
def test_what_stays_behind_is_reported(deployment, record, step):
    with step("count what the old instance has and an export does not contain"):
        left = migration.count_left_behind(deployment.tables())
        record.note(migration.describe_left_behind(left))

    with step("earlier versions, the machine and its credential are among them"):
        assert {"machine identities", "machine credentials", "users"} <= left.keys()
        assert left.get("earlier versions of secrets", 0) >= len(LATER_IBANS)
