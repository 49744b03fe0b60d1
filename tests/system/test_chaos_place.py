"""Each `make chaos` has its own folder, and removes what a killed one left."""

import os

import pytest

from tests.support import disturbances
from tests.support.chaos_place import chaos_place, cleared, mounts


@pytest.fixture
def dead(tmp_path):
    place = tmp_path / "dbchaos-dead"
    (place / "1").mkdir(parents=True)
    (place / "lock").touch()
    return place


def test_a_dead_one_is_cleared_and_a_living_one_is_not(tmp_path, dead):
    (tmp_path / "dbchaos-linked").symlink_to(tmp_path)
    with chaos_place(tmp_path) as place:
        assert not dead.exists()
        assert cleared(tmp_path) == []
        assert place.is_dir()
    assert [one.name for one in tmp_path.iterdir()] == ["dbchaos-linked"]


@pytest.mark.skipif(os.getuid() != 0, reason="a small disk can be mounted by root alone")
def test_a_disk_that_is_still_mounted_is_unmounted_unless_it_is_in_use(tmp_path, dead):
    disk = dead / "1" / "disk"
    disturbances.mounted(disk, 1)
    with (disk / "open").open("w"):
        assert cleared(tmp_path) == []
        assert mounts(dead) == [str(disk)]
    assert cleared(tmp_path) == [dead]
    assert mounts(dead) == []
    assert not dead.exists()
