"""What opens what: rotated keys, both generations, foreign keys, lost folders."""

import base64
from dataclasses import replace

import pytest

from drillbook.backup.facts import facts
from drillbook.backup.tables import open_dump
from drillbook.core.errors import BadInput
from drillbook.drill import secret_values
from drillbook.drill.drill import refusal
from drillbook.infisical.crypto import cipher, seal_bytes, seal_columns
from drillbook.keys import hierarchy, key_check
from drillbook.keys.decrypt_secrets import Reader
from drillbook.keys.hierarchy import UnlockedKeys
from drillbook.keys.key_check import Answer, notes, prove, prove_all
from drillbook.keys.key_files import KeyFile
from tests.support.backups import HEAD, TAIL
from tests.support.made_backups import (
    DATA,
    EARLIER,
    INSTANCE,
    KEY,
    KMS,
    NEW,
    PLACES,
    ROOT,
    block,
    bot,
    kms,
    old_secret,
    project,
    root,
    secret,
    under,
)

OLD = project("old", data=under(KMS, DATA))
EXTERNAL = "its key is held by an external KMS"
MEMBERS = "its key is sealed with its members' passwords"
LOST = "its folder, or the project of it, is not in the backup"


@pytest.fixture
def backup(tmp_path):
    def made(*blocks):
        path = tmp_path / "backup.sql"
        path.write_text(HEAD + "".join(blocks) + TAIL)
        return path

    return made


def test_an_empty_secret_of_a_project_with_an_external_kms_is_not_looked_for(backup):
    foreign = {"kmsKeyId": "kms-9", "encryptedProviderInputs": b"x"}
    around = [block("kms_root_config", root()), block("external_kms", foreign), *PLACES]
    around += [block("internal_kms", kms("kms-1"))]
    around += [block("projects", project("new", "kms-9", under(KMS, DATA)), OLD)]
    empty = {"encryptedValue": None, "key": "NAME", "type": "shared"}
    rows = [{**empty, "folderId": f"in-{name}", "id": name} for name in ("new", "old")]
    found = secret_values.read_values(backup(*around, block("secrets_v2", *rows)), KEY)
    assert found.places == {("old", ""): ["old"]}
    assert {one.id for one in (*found.named, *found.firsts)} == {"old"}


@pytest.fixture
def proven(backup):
    return lambda *blocks: prove(backup(*blocks), KEY)


def numbers(proof):
    found = [proof.projects, proof.projects_opened, proof.secrets, proof.secrets_opened]
    return (proof.roots_opened, *found)


def test_each_key_opens_the_next(proven):
    sealed = [block("internal_kms", kms("kms-1")), block("projects", NEW), *PLACES]
    proof = proven(block("kms_root_config", root()), *sealed, block("secrets_v2", secret()))
    assert numbers(proof) == (1, 1, 1, 1, 1)
    (one,) = proof.by_project
    assert (one.id, one.name, one.generation, one.key_opened) == ("new", "New", 3, True)
    assert (one.secrets, one.secrets_opened, one.reason) == (1, 1, "")


@pytest.mark.parametrize("at", [0, 1])
def test_any_of_several_root_keys_will_do(proven, at):
    roots = [root(under(DATA, ROOT))]
    roots.insert(at, root())
    sealed = [block("internal_kms", kms("kms-1")), block("projects", NEW), *PLACES]
    proof = proven(block("kms_root_config", *roots), *sealed, block("secrets_v2", secret()))
    assert (proof.root_keys, *numbers(proof)) == (2, 1, 1, 1, 1, 1)


def test_key_that_was_rotated_still_opens_what_is_older(proven):
    earlier = {"encryptedKey": under(ROOT, EARLIER), "internalKmsId": "k1"}
    of_another = {"encryptedKey": under(ROOT, EARLIER), "internalKmsId": "k2"}
    rotated = project("new", data=under(EARLIER, DATA))
    around = [block("kms_root_config", root()), block("projects", rotated), *PLACES]
    around += [block("internal_kms", kms("kms-1"), kms("kms-2", row="k2"))]
    around += [block("secrets_v2", secret())]
    assert numbers(proven(*around, block("internal_kms_key_version", earlier)))[1:3] == (1, 1)
    assert numbers(proven(*around, block("internal_kms_key_version", of_another)))[1:3] == (1, 0)


def test_key_of_another_project_opens_nothing(proven):
    sealed = [block("internal_kms", kms("kms-2")), block("projects", NEW), *PLACES]
    proof = proven(block("kms_root_config", root()), *sealed, block("secrets_v2", secret()))
    assert numbers(proof) == (1, 1, 0, 1, 0)
    assert not proof.opens_everything


def test_key_in_an_external_kms_is_told_apart_where_it_holds_secrets(proven):
    foreign = {"kmsKeyId": "kms-9", "encryptedProviderInputs": b"x"}
    around = [block("kms_root_config", root()), block("external_kms", foreign), *PLACES]
    around += [block("projects", project("new", "kms-9", under(KMS, DATA)))]
    idle = proven(*around)
    assert (numbers(idle), idle.unproven) == ((1, 0, 0, 0, 0), [])
    used = proven(*around, block("secrets_v2", secret(), secret()))
    assert (numbers(used), used.unproven) == ((1, 0, 0, 0, 0), [f"project New: {EXTERNAL}"])
    assert (used.by_project[0].secrets, used.by_project[0].secrets_opened) == (2, 0)


def test_a_wrong_key_is_wrong_whatever_an_external_kms_holds(backup):
    foreign = {"kmsKeyId": "kms-9", "encryptedProviderInputs": b"x"}
    around = [block("kms_root_config", root()), block("external_kms", foreign), *PLACES]
    around += [block("projects", project("new", "kms-9", under(KMS, DATA)))]
    proof = prove(backup(*around, block("secrets_v2", secret())), "k" * 32)
    assert proof.unproven == [f"project New: {EXTERNAL}"]
    assert (proof.opens_nothing, proof.is_undecided, proof.held_elsewhere) == (True, False, False)


def test_project_whose_key_its_members_hold_is_told_apart_where_it_holds_secrets(proven):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    idle = proven(*around)
    assert (numbers(idle), idle.unproven) == ((1, 0, 0, 0, 0), [])
    used = proven(*around, block("secrets", old_secret()))
    assert (numbers(used), used.unproven) == ((1, 0, 0, 0, 0), [f"project Old: {MEMBERS}"])


def test_project_that_is_new_and_has_no_key_keeps_its_secrets_shut(proven):
    around = [block("kms_root_config", root()), block("projects", project("new", None)), *PLACES]
    proof = proven(*around, block("secrets_v2", secret()))
    assert (numbers(proof), proof.unproven) == ((1, 0, 0, 1, 0), [])


def test_secrets_in_lost_folders_count_and_stay_shut(proven):
    sealed = [block("internal_kms", kms("kms-1")), block("projects", NEW), *PLACES]
    secrets = block("secrets_v2", secret(), secret("nowhere"), secret("elsewhere"))
    proof = proven(block("kms_root_config", root()), *sealed, secrets)
    assert numbers(proof) == (1, 1, 1, 3, 1)
    assert [(p.name, p.generation, p.reason) for p in proof.by_project] == [
        ("New", 3, ""),
        ("", 0, LOST),
    ]
    assert (proof.by_project[1].secrets, proof.by_project[1].secrets_opened) == (2, 0)


@pytest.mark.parametrize(("table", "kept"), [("secrets", old_secret), ("secrets_v2", secret)])
def test_lost_folders_are_told_where_there_is_no_project_at_all(proven, table, kept):
    proof = proven(block("kms_root_config", root()), block(table, kept("nowhere")))
    assert [(p.reason, p.secrets) for p in proof.by_project] == [(LOST, 1)]
    assert numbers(proof) == (1, 0, 0, 1, 0)


def test_bot_hands_its_project_its_key(proven):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    proof = proven(*around, *bot(), block("secrets", old_secret(), old_secret()))
    assert numbers(proof) == (1, 1, 1, 2, 2)
    assert (proof.by_project[0].generation, proof.by_project[0].reason) == (2, "")


@pytest.mark.parametrize("broken", [{"key": KMS}, {"name_key": KMS}], ids=["its value", "its name"])
def test_old_secret_opens_with_its_name_or_not_at_all(proven, broken):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    proof = proven(*around, *bot(), block("secrets", old_secret(**broken)))
    assert numbers(proof) == (1, 1, 1, 1, 0)


def test_bot_whose_sender_is_gone_opens_nothing(proven):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    proof = proven(*around, *bot(publisher="grace"), block("secrets", old_secret()))
    assert numbers(proof) == (1, 1, 0, 1, 0)


def test_rows_of_before_a_projects_upgrade_are_not_its_secrets(backup):
    around = [block("kms_root_config", root()), block("internal_kms", kms("kms-1")), *PLACES]
    upgraded = project("old", data=under(KMS, DATA)) | {"version": "3"}
    around += [block("projects", upgraded), *bot()]
    stale = [old_secret() | {"id": name, "type": "shared"} for name in ("s1", "deleted")]
    current = secret("in-old") | {"id": "s1", "key": "NAME", "type": "shared", "version": "2"}
    path = backup(*around, block("secrets", *stale), block("secrets_v2", current))
    proof = prove(path, KEY)
    assert (numbers(proof), proof.outdated) == ((1, 1, 1, 1, 1), 2)
    assert "secrets that are older than their project's upgrade: 2;" in " ".join(notes(proof, ""))
    assert secret_values.read_values(path, KEY).places == {("old", ""): ["s1"]}


def test_root_encryption_key_next_to_the_other_opens_the_first_generation(backup):
    root_key = base64.b64encode(bytes(range(32))).decode()
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    bots = bot(sealer=cipher(bytes(range(32))))
    path = backup(*around, *bots, block("secrets", old_secret()))
    assert numbers(prove(path, KEY)) == (1, 1, 0, 1, 0)
    with open_dump(path) as dump:
        (both,) = prove_all(dump, [(KEY, root_key)])
        assert Reader(dump, KEY, root_key).keys.proof.projects_opened == 1
        pair = replace(KEY_FILE, also=root_key)
        said = key_check.as_text(facts(dump, path), "x", [Answer(pair, "OPENS", (), both)])
    assert numbers(both) == (1, 1, 1, 1, 1)
    assert both.second_key_needed
    assert (
        "Note: ENCRYPTION_KEY alone does not open this: bots or indexes lie under the ROOT_" in said
    )


def test_root_encryption_key_that_opens_nothing_more_is_not_needed(backup):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    path = backup(*around, *bot(), block("secrets", old_secret()))
    with open_dump(path) as dump:
        (both,) = prove_all(dump, [(KEY, base64.b64encode(bytes(range(32))).decode())])
    assert (both.projects_opened, both.second_key_needed) == (1, False)


def test_project_with_keys_of_both_kinds_opens_both_kinds_of_secrets(proven):
    around = [block("kms_root_config", root()), block("internal_kms", kms("kms-1")), *PLACES]
    around += [block("projects", project("old", data=under(KMS, DATA))), *bot()]
    secrets = [block("secrets", old_secret()), block("secrets_v2", secret("in-old"))]
    proof = proven(*around, *secrets)
    assert numbers(proof) == (1, 1, 1, 2, 2)
    assert proof.by_project[0].generation == 2


@pytest.mark.parametrize(
    ("version", "more", "opened", "word", "advice"),
    [
        ("2", {}, 0, "DOES NOT OPEN", "try your other keys"),
        ("2", {"also": base64.b64encode(bytes(32)).decode()}, 1, "OPENS", "keep this key"),
        ("3", {}, 1, "OPENS", "keep this key"),
    ],
)
def test_project_of_version_2_needs_its_bot_also_where_the_kms_holds_a_key_for_it(
    backup, version, more, opened, word, advice
):
    around = [block("kms_root_config", root()), block("internal_kms", kms("kms-1")), *PLACES]
    row = project("old", data=under(KMS, DATA)) | {"version": version}
    path = backup(*around, block("projects", row), *bot(sealer=FOREIGN))
    with open_dump(path) as dump:
        backed, [answer] = key_check.try_keys(dump, path, [replace(KEY_FILE, **more)])
    assert (answer.proof.projects_opened, answer.word) == (opened, word)
    assert f"Next: {advice}" in key_check.as_text(backed, "x", [answer])


def test_project_whose_bot_opens_and_whose_key_of_the_kms_is_lost_needs_no_other_key(backup):
    around = [block("kms_root_config", root()), block("internal_kms", kms("kms-2")), *PLACES]
    row = project("old", data=under(KMS, DATA)) | {"version": "2"}
    path = backup(*around, block("projects", row), *bot(), block("secrets", old_secret()))
    with open_dump(path) as dump:
        backed, [answer] = key_check.try_keys(dump, path, [KEY_FILE])
    said = key_check.as_text(backed, "x", [answer])
    assert (answer.word, answer.proof.by_project[0].generation) == ("DOES NOT OPEN", 3)
    assert "Next: keep this key, since no other opens more" in said


def test_secret_without_a_value_is_counted_as_empty(proven):
    sealed = [block("internal_kms", kms("kms-1")), block("projects", NEW), *PLACES]
    secrets = block("secrets_v2", secret(), {"encryptedValue": None, "folderId": "in-new"})
    proof = proven(block("kms_root_config", root()), *sealed, secrets)
    assert (numbers(proof), proof.empty) == ((1, 1, 1, 1, 1), 1)
    assert proof.opens_everything


def test_root_key_that_no_text_opens_is_told(proven):
    sealed = proven(block("kms_root_config", root(strategy="HSM")))
    assert sealed.unproven == ["the root key is sealed by an HSM, not by a key"]
    shut = proven(block("kms_root_config", root(bytes(60), strategy="HSM")))
    assert (shut.held_elsewhere, refusal(shut)) == (
        True,
        "no key file proves this backup: the root key is sealed by an HSM, not by a key",
    )
    cut = proven(block("kms_root_config", root(seal_bytes(INSTANCE, ROOT)[:-1])))
    assert not cut.held_elsewhere
    assert cut.unproven == ["the root key's row has 59 bytes, its layout 60"]
    assert proven(block("kms_root_config", root())).unproven == []


def test_more_folders_than_fit_are_refused_in_one_sentence(monkeypatch, proven):
    around = [block("kms_root_config", root()), block("projects", NEW, project("old")), *PLACES]
    monkeypatch.setattr(hierarchy, "_MOST_FOLDERS", 2)
    assert proven(*around).roots_opened == 1
    monkeypatch.setattr(hierarchy, "_MOST_FOLDERS", 1)
    with pytest.raises(BadInput, match="more than 1 folders"):
        proven(*around)


def test_why_a_project_stays_shut_is_told_by_its_number(backup):
    foreign = {"kmsKeyId": "kms-9", "encryptedProviderInputs": b"x"}
    upgraded = project("old", data=under(KMS, DATA))
    projects = block("projects", project("far", "kms-9", b"x"), project("new", None), upgraded)
    around = [block("kms_root_config", root()), block("external_kms", foreign), *PLACES, *bot()]
    path = backup(*around, block("internal_kms", kms("kms-1")), projects)
    columns = seal_columns(cipher(DATA), b"value", 16)
    with open_dump(path) as dump:
        ring = UnlockedKeys(hierarchy.EncryptedBackup(dump), KEY)
        assert [ring.reason(at) for at in (-1, 0, 1, 2)] == [LOST, EXTERNAL, MEMBERS, ""]
        assert ring.open_new(2, under(DATA, b"value")) == b"value"
        assert ring.open_old(2, *columns) == b"value"
        assert ring.open_new(-1, under(DATA, b"value")) is None
        assert ring.open_old(-1, *columns) is None


def test_table_of_external_keys_that_is_another_products_takes_no_project_out(proven):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    foreign = block("external_kms", {"encryptedProviderInputs": b"x"})
    proof = proven(*around, *bot(), foreign, block("secrets", old_secret()))
    assert (numbers(proof), proof.unproven) == ((1, 1, 1, 1, 1), [])


def test_key_of_the_kms_needs_no_row_number(proven):
    plain = {name: value for name, value in kms("kms-1").items() if name != "id"}
    sealed = [block("internal_kms", plain), block("projects", NEW), *PLACES]
    assert numbers(proven(block("kms_root_config", root()), *sealed))[1:3] == (1, 1)


def test_bot_without_a_key_leaves_its_project_keyless_and_one_without_a_nonce_does_not(proven):
    around = [block("kms_root_config", root()), block("projects", project("old", None)), *PLACES]
    whole, senders = bot()
    idle = {"projectId": "old", "senderId": "ada", "encryptedProjectKey": None}
    idle |= {"encryptedProjectKeyNonce": "x", "encryptedPrivateKey": "x", "iv": "x", "tag": "x"}
    assert numbers(proven(*around, block("project_bots", idle), senders)) == (1, 0, 0, 0, 0)
    bare = {"projectId": "old", "senderId": "ada", "encryptedProjectKey": "x"}
    assert numbers(proven(*around, block("project_bots", bare), senders)) == (1, 1, 0, 0, 0)
    assert numbers(proven(*around, whole, senders)) == (1, 1, 1, 0, 0)


def organization(key="kms-1", data=None):
    row = {"name": "Acme", "kmsDefaultKeyId": key, "kmsEncryptedDataKey": data}
    return block("organizations", row)


def salt(under_key=INSTANCE):
    sealed, iv, tag = seal_columns(under_key, b"salt", 16)
    row = {"projectId": "old", "encryptedSaltCipherText": sealed, "saltIV": iv, "saltTag": tag}
    return block("secret_blind_indexes", row)


KEY_FILE = KeyFile("keys.env", "ENCRYPTION_KEY", KEY, "")
FOREIGN = cipher(bytes(32))
OPENS_ALL = [
    block("kms_root_config", root()),
    block("internal_kms", kms("kms-1")),
    block("projects", NEW, project("old", None)),
    *PLACES,
    block("secrets_v2", secret()),
    block("secrets", old_secret()),
    *bot(),
]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([block("kms_keys", {"id": "kms-1"})], ""),
        ([block("kms_keys", {"id": "kms-2"})], "kms_keys has no row of the key of project New"),
        ([organization()], ""),
        ([organization(None)], ""),
        ([organization(data=under(KMS, DATA))], ""),
        ([organization(data=under(EARLIER, DATA))], "the key of organization Acme stays shut"),
        ([organization("kms-2")], "the key of organization Acme stays shut"),
        ([salt()], ""),
        (
            [salt(FOREIGN)],
            "the blind index of project Old stays shut: its secrets can be read, but not written",
        ),
        (
            [block("projects", project("empty", "kms-2"))],
            "the key of project Empty stays shut: it takes no secret",
        ),
    ],
)
def test_a_key_that_opens_each_secret_may_still_write_none(backup, more, reason):
    path = backup(*OPENS_ALL, *more)
    proof = prove(path, KEY)
    assert (proof.secrets, proof.secrets_opened) == (2, 2)
    assert proof.unproven == ([reason] if reason else [])
    assert proof.opens_everything is not bool(reason)
    with open_dump(path) as dump:
        answer = key_check.answer(KEY_FILE, proof, dump, ())
    assert (answer.word, answer.reasons) == (
        ("CANNOT TELL", (reason,)) if reason else ("OPENS", ())
    )
