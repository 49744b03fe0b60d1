"""What was examined: the servers, the engine that ran them, the data and the keys."""

from __future__ import annotations

from typing import Literal

from reports.frame import DataSet
from reports.part import Part

Grade = Literal["deployment", "rehearsal"]


class Engine(Part):
    """The container engine, as it answers when asked."""

    name: str = "Docker Engine"
    version: str | None = None
    api: str | None = None
    compose: str | None = None
    kernel: str | None = None
    system: str | None = None


class Backend(Part):
    """The program under test: started from an image or by a command."""

    image: str | None = None
    command: str | None = None
    digest: str | None = None
    version: str | None = None


class Server(Part):
    """A server beside the backend, and what it answered when asked for its version."""

    version: str | None = None


class ComposeFile(Part):
    """The compose file the stack was started from."""

    sha256: str | None = None


class Key(Part):
    """A key by its public fingerprint; the value is in memory only."""

    name: str
    label: str
    bytes: int


class Subject(Part):
    """What was examined. Only grade `deployment` says anything about a deployment."""

    driver: str = "none"
    grade: Grade = "rehearsal"
    backend: Backend = Backend()
    database: Server = Server()
    cache: Server = Server()
    compose: ComposeFile = ComposeFile()
    keys: tuple[Key, ...] = ()
    endpoint_note: str | None = None
    data_set: DataSet | None = None
    engine: Engine | None = None
