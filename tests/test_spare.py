"""The next clone is made beforehand, is the golden state, and is not needed."""

import pytest

from fixtures.data.kept import Cellar
from fixtures.installation import Installation
from fixtures.stack import template
from fixtures.stack.datadirectory import DataDirectory
from fixtures.stack.embedded import Embedded
from fixtures.stack.postgres import asking

OIDS = "SELECT datname, oid FROM pg_database"


@pytest.fixture(scope="module")
def installation(module_home, module_recorder):
    stack = Embedded(module_home.run_id, module_recorder, module_home.path)
    yield Installation(stack, module_recorder, module_home.path)
    stack.down()


def databases(installation):
    """What lies in the cluster once nobody copies: database by name."""
    installation._spare.wait()
    return dict(installation.stack.database.inside(OIDS, database="postgres"))


def changed(deployment):
    """A deployment with something in it that is not golden."""
    deployment.mark("spoilt")
    return deployment


def test_the_next_rewind_takes_the_clone_that_waits(installation):
    golden = changed(installation.pristine()).inventory()
    changed(installation.pristine())
    waits = databases(installation)[template.SPARE]
    deployment = installation.pristine()
    assert deployment.stack.sql("SELECT oid FROM pg_database WHERE datname = 'infisical'") == [
        (waits,)
    ]
    assert deployment.marker() == "golden"
    assert deployment.inventory() != golden
    assert databases(installation)[template.SPARE] != waits


def test_what_a_spec_left_is_dropped_beside_the_next_one(installation):
    changed(installation.pristine())
    installation.close()
    with installation.stack.database.upkeep() as ask:
        template.rewind(ask)
    assert template.PAST in databases(installation)
    assert installation.pristine().marker() == "golden"
    assert template.PAST not in databases(installation)


def test_a_session_that_was_left_open_is_ended_and_what_could_not_be_dropped_gives_way(
    installation,
):
    changed(installation.pristine())
    installation.close()
    database = installation.stack.database
    with database.upkeep() as ask:
        template.rewind(ask)
        with asking(host=database.env["PGHOST"], port=database.port) as left_open:
            assert left_open("SELECT 1") == [(1,)]
            assert template.rewind(ask)
    assert installation.pristine().marker() == "golden"


def test_after_a_wipe_the_volume_that_waits_is_taken(living, recorder):
    stack = Embedded(living.run_id, recorder, living.path)
    made = Installation(stack, recorder, living.path, Cellar(living.path / "kept"))
    waiting = living.path / "spare" / "pg_data" / "PG_VERSION"
    changed(made.pristine())
    stack.destroy(stack.resources())
    changed(made.pristine())  # from the archive, which is known from now on
    changed(made.pristine())
    made.close()
    waits, loaded = waiting.stat().st_ino, stack._nursery
    stack.destroy(stack.resources())
    assert made.pristine().marker() == "golden"
    assert stack._nursery is loaded, "Python is not loaded once more for the same stack"
    assert stack.database.data.joinpath("PG_VERSION").stat().st_ino == waits
    assert not waiting.exists()
    stack.down()


def test_removed_volumes_do_not_pile_up(tmp_path):
    files, archive = DataDirectory(tmp_path / "pg_data"), tmp_path / "volume.tar"
    for _ in range(4):
        (tmp_path / "pg_data").mkdir()
        (tmp_path / "pg_data" / "word").write_text("one")
        files.pack(archive)
        files.wipe()
        assert not (tmp_path / "pg_data").exists()
    assert len(list(tmp_path.glob("doomed*"))) == 2
    files.lay_by(archive)
    assert not list(tmp_path.glob("doomed*"))


def test_a_volume_of_another_archive_is_not_taken(living, recorder):
    stack = Embedded(living.run_id, recorder, living.path)
    database, archive = stack.database, living.path / "volume.tar"
    for word in ("old", "new"):
        database.data.mkdir()
        database.data.joinpath("word").write_text(word)
        database.files.pack(archive)
        database.files.wipe()
        if word == "old":
            database.files.lay_by(archive)
    database.files.unpack(archive)
    assert database.data.joinpath("word").read_text() == "new"


def test_without_a_spare_the_golden_state_is_copied(installation):
    changed(installation.pristine())
    changed(installation.pristine())
    assert template.SPARE in databases(installation)
    installation.stack.database.inside(f"DROP DATABASE {template.SPARE}", database="postgres")
    assert installation.pristine().marker() == "golden"


@pytest.mark.parametrize("harm", ["stop", "wipe"])
def test_what_a_spec_does_meanwhile_costs_no_more_than_the_spare(installation, harm):
    changed(installation.pristine())
    stack = changed(installation.pristine()).stack
    if harm == "stop":
        stack.kill("db")
    else:
        stack.destroy(stack.resources())
    assert installation.pristine().marker() == "golden"
    assert installation.pristine().marker() == "golden"


def test_a_new_golden_state_leaves_no_spare_of_the_old_one(installation):
    changed(installation.pristine())
    kept = changed(installation.pristine())
    assert template.SPARE in databases(installation)
    kept.stack.keep()
    assert template.SPARE not in databases(installation)


def test_a_database_that_is_down_is_no_trouble(embedded):
    embedded.lay_by()
    assert not embedded.database.running
