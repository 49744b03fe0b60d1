"""What a drill is made of: targets, samples, the source's marks, and which way secrets are read."""

import contextlib
import gzip
import math
import os
import re
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from drillbook.backup.facts import examine
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput, StackTrouble
from drillbook.core.options import seconds
from drillbook.core.recorder_protocol import NullRecorder
from drillbook.drill import api_readers, comparison
from drillbook.drill.api_readers import ApiReaders, Member, members, session
from drillbook.drill.drill import Targets, targets
from drillbook.drill.secret_values import Values, digest, digest_name, sample_size
from drillbook.infisical.client import Machine, Secret
from drillbook.infisical.http import Broken, NotFound, Unauthorized
from reports.config.declarations import load as load_declared
from reports.controls import load as load_catalogue

CONTROLS = ROOT / "suites" / "controls.toml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4h", 14400),
        ("90m", 5400),
        ("90 min", 5400),
        ("1d12h", 129600),
        ("1.5 h", 5400),
        ("45s", 45),
        ("1D 2H", 93600),
    ],
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert seconds(text, "--rto") == expected


@pytest.mark.parametrize(
    "text", ["", "4", "h", "4 hours", "-4h", "0h", "4h!", "9999d", "1e9h", "٤h"]
)
def test_nonsense_is_told_with_an_example(text):
    with pytest.raises(BadInput, match=r"^--rpo .*(write a duration|give more than zero)"):
        seconds(text, "--rpo")


def test_of_many_only_the_smallest_of_each_project_is_read_again():
    places = {("p", "dev"): ["a"] * 1500, ("p", "prod"): ["b"] * 900, ("q", "dev"): ["c"] * 3}
    many = Values({}, places, (), ())
    again, size = comparison.once_more(many, 0)
    assert (set(again), size) == ({("p", "prod"), ("q", "dev")}, 903)
    few = Values({}, {("p", "dev"): ["a"] * 2000}, (), ())
    assert comparison.once_more(few, 0) == (few.places, 2000)


def test_nothing_is_read_again_that_was_not_read_first():
    places = {("p", f"env {n}"): [f"{n}-{m}" for m in range(20)] for n in range(99)}
    for some in (places, {**places, ("q", "dev"): ["many"] * 1000}):
        values = Values({}, some, (), ())
        first, again = comparison.choose_places(values, 7)[0], comparison.once_more(values, 7)[0]
        assert again.items() <= first.items()
        assert {project for project, _ in again} == {project for project, _ in some}


def test_what_a_restore_lacks_is_named_without_a_list_of_python():
    assert comparison.Copy(None).fault == ""
    assert comparison.Copy(None, "line 7: cut", {"users": (2, 1)}).fault == "line 7: cut"
    copy = comparison.Copy(None, miscounted={"users": (2, 1), "identities": (1, 0)})
    assert copy.fault == "another number of rows in identities, users"


def test_without_targets_there_are_none():
    assert targets(None, "24h") == Targets(None, 86400)


@pytest.mark.parametrize("population", [1, 5, 100, 299, 1000, 12345])
def test_sample_shows_a_loss_of_one_per_cent_and_one_less_does_not(population):
    size, lost = sample_size(population), math.ceil(population / 100)

    def missed(drawn):
        return math.comb(population - lost, drawn) / math.comb(population, drawn)

    assert missed(size) <= 0.05
    assert size == 1 or missed(size - 1) > 0.05


def test_sample_of_many_approaches_the_known_number():
    assert sample_size(10**6) == 299


@pytest.fixture
def backup(tmp_path):
    file = tmp_path / "backup.sql"
    file.write_text("row\n")
    return file


def test_source_that_is_only_read_is_unchanged(backup):
    before = comparison.look(backup)
    backup.read_bytes()
    assert comparison.differences(before) == []


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda file: file.write_text("rom\n"), "backup.sql was changed"),
        (lambda file: os.utime(file, (1, 1)), "backup.sql was changed"),
        (lambda file: file.chmod(0o600 ^ file.stat().st_mode & 0o7777), "backup.sql was changed"),
        (lambda file: file.with_suffix(".sha256").touch(), "backup.sha256 is new"),
    ],
)
def test_source_that_was_touched_is_told(backup, act, told):
    before = comparison.look(backup)
    act(backup)
    assert comparison.differences(before) == [told]


def test_a_file_of_another_name_accuses_no_one(backup):
    before = comparison.look(backup)
    backup.with_name("of-tonight.sql").touch()
    with pytest.raises(StackTrouble, match=r"of-tonight.sql appeared next to backup.sql"):
        comparison.differences(before)


@pytest.mark.parametrize(
    ("own", "tonight"),
    [
        ("infisical.2026-10-01.sql.gz", "infisical.2026-10-02.sql.gz"),
        ("infisical.sql", "infisical-2026-10-02.sql"),
        ("infisical.2026-10-01.gz", "infisical.2026-10-02.gz"),
        ("pg-dump-all-1790812800.gz", "pg-dump-all-1790899200.gz"),
    ],
)
def test_the_backup_of_tonight_accuses_no_one(tmp_path, own, tonight):
    drilled = tmp_path / own
    drilled.write_text("row\n")
    before = comparison.look(drilled)
    drilled.with_name(tonight).touch()
    with pytest.raises(StackTrouble, match=f"{tonight} appeared next to {own}"):
        comparison.differences(before)


def test_the_folder_of_tonight_accuses_no_one(tmp_path):
    drilled = tmp_path / "infisical.2026-10-01"
    drilled.mkdir()
    (drilled / "toc.dat").touch()
    before = comparison.look(drilled)
    drilled.with_name("infisical.2026-10-02").mkdir()
    with pytest.raises(StackTrouble, match=r"infisical\.2026-10-02 appeared"):
        comparison.differences(before)


@pytest.mark.parametrize("name", ["infisical.2026-10-01.sql.orig", "infisical.2026-10-01.sql.gz"])
def test_a_new_form_of_the_same_backup_is_told(tmp_path, name):
    drilled = tmp_path / "infisical.2026-10-01.sql"
    drilled.write_text("row\n")
    before = comparison.look(drilled)
    drilled.with_name(name).touch()
    assert comparison.differences(before) == [f"{name} is new"]


def test_a_file_of_another_name_accuses_no_hidden_backup(tmp_path):
    hidden = tmp_path / ".dump.sql"
    hidden.write_text("row\n")
    before = comparison.look(hidden)
    hidden.with_name("of-tonight.sql").touch()
    with pytest.raises(StackTrouble, match=r"of-tonight.sql appeared next to .dump.sql"):
        comparison.differences(before)


def test_source_of_many_files_is_one(tmp_path):
    for name in ("toc.dat", "1.dat.gz"):
        (tmp_path / name).write_text(name)
    before = comparison.look(tmp_path)
    (tmp_path / "1.dat.gz").unlink()
    assert before.size == len("toc.dat1.dat.gz")
    assert comparison.differences(before) == ["1.dat.gz was changed"]


def test_missing_source_is_a_sentence(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        comparison.look(tmp_path / "nowhere.sql")


def test_orders_are_found_in_a_packed_backup(tmp_path):
    file = tmp_path / "backup.sql.gz"
    file.write_bytes(
        gzip.compress(b"-- PostgreSQL database dump\nCREATE TABLE t (a int);\n\\! id\n")
    )
    said = "is more than data: line 3: holds a command for psql, which is not part of a backup"
    assert examine(file).orders == said


PLACE = ("project", "prod")


class Asker:
    """Answers as one that sees these secrets, or refuses."""

    def __init__(self, values, *, sees_all=True):
        self.values, self.sees_all = values, sees_all

    def secrets(self, _place):
        if self.values is None:
            raise Unauthorized("GET /secrets", 403, "not a member")
        return [Secret(id_, id_, value, 1, "/") for id_, value in self.values.items()]


def values(told):
    ids = {id_: digest(value.encode()) for id_, value in told.items()}
    return Values(ids, {PLACE: list(ids)}, (), ())


@pytest.mark.parametrize(
    ("answers", "equal", "differing", "missing", "refused"),
    [
        ([{"a": "1", "b": "2"}], 2, [], [], False),
        ([None, {"a": "1", "b": "2", "more": "3"}], 2, [], [], False),
        ([{"a": "1", "b": "other"}], 1, ["b"], [], False),
        ([{"a": "1"}], 1, [], ["b"], False),
        ([None], 0, [], [], True),
        ([], 0, [], [], True),
    ],
)
def test_reading_tells_what_differs_is_missing_or_refused(
    answers, equal, differing, missing, refused
):
    askers = [Asker(answer) for answer in answers]
    found = comparison.compare_lists(values({"a": "1", "b": "2"}), lambda _project: askers, seed=1)
    assert (found.equal, found.differing, found.missing) == (equal, differing, missing)
    assert bool(found.refused) == refused
    assert found.whole == (equal == 2)


@pytest.mark.parametrize(
    ("others", "equal", "missing", "refused"),
    [
        ([], 1, [], True),
        ([Asker({"b": "2"}, sees_all=False)], 2, [], False),
        ([Asker({"a": "1", "b": "2"})], 2, [], False),
        ([Asker({})], 1, ["b"], False),
        ([Asker(None)], 1, [], True),
    ],
)
def test_what_a_narrow_role_does_not_show_is_missing_only_to_an_administrator(
    others, equal, missing, refused
):
    askers = [Asker({"a": "1"}, sees_all=False), *others]
    found = comparison.compare_lists(values({"a": "1", "b": "2"}), lambda _project: askers, seed=1)
    assert (found.equal, found.missing, bool(found.refused)) == (equal, missing, refused)
    assert found.whole == (equal == 2)


@pytest.mark.parametrize(
    ("name", "path", "renamed"),
    [("a", "/", []), ("A", "/", ["a"]), ("a", "/below", ["a"])],
)
def test_a_secret_that_is_listed_under_another_name_or_folder_is_not_whole(name, path, renamed):
    told = replace(values({"a": "1"}), names={"a": digest_name("/", "a")})
    asker = Asker({})
    asker.secrets = lambda _place: [Secret("a", name, "1", 1, path)]
    found = comparison.compare_lists(told, lambda _project: [asker], seed=1)
    assert (found.renamed, found.whole) == (renamed, not renamed)
    faults = comparison.Comparison(comparison.Kept(1, (), (), ()), found).faults
    assert any("under another name or in another folder" in one for one in faults) == bool(renamed)


@pytest.mark.parametrize(
    ("tree", "sees_all", "lacking"),
    [
        (["/a", "/a/b", "/more"], True, []),
        (["/a"], True, ["p prod /a/b"]),
        (["/a"], False, []),
        (None, True, []),
        (Broken("GET /folders", 500, "x"), True, []),
        (Unauthorized("GET /folders", 403, "x"), True, []),
    ],
)
def test_a_folder_is_lacking_if_an_administrator_is_not_shown_it(tree, sees_all, lacking):
    def show(_place):
        if isinstance(tree, Exception):
            raise tree
        return tree

    asker, found = SimpleNamespace(sees_all=sees_all, tree=show), comparison.Reading()
    told = replace(values({}), folders={("p", "prod"): ["/a", "/a/b"]})
    comparison.compare_folders(told, lambda _project: [asker], found)
    assert found.lacking == lacking
    assert bool(found.failed) == isinstance(tree, Broken)
    assert found.whole == (not lacking and not found.failed)


ROLES = """
CREATE TABLE identity_project_memberships (id text, "identityId" text, "projectId" text);
CREATE TABLE identity_project_membership_role ("projectMembershipId" text, role text,
  "isTemporary" boolean);
INSERT INTO identity_project_memberships VALUES ('1', 'a', 'p'), ('2', 'b', 'p'), ('3', 'c', 'p');
INSERT INTO identity_project_membership_role VALUES ('1', 'viewer', false), ('2', 'admin', true),
  ('3', 'viewer', false), ('3', 'admin', false);
"""


def test_an_administrator_is_one_for_good_and_comes_first(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(ROLES)
        found = members(own)["p"]
    assert [(one.id, one.admin) for one in found] == [("c", True), ("a", False), ("b", False)]


CLIENT_SECRETS = """
CREATE TABLE identity_universal_auths (id text, "identityId" text);
INSERT INTO identity_universal_auths SELECT 'ua of ' || m, m FROM unnest('{a,b}'::text[]) m;
CREATE TABLE identity_ua_client_secrets (id text, "identityUAId" text,
  "isClientSecretRevoked" boolean, "clientSecretTTL" bigint);
INSERT INTO identity_ua_client_secrets VALUES ('expires', 'ua of a', false, 60),
  ('revoked', 'ua of a', true, 0), ('lasts', 'ua of a', false, 0), ('ends', 'ua of b', false, 60);
CREATE TABLE identity_access_tokens (id text, "accessTokenTTL" bigint, "accessTokenMaxTTL" bigint,
  "identityId" text, "identityUAClientSecretId" text, "authMethod" text);
"""


@pytest.mark.parametrize(
    ("more", "of_b"),
    [
        ("", ("ends", "universal-auth")),
        ("CREATE TABLE identity_access_token_revocations ()", (None, "token-auth")),
    ],
)
def test_a_session_hangs_on_no_client_secret_that_the_copy_removes(isolated, more, of_b):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(CLIENT_SECRETS)
        own.execute(more)
        for id_ in "ab":
            session(own, Member("identity", id_, "p", admin=True), "0123456789abcdef" * 2)
        asked = 'SELECT "identityUAClientSecretId", "authMethod" FROM identity_access_tokens'
        found = own.execute(f'{asked} ORDER BY "identityId"').fetchall()
    assert found == [("lasts", "universal-auth"), of_b]


class Failing:
    """Answers every list and every write with this error."""

    def __init__(self, error):
        self.error = error

    def secrets(self, _place):
        raise self.error

    def write(self, _place, _values):
        raise self.error


BROKEN = Broken("GET /secrets", 500, "Unsupported state")
UNKNOWN = NotFound("PATCH /secrets", 404, "no such secret")
REFUSED = Unauthorized("GET /secrets", 403, "not a member")


def test_an_error_of_the_server_is_a_fault_and_no_refusal():
    failing = [Failing(BROKEN), Asker({"a": "1"})]
    found = comparison.compare_lists(values({"a": "1"}), lambda _project: failing, seed=1)
    assert (found.failed, found.refused, found.whole) == (["project prod (500)"], {}, False)
    (fault,) = comparison.Comparison(comparison.Kept(1, (), (), ()), found).faults
    assert fault == "1 reads end in an error of the copy: project prod (500)"


class Writing:
    """Takes a new secret; what comes after that ends in these errors."""

    def __init__(self, updates=None, deletes=True, *, sees_all=True):
        self.updates, self.deletes, self.kept = updates, deletes, {}
        self.sees_all = sees_all

    def write(self, _place, values):
        self.kept.update(values)

    def update(self, _place, name, value):
        if self.updates:
            raise self.updates
        self.kept[name] = value

    def read(self, _place, name):
        if name not in self.kept:
            raise NotFound("GET /secrets", 404, "no such secret")
        return Secret("1", name, self.kept[name], 1, "/")

    def delete(self, _place, name):
        if self.deletes:
            del self.kept[name]


@pytest.mark.parametrize(
    ("clients", "approvals", "expected"),
    [
        ([Failing(REFUSED), Writing()], False, "written"),
        ([Failing(REFUSED), Failing(BROKEN)], False, "failed"),
        ([Failing(REFUSED)], False, "not taken"),
        ([], False, "not taken"),
        ([Writing(updates=REFUSED)], False, "mangled"),
        ([Writing(updates=REFUSED)], True, "not taken"),
        ([Writing(updates=REFUSED, sees_all=False), Writing()], False, "written"),
        ([Writing(updates=REFUSED, sees_all=False)], False, "not taken"),
        ([Writing(updates=UNKNOWN, sees_all=False)], False, "mangled"),
        ([Writing(updates=BROKEN)], False, "failed"),
        ([Writing(deletes=False)], False, "mangled"),
    ],
)
def test_a_write_is_taken_whole_or_refused_or_lost(clients, approvals, expected, monkeypatch):
    readers = ApiReaders.__new__(ApiReaders)
    readers._known, readers._recorder = {PLACE[0]: clients}, NullRecorder()
    monkeypatch.setattr(ApiReaders, "_has_approvals", lambda _: approvals)
    assert readers.write(values({"a": "1"})) == expected
    if expected in ("written", "not taken") and not approvals:
        assert not any(getattr(client, "kept", None) for client in clients)


@pytest.mark.parametrize(
    ("refusal", "way"),
    [(None, "^a machine's own credential"), (REFUSED, r"--credential was not let in: .*403")],
)
def test_way_says_whether_the_given_machine_was_let_in(monkeypatch, refusal, way):
    public = Mock(login=Mock(side_effect=refusal))
    monkeypatch.setattr(api_readers, "Infisical", lambda *_: public)
    monkeypatch.setattr(api_readers, "ask_routes", lambda _: None)
    monkeypatch.setattr(api_readers, "inquiry", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(api_readers, "members", lambda _: {})
    readers = ApiReaders(Mock(), "", Machine("", "id", "secret"), NullRecorder())
    assert re.search(way, readers.way)


def test_of_many_places_a_sample_is_read_and_each_project():
    many = {(f"p{n // 3}", f"e{n % 3}"): [f"s{n}-{i}" for i in range(5)] for n in range(300)}
    chosen, size = comparison.choose_places(Values({}, many, (), ()), seed=7)
    assert size == sample_size(1500)
    assert {project for project, _ in chosen} == {project for project, _ in many}
    assert chosen == comparison.choose_places(Values({}, many, (), ()), seed=7)[0]


@pytest.mark.parametrize(
    ("rto", "rpo", "counts"),
    [(None, None, (14400.0, None)), ("1h", None, (3600.0, None)), (None, "2h", (14400.0, 7200.0))],
)
def test_declared_targets_count_where_none_was_given(rto, rpo, counts, tmp_path):
    (tmp_path / "drillbook.toml").write_text("[objectives]\nrto_s = 14400\n")
    wanted = load_declared(tmp_path, None, None, load_catalogue(CONTROLS)).words.objectives
    found = targets(rto, rpo, wanted.rto_s, wanted.rpo_s)
    assert (found.recovery_time_s, found.recovery_point_s) == counts
