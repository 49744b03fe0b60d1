"""fleet.toml: the instances whose restores are drilled, by which workers, how often, with what.

    [[instance]]
    name = "payments"
    label = "eu"
    cadence = "quarterly"
    backup = "/backups/payments"
    env_file = "/etc/drillbook/payments.env"
    image = "infisical/infisical:v0.135.0-postgres"
    rto = "4h"
    rpo = "24h"

Each key below cadence is an option of `drillbook drill`, with underscores. Paths are those on the
worker's machine, which has its own fleet.toml; where the file is only read, no path is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from drillbook.core import options as o
from drillbook.core.options import seconds
from reports.config.strict_toml import load_toml
from reports.errors import BadDeclaration, near
from reports.evidence.context import Cadence, EvidenceModel

_OF_DRILL = {
    one.key: one
    for one in (
        *(o.ENV_FILE, o.IMAGE, o.RTO, o.RPO, o.CREDENTIAL, o.STATEMENT_LIMIT),
        *(o.STACK, o.COMPOSE, o.TO_DATABASE, o.CONFIG, o.WAIVERS, o.CERTIFIED, o.REASON),
        *(o.OPERATOR, o.TSA),
    )
}
_JUDGED = {one.key: one for one in (o.LABEL, *_OF_DRILL.values())} | {"name": o.INSTANCE}
_FILES = ("env_file", "credential", "compose", "config", "waivers")
# A user alone is a credential for https (a token), and none for other schemes.
_WITH_CREDENTIAL = re.compile(r"^https?://[^/]*@|://[^?#]*:[^?#]*@|://[^?]*\?")


class Instance(EvidenceModel):
    """An instance, and the drill of its backup."""

    name: str
    label: str
    cadence: Cadence
    backup: Annotated[str, Field(min_length=1)]
    env_file: str
    image: str | None = None
    rto: str | None = None
    rpo: str | None = None
    credential: str | None = None
    statement_limit: str | None = None
    stack: str | None = None
    compose: str | None = None
    to_database: str | None = None
    config: str | None = None
    waivers: str | None = None
    certified: bool = False
    reason: str | None = "scheduled"
    operator: str | None = None
    tsa: str | None = None

    @field_validator("*")
    @classmethod
    def _judge(cls, value: object, info: ValidationInfo) -> object:
        key = str(info.field_name)
        option = None if key in _FILES else _JUDGED.get(key)
        if option and isinstance(value, str) and (wrong := o.fault(option, value)):
            raise ValueError(wrong)
        return value

    @field_validator("backup")
    @classmethod
    def _judge_backup(cls, value: str) -> str:
        if value == "-":
            raise ValueError("standard input is not a place of a backup; name a file or a folder")
        if _WITH_CREDENTIAL.search(value):
            raise ValueError("a url with a credential; put it into the environment of the worker")
        return value

    @model_validator(mode="after")
    def _refuse_image_of_rehearsal(self) -> Instance:
        if self.stack == "embedded" and (self.image or self.compose):
            raise ValueError('stack = "embedded" takes neither image nor compose: remove them')
        return self

    @property
    def words(self) -> list[str]:
        """The command line of its drill, after `drillbook drill`."""
        given = {option.name: getattr(self, key) for key, option in _OF_DRILL.items()}
        flags = [f"--{name}" for name, value in given.items() if value is True]
        named = [f"--{name}={value}" for name, value in given.items() if isinstance(value, str)]
        return [f"--{o.INSTANCE.name}={self.name}", *named, *flags, "--", self.backup]

    @property
    def files(self) -> list[str]:
        """The files that its drill reads, except the backup."""
        return [value for key in _FILES if (value := getattr(self, key))]

    @property
    def rto_s(self) -> float | None:
        """How long a recovery may take, in seconds."""
        return seconds(self.rto, "rto") if self.rto else None

    @property
    def rpo_s(self) -> float | None:
        """How old a backup may be, in seconds."""
        return seconds(self.rpo, "rpo") if self.rpo else None


class Fleet(EvidenceModel):
    """The whole fleet.toml."""

    instance: Annotated[tuple[Instance, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _refuse_duplicates(self) -> Fleet:
        names = [one.name for one in self.instance]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two instances have the name {name}; give each its own")
        return self


def load(path: Path) -> tuple[Instance, ...]:
    """The instances of a fleet.toml; BadDeclaration says what is wrong with which key."""
    return load_toml(path, Fleet)[0].instance


def find(instances: Iterable[Instance], names: Iterable[str]) -> list[Instance]:
    """The instances with these names; BadDeclaration for an unknown name."""
    known = {one.name: one for one in instances}
    for name in names:
        if name not in known:
            raise BadDeclaration(f"fleet.toml has no instance {name}; {near(name, known)}")
    return [known[name] for name in dict.fromkeys(names)]
