"""What a drill takes out of a backup, and reads of many secrets by their names."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.drill import comparison, outage_probe, secret_values
from drillbook.drill.api_readers import ApiReaders
from drillbook.drill.drill import refusal
from drillbook.drill.secret_values import LARGEST, Named, Reservoir, Values, digest, sample_size
from drillbook.infisical.client import Secret
from drillbook.infisical.http import NotFound, Unauthorized
from drillbook.keys.key_check import prove
from tests.support import made_backups
from tests.support.backups import (
    HEAD,
    KEY_OF_MAY_2024,
    KEYS,
    ROWS,
    TAIL,
    VERSIONS,
)
from tests.support.made_backups import block

MANY = 5000
PLACE = ("project", "prod")


@pytest.mark.parametrize("version", VERSIONS)
def test_both_keys_are_proved_and_all_values_are_read(sample, version):
    backup, other = sample(version), KEYS[version][::-1]
    found = secret_values.try_keys(backup, KEYS[version], other, 300)
    assert (found.proof, found.other) == (prove(backup, KEYS[version]), prove(backup, other))
    assert found.proof.opens_everything
    assert found.other.opens_nothing
    assert len(found.values.digests) == ROWS[version]


def test_backup_from_before_root_keys_is_proved_and_begun_with_its_key_alone(sample):
    backup, right = sample("2024-05"), KEY_OF_MAY_2024
    found = secret_values.try_keys(backup, right, right[::-1])
    assert (found.proof, found.other) == (prove(backup, right), prove(backup, right[::-1]))
    assert found.proof.rootless
    assert found.proof.opens_everything
    assert found.proof.roots_opened == found.proof.root_keys == 1
    assert refusal(found.proof) == ""
    assert found.other.opens_nothing
    assert refusal(found.other) == "these keys do not open this backup"
    assert len(found.values.digests) == 16


LATER = "2026-07-14 00:00:00+00"


def made(tmp_path, folders, *, environments=(), secrets=()):
    """A backup with two projects, one of them deleted, these folders, and a secret in each.

    Or these secrets.
    """
    data = made_backups.under(made_backups.KMS, made_backups.DATA)
    projects = [made_backups.project(name, data=data) for name in ("new", "old")]
    deleted = dict.fromkeys(("new", "old")) | {"old": LATER}
    places = [{"id": f"env-{p}", "projectId": p, "slug": p, "deleteAfter": None} for p in deleted]
    rows = secrets or [made_backups.secret(folder["id"]) for folder in folders]
    blocks = [
        block("kms_root_config", made_backups.root()),
        block("internal_kms", made_backups.kms("kms-1")),
        block("projects", *({**row, "deleteAfter": deleted[row["id"]]} for row in projects)),
        block("project_environments", *places, *environments),
        block("secret_folders", *folders),
        block(
            "secrets_v2",
            *({"key": "N", "type": "shared", "id": row["folderId"], **row} for row in rows),
        ),
    ]
    path = tmp_path / "backup.sql"
    path.write_text(HEAD + "".join(blocks) + TAIL)
    return path


def test_secrets_of_deleted_environments_and_projects_are_left_out(tmp_path):
    past = {"id": "env-past", "projectId": "new", "slug": "past", "deleteAfter": LATER}
    folders = [{"id": f"in-{env}", "envId": f"env-{env}"} for env in ("new", "old", "past")]
    backup = made(tmp_path, folders, environments=[past])
    found = secret_values.read_values(backup, made_backups.KEY)
    assert list(found.digests) == ["in-new"]
    assert found.places == {("new", "new"): ["in-new"]}
    assert (found.deleted, found.unopened) == (2, ())


def test_replicated_secrets_are_compared_and_not_looked_for_in_a_list(tmp_path):
    folders = [
        {"id": "in-new", "envId": "env-new", "isReserved": "f"},
        {"id": "copies", "envId": "env-new", "isReserved": "t"},
    ]
    found = secret_values.read_values(made(tmp_path, folders), made_backups.KEY)
    assert found.digests.keys() == {"in-new", "copies"}
    assert found.places == {("new", "new"): ["in-new"]}
    assert [one.id for one in (*found.named, *found.firsts)] == ["in-new", "in-new"]


def test_folders_and_names_are_those_that_the_api_lists(tmp_path):
    past = {"id": "env-past", "projectId": "new", "slug": "past", "deleteAfter": LATER}
    folders = [
        {"id": "root", "envId": "env-new", "parentId": None, "name": "root", "isReserved": "f"},
        {"id": "a", "envId": "env-new", "parentId": "root", "name": "a", "isReserved": "f"},
        {"id": "b", "envId": "env-new", "parentId": "a", "name": "b", "isReserved": "f"},
        {"id": "copies", "envId": "env-new", "parentId": "root", "name": "c", "isReserved": "t"},
        {"id": "gone", "envId": "env-past", "parentId": "b", "name": "gone", "isReserved": "f"},
    ]
    backup = made(tmp_path, folders, environments=[past])
    found = secret_values.read_values(backup, made_backups.KEY)
    assert found.folders == {("new", "new"): ["/a", "/a/b"]}
    places = {"root": "/", "a": "/a", "b": "/a/b"}
    assert found.names == {at: secret_values.digest_name(path, "N") for at, path in places.items()}


PUBLIC = (b"5a3e0c1c-7f0e-4d55-9b9e-1c6f5a1c2d3e", b"/services/payments", b"THE_NAME_OF_ONE", b"")


def test_logs_are_not_searched_for_what_the_address_of_a_request_holds(tmp_path):
    environments = [
        {"id": PUBLIC[0].decode(), "projectId": "new", "slug": "prod", "deleteAfter": None}
    ]
    folders = [
        {"id": "in-new", "envId": "env-new", "parentId": None, "name": "root"},
        {"id": "up", "envId": "env-new", "parentId": "in-new", "name": "services"},
        {"id": "in", "envId": "env-new", "parentId": "up", "name": "payments"},
    ]
    kept = [b"correct horse battery", b"a line of its own\n/services/payments"]
    secrets = [
        {**made_backups.secret(value=value), "id": f"{n}", "key": "THE_NAME_OF_ONE"}
        for n, value in enumerate([*PUBLIC, *kept])
    ]
    backup = made(tmp_path, folders, environments=environments, secrets=secrets)
    found = secret_values.try_keys(backup, made_backups.KEY, samples=300).values
    assert found.samples == ("correct horse battery", "a line of its own")


@pytest.mark.parametrize(
    ("stays", "lost", "removed"),
    [("cd", (), ("a", "b")), ("bd", ("c",), ("a",)), ("abc", ("d",), ()), ("abcd", (), ())],
)
def test_an_older_secret_of_one_name_may_go_and_the_newest_may_not(
    tmp_path, monkeypatch, stays, lost, removed
):
    times = {"a": "2026-06-01 10:00:00+00", "b": "2026-06-01 10:00:00.5+00"}
    rows = {
        id_: {**made_backups.secret(), "id": id_, "updatedAt": times.get(id_, times["b"])}
        for id_ in "abcd"
    }
    rows["d"]["type"] = "personal"
    folders = [{"id": "in-new", "envId": "env-new"}]
    monkeypatch.setattr(
        comparison, "_dump", lambda *_: made(tmp_path, folders, secrets=[rows[i] for i in stays])
    )
    (tmp_path / "before").mkdir()
    backup = made(tmp_path / "before", folders, secrets=rows.values())
    before = secret_values.read_values(backup, made_backups.KEY)
    found = comparison.compare_database(None, backup, made_backups.KEY, "", before, tmp_path)
    assert (found.lost, found.removed) == (lost, removed)
    assert bool(found.amiss) == bool(lost)
    read = comparison.Reading(sampled=3, equal=3 - len(lost + removed), missing=[*lost, *removed])
    read.leave_out(found.removed)
    assert read.whole == (not lost)
    assert ("look at their values" in comparison.summary(found, read, "names")) == bool(removed)


def test_a_reservoir_gives_each_the_same_chance():
    size, stream, rounds = 30, 600, 400
    drawn = [0] * stream
    for seed in range(rounds):
        kept = Reservoir(size, seed)
        for one in range(stream):
            kept.offer(one)
        assert len(set(kept.kept)) == size
        for one in kept.kept:
            drawn[one] += 1
    # Of each tenth of the stream a tenth of all that was drawn, within four deviations.
    tenths = [sum(drawn[at : at + 60]) for at in range(0, stream, 60)]
    assert all(
        abs(found - rounds * size / 10) < 4 * (rounds * size / 10) ** 0.5 for found in tenths
    )


def test_a_reservoir_keeps_all_of_few_and_none_where_none_are_wanted():
    few, none = Reservoir(30, 1), Reservoir(0, 1)
    for one in range(20):
        few.offer(one)
        none.offer(one)
    assert few.kept == list(range(20))
    assert none.kept == []


@pytest.mark.parametrize("population", [300, 10_000, 10**7])
def test_the_largest_sample_is_enough_for_any_number(population):
    assert sample_size(population) <= LARGEST


class Asker:
    """Reads by name what it knows; refuses anyone who asks where it knows nothing at all."""

    def __init__(self, known, a_minute=float("inf"), *, sees_all=True):
        self.known, self.a_minute, self.listed, self.read = known, a_minute, 0, []
        self.sees_all = sees_all

    def reads_a_minute(self):
        return self.a_minute

    def read_as_stored(self, _place, name):
        self.read.append(name)
        if self.known is None:
            raise Unauthorized("GET", 403, "not a member")
        if name not in self.known:
            raise NotFound("GET", 404, "no such secret")
        return self.known[name]

    def secrets(self, _place):
        self.listed += 1
        if self.known is None:
            raise Unauthorized("GET", 403, "not a member")
        return list(self.known.values())


def secret(number, value=None):
    return Secret(f"id-{number}", f"N{number}", value or f"value {number}", 1, "/")


def many():
    ids = [f"id-{n}" for n in range(MANY)]
    known = {one: digest(f"value {n}".encode()) for n, one in enumerate(ids)}
    named = tuple(Named(PLACE, "/", f"N{n}", f"id-{n}") for n in range(0, MANY, 50))
    return Values(known, {PLACE: ids}, (), (), named, named[:1])


def read(*askers, again=False):
    return comparison.compare_by_name(many(), lambda _project: askers, seed=1, again=again)


def all_of_them(**changed):
    known = {f"N{n}": secret(n) for n in range(MANY)}
    return {**known, **changed}


def test_a_sample_is_read_by_name_and_nothing_is_listed():
    asker = Asker(all_of_them())
    found = read(asker)
    assert (found.equal, found.sampled, found.expected) == (100, 100, MANY)
    assert (found.whole, found.loss, asker.listed) == (True, 0.01, 0)


def test_after_the_next_start_a_part_of_it_is_read():
    asker = Asker(all_of_them())
    found = read(asker, again=True)
    assert found.whole
    assert found.equal == len(set(asker.read)) == sample_size(MANY, 0.1)
    assert found.loss == 0.1


def test_each_project_is_read_from():
    values = many()
    alone = Named(("other", "dev"), "/", "N7", "id-7")
    values = replace(values, firsts=(*values.firsts, alone))
    assert alone in comparison.names_to_read(values, 1)
    assert alone in comparison.names_to_read(values, 1, again=True)


def test_by_name_nothing_is_read_again_that_was_not_read_first():
    values = many()
    read_first, not_read = (Named(("other", "dev"), "/", f"N{n}", f"id-{n}") for n in (7, 8))
    values = replace(values, named=(*values.named, read_first), firsts=(*values.firsts, not_read))
    for seed in range(9):
        again = comparison.names_to_read(values, seed, again=True)
        assert read_first in again
        assert {*again} <= {*comparison.names_to_read(values, seed)}


def test_another_value_differs():
    found = read(Asker(all_of_them(N50=secret(50, "another"))))
    assert (found.differing, found.missing, found.whole) == (["id-50"], [], False)


def test_what_has_another_id_under_the_name_is_looked_for_in_the_list():
    renamed = {"N50": secret(51), "elsewhere": secret(50)}
    asker = Asker(all_of_them(**renamed))
    assert read(asker).whole
    assert asker.listed == 1


def test_what_is_in_no_list_is_missing():
    known = all_of_them()
    del known["N50"]
    found = read(Asker(known))
    assert (found.missing, found.whole) == (["id-50"], False)


def test_what_is_in_no_list_of_a_narrow_role_is_refused():
    known = all_of_them()
    del known["N50"]
    found = read(Asker(known, sees_all=False))
    assert (found.missing, found.whole, found.equal) == ([], False, 99)
    assert "1 secrets of prod were not shown" in found.refused[PLACE[0]]


def test_a_masked_value_is_neither_changed_nor_lost():
    masked = {name: replace(one, value="mask", hidden=True) for name, one in all_of_them().items()}
    found = read(Asker(masked, sees_all=False), Asker(all_of_them()))
    assert found.whole
    found = read(Asker({**all_of_them(), "N50": masked["N50"]}))
    assert (found.differing, found.missing, found.equal) == ([], [], 99)
    assert "1 secrets of prod were not shown" in found.refused[PLACE[0]]
    copy = SimpleNamespace(try_keys=lambda: SimpleNamespace(values=many()))
    for one, same in ((Asker(masked), False), (Asker({**masked, "N1": secret(1)}), True)):
        assert outage_probe._reads_same(one, PLACE, copy) is same


def test_a_place_that_is_refused_hides_no_loss_in_another():
    class Elsewhere(Asker):
        def secrets(self, place):
            if place.environment == "gone":
                raise NotFound("GET", 404, "no such environment")
            return super().secrets(place)

    values, known = many(), all_of_them()
    del known["N50"]
    gone = Named((PLACE[0], "gone"), "/", "NX", "id-x")
    values = replace(values, named=(gone, *values.named))
    found = comparison.compare_by_name(values, lambda _project: [Elsewhere(known)], seed=1)
    assert (found.missing, list(found.refused)) == (["id-50"], [PLACE[0]])


def test_the_next_asker_is_tried_and_a_refusal_of_all_is_told_once():
    assert read(Asker(None), Asker(all_of_them())).whole
    shut = Asker(None)
    found = read(shut)
    assert list(found.refused) == [PLACE[0]]
    assert (found.equal, found.missing, found.whole, shut.listed) == (0, [], False, 1)
    assert "no member" in read().refused[PLACE[0]]


@pytest.mark.parametrize(("a_minute", "by_name"), [(float("inf"), True), (600, True), (40, False)])
def test_an_instance_that_allows_few_reads_is_asked_for_lists(a_minute, by_name):
    asker = Asker(all_of_them(), a_minute)
    askers = ApiReaders.__new__(ApiReaders)
    askers._known = {PLACE[0]: [asker]}
    askers.public = asker
    assert askers.compare(many(), seed=1).whole
    assert bool(asker.read) == by_name
    assert asker.listed == (not by_name)


def test_a_sample_is_trusted_only_if_all_of_it_was_read():
    kept = comparison.Kept(MANY, (), (), ())
    found = read(Asker(all_of_them()))
    sentence = "a loss of 1% would have shown with 95 % confidence"
    assert sentence in comparison.summary(kept, found, "names")
    found.refused["p2"] = "it has no member whose session could be entered"
    said = comparison.summary(kept, found, "names")
    assert "confidence" not in said
    assert "project p2 not read by API" in said
