"""Do the tests notice a mutant? Each is judged in a fork of a process that has done all the rest.

Warm: the tests are loaded and collected once, each is run alone to learn which functions of the
module it enters, and a mutant is the functions' new bodies put into the loaded module; only the
tests that enter them are asked, the fastest first. Cold, for what happens on import: as `pytest`
would, in a process that has loaded what never changes.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
import traceback
import types

from tests.swapping import bodies, functions, place, place_values, renewed

# Of processor time, above what the tests take; a busy machine may need many times as long.
PATIENCE_S = 10
MOST_BYTES = 4 << 30
TOOL = 4
SPAWNS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec"}
# Loading one of them is running it.
SCRIPTS = ("__main__", "__init__", "warmed")
OURS = {"conftest", "drillbook", "fixtures", "reports", "suites", "tests", "__main__"}
HEAVY = (
    "_pytest.pytester",
    "anyio.pytest_plugin",
    "cryptography.x509",
    "docker",
    "httpx2",
    "hypothesis.extra",
    "hypothesis.strategies",
    "jinja2",
    "jsonschema",
    "pikepdf",
    "jwt",
    "psycopg",
    "pydantic",
    "pytest_timeout",
    "redis",
    "rich.console",
    "securesystemslib.dsse",
    "testcontainers.compose",
    "typst",
    "xdist.plugin",
    "yaml",
)


def settled(folder):
    """Work in the copy; let Hypothesis fail without shrinking."""
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    steady()


def prepared(folder, mutated):
    """Load what no mutant of this module changes."""
    for module in HEAVY:
        __import__(module)
    # Fixtures and reports never import each other.
    other = "reports" if mutated.startswith("fixtures/") else "fixtures"
    for path in sorted((folder / other).rglob("*.py")):
        if path.stem not in SCRIPTS:
            __import__(".".join(path.relative_to(folder).with_suffix("").parts))


def steady():
    """The same inputs each time, and no failure because the machine was slow."""
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutants",
        phases=(Phase.explicit, Phase.generate),
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def forked(work, patience_s=PATIENCE_S):
    """What a fork that does the work returns (JSON), or None when it dies or does not end."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(ours)
            bounded(patience_s)
            os.write(theirs, json.dumps(work()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        code = awaited(child, patience_s)
        return json.loads(answer.read()) if code == 0 else None


def bounded(patience_s):
    """A mutant may loop and gather; the machine is not ours alone."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(patience_s) + 1, int(patience_s) + 2))
    sink = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)


def awaited(child, patience_s):
    """The exit code of a fork; its whole group is ended when patience is."""
    ended = os.pidfd_open(child)
    waiting = select.poll()
    waiting.register(ended, select.POLLIN)
    if not waiting.poll(patience_s * 20_000):
        os.killpg(child, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def options(tests):
    """How pytest is asked; a warning about what is loaded here on purpose is none."""
    warned = "ignore::pytest.PytestAssertRewriteWarning"
    quiet = ["-x", "-q", "-n0", "-s", "-p", "no:cacheprovider", "--tb=line", "-W", warned]
    return [*quiet, "--basetemp=basetemp", *tests]


def cold(tests):
    """Whether the tests, run as pytest runs them, all pass."""
    import pytest

    return int(pytest.main(options(tests))) == 0


class Warm:
    """Collected tests of a module, and who enters what."""

    def __init__(self, path, tests):
        self.path = str(path)
        self.early, self.entered = set(), set()
        self.watch(self.early)
        self.session = collected(tests)
        self.items = {item.nodeid: item for item in self.session.items}
        sys.monitoring.set_events(TOOL, 0)
        self.codes = dict(functions(compile(path.read_bytes(), self.path, "exec")))
        self.known = {name: forked(lambda name=name: self.alone(name), 120) for name in self.items}
        for told in filter(None, self.known.values()):
            for name in told[4]:
                with contextlib.suppress(ImportError):
                    __import__(name)

    def watch(self, entered):
        """Note the module's functions that are entered from now on."""

        def start(code, _offset):
            if code.co_filename == self.path:
                entered.add(code.co_qualname.split(".<locals>")[0])
            return sys.monitoring.DISABLE

        if sys.monitoring.get_tool(TOOL) is None:
            sys.monitoring.use_tool_id(TOOL, "mutants")
        sys.monitoring.register_callback(TOOL, sys.monitoring.events.PY_START, start)
        sys.monitoring.set_events(TOOL, sys.monitoring.events.PY_START)
        sys.monitoring.restart_events()

    def alone(self, name):
        """What one test enters, how long it takes, whether it starts processes and passes."""
        started = []
        sys.addaudithook(lambda event, _: started.append(event) if event in SPAWNS else None)
        before = set(sys.modules)
        self.watch(self.entered)
        passed = self.passes([name])
        took = sum(os.times()[:4])
        new = [one for one in set(sys.modules) - before if one.partition(".")[0] not in OURS]
        return [passed, took, sorted(self.entered), bool(started), sorted(new)]

    def passes(self, names):
        """Whether these tests pass, run in this process."""
        self.session.items = [self.items[name] for name in names]
        try:
            self.session.config.hook.pytest_runtestloop(session=self.session)
        except self.session.Failed:
            return False
        return self.session.testsfailed == 0

    def failing(self):
        """Tests that do not pass alone without a mutant."""
        return [name for name, told in self.known.items() if told is None or not told[0]]

    def notices(self, text):
        """True or False; None for a mutant that must be judged cold."""
        code = compile(text, self.path, "exec")
        mutated = bodies(self.codes, dict(functions(code)))
        outer = {name.split(".<locals>")[0] for name, _ in mutated}
        if outer & self.early or not (mutated or forked(lambda: [*renewed(code, self.module)])):
            return None
        asked = self.asked(outer)
        patience = PATIENCE_S + 5 * sum(self.known[name][1] for name in asked)
        noticed = not forked(lambda: self.judge(code, mutated, asked), patience)
        # A constant may also stand in a class or a default, which loading alone makes.
        return noticed or (False if mutated else None)

    @property
    def module(self):
        """The mutated module as it was loaded."""
        same = (one for one in sys.modules.values() if getattr(one, "__file__", 0) == self.path)
        return next(same, None)

    def asked(self, outer):
        """The tests that enter these functions, or start a process that may; fastest first.

        All of them where it is no function that differs.
        """
        able = self.known if not outer else ()
        able = able or [name for name, told in self.known.items() if told[3] or outer & {*told[2]}]
        return sorted(able, key=lambda name: self.known[name][1])

    def judge(self, code, mutated, names):
        """Put the bodies or the constants in place, and ask."""
        if not mutated:
            place_values(renewed(code, self.module), self.module)
        for function in gc.get_objects():
            if isinstance(function, types.FunctionType):
                code = function.__code__
                if code.co_filename == self.path and place(code) in mutated:
                    function.__code__ = mutated[place(code)]
        return self.passes(names)


def collected(tests):
    """A session of pytest that knows its tests and has run none."""
    from _pytest.config import _prepareconfig
    from _pytest.main import Session

    config = _prepareconfig(options(tests))
    config._do_configure()
    session = Session.from_config(config)
    config.hook.pytest_sessionstart(session=session)
    config.hook.pytest_collection(session=session)
    return session
