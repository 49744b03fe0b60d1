"""Every option, declared once: name, type, default and help.

The command line (drillbook/cli) and pytest's options are made from these. A kind judges a value by
its text and the file system alone, so that a wrong one is refused before anything is imported.
"""

from __future__ import annotations

import operator
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput

_UNITS = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(d|h|min|m|s)")
_LONGEST_S = 366 * 86400


def seconds(text: str, name: str) -> float:
    """The seconds of 4h, 90m, 1d12h, 45s or 1.5 h; BadInput for anything else and for zero."""
    lower = text.strip().lower()
    parts = _PART.findall(lower)
    what = f"{name} {text[:40]}".lstrip()
    if not parts or _PART.sub("", lower).strip():
        raise BadInput(f"{what}: write a duration such as 4h, 90m, 1d12h or 30s")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < total <= _LONGEST_S:
        raise BadInput(f"{what}: give more than zero and at most a year")
    return total


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of values; fault says what is wrong with a value, or returns ""."""

    metavar: str
    fault: Callable[[str], str]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """An option, or a positional argument.

    default is its value on the command line if it is not given; bare is that under plain pytest, as
    developers of specs call it. also are further names. An option with many values is repeated for
    each; joined: pytest gets them with commas between.
    """

    name: str
    kind: Kind
    help: str
    default: str | None = None
    bare: str | None = None
    also: tuple[str, ...] = ()
    many: bool = False
    joined: bool = False
    dest: str = ""

    @property
    def key(self) -> str:
        """Its name as an attribute."""
        return self.dest or self.name.replace("-", "_")

    @property
    def flag(self) -> bool:
        """Whether it takes no value."""
        return self.kind is SWITCH

    @property
    def group(self) -> str:
        """Its section in the help."""
        return next(
            (title for title, names in _GROUPS.items() if self.name in names.split()), "Options"
        )

    @property
    def variable(self) -> str:
        """The environment variable that sets it for a command."""
        return f"DRILLBOOK_{self.name.replace('-', '_').upper()}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Its names on a command line."""
        return tuple(f"--{name}" for name in (self.name, *self.also))


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the most similar known word; or "".

    A mapping gives what to print for each word.
    """
    names = known if isinstance(known, Mapping) else {name: name for name in known}
    by_lower = {name.lower(): names[name] for name in names}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[matches[0]]}?" if matches else ""


def fault(option: Option, value: str) -> str:
    """What is wrong with this value of an option; "" if it can be used."""
    if not value.strip():
        return f"an empty value; give {option.kind.metavar}"
    if "\n" in value or "\r" in value:
        return "a value with a line break in it; give one of one line"
    if not value.isprintable():
        return "a value with control characters in it; give one that can be printed"
    try:
        return option.kind.fault(value)
    except OSError as trouble:
        return f"a name that cannot be used ({trouble.strerror}); check it"
    except RuntimeError:
        return "the home folder of an unknown user (~name); give the whole path"


def _no_fault(_value: str) -> str:
    return ""


def _home(value: str) -> str:
    """No fault; RuntimeError for the home folder of an unknown user."""
    Path(value).expanduser()
    return ""


def _file(value: str) -> str:
    folder = Path(value).expanduser().is_dir()
    return f"{value} is a folder; give a file" if folder else _place(value)


# An ENCRYPTION_KEY as hexadecimal digits, as Coolify's password, or in base64.
_KEY = re.compile(r"(?:\w+=)?(?:[0-9A-Za-z]{32}|[0-9A-Fa-f]{64}|[0-9A-Za-z+/]{43}=)", re.ASCII)


def is_like_key(value: str) -> bool:
    """Whether a value has the form of an ENCRYPTION_KEY, maybe behind its name."""
    return bool(_KEY.fullmatch(value))


def _with_key(judge: Callable[[str], str]) -> Callable[[str], str]:
    """A function that refuses a key in place of a file, without the value."""

    def refuse_key(value: str) -> str:
        if is_like_key(value) and not Path(value).exists():
            return "a key is a secret; write it to a file of mode 0600, and name the file"
        return judge(value)

    return refuse_key


def _folder(value: str) -> str:
    return _new_folder(value) or _place(value)


def _place(value: str) -> str:
    path = Path(value).expanduser()
    if path.exists():
        return ""
    link = "is a link to what does not exist; check it"
    return f"{value} {link if path.is_symlink() else f'does not exist{_near_file(path)}'}"


def _new_file(value: str) -> str:
    path = Path(value).expanduser()
    if value == "-":
        return ""
    if path.is_dir():
        return f"{value} is a folder; give the name of a file in it"
    return "" if path.parent.is_dir() else f"the folder {path.parent} does not exist"


def _metrics_file(value: str) -> str:
    known = value.endswith(".prom")
    return (
        _new_file(value) if known else f"{value}: the collector reads only names that end in .prom"
    )


def _new_folder(value: str) -> str:
    path = Path(value).expanduser()
    return f"{value} is a file; give a folder" if path.exists() and not path.is_dir() else ""


def _queue(value: str) -> str:
    if ("=" in value or "://" in value) and not os.access(value, os.F_OK):
        # Without the value: it may hold a password.
        return "a connection string is a secret; write it to a file of mode 0600, and name the file"
    return _file(value)


def _backup(value: str) -> str:
    elsewhere = ("restic:", "borg:")
    if value == "-" or value.startswith(elsewhere) or "://" in value:
        return ""
    return _place(value)


def _near_file(path: Path) -> str:
    try:
        return nearest(path.name, [sibling.name for sibling in path.parent.iterdir()])
    except OSError:
        return ""


def _duration(value: str) -> str:
    try:
        seconds(value, "")
    except BadInput as reason:
        return str(reason)
    return ""


def _day(value: str) -> str:
    try:
        fits = date.fromisoformat(value).isoformat() == value
    except ValueError:
        fits = False
    return "" if fits else f"{value} is not a day; write it as 2026-12-31"


def _form(form: str, words: str) -> Callable[[str], str]:
    pattern = re.compile(form, re.ASCII)
    return lambda value: "" if pattern.fullmatch(value) else f"{value} {words}"


def _budget(value: str) -> str:
    found = re.fullmatch("([0-9]{1,5})[xX]([0-9]{1,5})", value, re.ASCII)
    if not found:
        return f"{value} is not of the form 100x12"
    return "" if int(found[1]) and int(found[2]) else f"{value} has a zero; give at least 1x1"


def _listed(file: str, form: str, what: str) -> Callable[[str], str]:
    """A function that judges comma-separated patterns by the names in a file of the application."""

    def judge(value: str) -> str:
        known = re.findall(form, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        patterns = list(filter(None, map(str.strip, value.split(","))))
        if not patterns:
            # Of two empty variables and a comma; no pattern would mean all.
            return f"{value} names no {what}; give one, or leave it out"
        for pattern in patterns:
            if not any(fnmatchcase(name.upper(), pattern.upper()) for name in known):
                if "*" in pattern:
                    known = sorted({f"{name.partition('-')[0]}-*" for name in known})
                return f"{pattern} matches no {what}{nearest(pattern, known)}"
        return ""

    return judge


def _part(value: str) -> str:
    found = re.fullmatch("([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", value)
    fits = found and int(found[1]) <= int(found[2])
    return "" if fits else f"{value}: give the part and how many there are, such as 2/5"


def _web(value: str) -> str:
    fits = re.fullmatch(r"https?://[^\s/]+.*", value)
    # Without the value: an address may carry a credential.
    return "" if fits else "not a web address; give one such as https://secrets.example.com"


def _or(word: str, judge: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: "" if value == word else judge(value)


def share(text: str | None) -> float:
    """The share by which a backup may shrink; 0.2 is the default."""
    return int((text or "20%").removesuffix("%")) / 100


def choice(*among: str, several: bool = False) -> Kind:
    """One of some words, or several of them with commas between."""

    def judge(value: str) -> str:
        for word in value.split(",") if several else (value,):
            if word not in among:
                return f"{word} is none of {', '.join(among)}{nearest(word, among)}"
        return ""

    return Kind("WORD,WORD" if several else "|".join(among), judge, among)


def number(least: int, most: int, *words: str) -> Kind:
    """A whole number in a range, or one of some words."""
    cure = f"give a number from {least} to {most}" + "".join(f", or {word}" for word in words)

    def judge(value: str) -> str:
        digits = value.isascii() and value.isdecimal() and len(value) < 20
        fits = value in words or (digits and least <= int(value) <= most)
        return "" if fits else f"{value}: {cure}"

    return Kind("|".join(("N", *words)), judge, words)


TEXT = Kind("TEXT", _no_fault)
SWITCH = Kind("", _no_fault)
FILE = Kind("FILE", _file)
FILE_OF_KEY = Kind("FILE", _with_key(_file))
FOLDER = Kind("FOLDER", _folder)
PLACE = Kind("FILE|FOLDER", _place)
NEW_FILE = Kind("FILE", _new_file)
NEW_FOLDER = Kind("FOLDER", _new_folder)
LOG_FILE = Kind("FILE|-", _or("-", _file))
BACKUP_PLACE = Kind("FILE|FOLDER|REPOSITORY|URL", _backup)
BACKUP_OR_PIPE = Kind("FILE|FOLDER|REPOSITORY|URL|-", _backup)
DURATION = Kind("DURATION", _duration)
DAY = Kind("YYYY-MM-DD", _day)
IMAGE_NAME = Kind(
    "IMAGE", _form(r"[A-Za-z0-9][^\s]*", "is not the name of an image; give name:tag")
)
FORM = choice("text", "json")

# Sections of the help; any other option is in the section Options.
_GROUPS = {
    "What it runs on": "stack workers image to-database from-database compose offer mutant url",
    "What is checked": "controls budget seed strict-claims certified",
    "Your files": "env-file new-env-file repo escrow backup credential",
    "Limits": "rto rpo max-age drop keep-at-least statement-limit outage",
    "The record": "run-dir config waivers reason instance operator signing-key signing-key-env tsa",
    "Monitoring": "on-end ping-file receivers-file metrics",
    "The terminal": "quiet verbose",
}

# What runs, and on what.
STACK = Option(
    "stack",
    choice("auto", "containers", "embedded"),
    "where it runs: in containers, as processes on this machine, or auto: what is available",
    default="auto",
    bare="embedded",
)
WORKERS = Option(
    "workers",
    number(1, 16, "auto"),
    "how many stacks to run in parallel; auto: as many as fit",
    default="auto",
    bare="1",
)
IMAGE = Option("image", IMAGE_NAME, "backend image to use instead of the pinned one")
QUALIFIED_IMAGE = replace(IMAGE, help="backend image of the stacks in containers")
TO_DATABASE = Option(
    "to-database",
    choice("14", "15", "16", "17", "18"),
    "PostgreSQL release to restore into, if different (embedded: 14, 17, 18)",
)
FROM_DATABASE = Option(
    "from-database",
    choice("14", "15", "16", "17", "18"),
    "PostgreSQL release that runs now (default: the compose file's; embedded: 14)",
)
COMPOSE = Option("compose", FILE, "compose file to use instead of the reference deployment")
OFFER = Option(
    "offer",
    choice("printed-address", "printed-mails", "rotation", several=True),
    "optional features of the reference backend",
)
_BUG = _listed("fixtures/mutants/bugs.toml", r"^([A-Z]\w+) = \[", "planted bug")
MUTANT = Option("mutant", Kind("NAME", _BUG), "plant a known bug, to see a control fail")
URL = Option(
    "url", Kind("URL", _or("rehearsal", _web)), "address of the running instance, or `rehearsal`"
)
PLAIN_URL = Option("plain-url", Kind("URL", _web), "address for http://, if not on port 80")
CA = Option("ca", FILE, "CA certificates (PEM) to trust instead of the system's")
DOCKER = Option("docker", SWITCH, "also inspect the containers, read-only (DOCKER_HOST)")
PROJECT = Option("project", TEXT, "compose project of the deployment, if there are several")

# What is checked.
CONTROLS = Option(
    "controls",
    Kind("IDS", _listed("suites/controls.toml", r'^id = "([A-Z0-9.-]+)"', "control")),
    "check only these controls, such as 'KEY-*,DBP-1'",
    bare="",
    also=("control",),
    many=True,
    joined=True,
)
BUDGET = Option(
    "budget",
    Kind("NUMBERxLENGTH", _budget),
    "number and length of the action sequences, such as 100x12",
)
SEED = Option("seed", number(0, 2**64), "repeat the order and random data of an earlier run")
STRICT = Option(
    "strict-claims", SWITCH, "also fail where the runbook is contradicted", also=("strict",)
)
CERTIFIED = Option("certified", SWITCH, "refuse waivers, filters, planted bugs and local changes")

# The user's own files.
ENV_FILE = Option("env-file", FILE_OF_KEY, "environment file of the deployment")
KEY_FILE = replace(ENV_FILE, help="file with the ENCRYPTION_KEY of the backup")
KEY_FILES = Option(
    "env-file",
    Kind("FILE", _with_key(_home)),
    "file with an ENCRYPTION_KEY; repeat it to try several",
    many=True,
)
REPO = Option("repo", FOLDER, "Git repository to search for its secrets")
ESCROW = Option("escrow", FILE_OF_KEY, "file with the escrowed keys")
BACKUP = Option("backup", BACKUP_PLACE, "backup to read; of a folder the newest complete one")
PIPED_BACKUP = replace(BACKUP, kind=BACKUP_OR_PIPE)
NEWEST_BACKUP = replace(BACKUP, help="backup to read; of a folder the newest, complete or not")
CREDENTIAL = Option(
    "credential",
    FILE,
    "file (mode 0600) with CLIENT_ID= and CLIENT_SECRET=, or TOKEN= (live)",
)

# A drill, and a change of release.
RTO = Option("rto", DURATION, "longest acceptable recovery, such as 4h (default: drillbook.toml)")
RPO = Option("rpo", DURATION, "oldest acceptable backup, such as 24h (default: drillbook.toml)")
MAX_AGE = Option("max-age", DURATION, "how old the backup may be", default="26h")
DROP = Option(
    "drop",
    Kind("PERCENT%", _form(r"([1-9]?[0-9]|100)%", "is not a share such as 20%")),
    "how much less it may hold than an earlier one (default: 20%)",
)
KEEP_AT_LEAST = Option("keep-at-least", number(1, 100_000), "how many backups must be there")
STATEMENT_LIMIT = Option(
    "statement-limit",
    DURATION,
    "longest time for one SQL statement on the backup (default: 2 min, and 1 s per MiB)",
)
OUTAGE = Option("outage", DURATION, "longest acceptable outage, such as 10m")
OLDER = Option("from", IMAGE_NAME, "image that runs now (or reference:1)", dest="older")
NEWER = Option("to", IMAGE_NAME, "image to upgrade to (or reference:2)", dest="newer")
VERIFY_FROM = Option("verify-from", PLACE, "earlier run of `verify` on the old image")
VERIFY_TO = Option("verify-to", PLACE, "earlier run of `verify` on the new image")

# The record.
RUN_DIR = Option("run-dir", NEW_FOLDER, "folder in which runs are kept", bare="reports/runs")
CONFIG = Option("config", FILE, "declared facts (default: drillbook.toml, if present)")
WAIVERS = Option("waivers", FILE, "accepted deviations (default: waivers.toml, if present)")
REASON = Option("reason", TEXT, "why it is run: scheduled, change, incident")
_LABEL = Kind(
    "NAME",
    _form(
        "[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?",
        "is not a name; write at most 40 small letters, digits and dashes",
    ),
)
INSTANCE = Option("instance", _LABEL, "whose backup it is, instead of the declared system_id")
OPERATOR = Option("operator", TEXT, "who runs it (default: login name)")
# Paths and names only: a key itself never stands on a command line.
SIGNING_KEY = Option(
    "signing-key", FILE, "sign with this key; `evidence sign-key` makes one", also=("sign",)
)
SIGNING_KEY_ENV = Option("signing-key-env", TEXT, "sign with the key in this environment variable")
TSA = Option(
    "tsa", Kind("URL|file", _or("file", _web)), "time-stamp authority (RFC 3161); file: by hand"
)

# Where the outcome of a command is reported. An address is a credential.
ON_END = Option("on-end", TEXT, "run this in a shell at the end; it gets exit code and evidence")
PING_FILE = Option("ping-file", FILE, "mode 0600: address that a monitor expects a ping on")
RECEIVERS_FILE = Option(
    "receivers-file", FILE, "mode 0600: addresses of Apprise that hear of a failure"
)
METRICS = Option(
    "metrics", Kind("FILE", _metrics_file), "write metrics for Prometheus to FILE.prom"
)

# How much a run says; pytest has these itself.
QUIET = Option("quiet", SWITCH, "print only the result")
VERBOSE = Option("verbose", SWITCH, "print every detail")

# Single commands.
OUTPUT = Option("output", FORM, "format of the answer", default="text")
FINDINGS = replace(OUTPUT, kind=choice("text", "json", "sarif"))
DOCUMENT = Option("document", FILE, "a runbook in Markdown")
WRITE_MARKS = Option("write", SWITCH, "write the marks into the document instead of a patch")
DOCUMENTS = Option("file", FILE, "a runbook in Markdown", many=True, dest="documents")
LISTING = replace(OUTPUT, kind=choice("text", "json", "markdown"))
SECRETS_FILE = Option("out", NEW_FILE, "secrets.json.age or secrets.env.age; - for standard output")
SINCE = Option("from", DAY, "first day of the period", dest="since")
UNTIL = Option("to", DAY, "last day of the period", dest="until")
OUT_FOLDER = Option("out", NEW_FOLDER, "folder to write the documents to")
RENDERED = Option("out", NEW_FOLDER, f"{OUT_FOLDER.help} (default: compare, and write nothing)")
EXPORTED = Option("out", NEW_FOLDER, f"{OUT_FOLDER.help} (default: this folder)")
RECIPIENT = Option(
    "recipient", Kind("TEXT", _home), "age or SSH public key to encrypt for; repeatable", many=True
)
PASSPHRASE_FILE = Option("passphrase-file", FILE, "encrypt with the passphrase in this file")
PLAINTEXT = Option("plaintext", SWITCH, "write the secrets unencrypted")
LOG = Option("log", LOG_FILE, "log of the backend; - for standard input")
BUNDLE = Option("bundle", PLACE, "bundle.zip, or the folder of a run")
ONLY = Option("only", TEXT, "one secret alone: project/environment/folder/NAME")
OLD_ENV = Option("old", FILE, "the settings as they were, NAME=value")
CHANGED_ENV = Option("new", FILE, "the settings as they are to be")
RECORD = Option("record", PLACE, "evidence.json, the folder of a run, or a bundle")
BACKUPS = replace(BACKUP, help="backups of the instance")
RUN = Option("run", FOLDER, "the folder of a run")
KEY_NAME = Option("out", NEW_FILE, "file for the private key; the public key goes to OUT.pub")
PUBKEY = Option("pubkey", FILE, "file with public keys to trust (PEM); repeatable", many=True)
PREVIOUS = Option("previous", FILE, "bundle of the previous run")
TSA_CERT = Option("tsa-cert", FILE, "certificates of the time-stamp authorities to trust")
UNSIGNED = Option("unsigned", SWITCH, "check the contents without a signature")
TSR = Option("tsr", FILE, "response of the authority, fetched by hand")
ACT = Option("act", choice("prepared", "reviewed", "approved"), "what to record", default=None)
NAME = Option("name", TEXT, "name of the person")
ROLE = Option("role", TEXT, "role of the person")
REMARK = Option("remark", TEXT, "remark, on one line")
ANYWAY = Option("anyway", SWITCH, "sign off although the bundle proves little")
TAKER = Option("format", choice("oscal", "ctrf", "csv"), "format to write")
SHELL = Option(
    "shell",
    choice("bash", "zsh", "fish"),
    'your shell. bash: add `eval "$(drillbook completion bash)"` to ~/.bashrc; zsh: add '
    '`eval "$(drillbook completion zsh)"` to ~/.zshrc, below compinit; fish: run '
    "`drillbook completion fish > ~/.config/fish/completions/drillbook.fish`",
)
SCHEDULER = Option(
    "scheduler", choice("systemd", "cron", "kubernetes", "coolify"), "what runs the command"
)
LINE = Option("line", TEXT, "after --: the command without `drillbook`", many=True)
EVERY = Option(
    "every",
    choice("daily", "weekly", "monthly", "quarterly", "half-yearly", "yearly"),
    "how often",
    default="daily",
)
UNIT_FOLDER = Option("out", FOLDER, "write the files to this folder instead")

# Many instances.
FLEET = Option("fleet", FILE, "the instances, and how each is drilled", default="fleet.toml")
OF_FLEET = replace(FLEET, help="report the drills of each instance in it", default=None)
LABEL = Option("label", _LABEL, "the instances that this worker drills")
INSTANCES = replace(
    INSTANCE, help="this one, due or not; again for each", many=True, dest="instances"
)
QUEUE = Option(
    "queue",
    Kind("FILE", _queue),
    "mode 0600: the connection string of a PostgreSQL",
)
UNTIL_EMPTY = Option("until-empty", SWITCH, "end when the queue has no job left")
COLLECTED = Option("folder", FOLDER, "folders with the runs of workers", many=True, dest="folders")
COMMAND_IMAGE = Option(
    "command-image", IMAGE_NAME, "the image with the command drillbook", default="drillbook:latest"
)

# For developers of Drillbook.
MUTANTS = Option("mutants", TEXT, "bugs by name, control or place, with * and commas; or none")
PART = Option("shard", Kind("N/OF", _part), "only this part of the planted bugs")
HEALTHY = Option(
    "healthy", number(0, 1000), "number of runs without a bug, per driver", default="2"
)
GENERATED = Option("generated", number(0, 1000), "number of random bugs to add", default="0")
KEEP = Option("keep", SWITCH, "keep the result as the record that bundles carry")
FIXED_SEED = replace(SEED, default="1")

# Set by commands, not by users.
EVIDENCE = Option("evidence", SWITCH, "judge, record and write a bundle")
ONLY_EVIDENCE = Option("only-evidence", SWITCH, "write the evidence; no documents and no seal")
ONE_QUESTION = Option(
    "one-question",
    SWITCH,
    "the controls of the given specs alone decide the exit code; the rest is not asked",
)
OWN_QUESTION = Option(
    "own-question", SWITCH, "what --controls selects is the question, and the rest is not asked"
)
FIRST = Option("first", TEXT, "specs of this control run before all others")
CALLED_AS = Option("called-as", TEXT, "the command line that the record names")
DRILL = Option("drill", SWITCH, "drill the given backup with its keys")
REHEARSE = Option("rehearse", SWITCH, "rehearse a change of release")

# Options that exclude each other.
EXCLUSIVE = (
    *((CERTIFIED, one) for one in (MUTANT, WAIVERS, CONTROLS)),
    (SIGNING_KEY, SIGNING_KEY_ENV),
    (QUIET, VERBOSE),
    (NEWER, TO_DATABASE),
    (RECIPIENT, PASSPHRASE_FILE, PLAINTEXT),
    (PUBKEY, UNSIGNED),
    (TSA, TSR),
)
_OF_INSTANCE = (CREDENTIAL, ENV_FILE, BACKUPS, DOCKER, PROJECT, CA, PLAIN_URL)
# Options that a command with another one uses only for some of the other's values. One that is set
# for every command, in the environment, is no mistake.
USED_WITH: tuple[tuple[tuple[Option, ...], Option, Callable[[Any], bool]], ...] = (
    ((PROJECT,), DOCKER, bool),
    (_OF_INSTANCE, URL, lambda url: url != "rehearsal"),
    ((VERIFY_FROM, VERIFY_TO), TO_DATABASE, operator.not_),
    ((COMMAND_IMAGE,), SCHEDULER, lambda scheduler: scheduler in ("kubernetes", "coolify")),
    ((PUBKEY,), INSTANCES, operator.not_),
    ((QUALIFIED_IMAGE,), STACK, lambda stack: stack != "embedded"),
)


def default_runs_folder() -> str:
    """Where runs are kept by default."""
    # No error where this user cannot enter the folder.
    checkout = os.access("suites/controls.toml", os.F_OK) and Path("reports").is_dir()
    return "reports/runs" if checkout else "drillbook-runs"


def default(option: Option) -> str | None:
    """The value of an option that a command was not given."""
    return default_runs_folder() if option is RUN_DIR else option.default


def declare(group: Any, *options: Option) -> None:
    """Declare these options for pytest; values are judged where they are used."""
    for option in options:
        add = partial(group.addoption, f"--{option.name}", dest=option.key, help=option.help)
        if option.flag:
            add(action="store_true")
        elif option is SEED:
            add(type=int, default=secrets.randbelow(2**32))
        else:
            add(default=default(option) if option.bare is None else option.bare)
