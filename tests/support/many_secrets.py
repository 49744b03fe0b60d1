"""A backup with many secrets, made from the golden state of an embedded stack."""

import os
import uuid

from drillbook.backup.tables import open_dump
from drillbook.core.recorder_protocol import NullRecorder
from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.crypto import seal_bytes
from drillbook.infisical.schema import NEW
from drillbook.infisical.settings import KEYS
from drillbook.keys import key_files
from drillbook.keys.hierarchy import EncryptedBackup, UnlockedKeys
from drillbook.stack.embedded.embedded_driver import Embedded
from fixtures.session.golden_session import Installation

_SECRETS = f"COPY public.{NEW.table} (".encode()
_THEN = "2026-01-01 00:00:00+00"


def backup_with_secrets(folder, number):
    """The path of a backup with so many more secrets, and that of its keys, in a folder."""
    home, keys, target = Home(new_run_id()), folder / "keys.env", folder / "many.sql"
    stack = Embedded(home.run_id, NullRecorder(), home.path)
    try:
        deployment = Installation(stack, NullRecorder(), home.path).for_reading()
        small, settings = deployment.back_up(), deployment.golden_settings
        keys.touch(mode=0o600)
        keys.write_text("".join(f"{name}={settings[name]}\n" for name in KEYS))
        content = small.read_bytes()
        start = content.index(b"\n", content.index(_SECRETS)) + 1
        with target.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content[:start])
            file.writelines(_rows(small, keys, number))
            file.write(content[start:])
    finally:
        stack.down()
        home.close()
    return target, keys


def _rows(backup, keys, number):
    """Rows of secrets, encrypted as the product encrypts them."""
    with open_dump(backup) as dump:
        chest = EncryptedBackup(dump)
        ring = UnlockedKeys(chest, key_files.load(keys).key)
    places = [
        (folder.decode(), key)
        for folder, project in chest.project_of.items()
        if (key := ring.new_key(project))
    ]
    for at in range(number):
        folder, key = places[at % len(places)]
        value = seal_bytes(key, b"value %d of the ledger, of a usual length" % at) + b"v01"
        row = f"{uuid.uuid4()}\t1\tshared\tLEDGER_{at}\t\\\\x{value.hex()}"
        yield f"{row}\t\\N\tf\t\\N\t\\N\t{folder}\t{_THEN}\t{_THEN}\n".encode()
