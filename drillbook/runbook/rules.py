"""What rules.toml knows of, found in a runbook: by words from there, by syntax here."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from drillbook.infisical import image_tags
from drillbook.infisical.settings import SENSITIVE, is_sample
from drillbook.runbook.document import TEXTS, Block, Document, Kind, Section, Statement
from drillbook.runbook.shell import Command


@dataclass(frozen=True, slots=True)
class Rule:
    """A known mistake: the control that checks it, what was measured, and what to write."""

    id: str
    control: str
    title: str
    measured: str
    write: str
    patterns: list[str] = field(default_factory=list)
    heading: str = "(?!)"
    spares: str = "(?!)"
    spares_section: str = "(?!)"
    code: bool = False


class Found(NamedTuple):
    """Where a mistake stands, and the words it was found by."""

    line: int
    words: str


Finder = Callable[[Document], Iterator[Found]]
Commands = Iterator[tuple[Statement, Command]]
IsMistake = Callable[[Statement, Command], object]
_FINDERS: dict[str, Finder] = {}
# A clause that has one of these words speaks against what it names, or of its absence.
_DENIES = re.compile(
    r"\b(not|never|no|none|nor|neither|cannot|avoid\w*|nothing|instead of|rather than|wrong|"
    r"refus\w+|fail\w*|invalid|unsafe|ignore[sd]?|break\w*|too long|remove|drop|obsolete|dead|"
    r"unread|stale|frozen|misnamed|misleading|inverted)\b|n['’]t\b",
    re.I,
)


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its id."""
    text = files("drillbook.runbook").joinpath("rules.toml").read_text(encoding="utf-8")
    return {id_: Rule(id_, **fields) for id_, fields in tomllib.loads(text).items()}


def check(document: Document) -> list[tuple[Rule, Found]]:
    """Every mistake of a document, each once a line, in the order of lines."""
    found: dict[tuple[int, str], tuple[Rule, Found]] = {}
    for rule in rules().values():
        finder = _FINDERS.get(rule.id)
        for one in (*_words(rule, document), *(finder(document) if finder else ())):
            found.setdefault((one.line, rule.id), (rule, one))
    return [found[key] for key in sorted(found)]


def finds(id_: str) -> Callable[[Finder], Finder]:
    """The function that finds the mistake of that id."""

    def register(finder: Finder) -> Finder:
        _FINDERS[id_] = finder
        return finder

    return register


def finds_commands(
    id_: str, *kinds: Callable[[Document], Commands]
) -> Callable[[IsMistake], IsMistake]:
    """The function that says which commands of these kinds are the mistake of that id."""

    def register(is_mistake: IsMistake) -> IsMistake:
        _FINDERS[id_] = lambda document: (
            Found(one.line, one.text)
            for kind in kinds
            for one, command in kind(document)
            if is_mistake(one, command)
        )
        return is_mistake

    return register


def _words(rule: Rule, document: Document) -> Iterator[Found]:
    spares = re.compile(f"{_DENIES.pattern}|{rule.spares}", re.I)
    section = cache(lambda one: re.search(rule.spares_section, one.text, re.I))
    kinds: tuple[Kind, ...] = (*TEXTS, "code") if rule.code else TEXTS
    for pattern in rule.patterns:
        for one in document.claims(*kinds):
            for match in re.finditer(pattern, one.text, re.I):
                clause = _clause(one.text, *match.span())
                if not spares.search(clause) and not section(one.section):
                    yield Found(one.line_at(match.start()), one.text)
    for one in document.claims("heading"):
        if re.search(rule.heading, one.text, re.I) and not section(one.section):
            yield Found(one.line, one.text)


def _clause(text: str, start: int, end: int) -> str:
    """The part of a text in which a passage stands, between full stops and the like."""
    left = max(text.rfind(mark, 0, start) for mark in (". ", "; ", "! "))
    right = [at for mark in (". ", "; ", "! ") if (at := text.find(mark, end)) >= 0]
    return text[left + 1 : min(right, default=len(text))]


# Keys and passwords ------------------------------------------------------------------------------

_GENERATOR = re.compile(
    r"openssl\s+rand\s+-(hex|base64)\s+(\d{1,6})|token_(hex|urlsafe)\((\d{1,6})\)"
)
_SUBJECT = re.compile(
    r"(?-i:\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b)|\bencryption keys?\b|(?:\b\w+\s+)?\bpasswords?\b",
    re.I,
)
_FOR = re.compile(r"[\s#|`'\"(→>=-]*(?:for|as|is)?[\s`'\"]*(?:the |your )?", re.I)
_LENGTH = 32
_WRONG_MAGIC = re.compile(r"SERVICE_(?:HEX_(?:64|128)|PASSWORD_64|REALBASE64|BASE64_(?:64|128))")
_PLACEHOLDER = re.compile(
    r"[<>$*…{]|x{4,}|your|change|example|here|generate|replace|paste|\.{3}", re.I
)
_OF_DATABASE = re.compile(
    r"(?:(?!admin|user|account|log|smtp|mail|root|linux|machine)\w+\s+)?passwords?|"
    r"(?:POSTGRES|DB|DATABASE)_PASSWORD",
    re.I,
)


class Generated(NamedTuple):
    """A command that makes a random text, and for what."""

    statement: Statement
    line: int
    form: str
    characters: int
    subject: str


def _generated(document: Document) -> Iterator[Generated]:
    for one in document.claims(*TEXTS, "code"):
        start = 0
        for match in _GENERATOR.finditer(one.text):
            form = "hex" if "hex" in (match[1], match[3]) else "base64"
            count = int(match[2] or match[4])
            before, after = one.text[start : match.start()], one.text[match.end() :][:60]
            start = match.end()
            named = _SUBJECT.match(after, (_FOR.match(after) or match).end())
            subjects = [*_SUBJECT.finditer(before)] or [*_SUBJECT.finditer(one.lead)]
            said = re.split(r"[;.!]\s", before)[-1] + re.split(r"[;.!]\s", after)[0]
            if (named or subjects) and not _DENIES.search(said):
                characters = 2 * count if form == "hex" else -(-count // 3) * 4
                yield Generated(
                    one,
                    one.line_at(match.start()),
                    form,
                    characters,
                    (named or subjects[-1])[0].lower(),
                )


@finds("key-format")
def _key_format(document: Document) -> Iterator[Found]:
    if re.search(r"FIPS_ENABLED\W+true", document.text):
        return  # there base64 of 32 bytes is right
    for made in _generated(document):
        key = re.fullmatch(r"encryption[ _]keys?", made.subject)
        if key and made.characters != _LENGTH:
            yield Found(made.line, made.statement.text)
    for one in document.claims("code"):
        if one.setting and one.setting[0] == "ENCRYPTION_KEY" and _is_misshapen(one.setting[1]):
            yield Found(one.line, one.text)
    for one in document.claims(*TEXTS):
        for match in _MORE_THAN_32.finditer(one.text):
            if not _DENIES.search(_clause(one.text, *match.span())):
                yield Found(one.line_at(match.start()), one.text)


_MORE_THAN_32 = re.compile(
    r"(?<!ROOT_)\bENCRYPTION_KEY\b(?:(?![A-Z]+_[A-Z_]+)[^.;]){0,40}?(?:\b32 ?\+|"
    r"\b(?:at least|minimum(?: of)?|min\.?|no fewer than) 32\b|\b32 (?:\w+ )?or more\b)",
    re.I,
)


def _is_misshapen(value: str) -> bool:
    if _WRONG_MAGIC.search(value) or not _PLACEHOLDER.search(value):
        long = re.fullmatch(r"[A-Za-z0-9+/]{20,}={0,2}", value) and len(value) != _LENGTH
        return bool(long or _WRONG_MAGIC.search(value))
    said = re.sub(r"[-_ ]", " ", value.lower())
    return bool(re.search(r"base64|\b64\b|\b32 ?bytes? hex", said)) and "16" not in said


@finds("password-in-address")
def _password_in_address(document: Document) -> Iterator[Found]:
    encodes = re.compile(r"(percent|url)[- ]?encod|_ENCODED\b|%2F", re.I)
    for made in _generated(document):
        raw = made.form == "base64" and not encodes.search(made.statement.section.text)
        if raw and _OF_DATABASE.fullmatch(made.subject):
            yield Found(made.line, made.statement.text)


@finds("key-rotation")
def _cure_by_another_key(document: Document) -> Iterator[Found]:
    """A table of symptoms whose cure for a wrong key is a new one."""
    renews = re.compile(r"^\W*(?:re-?generate|(?:generate|create|make) a new|replace)\b", re.I)
    spares = re.compile(
        r"\b(?:first (?:start|boot|run|install)|new instance|no data|empty)\b", re.I
    )
    for one in document.claims("row"):
        cells = [cell.strip() for cell in one.text.split("|")]
        key = re.search(r"(?<!ROOT_)\bENCRYPTION_KEY\b", " ".join(cells[:-1]))
        if key and renews.search(cells[-1]) and not spares.search(f"{one.lead} {one.text}"):
            yield Found(one.line, one.text)


@finds("key-purpose")
def _list_of_encrypting_keys(document: Document) -> Iterator[Found]:
    listing = re.compile(
        r"\b(?:variables?|keys?|secrets?|these|following)\b[^.]*\bencrypt\w*\b|"
        r"\bencrypt\w*\b[^.]*\b(?:variables|keys|following|these)\b",
        re.I,
    )
    for one in document.claims("sentence", "row"):
        named = re.match(r"\W*(?:AUTH_SECRET|JWT_\w*SECRET\w*)\b", one.text)
        if named and listing.search(one.lead) and not _DENIES.search(one.lead + one.text):
            yield Found(one.line, f"{one.lead} {one.text}")


@finds("key-required")
def _key_required(document: Document) -> Iterator[Found]:
    required = re.compile(r"\b(required|mandatory|never change|must be set|essential)\b", re.I)
    spares = re.compile(r"\b(not|no longer|optional|ignored)\b|n['’]t\b", re.I)
    for one in document.claims("code", "sentence", "row"):
        if re.match(r"\W*JWT_(?:AUTH|REFRESH|SERVICE|SIGNUP|PROVIDER_AUTH)_SECRET\b", one.text):
            near = one.text if one.kind != "code" else ""
            said = [text for text in (near, one.lead, one.section.title) if required.search(text)]
            if said and not spares.search(f"{said[0]} {one.text} {one.lead}"):
                yield Found(one.line, f"{said[0]}: {one.text}")


@finds("key-sample")
def _key_sample(document: Document) -> Iterator[Found]:
    spares = re.compile(rf"{_DENIES.pattern}|\b(sample|published|publicly|known|leaked)\b", re.I)
    value = re.compile(r"(?<![\w+/])(?:[0-9a-f]{32}|[A-Za-z0-9+/]{43}=)(?![\w+/=])")
    for one in document.claims(*TEXTS, "code"):
        given = value.findall(one.text)
        if one.setting and one.setting[0] in (*SENSITIVE, "DB_PASSWORD"):
            given = [one.setting[1]]
        if any(map(is_sample, given)) and not spares.search(f"{one.text} {one.lead}"):
            yield Found(one.line, one.text)


# The database's password -------------------------------------------------------------------------

_NEIGHBOUR = re.compile(r"\b(?:db|database|postgres\w*|pg|redis|cache)\b", re.I)
_RESTART = re.compile(
    r"\brestart\w*\b[^.]*\b(backend|container|app\w*|service|infisical|stack|server)\b", re.I
)


@finds("password-restart")
def _password_restart(document: Document) -> Iterator[Found]:
    alters = re.compile(r"\bALTER\s+(?:USER|ROLE)\b.*\bPASSWORD\b|\\password\b", re.I | re.S)
    redeploys = re.compile(r"\bre-?deploy|\bup\s+(\S+\s+)*-(d\b|-force-recreate)|\brecreat", re.I)
    for one in document.claims(*TEXTS, "command", "code"):
        if not alters.search(f"{one.text}\n{one.command.here if one.command else ''}"):
            continue
        around = _around(one)
        later = around[around.index(one) :]
        restarts = [it for it in later if not it.denied and _is_restart(it)]
        if restarts and not any(redeploys.search(it.text) for it in later):
            first = next((it for it in restarts if it.command), restarts[0])
            yield Found(first.line, first.text)


def _is_restart(one: Statement) -> bool:
    if not one.command:
        said = one.kind in TEXTS and _RESTART.search(one.text)
        return bool(said) and not _DENIES.search(one.text)
    words = one.command.words
    if words[:2] in (("docker", "restart"), ("compose", "restart")):
        return not _NEIGHBOUR.search(" ".join(words[2:])) or "backend" in " ".join(words)
    return words[:2] == ("systemctl", "restart")


@finds("variable-restart")
def _variable_restart(document: Document) -> Iterator[Found]:
    changes = re.compile(
        r"\b(?:edit|chang|updat|set|add|modif|adjust|correct|fix|replac)\w*\b[^.;]{0,60}"
        r"(?:\.env\b|\benvironment (?:variables?|files?)\b|\benv (?:vars?|files?)\b)",
        re.I,
    )
    takes = re.compile(r"\bre-?deploy|\bup\b|\bre-?creat|--force-recreate", re.I)
    for one in document.claims(*TEXTS):
        if not changes.search(one.text) or _DENIES.search(one.text):
            continue
        later = one.section.statements[one.section.statements.index(one) :]
        if any(takes.search(it.text) for it in later):
            continue
        restart = next((it for it in later if it.command and _keeps_variables(it)), None)
        if restart:
            yield Found(restart.line, restart.text)


def _keeps_variables(one: Statement) -> bool:
    words = one.command.words[:2] if one.command else ()
    return words in (("docker", "restart"), ("compose", "restart")) and not one.denied


# Backup and restore ------------------------------------------------------------------------------

_A_BACKUP = re.compile(r"backup|dump|restore|\.sql|\.bak|\.gz|\.zst|\.age|<[^>]*file[^>]*>", re.I)
_NO_BACKUP = re.compile(
    r"(?:^|[/_-])(?:init|schema|seed|grants?|roles?|users?|migrations?|extensions?|create)\b", re.I
)
_UNPACKS = {
    *("cat", "zcat", "gunzip", "gzip", "zstd", "zstdcat", "lz4", "xz", "xzcat"),
    *("age", "gpg", "aws", "pv", "openssl"),
}
_EMPTIES = re.compile(
    r"\bdrop\s+(?:database|schema)|\bdropdb\b|\bcreate\s+database|\bcreatedb\b|\bvolume rm\b|"
    r"\bdown\b.*\s(?:-v|--volumes)\b|--clean\b|\bempty\b|\b(?:fresh|new|clean) "
    r"(?:postgres\w* |database |db )?(?:database|cluster|stack|instance|db|volume|server|host)\b",
    re.I,
)
_STOPS = re.compile(
    r"\b(?:stop|shut ?down|scale)\w*\b[^.]*\b(?:backend|app\w*|infisical|stack|service|container)\b"
    r"|\bdocker stop\b|\bcompose (?:\S+ )*(?:stop|down)\b|--replicas[= ]?0|backend=0",
    re.I,
)
_STARTS = re.compile(
    r"^\W*(?:\d+\W+)?(?:then |now )?(?:re-?)?(?:start|deploy|bring up|launch)\b[^.]*\b"
    r"(?:backend|app\w*|infisical|stack|containers)\b",
    re.I,
)
_UP = (("docker", "start"), ("docker", "run"), ("compose", "up"), ("compose", "start"))


def _first(finder: Callable[[Document], Commands]) -> Callable[[Document], Commands]:
    """The first hundred: each is compared with all that stands around it."""
    return lambda document: itertools.islice(finder(document), 100)


@_first
def _restores(document: Document) -> Commands:
    """The commands that bring a backup back."""
    for one, command in document.commands():
        if command.program == "pg_restore":
            if not {"-l", "--list", "-f", "--help", "--version"} & set(command.words):
                yield one, command
        elif command.program == "psql":
            unpacked = [it.text for it in command.upstream() if it.program in _UNPACKS]
            sources = [command.reads, *unpacked, command.option("-f", "--file")]
            source = next(filter(None, sources), "")
            if _A_BACKUP.search(source) and not _NO_BACKUP.search(source):
                yield one, command


@_first
def _dumps(document: Document) -> Commands:
    return (pair for pair in document.commands() if pair[1].program in ("pg_dump", "pg_dumpall"))


def _around(one: Statement) -> list[Statement]:
    """The statements of the procedure in which one stands."""
    section = one.section
    step = re.compile(r"^\W*(?:step|\d+[.):])", re.I)
    chapter = re.compile(r"back-?\s?up|restor|recover|disaster", re.I)
    while section.parent and (
        step.search(section.title)
        or (section.parent.level > 1 and chapter.search(section.parent.title))
    ):
        section = section.parent
    return section.statements


def _last(statements: list[Statement], is_so: Callable[[Statement], object]) -> int:
    return max((at for at, one in enumerate(statements) if is_so(one)), default=-1)


def _says(one: Statement, pattern: re.Pattern[str]) -> bool:
    return one.kind in (*TEXTS, "command") and bool(pattern.search(one.text))


def _concerns(command: Command) -> str:
    """What a start or stop concerns: all, the neighbours alone, or the backend by name."""
    named = [word for word in command.words[2:] if not word.startswith("-")]
    if not named:
        return "all"
    return "neighbours" if all(map(_NEIGHBOUR.search, named)) else "backend"


def _starts_backend(one: Statement) -> bool:
    if not one.command:
        return one.kind in ("sentence", "comment") and bool(_STARTS.search(one.text))
    return one.command.words[:2] in _UP[2:] + _UP[:1] and _concerns(one.command) != "neighbours"


@finds("restore-not-empty")
def _restore_not_empty(document: Document) -> Iterator[Found]:
    dumped_clean = any({"--clean", "-c"} & set(command.words) for _, command in _dumps(document))
    for one, command in _restores(document):
        clean = {"--clean", "-c", "--create", "-C"} & set(command.words)
        if dumped_clean or (clean and command.program == "pg_restore"):
            continue
        around = _around(one)
        at = around.index(one)
        emptied = _last(around[:at], lambda it: _says(it, _EMPTIES))
        started = _last(around[:at], lambda it: it.command and _starts_backend(it))
        told = any(it.kind in TEXTS and _says(it, _EMPTIES) for it in around[at:])
        told = told or bool(_EMPTIES.search(one.section.title))
        if emptied < started or (emptied < 0 and not told):
            yield Found(one.line, one.text)


_OTHER_DATABASE = re.compile(r"drill|test|verif|scratch|tmp|temp|check|rehears|staging|copy", re.I)


@finds_commands("restore-running", _restores)
def _restores_while_running(one: Statement, command: Command) -> bool:
    if any(_OTHER_DATABASE.search(word) for word in command.words[1:]):
        return False  # it goes into a database that the backend does not use
    before = _around(one)[: _around(one).index(one)]
    commands = [it.command for it in before if it.command]
    alone = any(it.words[:2] in _UP and _concerns(it) == "neighbours" for it in commands)
    stopped = _last(before, _stops_backend)
    return _last(before, _starts_backend) > stopped or (stopped < 0 and not alone)


def _stops_backend(one: Statement) -> bool:
    concerns = _concerns(one.command) if one.command else "all"
    return _says(one, _STOPS) and concerns != "neighbours"


@finds_commands("restore-errors", _restores)
def _goes_on_after_errors(one: Statement, command: Command) -> bool:
    return command.program == "psql" and "ON_ERROR_STOP" not in f"{one.script}{one.text}"


@finds_commands("restore-no-input", _restores)
def _reads_nothing(_: Statement, command: Command) -> object:
    inside = command.inside if command.reads or command.fed_by else None
    deaf = inside and not inside.has("i", "--interactive", "--stdin")
    return inside and inside.engine != "compose" and deaf


@finds_commands("terminal", _restores, _dumps)
def _goes_through_a_terminal(_: Statement, command: Command) -> object:
    moved = command.reads or command.fed_by or command.writes or command.feeds
    inside = command.inside if moved else None
    return inside and inside.engine == "docker" and inside.has("t", "--tty")


@finds_commands("dump-pipe", _dumps)
def _is_piped_without_pipefail(one: Statement, command: Command) -> object:
    before = one.section.statements[: one.section.statements.index(one)]
    told = one.script + "".join(it.text for it in before if it.kind != "code")
    return command.feeds and not re.search("pipefail|PIPESTATUS", told)


@finds_commands("dump-in-volume", _dumps)
def _is_written_into_the_volume(_: Statement, command: Command) -> object:
    target = command.option("-f", "--file") or command.writes or ""
    return re.match(r"/var/lib/(postgresql|docker/volumes)/", target)


@finds("dump-service")
def _dump_service(document: Document) -> Iterator[Found]:
    services = {
        found
        for block in document.blocks
        if re.search(r"^services:", block.text, re.M)
        for found in re.findall(r"^ {2,4}([\w.-]+):\s*$", block.text, re.M)
    }
    if not services and re.search(r"docker-compose\.prod\.yml|coolify", document.text, re.I):
        services = {"backend", "db", "redis", "db-migration"}
    programs = {"pg_dump", "pg_dumpall", "psql", "pg_restore", "createdb", "dropdb", "redis-cli"}
    for one, command in document.commands():
        inside = command.inside if services and command.program in programs else None
        if inside and inside.engine == "compose" and inside.target not in {*services, ""}:
            yield Found(one.line, one.text)


@finds("backup-without-key")
def _backup_without_key(document: Document) -> Iterator[Found]:
    title = re.compile(r"\bback(?:ing)?-?\s?ups?\b|\bdisaster recovery\b", re.I)
    key = re.compile(r"ENCRYPTION_KEY|\b(?:encryption|master|root|escrowed) keys?\b", re.I)
    dumps = [one.section for one, _ in _dumps(document)]
    kept = any(key.search(one.text) and title.search(one.text) for one in document.claims(*TEXTS))
    for one in document.claims("heading"):
        section = one.section
        above = section.parent.title if section.parent else ""
        if title.search(section.title) and not title.search(above):
            dumped = any(it.within(section) for it in dumps)
            if dumped and not kept and not key.search(section.text):
                yield Found(one.line, one.text)


_CHECKS = re.compile(
    r"&&|\|\||dump complete|pg_restore\s+(?:-l|--list)|\bset -\w*e|pipefail|\btest -|\[ |"
    r"\bcurl\b|\bkey check\b|check-key|\bif\b|\btrap\b|PIPESTATUS|\bexit\b",
)


@finds_commands("job-without-check", _dumps)
def _is_not_checked(one: Statement, _: Command) -> bool:
    job = one.scheduled or one.script.startswith("#!")
    return job and not _CHECKS.search(one.script)


@finds_commands("redis-dump", Document.commands)
def _is_overwritten_at_shutdown(one: Statement, command: Command) -> bool:
    target = command.words[-1] if command.words else ""
    host = command.words[:1] == ("cp",) and re.search(r"redis|/data/|docker/volumes", target)
    container = command.words[1:2] == ("cp",) and ":" in target
    if "rdb" not in one.text or not (host or container):
        return False
    steps = [it for it in one.section.statements if it.command and not it.denied]
    ends = [_ends_redis(it) for it in steps]
    at = steps.index(one)
    return any(ends[at:]) and not any(ends[:at])


def _ends_redis(one: Statement) -> bool:
    words = one.command.words if one.command else ()
    if words[:1] == ("redis-cli",):
        return "shutdown" in [word.lower() for word in words]
    ends = {"restart", "stop", "down"} & set(words[1:3])
    named = [word for word in words[2:] if not word.startswith("-")]
    ours = not named or any(re.search(r"redis|cache|\$", word) for word in named)
    return bool(ends) and words[0] in ("docker", "compose") and ours


_SAVES = re.compile(
    r"\bback(?:ing|ed)?-?\s?ups?\b|\bback\b[^.;]{1,30}\bup\b|\bpg_dump|\bsnapshot|\bdumps?\b", re.I
)


@finds("upgrade-without-backup")
def _upgrade_without_backup(document: Document) -> Iterator[Found]:
    upgrade = re.compile(
        r"\b(?:up(?:dat|grad)\w*|maintenance|new(?:er)? (?:version|release))\b", re.I
    )
    saved = re.compile(
        rf"(?:{_SAVES.pattern})[^.;]*\b(?:before|prior)\b|\bbefore\b[^.;]*(?:{_SAVES.pattern})",
        re.I,
    )
    if any(saved.search(one.text) for one in document.claims(*TEXTS)):
        return
    for one, command in document.commands():
        section = one.section
        around = section.parent if section.parent and section.parent.level > 1 else section
        said = f"{section.title} {one.lead} {around.title}"
        pulls = command.words[:2] == ("compose", "pull")
        after = section.statements[section.statements.index(one) :]
        starts = any(it.command and it.command.words[:2] == ("compose", "up") for it in after)
        if pulls and starts and upgrade.search(said) and not _SAVES.search(section.text):
            yield Found(one.line, one.text)


@finds("wipe-as-cure")
def _wipe_as_cure(document: Document) -> Iterator[Found]:
    meant = re.compile(
        r"\b(?:wip\w*|uninstall\w*|remov\w*|delet\w*|clean\w*|tear\w*|destroy\w*|reset\w*|scratch|"
        r"decommission\w*|last resort|restor\w*|recover\w*|drills?|tests?|development|local)\b",
        re.I,
    )
    for one, command in document.commands():
        removes = command.words[:2] == ("compose", "down") and {"-v", "--volumes"} & {
            *command.words
        }
        section: Section | None = one.section
        before = one.section.statements[: one.section.statements.index(one)]
        titles = []
        while section and section.level > 1:
            titles.append(section.title)
            section = section.parent
        saved = any(_says(it, _SAVES) for it in before)
        if removes and not saved and not meant.search(" ".join(titles)):
            yield Found(one.line, one.text)


# Containers and images ---------------------------------------------------------------------------

_LISTS = frozenset(("ps", "ls", "list"))


def _lists(command: Command) -> bool:
    return command.words[:1] == ("docker",) and bool(_LISTS & set(command.words[1:3]))


def _pattern(command: Command) -> str:
    """The word by which a command picks names; empty where it picks by something else."""
    picked = ""
    if command.program in ("grep", "egrep", "awk") and any(map(_lists, command.upstream())):
        picked = next((word for word in command.words[1:] if not word.startswith("-")), "")
        exact = {"-x", "-wx", "-v"} & set(command.words) or re.fullmatch(r"\^.*\$", picked)
        picked = "" if exact else picked
    elif _lists(command):
        picked = next(
            (word[5:] for word in command.options("--filter", "-f") if word[:5] == "name="), ""
        )
    return "" if re.search(r"^\^|[$]|<[^>]*>|[a-z0-9]{20,}", picked) else picked


@finds_commands("selector", Document.commands)
def _destroys_by_a_word(one: Statement, command: Command) -> bool:
    words = command.words
    if words[:1] != ("docker",) or not {"stop", "rm", "kill", "prune"} & set(words[1:3]):
        return False
    picked = [*command.sources, *command.upstream()]
    narrowed = any(it.program in ("grep", "awk") or "filter" in it.text for it in picked)
    everything = any(map(_lists, picked)) and not narrowed
    volumes = "prune" in words and (words[1] == "volume" or "--volumes" in words)
    prunes = volumes and "label" not in one.text
    return any(map(_pattern, picked)) or everything or prunes


@finds("container-name")
def _container_name(document: Document) -> Iterator[Found]:
    if not re.search(r"\bcoolify\b", document.text, re.I):
        return
    destroying = {
        one.line for one, command in document.commands() if _destroys_by_a_word(one, command)
    }
    services = {"backend", "db", "redis", "postgres"}
    for one, command in document.commands():
        words = set(re.findall(r"[a-z]{2,}", _pattern(command).lower()))
        if words - services and one.line not in destroying:
            yield Found(one.line, one.text)


_IMAGE = re.compile(
    r"(?<![\w./-])((?:[\w.-]+/)*?(?:infisical/infisical(?:-fips)?|postgres|redis))"
    r"(?::(?:\$\{\w+:-)?([A-Za-z0-9](?:[\w.-]*\w)?)\}?)?(@sha256:\w+)?(?![\w/:@-])"
)


@finds("image-tag")
def _image_tag(document: Document) -> Iterator[Found]:
    spares = re.compile(f"{_DENIES.pattern}|{rules()['image-tag'].spares}", re.I)
    for one in document.claims(*TEXTS, "code"):
        declaring = re.search(r"^\s*image:|\bdocker (?:pull|run)\b|^\s*FROM\b", one.text)
        declares = declaring and one.kind == "code"
        for match in _IMAGE.finditer(one.text):
            name, tag, digest = match.groups()
            unnamed = not tag and declares and "infisical" in name
            misleads = unnamed or (tag and (tag == "latest" or any(image_tags.of_tag(match[0]))))
            said = _clause(one.text, *match.span()) + one.lead
            if misleads and not digest and not spares.search(said):
                yield Found(one.line_at(match.start()), one.text)


@finds_commands("helm-rollback", Document.commands)
def _rolls_back(_: Statement, command: Command) -> object:
    release = "".join(command.words[2:3])
    ours = not release or re.search(r"infisical|secret|[$<-]", release)
    return command.words[:2] == ("helm", "rollback") and ours


# The health report -------------------------------------------------------------------------------

_FLAGS = frozenset(
    ["emailConfigured", "inviteOnlySignup", "redisConfigured", "secretScanningConfigured"]
)
_OTHER_FIELDS = {
    *("date", "message", "samlDefaultOrgSlug", "auditLogStorageDisabled"),
    "maxIdentityAccessTokenTTL",
}


@finds("health-fields")
def _health_fields(document: Document) -> Iterator[Found]:
    answers = re.compile(r"expect|respon|return|answer|should", re.I)
    tells = re.compile(r"inverted|misnamed|is open|anyone|anybody", re.I)
    for block in document.blocks:
        report = _object(block)
        near = f"{block.lead}\n{block.section.text}"
        expected = "/api/status" in near and answers.search(block.lead)
        if block.denied or not (_FLAGS & report.keys() or expected):
            continue
        if {"error", "statusCode"} & report.keys():
            continue  # what it says when it fails
        for number, line in enumerate(block.text.splitlines()):
            for name in re.findall(r'"(\w+)"\s*:', line):
                opened = name == "inviteOnlySignup" and report.get(name) is True
                unknown = name in report and name not in _FLAGS | _OTHER_FIELDS
                if unknown or (opened and not tells.search(near)):
                    yield Found(block.line + number, line.strip())


def _object(block: Block) -> dict[str, object]:
    try:
        found = json.loads(re.sub(r"(?m)(?<!:)//.*$", "", block.text))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
