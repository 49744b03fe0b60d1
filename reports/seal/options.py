"""What a run is told about its seal: a key by file or environment, and who stamps the time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.errors import BadKey
from reports.seal.folder import BY_FILE, Sealer

if TYPE_CHECKING:
    from reports.record import Recorder


def add_options(group: pytest.OptionGroup) -> None:
    """Paths and names only: a key itself never stands on a command line."""
    group.addoption("--signing-key", metavar="FILE", help="sign the bundle (make signing-key)")
    group.addoption(
        "--signing-key-env", metavar="NAME", help="the same, from an environment variable"
    )
    group.addoption(
        "--tsa", metavar="URL", help='RFC 3161 authority that stamps the bundle; "file": by hand'
    )


def sealer(config: pytest.Config, recorder: Recorder) -> Sealer:
    """The key, read now so that no run is lost to a bad one; BadKey says what is wrong with it."""
    option = config.getoption
    made = chosen(option("--signing-key"), option("--signing-key-env"), option("--tsa"))
    if made.key:
        for name, value in made.key.secrets.items():
            recorder.secret(name, value)
    return made


def chosen(file: str | None, variable: str | None, authority: str | None) -> Sealer:
    """A sealer from what was given."""
    if authority and authority != BY_FILE and not authority.startswith(("http://", "https://")):
        raise BadKey(f'TSA {authority}: give an http(s) address, or "file" to carry it by hand')
    if not file and not variable:
        return Sealer(None, authority or None)
    from reports.seal import signature

    if file and variable:
        raise BadKey("two signing keys were given: by file and by environment; give one")
    key = signature.load(Path(file)) if file else signature.from_environment(str(variable))
    return Sealer(key, authority or None)
