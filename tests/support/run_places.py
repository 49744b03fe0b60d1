"""The places of disturbed runs: embedded processes, or containers on a separate engine."""

import os
import subprocess
from random import Random

from drillbook.stack.containers import docker_engine as engine
from tests.support import aftermath, disturbances
from tests.support.own_engine import IMAGES, OwnEngine

_SERVICES = {"backend": "backend", "database": "db", "cache": "redis"}
_LISTS = {"container": ["ps", "--all"], "volume": ["volume", "ls"], "network": ["network", "ls"]}


class Processes:
    """Embedded stacks, which consist of processes and folders of this machine."""

    kinds = disturbances.KINDS
    bugs = tuple(disturbances.BUGS)
    specs = ("keys/test_wrong_key.py", "database/test_password.py", "health/test_status.py")
    specs += ("wipe/test_wipe.py",)
    options, prefix, environment, patience_s = ("--stack=embedded",), (), {}, 240
    strike = staticmethod(disturbances.strike)
    sweeping = "from drillbook.core import run_directory; run_directory.sweep()"

    def mend(self):
        """Repair what a sweep needs; nothing here."""

    def left(self, ids):
        """What an engine still has of these runs; nothing here."""
        return []

    def bystanders(self, folder):
        """Things of others, which a run must not harm."""
        return aftermath.Bystanders(folder)

    def close(self):
        """Do nothing."""


class Guests(Processes):
    """Containers of the reference image on a separate engine, which may be killed too."""

    kinds = ("run", "interrupt", "backend", "database", "cache", "engine")
    bugs = ("OverwritesRootKey", "ServesBeforeCheck", "HealthAsHtml")
    options, patience_s = ("--stack=containers", f"--image={IMAGES[0]}"), 420
    sweeping = "from drillbook.stack.sweep import sweep; sweep(engine=True)"

    def __init__(self, folder, specs=("keys/test_wrong_key.py", "health/test_status.py")):
        self.engine = OwnEngine(folder / "engine")
        self.specs = specs
        self.prefix = tuple(self.engine.beside())
        self.environment = {"DOCKER_HOST": self.engine.address}

    def strike(self, moment, run, ids, place):
        """Cause the disturbance; False if there is nothing to disturb at this moment."""
        if moment.kind == "engine":
            return self.engine.kill()
        if moment.kind not in _SERVICES:
            return disturbances.strike(moment, run, ids, place)
        service = f"label={engine.SERVICE}={_SERVICES[moment.kind]}"
        ours = [["--filter", f"label={engine.RUN}={one}", "--filter", service] for one in ids]
        found = [name for which in ours for name in self.engine.ask("ps", "--quiet", *which)]
        struck = Random(moment.at).choice(sorted(found)) if found else None
        return bool(struck) and self.engine.ask("kill", struck, check=False) is not None

    def mend(self):
        """Start a killed engine again."""
        self.engine.start()

    def left(self, ids):
        """The containers, volumes and networks of these runs."""
        told = [f"{kind} {line}" for kind in _LISTS for line in self._labelled(kind)]
        return [line for line in told if line.split()[-1] in ids]

    def _labelled(self, kind):
        name = "{{.Names}}" if kind == "container" else "{{.Name}}"
        form = f'{name} {{{{.Label "{engine.RUN}"}}}}'
        return self.engine.ask(*_LISTS[kind], "--format", form)

    def bystanders(self, folder):
        """Things of others, on this machine and on the engine."""
        return Neighbours(folder, self.engine)

    def close(self):
        """Stop the engine and remove everything on it."""
        self.engine.close()


class Neighbours(aftermath.Bystanders):
    """Also things on the engine: without labels, of another machine, and of a living run."""

    def __init__(self, folder, own):
        super().__init__(folder)
        self._engine = own
        living = self.run.name.rpartition("-")[2]
        here = {
            engine.RUN: living,
            engine.HOST: engine.host(),
            engine.PID: str(os.getpid()),
        }
        elsewhere = {engine.RUN: "0123456789", engine.HOST: "0" * 16}
        marked = {"someone": {}, "drillbook-0123456789": elsewhere, f"drillbook-{living}": here}
        self._names = [f"{name}-secrets-db-1" for name in marked]
        for name, labels in zip(self._names, marked.values(), strict=True):
            self._settle(name, labels)
        self._known = self._all()

    def _settle(self, name, labels):
        marks = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        self._engine.ask("volume", "create", *marks, name)
        self._engine.ask("network", "create", *marks, name)
        how = ["--detach", "--restart=always", "--volume", f"{name}:/data", "--network", name]
        what = ["--entrypoint", "sleep", IMAGES[2], "1000000"]
        self._engine.ask("run", *how, *marks, "--name", name, *what)

    def _all(self):
        forms = {"ps": "{{.Names}}", "volume ls": "{{.Name}}", "network ls": "{{.Name}}"}
        return {
            f"{words}: {name}"
            for words, form in forms.items()
            for name in self._engine.ask(*words.split(), "--format", form)
        }

    def harmed(self):
        """The bystanders that have changed, including containers that do not run any more."""
        return super().harmed() + sorted(self._known - self._all())

    def close(self):
        """Remove them, those on the engine, too."""
        super().close()
        for words in (["rm", "--force"], ["volume", "rm"], ["network", "rm"]):
            self._engine.ask(*words, *self._names, check=False)


def of(stack, folder):
    """The ground for a stack by its name; images that are missing are made first."""
    if stack != "containers":
        return Processes()
    asked = subprocess.run(["docker", "image", "inspect", *IMAGES], capture_output=True)
    if asked.returncode:
        subprocess.run(["compose/offline/build.sh"], check=True)
    return Guests(folder)
