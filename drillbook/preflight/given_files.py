"""The files that a user gives to be checked, each read when a check first needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.core import dotenv
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput, NotGiven
from drillbook.core.files import read_file
from drillbook.infisical.settings import Settings
from drillbook.preflight import backupfile
from drillbook.preflight.key_strength import SECRETS, Deployed, password_of
from drillbook.stack import compose_file

if TYPE_CHECKING:
    from drillbook.preflight.git_scan import Searched

_REFERENCE_COMPOSE = ROOT / "compose" / "docker-compose.coolify.yml"
_LARGEST_DOTENV = 1 << 20
_SEARCHED_NAME = re.compile("PASS|SECRET|KEY|TOKEN")


@dataclass(frozen=True)
class GivenFiles:
    """The files that the user gave; None for those that were not given.

    What is made of them raises BadInput for a file that cannot be read.
    """

    env_file: Path | None = None
    compose: Path | None = None
    repo: Path | None = None
    escrow: Path | None = None
    backup: Path | None = None

    def need(self, name: str) -> Path:
        """A file by name; NotGiven names the option to give it with."""
        found: Path | None = getattr(self, name)
        if found is None:
            option = name.replace("_", "-")
            raise NotGiven(f"--{option} was not given, so this was not judged")
        return found

    def read(self) -> None:
        """Read what was given, the repository apart: what cannot be read is refused first."""
        _ = self.deployed
        if self.escrow:
            _ = self.escrowed
        if self.backup:
            _ = self.newest_backup

    @cached_property
    def deployed(self) -> Deployed:
        """The given variables and compose file; else generated variables and the reference."""
        if self.env_file:
            env = dotenv.load(self.env_file)
        else:
            env = dotenv.EnvFile("generated settings", Settings.generate(), {})
        variables = {**env, **self.variables_of_dotenv}
        compose = compose_file.load(self.compose or _REFERENCE_COMPOSE, variables)
        return Deployed(env, compose, given=self.compose is not None)

    @cached_property
    def variables_of_dotenv(self) -> Mapping[str, str]:
        """The variables of a .env next to the compose file; none if an env file was given."""
        path = self.compose.parent / ".env" if self.compose and not self.env_file else None
        if path is None or not path.is_file():
            return {}
        try:
            data = read_file(path, _LARGEST_DOTENV)
        except OSError as trouble:
            raise BadInput(f"{path}: {trouble.strerror}; mend it, or give --env-file") from None
        return dotenv.load(path) if b"=" in data else {}

    @cached_property
    def searched_repo(self) -> Searched:
        """The result of one search of the repository for the deployment's and other secrets.

        Unsupported where its history is not here.
        """
        # Imported here: the scanner loads slowly, and only this needs it.
        from drillbook.preflight.git_scan import Repository

        repository = Repository(self.need("repo"))
        if not self.env_file:
            return repository.search({})
        deployed = self.deployed
        names = sorted({*SECRETS, *filter(_SEARCHED_NAME.search, deployed.env)})
        values = {name: value for name in names if (value := deployed.get(name))}
        for name in ("DB_CONNECTION_URI", "REDIS_URL"):
            # The compose file may give the container another one.
            password = password_of(deployed.env.get(name)) or password_of(deployed.get(name))
            # The value of a reference is known on the server alone.
            if password and not password.startswith("$"):
                values[f"the password in {name}"] = password
        return repository.search(values)

    @cached_property
    def escrowed(self) -> dotenv.EnvFile:
        """The escrow of keys."""
        return dotenv.load(self.need("escrow"), "escrow file")

    @cached_property
    def newest_backup(self) -> backupfile.Backup:
        """The newest of the backups."""
        return backupfile.load(self.need("backup"))
