"""`drillbook key rekey` on a backup of the reference backend: restored, started, read."""

import json
from pathlib import Path

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.runbook import procedures
from fixtures.session.golden_session import Installation
from tests.support.commands import rekey as main
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow


def test_a_users_backup_is_tried_out_in_a_copy_of_its_own(embedded, recorder, tmp_path):
    deployment = Installation(embedded, recorder, tmp_path).for_reading()
    settings = deployment.golden_settings
    files = {name: str(tmp_path / name) for name in ("old.env", "new.env", "old.sql", "new.sql")}
    assert procedures.back_up(embedded, Path(files["old.sql"])).exit_code == 0
    Path(files["old.env"]).write_text(f"ENCRYPTION_KEY={settings['ENCRYPTION_KEY']}\n")
    Path(files["new.env"]).write_text(f"ENCRYPTION_KEY={openssl_rand_hex(16)}\n")
    given = ["--env-file", files["old.env"], "--new-env-file", files["new.env"]]
    assert main([files["old.sql"], *given, "--out", files["new.sql"]]) == 0
    words = ["suites/change/test_rekey.py", "--only-evidence", "--one-question"]
    words += ["--stack=embedded", "--backup", files["old.sql"], "--rekeyed", files["new.sql"]]
    done, written = run_specs(tmp_path / "runs", *words, *given)
    assert written.exists(), done.stdout + done.stderr
    [control] = [
        one for one in json.loads(written.read_text())["controls"] if one["id"] == "KEY-14"
    ]
    assert (control["verdict"], done.returncode) == ("satisfied", 0), control
    assert settings["ENCRYPTION_KEY"] not in written.read_text()
