"""The terminal output of an evidence run while it goes on, in place of pytest's dots."""

from __future__ import annotations

import os
from collections.abc import Container, Generator, Iterable, Iterator, Mapping
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter
from rich.console import Console
from rich.live import Live
from rich.text import Text

from reports.record.recorder import wall_clock_s
from reports.render.phrases import duration
from reports.render.terminal import STYLES, Line
from reports.session.evidence_run import EvidenceRun
from reports.session.xdist_workers import durations
from reports.verdict import Verdict, worst

_BAR = 10


def install(config: pytest.Config, run: EvidenceRun) -> None:
    """Replace pytest's own reporter, unless it is switched off."""
    ordinary = config.pluginmanager.get_plugin("terminalreporter")
    if ordinary is not None:
        config.pluginmanager.unregister(ordinary)
        config.pluginmanager.register(Terminal(config, run), "terminalreporter")


class Terminal(TerminalReporter):  # type: ignore[misc]  # final, yet plugins look for its kind
    """One line for each control when its last spec is over; on a terminal, the step under way.

    With --quiet only the result is printed, with --verbose every correction in full, with -vv
    pytest's tracebacks as well.
    """

    def __init__(self, config: pytest.Config, run: EvidenceRun) -> None:
        super().__init__(config)
        self._show_progress_info = False
        self._run = run
        self._done: list[str] = []
        self._specs_done: set[str] = set()
        self._chapter: str | None = None
        self._now: tuple[str, str] = ("", "")
        self._stopped: str | None = None
        self._pace = Pace((), {})
        self._quiet = self.verbosity < 0
        self._live = self._live_line() if self.isatty() and not self._quiet else None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Print where the evidence goes, how to repeat the run, and what is examined."""
        self._session = session
        if self._quiet:
            return
        where = self._relative(self._run.bundle.path)
        self._print(Line(f"Drillbook: evidence goes to {where}", ("bold",)))
        self._print(Line(f"seed {self._run.recorder.seed} (--seed repeats data and order)"))
        for lines in self._headers():
            for line in [lines] if isinstance(lines, str) else lines:
                self._print(Line(line))

    def pytest_collection(self) -> None:
        """Print nothing."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the traceback of a file that cannot be imported for the end."""
        if report.failed:
            self._add_stats("error", [report])

    def pytest_collection_finish(self, session: pytest.Session) -> None:  # noqa: ARG002
        """Print how many controls and specs there are."""
        plan = self._run.plan
        specs, controls = len(plan.specs), len(plan.planned)
        if not self._quiet:
            self._print(Line(f"to do: controls {controls}, specs {specs}"))
        self._pace = Pace(plan.specs, durations(self._run.bundle.path.parent))

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:  # noqa: ARG002
        """Show on a terminal what is under way."""
        control = self._run.plan.specs[nodeid][0]
        self._now = (self._run.catalogue[control].chapter, control)
        if self._live:
            self._live.start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep tracebacks for -v."""
        if report.failed:
            self._add_stats("error" if report.when != "call" else "failed", [report])

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Print a line for each control whose last spec this was."""
        if self._live:
            self._live.stop()
        self._specs_done.add(nodeid)
        settled = self._run.plan.settled_controls(self._specs_done)
        for control in self._run.plan.specs[nodeid]:
            if control in settled:
                self._control(control)
        if self._live and self._run.on_workers:
            self._live.start()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep the sentence of the fixture or option that ended the run."""
        self._stopped = getattr(excinfo.value, "msg", None)
        if self._live:
            self._live.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None]:  # type: ignore[override]
        """Print the summary once the evidence is written."""
        self._still()
        outcome = yield
        self._still()
        if self.verbosity > 1 or self._run.plan.uncollected:
            for report in self.stats.get("error", []) + self.stats.get("failed", []):
                self._print(Line(f"\n{report.nodeid}", ("bold",)))
                self._print(Line(self._run.recorder.redactor.text(report.longreprtext)))
        for line in self._end():
            self._print(line)
        return outcome

    def _end(self) -> Iterator[Line]:
        run, bundle = self._run, self._run.bundle
        if run.result is None:
            if sentence := run.trouble or run.stopped or self._stopped:
                yield Line(sentence, ("red", "bold"))
            return
        report = self._relative(bundle.path / "report.html")
        verbose = self.verbosity > 0
        yield from bundle.conclude(run.result, report, quiet=self._quiet, verbose=verbose)

    def _still(self) -> None:
        """Remove the line of what is under way, for good."""
        live, self._live = self._live, None
        if live:
            live.stop()
            live.console.file.close()

    def _live_line(self) -> Live:
        """The live line, on a copy of the terminal: pytest captures the original."""
        terminal = os.fdopen(os.dup(self._tw._file.fileno()), "w")
        return Live(
            console=Console(file=terminal, highlight=False),
            get_renderable=self._under_way,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _under_way(self) -> Text:
        workers = self._run.on_workers
        now, seconds = self._of_spec() if workers is None else self._of_workers(dict(workers))
        ahead = self._pace.describe(self._specs_done, seconds, len(workers or ()) or 1)
        line = f"{ahead}  {len(self._done)}/{len(self._run.plan.planned)} {now}"
        room = self._tw.fullwidth - 14
        line = line if len(line) <= room else f"{line[: room - 3]}..."
        return Text(f"{line}  {duration(seconds)}", no_wrap=True, overflow="ellipsis")

    def _of_spec(self) -> tuple[str, float]:
        title, seconds = self._run.recorder.under_way or ("", 0.0)
        chapter, control = self._now
        return f"{chapter} {control}: {title}", seconds

    def _of_workers(self, began: dict[str, float]) -> tuple[str, float]:
        now = self._run.recorder.clock.seconds()
        named = (self._of_worker(spec) for spec in began)
        longest = now - min(began.values(), default=now)
        return f"running: {', '.join(dict.fromkeys(named))}", longest

    def _of_worker(self, spec: str) -> str:
        """The control, with the progress of its step if the worker reported it."""
        draft = next((one for one in self._run.recorder.specs if one.id == spec), None)
        progress = ""
        if draft:
            waiting = draft.waiting if draft.phase == "setup" else ""
            progress = draft.open[-1].progress if draft.open else waiting
        control = self._run.plan.specs[spec][0]
        return f"{control} ({progress})" if progress else control

    def _control(self, control: str) -> None:
        entry = self._run.catalogue[control]
        drafts = [d for d in self._run.recorder.specs if control in d.controls]
        verdict = worst(draft.verdict_for(entry.nature) for draft in drafts)
        taken = duration(wall_clock_s(drafts, self._run.recorder.clock.seconds()))
        self._done.append(control)
        if self._quiet:
            return
        # On workers the chapters mix.
        if entry.chapter != self._chapter and self._run.on_workers is None:
            self._chapter = entry.chapter
            self._print(Line(f"\n{entry.chapter}", ("bold",)))
        planned = self._run.plan.planned
        wide = max(map(len, planned))
        count = f"{len(self._done):>4}/{len(planned):<3} {control:<{wide}}"
        self._tw.write(f"{count} ")
        exposed = any(d.exposure and d.exposure.state == "exposed" for d in drafts)
        known = verdict is Verdict.VIOLATED and entry.avoid is not None and not exposed
        words, style = ("known weakness", ()) if known else (verdict.words, STYLES[verdict])
        self._tw.write(f"{words:<14}", **dict.fromkeys(style, True))
        room = min(self._tw.fullwidth, 120) - len(f"{count} {'':14}")
        self._tw.line(time_and_title(taken, entry.title, room), flush=True)

    def _headers(self) -> list[Any]:
        """The header lines of our own fixtures, without those of other plugins."""
        plugins = self.config.pluginmanager
        others = [
            one
            for one in plugins.get_plugins()
            if not getattr(one, "__name__", "").startswith("fixtures.")
        ]
        hook = plugins.subset_hook_caller("pytest_report_header", others)
        return list(hook(config=self.config, start_path=self.startpath))

    def _relative(self, path: Any) -> str:
        start = self.config.invocation_params.dir
        return str(path.relative_to(start) if path.is_relative_to(start) else path)

    def _print(self, line: Line) -> None:
        self._tw.line(line.text, flush=True, **dict.fromkeys(line.style, True))


def time_and_title(taken: str, title: str, room: int) -> str:
    """The end of a control's line: time and title, cut with dots where there is no room."""
    time = f" {taken:>9}  "
    left = max(12, room - len(time))
    return time + (title if len(title) <= left else f"{title[: left - 3]}...")


class Pace:
    """The progress of a run, and the time left by what its specs took the last time."""

    def __init__(self, specs: Iterable[str], took: Mapping[str, float]) -> None:
        known = [took[one] for one in specs if one in took]
        usual = sum(known) / len(known) if known else 1.0
        self._expected = {one: max(took.get(one, usual), 0.01) for one in specs}
        self._is_known = bool(known)

    def describe(self, done: Container[str], running_s: float, workers: int) -> str:
        """A bar, per cent, and the time left if known; running_s is that of the current spec."""
        whole = sum(self._expected.values())
        left = sum(seconds for one, seconds in self._expected.items() if one not in done)
        share = 1 - left / whole if whole else 1.0
        bar = "#" * int(share * _BAR)
        line = f"[{bar:.<{_BAR}}] {share:4.0%}"
        if not self._is_known:
            return line
        return f"{line}, about {duration(max(1, round((left - running_s) / workers)))} left"
