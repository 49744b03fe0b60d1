"""Backups of an instance that rotates its key: active, staged and retained rows, and kept keys.

The rows of July 2024 under keys of ours, in the form that the public sources of autumn 2026 write.
"""

import json
import re

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.infisical.crypto import (
    cipher,
    label,
    material,
    open_bytes,
    open_columns,
    seal_bytes,
    seal_columns,
)
from drillbook.infisical.schema import ACTIVE_ROOT
from drillbook.keys.key_check import prove
from tests.support.backups import KEYS, dump
from tests.support.commands import check_key, recover

OLD, STRANGER = KEYS["2024-07"], "0123456789abcdef0123456789abcdef"
FIRST, SECOND = "a" * 32, "b" * 32
ROOT = re.search(r"^(0{8}-\S+)\t\\\\x(\w+)$", dump("2024-07"), re.M)
DAYS = [f"2026-11-{day} 10:00:00+00" for day in ("01", "08", "15")]
VALUES = 5


def root_key():
    return open_bytes(cipher(material(OLD)), bytes.fromhex(ROOT[2]))


def block(table, columns, rows):
    heading = ", ".join(f'"{one}"' for one in columns)
    lines = "".join("\t".join(row) + "\n" for row in rows)
    return f"COPY public.{table} ({heading}) FROM stdin;\n{lines}\\.\n\n"


def wrapped(key, state="active"):
    """One row of the root key: under a key, which is active, staged, or retained."""
    sealed = "\\\\x" + seal_bytes(cipher(material(key)), root_key()).hex()
    name = ACTIVE_ROOT.decode() if state == "active" else f"{state}-row"
    activated = "\\N" if state == "staged" else DAYS[1]
    superseded = DAYS[2] if state == "retained" else "\\N"
    return [name, sealed, activated, superseded, "\\N", label(key)]


ROOT_COLUMNS = (
    "id",
    "encryptedRootKey",
    "activatedAt",
    "supersededAt",
    "lastResolvedAt",
    "kekLabel",
)


def rotated(*wrappers, kept=OLD, history=()):
    """The backup with these rows of the root key, the kept key, and a history of keys."""
    text = dump("2024-07")
    at = text.index("COPY public.kms_root_config")
    end = text.index("\\.\n\n", at) + 4
    snapshot = {part: {"ENCRYPTION_KEY": kept} for part in ("current", "original")}
    sealed = seal_bytes(cipher(root_key()), json.dumps(snapshot).encode()) if kept else b"x" * 60
    blocks = [
        block("kms_kek_history", ("kekLabel", "activatedAt", "supersededAt", "retiredAt"), history),
        block(
            "kms_legacy_encryption_keys",
            ("id", "encryptedKeySnapshot"),
            [("00000000-0000-0000-0000-000000000001", "\\\\x" + sealed.hex())],
        ),
        block("kms_root_config", ROOT_COLUMNS, wrappers),
    ]
    return text[:at] + "".join(blocks) + text[end:]


STAGED = [wrapped(OLD), wrapped(FIRST, "staged")]
PROMOTED = [wrapped(FIRST), wrapped(OLD, "retained")]
COMPLETED = [wrapped(FIRST)]


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "backup.sql"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def ask(tmp_path, capsys):
    def asked(path, key, *options):
        file = tmp_path / "key.env"
        file.write_text(f"ENCRYPTION_KEY={key}\n")
        file.chmod(0o600)
        code = check_key([str(path), "--env-file", str(file), *options])
        return code, capsys.readouterr().out

    return asked


@pytest.mark.parametrize(
    ("rows", "opening"),
    [(STAGED, {OLD, FIRST}), (PROMOTED, {OLD, FIRST}), (COMPLETED, {FIRST})],
    ids=["staged", "promoted", "completed"],
)
def test_every_key_of_its_day_opens_it_to_the_last_secret(written, rows, opening):
    path = written(rotated(*rows))
    for key in (OLD, FIRST, SECOND):
        assert prove(path, key).opens_everything == (key in opening)


def test_states_are_told_apart_and_by_their_labels(written, ask):
    rows = [wrapped(SECOND, "staged"), wrapped(OLD, "retained"), wrapped(FIRST)]
    code, said = ask(written(rotated(*rows)), FIRST)
    assert code == 0
    told = [line.strip() for line in said.splitlines() if line.startswith("    under label")]
    assert told == [
        f"under label {label(SECOND)}, staged and not deployed yet: stays shut",
        f"under label {label(OLD)}, superseded since 2026-11-15: stays shut",
        f"under label {label(FIRST)}, in force since 2026-11-08: opens with this key",
    ]


def test_a_staged_key_is_said_to_be_one_and_so_is_a_superseded_one(written, ask):
    path = written(rotated(wrapped(FIRST), wrapped(OLD, "retained"), wrapped(SECOND, "staged")))
    # It may have been deployed since; then it is the key in force.
    said = ask(path, SECOND)[1]
    assert "this key was staged and not deployed when this backup was made" in said
    assert "if the instance has started with it since, deploy this one" in said
    assert "a staged key is in force once the instance has started with it" in said
    # To deploy one of these is not what is next.
    for key in (OLD, SECOND):
        assert "Next: look for the key in force" in ask(path, key)[1]
    assert "If an instance needs it, set" in ask(path, FIRST)[1]
    assert f"superseded by the one with label {label(FIRST)}" in ask(path, OLD)[1]
    assert not re.search("this key (is|was)", ask(path, FIRST)[1])


def test_of_several_keys_that_open_the_one_in_force_decides(written, ask, tmp_path):
    path = written(rotated(wrapped(FIRST), wrapped(OLD, "retained"), wrapped(SECOND, "staged")))
    for number, key in enumerate((SECOND, FIRST)):
        (tmp_path / f"{number}.env").write_text(f"ENCRYPTION_KEY={key}\n")
    first, second = (str(tmp_path / f"{number}.env") for number in (0, 1))
    _, said = ask(path, OLD, "--env-file", first, "--env-file", second)
    assert f"key        {second}: ENCRYPTION_KEY with label {label(FIRST)}" in said
    assert "If an instance needs it, set" in said


def test_whoever_has_the_new_key_has_the_old_one_as_well_and_is_told(written, ask):
    said = ask(written(rotated(*COMPLETED)), FIRST)[1]
    assert f"{VALUES} values of the first generation" in said
    assert f"lie under the key with label {label(OLD)} for good" in said
    assert OLD not in said


def test_what_a_key_that_was_rotated_away_still_opens_is_counted(written, ask):
    history = [
        (label(OLD), DAYS[0], DAYS[1], DAYS[2]),
        (label(FIRST), DAYS[1], "\\N", "\\N"),
    ]
    path = written(rotated(*COMPLETED, history=history))
    code, said = ask(path, OLD)
    assert code == 1
    assert "in force from 2026-11-01 until 2026-11-08, and was removed on 2026-11-15" in said
    assert f"{VALUES} of {VALUES} values of the first generation" in said
    code, said = ask(path, STRANGER)
    assert code == 1
    assert "first generation" not in said
    assert "was in force" not in said


def test_values_that_an_upgrade_wrote_past_the_kept_key_are_found(written, ask):
    """They lie under the environment's key; the instance reads them with the one it keeps."""
    text = rotated(*COMPLETED)
    row = next(one for one in text.splitlines() if "Infisical Bot" in one)
    values = row.split("\t")
    names = (
        re.search(r"COPY public.project_bots \((.*)\) FROM", text)[1].replace('"', "").split(", ")
    )
    at = [names.index(name) for name in ("encryptedPrivateKey", "iv", "tag")]
    plain = open_columns(cipher(material(OLD)), *(values[one] for one in at))
    for one, value in zip(at, seal_columns(AESGCM(FIRST.encode()), plain, 16), strict=True):
        values[one] = value
    path = written(text.replace(row, "\t".join(values)))
    code, said = ask(path, FIRST)
    assert code == 2
    assert "1 values of the first generation lie under this key and not under the one" in said
    assert prove(path, FIRST).secrets_opened == 10, "what can be opened is opened all the same"


def test_kept_keys_that_stay_shut_prove_nothing(written, ask):
    code, said = ask(written(rotated(*COMPLETED, kept="")), FIRST)
    assert code == 1
    assert "the keys of 1 of 1 projects stay shut" in said


def test_numbers_for_machines(written, ask):
    code, said = ask(written(rotated(*STAGED)), FIRST, "--output", "json")
    [key] = json.loads(said)["keys"]
    assert code == 0
    assert [(one["state"], one["opened"]) for one in key["wrappers"]] == [
        ("active", False),
        ("staged", True),
    ]
    assert (key["kept"], key["first_generation"]) == ([label(OLD)], VALUES)
    assert key["under_this_key"] == 0


def test_recover_brings_everything_back_and_says_what_the_key_is(written, tmp_path, capsys):
    path, out = written(rotated(*STAGED)), tmp_path / "secrets.json"
    file = tmp_path / "key.env"
    file.write_text(f"ENCRYPTION_KEY={FIRST}\n")
    arguments = [str(path), "--env-file", str(file), "--out", str(out)]
    assert recover([*arguments, "--plaintext"]) == 0
    said = capsys.readouterr().err
    assert "10 of 10 secrets" in said
    assert "Note: this key was staged and not deployed" in said
