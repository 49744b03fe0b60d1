"""Starts the reference backend for its own tests: in a thread, or as a process that must end."""

import contextlib
import functools
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

from drillbook.core.application import ROOT
from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.client import LIFETIME
from drillbook.infisical.settings import Settings, backend_environment
from drillbook.stack.embedded.servers import Cache, Postgres
from drillbook.stack.processes import free_port
from fixtures.mutants.base import registry
from fixtures.reference import modes
from fixtures.reference.app import App, Parts
from fixtures.reference.journal import Journal

GOLDEN = "golden"


class Services:
    """A database server with a golden database, which tests copy, and a cache."""

    def __init__(self):
        self.home = Home(new_run_id())
        inherited = {"PATH": os.environ["PATH"]}
        self.postgres = Postgres(self.home.path, inherited)
        self.cache = Cache(self.home.path, inherited)
        self.settings = Settings.generate()
        self.golden = None
        self._numbers = itertools.count(1)

    def start(self):
        self.postgres.start(self.settings["POSTGRES_PASSWORD"])
        self.cache.start()
        self.admin(f"CREATE DATABASE {GOLDEN}")
        with Backend(self, GOLDEN) as backend:
            self.golden = create_golden(backend)

    def admin(self, statement):
        self.postgres.inside(statement, database="postgres")

    def copy(self, template=GOLDEN):
        """The name of a new copy of a database, for one test; the cache is emptied."""
        name = f"copy_{next(self._numbers)}"
        self.admin(f"CREATE DATABASE {name} TEMPLATE {template}")
        self.cache.flush()
        return name

    def environment(self, database, **changes):
        """The environment of a backend on this database; None removes a variable."""
        database_port = f"127.0.0.1:{self.postgres.port}"
        base = backend_environment(
            self.settings, database_port, f"redis://127.0.0.1:{self.cache.port}"
        )
        base["DB_CONNECTION_URI"] = base["DB_CONNECTION_URI"].removesuffix("infisical") + database
        env = {**base, "HOST": "127.0.0.1", "PORT": str(free_port()), **changes}
        return {name: value for name, value in env.items() if value is not None}

    def close(self):
        self.cache.stop()
        self.postgres.stop()
        self.home.close()


@contextlib.contextmanager
def running():
    """Services for the tests of a module, stopped afterwards in any case."""
    made = Services()
    try:
        made.start()
        yield made
    finally:
        made.close()


class Kept(Journal):
    """A journal that keeps its lines."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def line(self, text, stream=None):
        self.lines.append(text)

    @property
    def text(self):
        return "\n".join(self.lines)


class Backend:
    """One start in a thread: it serves (`code` is None) or has died with a code."""

    def __init__(self, services, database, plant=None, offers="", **changes):
        self.journal, parts = Kept(), Parts()
        modes.switch_on(parts, offers)
        if plant:
            parts.replace(registry()[plant].parts)
        parts.boot = self._listening(parts.boot)
        self.env = services.environment(database, **changes)
        self.app = App(parts.environment.read(self.env), self.journal, parts)
        self.servers, self.code, self.status = [], None, None

    def _listening(self, boot):
        backend = self

        class Listening(boot):
            def listen(self):
                server = super().listen()
                # By default a server checks only every half second whether it should stop.
                server.serve_forever = functools.partial(server.serve_forever, 0.01)
                backend.servers.append(server)
                return server

        return Listening

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        ends = time.monotonic() + 120
        while self.code is None and self.status != 200 and time.monotonic() < ends:
            with contextlib.suppress(OSError):
                self.status = self.ask("GET", "/api/status").status
            time.sleep(0.005)
        return self

    def _run(self):
        self.code = self.app.boot.run()

    def __exit__(self, *_):
        if self.code is None:
            for server in self.servers:
                server.shutdown()
                server.server_close()
        self._thread.join()

    def ask(self, method, route, body=None, token=None, /, **query):
        """Send a request; return its answer's status, type, text, and body if that is JSON."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.env['PORT']}{route}{'?' if words else ''}{words}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return _answer(response.status, response)
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(refused.code, refused)


def _answer(status, response):
    text, kind = response.read().decode(), response.headers["Content-Type"]
    body = json.loads(text) if text and kind.startswith("application/json") else None
    return SimpleNamespace(status=status, kind=kind, text=text, body=body)


def die(services, database, **changes):
    """Run the backend as a process that should end; return its exit code and its output."""
    env = {**services.environment(database, **changes), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fixtures.reference"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, cwd="/")
    return done.returncode, done.stdout + done.stderr


def create_golden(backend):
    """Set up an instance with a project, nested folders, a machine, and two secrets."""
    assert backend.code is None, backend.journal.text
    owner = {"email": "owner@example.com", "password": "pass word", "organization": "Drill"}
    made = backend.ask("POST", "/api/v1/admin/bootstrap", owner).body
    admin, org = made["identity"]["credentials"]["token"], made["organization"]["id"]
    new = {"projectName": "Ledger"}
    project = backend.ask("POST", "/api/v1/projects", new, admin).body["project"]["id"]
    at = {"projectId": project, "environment": "dev", "secretPath": "/"}
    backend.ask("POST", "/api/v2/folders", {**at, "name": "payroll"}, admin)
    backend.ask("POST", "/api/v2/folders", {**at, "path": "/payroll", "name": "closed"}, admin)
    machine = machine_of(backend, admin, org, project)
    both = [{"secretKey": key, "secretValue": f"first {key}"} for key in ("PLAIN", "TWICE")]
    backend.ask("POST", "/api/v4/secrets/batch", {**at, "secrets": both}, admin)
    backend.ask("PATCH", "/api/v4/secrets/TWICE", {**at, "secretValue": "second"}, admin)
    token = backend.ask("POST", LOGIN, machine).body["accessToken"]
    return SimpleNamespace(admin=admin, org=org, at=at, machine=machine, token=token)


LOGIN = "/api/v1/auth/universal-auth/login"


def machine_of(backend, admin, org, project):
    """The credential of a new machine identity that administers the project."""
    new = {"name": "service", "organizationId": org, "role": "no-access"}
    identity = backend.ask("POST", "/api/v1/identities", new, admin).body["identity"]["id"]
    auth = f"/api/v1/auth/universal-auth/identities/{identity}"
    client = backend.ask("POST", auth, LIFETIME, admin).body["identityUniversalAuth"]["clientId"]
    secret = backend.ask("POST", f"{auth}/client-secrets", {}, admin).body["clientSecret"]
    member = f"/api/v1/projects/{project}/memberships/identities/{identity}"
    backend.ask("POST", member, {"role": "admin"}, admin)
    return {"clientId": client, "clientSecret": secret}
