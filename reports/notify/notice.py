"""Reports how a command ended: pings, notices and metrics. None of them changes an exit code.

A monitor expects pings and raises an alarm when none comes. A monitor with the healthchecks.io
protocol gets URL/start, then URL/<exit status> with a short text. A push address of Uptime Kuma
(…/api/push/…) gets a status and the first line of the text, at the end only.

Metrics are a file in Prometheus' text format, for the textfile collector of node_exporter. They
hold points in time and not ages, so that Prometheus raises the alarm by its own clock even if
nothing writes the file any more. The label of an instance is `system`, because Prometheus gives the
label `instance` to what it scrapes.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.error import HTTPError
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from drillbook.core import options as o
from drillbook.core.application import install_extra
from drillbook.core.display import printable
from drillbook.core.files import load_text, refuse_open, write_file
from drillbook.core.options import nearest
from reports.config.declarations import Words, load_words
from reports.errors import BadDeclaration
from reports.evidence.model import Run
from reports.history.runs import History, Past, load_history, past_of
from reports.history.status import Standing, of_system, standings
from reports.record.run_metadata import strip_credentials
from reports.render.phrases import advisory_warning, color_code, outcome
from reports.verdict import HOLDS, PASSED, UNDECIDED, UNUSABLE, Verdict

if TYPE_CHECKING:
    import pytest

PATIENCE_S = 10.0
_TRIES, _PAUSE_S = 3, 0.3
_KUMA = re.compile(r"/api/push/[^/]+/?$")
# The path of an address also has names, which must stay readable in the record.
_TOKEN = re.compile(r"(?=.*\d)[\w-]{10,}")
_WEB = re.compile(r"https?://[^\s/]+\S*")
_SOON = timedelta(days=7)
# Each event in a word for people, and as Apprise's type of notice.
_EVENTS = {
    "success": ("passed", "success"),
    "recover": ("passed again", "success"),
    "fail": ("failed", "failure"),
    "stale": ("stale", "failure"),
    "due": ("due soon", "warning"),
}
GAUGES = {
    "last_run_timestamp_seconds": "when a command last ran to its end",
    "last_proof_timestamp_seconds": "when a command last passed",
    "gate_exit_code": "exit code of the last run: 0 passed, 1 failed, 2 undecided, 3 stopped",
    "controls": "controls of the last run by verdict",
    "rto_seconds": "how long the recovery took that was last measured",
    "verification_seconds": "how long its verification took, which is not part of it",
    "rto_target_seconds": "how long it may take",
    "rpo_seconds": "how old its backup was",
    "rpo_target_seconds": "how old it may be",
    "act_last_proof_timestamp_seconds": "when something that recurs was last shown; 0: never",
    "act_due_timestamp_seconds": "the end of the day on which it is due",
    "act_days_until_due": "days from the writing of this file until then; negative: overdue",
    "act_stale": "1 if it is overdue",
    "written_timestamp_seconds": "when this file was written",
}


def announce(
    command: str, folder: Path, given: Mapping[str, Any], pinging: Collection[str] = ()
) -> Announcement:
    """The announcement that the given options and drillbook.toml ask for.

    pinging: the commands that ping; the file of addresses may name no other. BadInput if a file is
    missing or open to others, BadDeclaration if it is broken.
    """
    monitor, file, metrics = (given.get(one.key) for one in (o.PING, o.PING_FILE, o.METRICS))
    path, words, _ = load_words(folder, given.get(o.CONFIG.key))
    said = words.notify
    if file or said.ping_file:
        named = folder / file if file else path.parent / str(said.ping_file)
        addresses = load_addresses(named, pinging)
        monitor = monitor or addresses.get(command) or addresses.get("")
    people: tuple[str, ...] = ()
    if said.receivers_file:
        people = load_receivers(path.parent / said.receivers_file)
    target = None
    if metrics or said.metrics:
        target = folder / metrics if metrics else path.parent / str(said.metrics)
        check_target(target)
    runs = folder / (given.get(o.RUN_DIR.key) or o.default_runs_folder())
    return Announcement(command, words, runs, monitor, people, said.on, target)


# Not compared by value: pytest keeps its plugins in sets.
@dataclass(eq=False)
class Announcement:
    """Sends a ping at the start, and a ping and notices at the end, to the receivers it has.

    people: addresses of Apprise; on: the events that are worth a notice; metrics: the file of
    metrics. As a plugin of pytest it gets the result of the run, and has addresses redacted in what
    the run writes. A command that leaves the block without `end` was interrupted, and is never
    announced as passed.
    """

    command: str
    words: Words
    run_dir: Path
    monitor: str | None = None
    people: Sequence[str] = ()
    on: Sequence[str] = ()
    metrics: Path | None = None

    def __post_init__(self) -> None:
        self._system = self.words.organisation.identity or ""
        self._run: Any = None
        self._history: History | None = None
        self._standings: Sequence[Standing] = ()
        self._ended = not (self.monitor or self.people or self.metrics)
        self._before: Any = None

    def __enter__(self) -> Self:
        if not self._ended:
            # SIGTERM acts like Ctrl-C. pytest sets its own handler as it runs, and restores ours.
            self._before = signal.signal(signal.SIGTERM, signal.default_int_handler)
            self._deliver(None, "", "", "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        try:
            if not self._ended:
                self._tell(UNUSABLE, interrupted=kind is KeyboardInterrupt)
        finally:
            if self._before is not None:
                signal.signal(signal.SIGTERM, self._before)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the run, and have addresses redacted in everything that it writes."""
        self._run = session.config.pluginmanager.get_plugin("drillbook-run")
        if self._run:
            for address in filter(None, (self.monitor, *self.people)):
                for secret in _secrets(address):
                    self._run.recorder.secret("PING", secret)

    def keep_standings(self, history: History, found: Sequence[Standing]) -> None:
        """Remember what `status` found stale or due."""
        self._history, self._standings = history, found

    def end(self, code: int) -> int:
        """Announce how the command ended; returns the exit code unchanged."""
        if not self._ended:
            self._tell(code, interrupted=bool(self._run and self._run.interrupted))
        return code

    def _tell(self, code: int, *, interrupted: bool) -> None:
        self._ended = True
        run: Run | None = self._run.result if self._run else None
        status = code or UNDECIDED if interrupted else code
        now = datetime.now(UTC)
        due = _due(self._standings, now.date())
        events = list(dict.fromkeys(event for event, _ in due))
        if status and "stale" not in events:
            events = ["fail", *events]
        elif not events:
            passed = run and color_code(run) == PASSED
            recovers = run and passed and self.people and self._failed_before(run)
            events = ["recover" if recovers else "success"]
        word = " and ".join(_name_event(one, run, code) for one in events)
        if interrupted:
            word = "interrupted"
        system = (run.organisation.identity if run else None) or self._system
        whose = f" ({system})" if system else ""
        # Some receivers get the title alone.
        warning = advisory_warning(run) if run and not status else ""
        title = f"drillbook {self.command}: {word}{whose}{warning and f'; {warning}'}"
        lines = [*(_describe_run(run) if run else ()), *(_describe(*one) for one in due)]
        body = "\n".join([title, f"exit code {code}", *lines])
        if self._run:
            redact: Callable[[str], str] = self._run.recorder.redactor.text
            title, body = redact(title), redact(body)
        is_wanted = {*events, *(() if status else ["success"])} & {*self.on}
        kind = _EVENTS[events[0]][1]
        if run and kind == "success" and color_code(run) != PASSED:
            kind = "warning"
        self._deliver(status, title if is_wanted else "", body, kind)
        if self.metrics and (run or self._history):
            self._write_metrics(self.metrics, now)

    def _deliver(self, status: int | None, title: str, body: str, kind: str) -> None:
        """Send the ping, and notices if there is a title."""
        messages: list[tuple[str, Callable[[], str]]] = []
        if monitor := self.monitor:
            name = f"the monitor at {host(monitor)}"
            messages.append((name, partial(send_ping, monitor, status, body)))
        for number, address in enumerate(self.people if title else (), 1):
            name = f"receiver {number} ({address.partition(':')[0]})"
            messages.append((name, partial(send_notice, address, title, body, kind)))
        deliver(self.command, messages)

    def _write_metrics(self, target: Path, now: datetime) -> None:
        """Write metrics of the whole history, including this run; a full disk is a warning."""
        history = self._history or load_history(self.run_dir)
        found = self._standings or standings(
            of_system(history.runs, self.words.organisation), self.words.schedule, now.date()
        )
        try:
            write_metrics(target, history.runs, found, self._system, now)
        except OSError as trouble:
            warn(self.command, f"{target} cannot be written: {trouble.strerror}")

    def _failed_before(self, run: Run) -> bool:
        """Whether the last comparable run failed."""
        earlier = load_history(self.run_dir).last_comparable(past_of(run))
        return bool(earlier and earlier.facts.exit_code)


def _secrets(address: str) -> Iterator[str]:
    """An address as it may appear in a record, and the parts of its path that can be tokens."""
    yield address
    # The record has command lines in this form.
    yield strip_credentials(address)
    yield address.partition("?")[0]
    yield from filter(_TOKEN.fullmatch, re.split(r"[/?]", address)[3:])


def _name_event(event: str, run: Run | None, code: int) -> str:
    """An event in words; of a run, its result, which says whether it was a rehearsal."""
    if run is None or code != run.exit_code or event in ("stale", "due"):
        return _EVENTS[event][0]
    return outcome(run).word.lower() + (" again" if event == "recover" else "")


def _describe_run(run: Run) -> Sequence[str]:
    """Verdict, counts and ids of controls; nothing that the run saw."""
    by_verdict = {
        verdict: [control.id for control in run.controls if control.verdict is verdict]
        for verdict in Verdict
    }
    counts = ", ".join(f"{len(ids)} {one.words}" for one, ids in by_verdict.items() if ids)
    bad = [
        f"{one.words}: {', '.join(ids)}"
        for one, ids in reversed(by_verdict.items())
        if ids and one not in (*HOLDS, Verdict.NOT_RUN)
    ]
    return [f"run {run.run.id}: {run.verdict.words}, {run.subject.grade}", counts, *bad]


def _due(found: Sequence[Standing], today: date) -> Sequence[tuple[str, Standing]]:
    """The acts that are stale, and those that are due within a week."""
    stale = [("stale", one) for one in found if one.overdue]
    soon = [("due", one) for one in found if not one.overdue and one.due - today <= _SOON]
    return [*stale, *soon]


def _describe(event: str, standing: Standing) -> str:
    last = f"last {standing.last.finished:%Y-%m-%d}" if standing.last else "never done"
    return f"{_EVENTS[event][0]}: {standing.act.name}, {last}, due {standing.due:%Y-%m-%d}"


def load_receivers(path: Path) -> tuple[str, ...]:
    """The addresses in a file, one a line; BadDeclaration for one that Apprise does not know."""
    addresses = tuple(load_private_lines(path))
    apprise = _import_extra("apprise", f"{path}: notices are sent by Apprise")
    # Its log messages name the address, with the key in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for number, address in enumerate(addresses, 1):
        if not apprise.Apprise.instantiate(address):
            raise BadDeclaration(f"{path}: entry {number} is not an address that Apprise knows")
    return addresses


def _import_extra(name: str, need: str) -> Any:
    """A module of the extra `notify`; BadDeclaration with the need for it if it is missing."""
    try:
        return import_module(name)
    except ImportError:
        raise BadDeclaration(f"{need}; {install_extra('notify')}") from None


def send_notice(address: str, title: str, body: str, kind: str) -> str:
    """Send one notice; returns why it was not received, or ""."""
    import apprise

    receiver = apprise.Apprise.instantiate(address)
    sent = receiver and receiver.notify(body=body, title=title, notify_type=kind)
    return "" if sent else "it was refused or nothing answered"


def load_private_lines(path: Path) -> list[str]:
    """The lines of a private file, without comments; BadInput if others can read it."""
    text = load_text(path, what := "file of addresses", may_be_empty=True)
    refuse_open(path, what)
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def load_addresses(path: Path, commands: Collection[str] = ()) -> dict[str, str]:
    """The addresses of a ping file, by command; "" stands for all other commands.

    A monitor that never got a ping raises no alarm, so an address that no command uses is refused.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(load_private_lines(path), 1):
        command, _, address = line.rpartition(" ")
        if not _WEB.fullmatch(address):
            said = f"entry {number} is not `COMMAND URL` or `URL`; write `drill https://…`"
            raise BadDeclaration(f"{path}: {said}")
        command = " ".join(command.split())
        if command and commands and command not in commands:
            said = f"entry {number} names no command that pings{nearest(command, commands)}"
            raise BadDeclaration(f"{path}: {said}")
        if command in found:
            raise BadDeclaration(f"{path}: entry {number} is a second address for the same command")
        found[command] = address
    return found


def send_ping(address: str, status: int | None, body: str) -> str:
    """Send one ping, with status None at the start; returns why it was not received, or ""."""
    url = urlsplit(address)
    if _KUMA.search(url.path):
        if status is None:
            return ""
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        query |= {"status": "down" if status else "up", "msg": body.partition("\n")[0]}
        url, body = url._replace(query=urlencode(query)), ""
    else:
        path = f"{url.path.rstrip('/')}/{'start' if status is None else status}"
        url = url._replace(path=path)
    user, password = (unquote(one or "") for one in (url.username, url.password))
    url = url._replace(netloc=url.netloc.rpartition("@")[2])
    # Not httpx2: it imports anyio, which pytest can no longer rewrite once it is imported.
    request = Request(urlunsplit(url), data=body.encode() or None)  # noqa: S310 - judged before
    request.add_header("Content-Type", "text/plain; charset=utf-8")
    if user or password:
        # urlopen would take them for a part of the host's name. A redirection does not get them.
        credentials = b64encode(f"{user}:{password}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {credentials}")
    for left in reversed(range(_TRIES)):
        try:
            with urlopen(request, timeout=PATIENCE_S):  # noqa: S310
                return ""
        except HTTPError as trouble:
            why = f"answer {trouble.code}"
            trouble.close()
            if trouble.code < 500:
                break
        except (HTTPException, OSError) as trouble:
            # Its message may contain the address.
            reason = getattr(trouble, "reason", trouble)
            why = getattr(reason, "strerror", None) or type(reason).__name__
        if left:
            time.sleep(_PAUSE_S)
    return why


def deliver(command: str, messages: Sequence[tuple[str, Callable[[], str]]]) -> None:
    """Send all messages at once; warn of each that was not received within 10 s, and why.

    A message is the name of its receiver, which is shown, and a function that sends it. The threads
    are daemons, so a receiver that answers one byte at a time does not keep the program alive.
    """
    outcome: dict[int, str] = {}

    def attempt(number: int, act: Callable[[], str]) -> None:
        try:
            outcome[number] = act()
        except Exception as trouble:  # a library's bug must not change what the run came to
            outcome[number] = type(trouble).__name__

    threads = [
        Thread(target=attempt, args=(number, act), daemon=True)
        for number, (_, act) in enumerate(messages)
    ]
    end = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for number, (name, _) in enumerate(messages):
        if why := outcome.get(number, f"no answer within {PATIENCE_S:.0f} s"):
            warn(command, f"{name} was not reached: {why}")


def warn(command: str, sentence: str) -> None:
    """Print a warning on standard error."""
    sys.stderr.write(f"{printable(f'drillbook {command}: warning: {sentence}')}\n")


def host(address: str) -> str:
    """The part of an address that may be shown."""
    with suppress(ValueError):
        return urlsplit(address).hostname or "the address"
    return "the address"


def check_target(path: Path) -> None:
    """BadDeclaration where metrics cannot be written to this file."""
    _import_extra("prometheus_client", f"{path}: metrics need prometheus-client")
    if not path.parent.is_dir() or path.is_dir():
        raise BadDeclaration(f"{path}: name a file in a folder that exists")
    if path.suffix != ".prom":
        raise BadDeclaration(f"{path}: the collector reads only names that end in .prom; give one")


def write_metrics(
    path: Path, runs: Iterable[Past], found: Sequence[Standing], system: str, now: datetime
) -> None:
    """Write the file of metrics, whole or not at all; OSError if the disk refuses."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}

    def say(name: str, value: float, **labels: str) -> None:
        if name not in gauges:
            gauges[name] = Gauge(f"drillbook_{name}", GAUGES[name], [*labels], registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)

    for one in runs:
        # A date in the future, by a wrong clock, would keep every later run out of sight.
        if one.is_genuine and one.finished.date() <= now.date():
            # Oldest first, so that a later run replaces the values of an earlier one.
            whose = {"system": one.facts.system or "", "command": one.facts.question}
            _say_run(say, one, {**whose, "grade": one.grade})
    for standing in found:
        labels = {"system": system, "act": standing.act.id}
        last = standing.last.finished.timestamp() if standing.last else 0
        say("act_last_proof_timestamp_seconds", last, **labels)
        # The midnight after the day: until then it is not overdue.
        due = datetime.combine(standing.due, datetime.min.time(), UTC).timestamp() + 86400
        say("act_due_timestamp_seconds", due, **labels)
        say("act_days_until_due", (standing.due - now.date()).days, **labels)
        say("act_stale", standing.overdue, **labels)
    say("written_timestamp_seconds", now.timestamp())
    # Another user's node_exporter reads it, and a unit has a umask of 077.
    write_file(path, generate_latest(registry), 0o644)


def _say_run(say: Callable[..., None], run: Past, labels: dict[str, str]) -> None:
    facts = run.facts
    say("last_run_timestamp_seconds", run.finished.timestamp(), **labels)
    if facts.exit_code is not None:
        say("gate_exit_code", facts.exit_code, **labels)
    if facts.passed:
        say("last_proof_timestamp_seconds", run.finished.timestamp(), **labels)
    counts = Counter(facts.verdicts.values())
    for verdict in Verdict:
        say("controls", counts[verdict], **labels, verdict=verdict.value)
    for name in ("rto_s", "verification_s", "rto_target_s", "rpo_s", "rpo_target_s"):
        if (value := getattr(facts.objectives, name)) is not None:
            say(f"{name}econds", value, **labels)
