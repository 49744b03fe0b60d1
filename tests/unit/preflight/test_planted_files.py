"""Each known-bad file is found by its own check, and a sound deployment's files by none."""

import base64
from dataclasses import replace

import pytest

from drillbook.core import dotenv
from drillbook.core.errors import StackTrouble
from drillbook.infisical.crypto import fingerprint
from drillbook.infisical.settings import Settings
from drillbook.keys.hierarchy import Proof
from drillbook.preflight import backupfile, compose_checks, key_strength
from drillbook.preflight.file_checks import CHECKS
from drillbook.preflight.given_files import GivenFiles
from drillbook.stack import compose_file
from fixtures.mutants.base import registry
from fixtures.mutants.file_bugs import SOUND, backup, encrypted_root, env, repository


def written(mutant, folder):
    return mutant.hooks["files"](None, lambda: folder)


# Of the runbook, which a sound deployment contradicts.
CLAIMS = {"DEP-5", "DEP-6"}


def find(control, files):
    """What the checks of a control find in those of these files that it needs."""
    checks = [check for check in CHECKS if check.control == control]
    fitting = [check for check in checks if all(getattr(files, name) for name in check.needs)]
    assert fitting
    return [finding for check in fitting for finding in check.find(files)]


@pytest.fixture
def sound(tmp_path):
    settings = Settings.generate()
    return GivenFiles(
        env(tmp_path, settings),
        SOUND,
        repository(tmp_path),
        env(tmp_path, settings, "escrow.env"),
        backup(tmp_path, encrypted_root(settings["ENCRYPTION_KEY"])),
    )


@pytest.mark.parametrize("control", sorted({check.control for check in CHECKS} - CLAIMS))
def test_sound_files_have_no_findings(sound, control):
    assert find(control, sound) == []


@pytest.mark.parametrize(
    "mutant",
    [
        one
        for one in registry().values()
        if one.where == "file" and one.control not in CLAIMS and one.turns == "violated"
    ],
    ids=lambda one: one.name,
)
def test_a_planted_file_is_found_and_its_values_are_not_shown(mutant, sound, tmp_path):
    folder = tmp_path / "planted"
    folder.mkdir()
    files = replace(sound, **written(mutant, folder))
    found = find(mutant.control, files)
    assert found
    secret = [value for value in files.deployed.env.values() if len(value) > 16]
    shown = " ".join(map(str, found))
    assert not any(str.__str__(value) in shown for value in secret if "example.com" not in value)


@pytest.mark.parametrize(
    ("value", "is_known"),
    [("'$2y$10$abcdefghijklmnopqrstuv'", True), ("'$AUTH_OF_SERVER'", False)],
)
def test_a_secret_may_begin_with_a_dollar_sign(tmp_path, value, is_known):
    (tmp_path / "deployed.env").write_text(f"AUTH_SECRET={value}\n")
    given = GivenFiles(tmp_path / "deployed.env").deployed
    assert (given.get("AUTH_SECRET") is not None) == is_known


def test_key_in_base64_has_the_label_of_the_key_in_every_check(tmp_path):
    key = Settings.generate()["ENCRYPTION_KEY"]
    other = base64.b64encode(bytes(32)).decode()
    for name, value in (("root.env", base64.b64encode(key.encode()).decode()), ("o.env", other)):
        (tmp_path / name).write_text(f"ROOT_ENCRYPTION_KEY={value}\n")
    (tmp_path / "escrow.env").write_text(f"ENCRYPTION_KEY={key}\n")
    escrow = dotenv.load(tmp_path / "escrow.env")
    given = GivenFiles(tmp_path / "root.env").deployed
    found = key_strength.escrow_differences(given, escrow)
    assert [one.sentence for one in found if "mode" not in one.sentence] == []
    given = GivenFiles(tmp_path / "o.env").deployed
    sealed = backupfile.load(backup(tmp_path, encrypted_root(key)))
    [shut] = backupfile.find_wrong_key(sealed, given.root_key)
    assert shut.sentence.endswith(f"whose label is {fingerprint(bytes(32))}")


def test_a_backup_whose_key_an_hsm_holds_accuses_no_key(tmp_path, monkeypatch):
    held = Proof(root_keys=1, unproven=["the root key is sealed by an HSM, not by a key"])
    found = backupfile.load(backup(tmp_path, encrypted_root("k" * 32)))
    monkeypatch.setattr(backupfile.key_proof, "prove", lambda *_: held)
    for check in (backupfile.find_wrong_key, backupfile.find_other_instance):
        with pytest.raises(StackTrouble, match="no key file proves it: the root key"):
            check(found, "k" * 32)


@pytest.mark.parametrize(
    ("named", "unproven"), [(True, []), (False, ["the root key's row has 59 bytes, its layout 60"])]
)
def test_a_damaged_root_key_accuses_no_key(tmp_path, monkeypatch, named, unproven):
    found = backupfile.load(backup(tmp_path, encrypted_root("k" * 32)))
    labels = (fingerprint(b"k" * 32),) if named else ()
    found = replace(found, facts=replace(found.facts, labels=labels))
    shut = Proof(root_keys=1, unproven=unproven)
    monkeypatch.setattr(backupfile.key_proof, "prove", lambda *_: shut)
    for check in (backupfile.find_wrong_key, backupfile.find_other_instance):
        with pytest.raises(StackTrouble, match="the row of its root key is damaged"):
            check(found, "k" * 32)


def test_secrets_of_projects_that_open_are_damaged(tmp_path, monkeypatch):
    found = backupfile.load(backup(tmp_path, encrypted_root("k" * 32)))
    opened = Proof(1, 1, projects=2, projects_opened=2, secrets=3, secrets_opened=2)
    monkeypatch.setattr(backupfile.key_proof, "prove", lambda *_: opened)
    (shut,) = backupfile.find_wrong_key(found, "k" * 32)
    assert "an earlier backup may have them whole" in shut.cure


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        (Proof(root_keys=1, roots_opened=1, projects=2, projects_opened=1), "1 of 2 projects"),
        (Proof(root_keys=1, roots_opened=1, damage="ends in the middle of a row"), None),
        (Proof(root_keys=1, roots_opened=1, unproven=("its keys lie in an HSM",)), None),
    ],
    ids=["a project", "a cut backup", "keys elsewhere"],
)
def test_key_that_opens_only_what_can_be_tried_is_not_said_to_be_right(
    proof, says, tmp_path, monkeypatch
):
    found = backupfile.load(backup(tmp_path, encrypted_root("k" * 32)))
    monkeypatch.setattr(backupfile.key_proof, "prove", lambda *_: proof)
    if says:
        (shut,) = backupfile.find_wrong_key(found, "k" * 32)
        assert says in shut.sentence
    else:
        with pytest.raises(StackTrouble, match="but not the whole backup"):
            backupfile.find_wrong_key(found, "k" * 32)


def test_names_of_the_reference_deployment_lack_the_word():
    compose = compose_file.load(SOUND, {})
    assert len(compose_checks.find_unmatched_ways(compose)) == 12


def test_names_that_hold_the_word_are_found(tmp_path):
    planted = written(registry()["NamesAsTheRunbookBelieves"], tmp_path)
    assert compose_checks.find_unmatched_ways(compose_file.load(planted["compose"], {})) == []


def test_the_file_that_coolify_writes_holds_the_deployed_keys(tmp_path, capsys):
    """Without the compose file; the names are those of Coolify's own template."""
    key = "3f9c1a7e5b2d8046c1e9f7a35d0b8264"
    auth, password = base64.b64encode(bytes(range(64))).decode(), "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fR"
    file = tmp_path / "coolify.env"
    rows = [
        f"SERVICE_PASSWORD_ENCRYPTIONKEY={key}",
        f"SERVICE_REALBASE64_64_AUTHSECRET={auth}",
        f"SERVICE_PASSWORD_POSTGRES={password}",
        "SERVICE_URL_BACKEND_8080=https://secrets.example.com:8080",
    ]
    file.write_text("\n".join(rows))
    file.chmod(0o600)
    variables = dotenv.load(file)
    compose = compose_file.load(SOUND, variables)
    deployed = key_strength.Deployed(variables, compose, given=False)
    assert deployed.root_key == key
    found = [
        *key_strength.keys(deployed),
        *key_strength.address(deployed),
        *key_strength.escrow_differences(deployed, variables),
    ]
    assert found == []
    assert key_strength.passwords(deployed) == []
    plain = dotenv.EnvFile("escrow", {"ENCRYPTION_KEY": key, "AUTH_SECRET": auth}, {})
    assert key_strength.escrow_differences(deployed, plain) == []
    # A copy of what Coolify keeps next to its compose file.
    referring = f"{rows[0]}\nENCRYPTION_KEY=${{SERVICE_PASSWORD_ENCRYPTIONKEY}}\n"
    (escrow := tmp_path / "escrow.env").write_text(referring)
    escrow.chmod(0o600)
    assert key_strength.escrow_differences(deployed, dotenv.load(escrow)) == []
    file.write_text("\n".join(rows).replace(password, "autumn"))
    (weak,) = key_strength.passwords(key_strength.Deployed(dotenv.load(file), compose, given=False))
    assert (weak.file, weak.line) == (str(file), 3)


def test_without_a_key_nothing_is_said_of_what_it_opens(tmp_path):
    found = backupfile.load(backup(tmp_path, encrypted_root("k" * 32)))
    for check in (backupfile.faults, backupfile.find_other_instance, backupfile.find_wrong_key):
        with pytest.raises(StackTrouble, match="the deployed key is not known"):
            check(found, "")
