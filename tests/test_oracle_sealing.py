"""Flaws in how secrets are sealed: none in backups of real releases, and each kind is found."""

import re

import pytest

from fixtures.oracle.sealing import find_flaws
from tests import backups

OWN = ("projects", "project_environments", "secret_folders", "secrets_v2")
BLOCK = r"(COPY public\.{} \([^\n]*\) FROM stdin;\n)(.*?)^(?=\\\.$)"


def rewritten(text, table, change):
    """The dump with the rows of a table changed."""
    pattern = re.compile(BLOCK.format(table), re.DOTALL | re.M)
    return pattern.sub(lambda m: m[1] + "".join(change(m[2].splitlines(keepends=True))), text)


def flaws(folder, version, text):
    backup = folder / "backup.sql"
    backup.write_text(text)
    return find_flaws(backup, backups.KEYS[version])


@pytest.mark.parametrize("version", backups.VERSIONS)
def test_a_real_release_seals_each_value_by_itself(tmp_path, version):
    assert flaws(tmp_path, version, backups.dump(version)) == []


@pytest.mark.parametrize(("version", "table"), [("2024-07", "secrets"), ("2024-10", "secrets_v2")])
def test_a_nonce_that_is_used_twice_is_found(tmp_path, version, table):
    def share(lines):
        """The second value of one length gets the nonce of the first."""
        if table == "secrets":
            rows = [line.split("\t") for line in lines]
            rows[1][8] = rows[0][8]
            return ["\t".join(row) for row in rows]
        sealed = [re.search(r"\\\\x([0-9a-f]{24})[0-9a-f]+", line) for line in lines]
        first, second = [one for one in sealed if one][:2]
        return [line.replace(f"x{second[1]}", f"x{first[1]}", 1) for line in lines]

    found = flaws(tmp_path, version, rewritten(backups.dump(version), table, share))
    assert found == ["1 values have a nonce that another value has"]


def test_a_key_that_opens_what_is_another_projects_is_found(tmp_path):
    text = backups.dump("2024-10")
    uuids = set()
    for table in OWN:
        rewritten(text, table, lambda lines: uuids.update(one[:36] for one in lines) or lines)

    def twice(lines):
        """Each row, and once more for a project of its own, whose keys are the same."""
        other = [re.sub("|".join(uuids), lambda one: f"ffff{one[0][4:]}", line) for line in lines]
        return [*lines, *other]

    for table in OWN:
        text = rewritten(text, table, twice)
    found = flaws(tmp_path, "2024-10", text)
    assert len(found) == 2
    assert all(" opens secrets of " in one for one in found)
