"""Finds the mistakes of rules.toml in a runbook: by the patterns there, and by syntax here."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from drillbook.infisical import image_tags
from drillbook.infisical.health_report import FLAGS
from drillbook.infisical.settings import SENSITIVE, is_sample
from drillbook.runbook.document import TEXTS, Block, Document, Kind, Statement
from drillbook.runbook.shell import Command


@dataclass(frozen=True, slots=True)
class Rule:
    """A known mistake: the control that checks it, what was measured, and the text to write."""

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

    def __str__(self) -> str:
        return f"{self.title} [{self.id}, {self.control}]"


class Found(NamedTuple):
    """The line of a mistake, and the words that show it."""

    line: int
    words: str


Finder = Callable[[Document], Iterator[Found]]
Commands = Iterator[tuple[Statement, Command]]
IsMistake = Callable[[Statement, Command], object]
_FINDERS: dict[str, Finder] = {}


@cache
def _read() -> dict[str, Any]:
    text = files("drillbook.runbook").joinpath("rules.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its id."""
    return {id_: Rule(id_, **fields) for id_, fields in _read().items() if id_ != "patterns"}


@cache
def pattern(name: str) -> re.Pattern[str]:
    """A pattern of rules.toml."""
    return re.compile(_read()["patterns"][name], re.I)


def has(text: str, *names: str) -> re.Match[str] | None:
    """The first match of one of these patterns of rules.toml in a text; None without one."""
    return next(filter(None, (pattern(name).search(text) for name in names)), None)


def check(document: Document) -> list[tuple[Rule, Found]]:
    """Every mistake in a document, once per line and rule, in the order of lines."""
    found: dict[tuple[int, str], tuple[Rule, Found]] = {}
    for rule in rules().values():
        finder = _FINDERS.get(rule.id)
        for one in (*_words(rule, document), *(finder(document) if finder else ())):
            found.setdefault((one.line, rule.id), (rule, one))
    return [found[key] for key in sorted(found)]


def finds(id_: str) -> Callable[[Finder], Finder]:
    """Register the function that finds the mistake with this id."""

    def register(finder: Finder) -> Finder:
        _FINDERS[id_] = finder
        return finder

    return register


def finds_commands(
    id_: str, *kinds: Callable[[Document], Commands]
) -> Callable[[IsMistake], IsMistake]:
    """Register the function that says which commands of these kinds are the mistake."""

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
    spares = re.compile(f"{pattern('denies').pattern}|{rule.spares}", re.I)
    section = cache(lambda one: re.search(rule.spares_section, one.text, re.I))
    kinds: tuple[Kind, ...] = (*TEXTS, "code") if rule.code else TEXTS
    for words in rule.patterns:
        for one in document.claims(*kinds):
            for match in re.finditer(words, one.text, re.I):
                if not spares.search(_clause(match)) and not section(one.section):
                    yield Found(one.line_at(match.start()), one.text)
    for one in document.claims("heading"):
        if re.search(rule.heading, one.text, re.I) and not section(one.section):
            yield Found(one.line, one.text)


def _clause(match: re.Match[str]) -> str:
    """The part of a text around a match, between full stops, semicolons and the like."""
    text, (start, end) = match.string, match.span()
    left = max(text.rfind(mark, 0, start) for mark in (". ", "; ", "! "))
    right = [at for mark in (". ", "; ", "! ") if (at := text.find(mark, end)) >= 0]
    return text[left + 1 : min(right, default=len(text))]


# Keys and passwords ------------------------------------------------------------------------------

_LENGTH = 32
# A random value has at least so many different characters.
_FEWEST = 8


class Generated(NamedTuple):
    """A command that makes a random text, and the name of the variable or key it is for."""

    statement: Statement
    line: int
    form: str
    characters: int
    subject: str


def _generated(document: Document) -> Iterator[Generated]:
    subject, leads_to = pattern("subject"), pattern("for_subject")
    for one in document.claims(*TEXTS, "code"):
        start = 0
        for match in pattern("generator").finditer(one.text):
            form = "hex" if "hex" in (match[1], match[3]) else "base64"
            count = int(match[2] or match[4])
            before, after = one.text[start : match.start()], one.text[match.end() :][:60]
            start = match.end()
            named = subject.match(after, (leads_to.match(after) or match).end())
            subjects = [*subject.finditer(before)] or [*subject.finditer(one.lead)]
            said = re.split(r"[;.!|]\s", before)[-1] + re.split(r"[;.!|]\s", after)[0]
            if (named or subjects) and not has(said, "denies"):
                characters = 2 * count if form == "hex" else -(-count // 3) * 4
                made_for = (named or subjects[-1])[0].lower()
                yield Generated(one, one.line_at(match.start()), form, characters, made_for)


@finds("key-format")
def _key_format(document: Document) -> Iterator[Found]:
    if has(document.text, "fips"):
        return  # there base64 of 32 bytes is right
    for made in _generated(document):
        key = re.fullmatch(r"(?:infisical_)?encryption[ _]keys?", made.subject)
        if key and made.characters != _LENGTH:
            yield Found(made.line, made.statement.text)
    for one in document.claims(*TEXTS):
        for match in pattern("more_than_32").finditer(one.text):
            if not has(_clause(match), "denies"):
                yield Found(one.line_at(match.start()), one.text)


@finds("password-in-address")
def _password_in_address(document: Document) -> Iterator[Found]:
    for made in _generated(document):
        raw = made.form == "base64" and not has(made.statement.section.text, "encodes")
        if raw and pattern("database_password").fullmatch(made.subject):
            yield Found(made.line, made.statement.text)


@finds("key-rotation")
def _cure_by_another_key(document: Document) -> Iterator[Found]:
    """Finds a new key as the cure of a wrong one in a table of symptoms, and regular rotation."""
    for one in document.claims("row"):
        *causes, cure = (cell.strip() for cell in one.text.split("|"))
        key = re.search(r"\b(?:INFISICAL_)?ENCRYPTION_KEY\b", " ".join(causes))
        if key and has(cure, "renews") and not has(f"{one.lead} {one.text}", "new_instance"):
            yield Found(one.line, one.text)
    for one in document.claims("sentence"):
        match = has(one.text, "rotates_regularly")
        if match and not has(_clause(match), "denies"):
            yield Found(one.line_at(match.start()), one.text)


@finds("key-purpose")
def _list_of_encrypting_keys(document: Document) -> Iterator[Found]:
    for one in document.claims("sentence", "row"):
        named = re.match(r"\W*(?:AUTH_SECRET|JWT_\w*SECRET\w*)\b", one.text)
        if named and has(one.lead, "listing_of_keys") and not has(one.lead + one.text, "denies"):
            yield Found(one.line, f"{one.lead} {one.text}")


@finds("key-required")
def _key_required(document: Document) -> Iterator[Found]:
    for one in document.claims("code", "sentence", "row"):
        if re.match(r"\W*JWT_(?:AUTH|REFRESH|SERVICE|SIGNUP|PROVIDER_AUTH)_SECRET\b", one.text):
            near = one.text if one.kind != "code" else ""
            said = [text for text in (near, one.lead, one.section.title) if has(text, "required")]
            if said and not has(f"{said[0]} {one.text} {one.lead}", "optional"):
                yield Found(one.line, f"{said[0]}: {one.text}")


@finds("key-sample")
def _key_sample(document: Document) -> Iterator[Found]:
    for one in document.claims(*TEXTS, "code"):
        given = pattern("sample").findall(one.text)
        if one.setting and one.setting[0] in (*SENSITIVE, "DB_PASSWORD"):
            given = [one.setting[1]]
        if any(map(is_sample, given)):
            disclaimed = has(f"{one.text} {one.lead}", "denies", "known_sample")
            if not disclaimed and not has(one.section.text, "disclaims"):
                yield Found(one.line, one.text)


@finds("key-in-document")
def _key_in_document(document: Document) -> Iterator[Found]:
    for one in document.claims(*TEXTS, "code"):
        for match in pattern("key_written_out").finditer(one.text):
            varied = len(set(match[1])) >= _FEWEST and "0123456789" not in match[1]
            if varied and not is_sample(match[1]) and not has(one.lead, "known_sample"):
                yield Found(one.line_at(match.start()), one.text)


# The database's password -------------------------------------------------------------------------


@finds("password-restart")
def _password_restart(document: Document) -> Iterator[Found]:
    for one in document.claims(*TEXTS, "command", "code"):
        typed = f"{one.text}\n{one.command.here if one.command else ''}"
        if has(typed, "alters", "alters_by_prompt"):
            later = _from(one, _around(one))
            restarts = [it for it in later if not it.denied and _is_restart(it)]
            if restarts and not any(has(it.text, "redeploys") for it in later):
                first = next((it for it in restarts if it.command), restarts[0])
                yield Found(first.line, first.text)


def _is_restart(one: Statement) -> bool:
    if not one.command:
        said = one.kind in TEXTS and has(one.text, "restart")
        return bool(said) and not has(one.text, "denies")
    words = one.command.words
    alone = has(" ".join(words[2:]), "neighbour") and "backend" not in " ".join(words)
    return words[:2] in _RESTARTS and not alone


@finds("variable-restart")
def _variable_restart(document: Document) -> Iterator[Found]:
    for one in document.claims(*TEXTS):
        if has(one.text, "changes_variable") and not has(one.text, "denies"):
            later = _from(one, one.section.statements)
            keeps = [it for it in later if it.command and it.command.words[:2] in _RESTARTS]
            restart = next((it for it in keeps if not it.denied), None)
            if restart and not any(has(it.text, "takes_variable") for it in later):
                yield Found(restart.line, restart.text)


# Backup and restore ------------------------------------------------------------------------------

_UNPACKS = {
    *("cat", "zcat", "gunzip", "gzip", "zstd", "zstdcat", "lz4", "xz", "xzcat"),
    *("age", "gpg", "aws", "pv", "openssl"),
}
_RESTARTS = (("docker", "restart"), ("compose", "restart"))
_STARTS = (("docker", "start"), ("compose", "up"), ("compose", "start"))
_UP = (*_STARTS, ("docker", "run"))


def is_restore(command: Command, dumped: Collection[str] = ()) -> bool:
    """Whether a command restores a backup; dumped are files known to hold one by other commands."""
    if command.program == "pg_restore":
        return not {"-l", "--list", "-f", "--help", "--version"} & set(command.words)
    unpacked = [it.text for it in command.upstream() if it.program in _UNPACKS]
    sources = [command.reads, *unpacked, command.option("-f", "--file")]
    source = next(filter(None, sources), "")
    # What a variable holds is not followed: little else than a backup is read from one.
    is_backup = ("$" in source or has(source, "backup_file")) and not has(source, "no_backup_file")
    is_backup = is_backup or any(name in source for name in dumped)
    return command.program == "psql" and bool(is_backup)


def is_dump(command: Command) -> bool:
    """Whether a command makes a backup."""
    return command.program in ("pg_dump", "pg_dumpall")


def removes_volumes(command: Command) -> bool:
    """Whether a command of compose also removes the volumes."""
    removing = {"-v", "--volumes"} & {*command.words}
    return command.words[:2] == ("compose", "down") and bool(removing)


# Only the first hundred of each kind: each is compared with all statements around it.
_MOST = 100


def _dumps(document: Document) -> Commands:
    return itertools.islice((pair for pair in document.commands() if is_dump(pair[1])), _MOST)


def _restores(document: Document) -> Commands:
    files = [command.option("-f", "--file") or command.writes for _, command in _dumps(document)]
    dumped = {Path(one).name for one in files if one and "$" not in one}
    found = (it for it in document.commands() if is_restore(it[1], dumped))
    return itertools.islice(found, _MOST)


def _around(one: Statement) -> list[Statement]:
    """The statements of the procedure that a statement is part of."""
    section = one.section
    if one.listed and has(one.lead, "label"):
        # `- restore: …` in a list of commands is a procedure of its own.
        return [it for it in section.statements if it.line == one.line]
    while section.parent and (
        has(section.title, "step_title")
        or (section.parent.level > 1 and has(section.parent.title, "backup_chapter"))
    ):
        section = section.parent
    return section.statements


def _from(one: Statement, among: list[Statement]) -> list[Statement]:
    return among[among.index(one) :]


def _before(one: Statement, among: list[Statement]) -> list[Statement]:
    return among[: among.index(one)]


def _last(statements: list[Statement], is_so: Callable[[Statement], object]) -> int:
    return max((at for at, one in enumerate(statements) if is_so(one)), default=-1)


def _says(one: Statement, name: str) -> bool:
    return one.kind in (*TEXTS, "command") and bool(has(one.text, name))


def _names_neighbours(command: Command | None) -> bool:
    """Whether a start or stop names services other than the backend alone."""
    words = command.words[2:] if command else ()
    named = [word for word in words if not word.startswith("-")]
    return bool(named) and all(has(word, "neighbour") for word in named)


def _starts_backend(one: Statement) -> bool:
    if not one.command:
        return one.kind in ("sentence", "comment") and bool(has(one.text, "starts"))
    return one.command.words[:2] in _STARTS and not _names_neighbours(one.command)


@finds("restore-not-empty")
def _restore_not_empty(document: Document) -> Iterator[Found]:
    dumped_clean = any({"--clean", "-c"} & set(command.words) for _, command in _dumps(document))
    for one, command in _restores(document):
        clean = {"--clean", "-c", "--create", "-C"} & set(command.words)
        if dumped_clean or (clean and command.program == "pg_restore"):
            continue
        around = _around(one)
        before, after = _before(one, around), _from(one, around)
        emptied = _last(before, lambda it: _says(it, "empties"))
        started = _last(before, lambda it: it.command and _starts_backend(it))
        elsewhere = {it.line for it in after if it.command and _says(it, "empties")}
        says_so = any(
            it.kind in TEXTS and it.line not in elsewhere and _says(it, "empties") for it in after
        )
        says_so = says_so or bool(has(one.section.title, "empties"))
        if emptied < started or (emptied < 0 and not says_so):
            yield Found(one.line, one.text)


@finds_commands("restore-running", _restores)
def _restores_while_running(one: Statement, command: Command) -> bool:
    names = [word for word in command.words[1:] if not {"/", "."} & {*word}]
    if any(has(word, "other_database") for word in names):
        return False  # it fills a database that the backend does not use
    before = _before(one, _around(one))
    ups = [it for it in before if it.command and it.command.words[:2] in _UP]
    alone = any(_names_neighbours(it.command) for it in ups)
    alone = alone or any(_says(it, "starts_neighbours") for it in before)
    stopped = _last(before, lambda it: _says(it, "stops") and not _names_neighbours(it.command))
    return _last(before, _starts_backend) > stopped or (stopped < 0 and not alone)


@finds_commands("restore-errors", _restores)
def _goes_on_after_errors(one: Statement, command: Command) -> bool:
    return command.program == "psql" and "ON_ERROR_STOP" not in f"{one.script}{one.text}"


@finds_commands("restore-no-input", _restores)
def _reads_nothing(_: Statement, command: Command) -> object:
    inside = command.inside if command.reads or command.fed_by else None
    deaf = inside and not inside.options.has("i", "interactive", "stdin")
    return inside and inside.engine != "compose" and deaf


@finds_commands("terminal", _restores, _dumps)
def _goes_through_a_terminal(_: Statement, command: Command) -> object:
    moved = command.reads or command.fed_by or command.writes or command.feeds
    inside = command.inside if moved else None
    return inside and inside.engine == "docker" and inside.options.has("t", "tty")


@finds_commands("dump-pipe", _dumps)
def _is_piped_without_pipefail(one: Statement, command: Command) -> object:
    before = _before(one, one.section.statements)
    text = one.script + "".join(it.text for it in before if it.kind != "code")
    return command.feeds and not re.search("pipefail|PIPESTATUS", text)


@finds_commands("dump-in-volume", _dumps)
def _is_written_into_the_volume(_: Statement, command: Command) -> object:
    target = command.option("-f", "--file") or command.writes or ""
    return re.match(r"/var/lib/(postgresql|docker/volumes)/", target)


@finds_commands("volume-copy", Document.commands)
def _copies_files_of_database(one: Statement, _: Command) -> bool:
    if not (has(one.text, "copies_files") and has(one.text, "volume_of_database")):
        return False
    return not any(_says(it, "stops") for it in _before(one, _around(one)))


@finds("dump-service")
def _dump_service(document: Document) -> Iterator[Found]:
    services = {
        found
        for block in document.blocks
        if re.search(r"^services:", block.text, re.M)
        for found in re.findall(r"^ {2,4}([\w.-]+):\s*$", block.text, re.M)
    }
    if not services and has(document.text, "names_services"):
        services = {"backend", "db", "redis", "db-migration"}
    programs = {"pg_dump", "pg_dumpall", "psql", "pg_restore", "createdb", "dropdb", "redis-cli"}
    for one, command in document.commands():
        inside = command.inside if services and command.program in programs else None
        if inside and inside.engine == "compose" and inside.target not in {*services, ""}:
            yield Found(one.line, one.text)


@finds("backup-without-key")
def _backup_without_key(document: Document) -> Iterator[Found]:
    texts = [one.text for one in document.claims(*TEXTS)]
    if any(has(text, "names_key") and has(text, "backup_title") for text in texts):
        return
    dumps = [one for one, _ in _dumps(document)]
    for one in document.claims("heading"):
        section = one.section
        above = section.parent.title if section.parent else ""
        if has(section.title, "backup_title") and not has(above, "backup_title"):
            dumped = any(it.section.within(section) for it in dumps)
            if dumped and not has(section.text, "names_key"):
                yield Found(one.line, one.text)


@finds_commands("job-without-check", _dumps)
def _is_not_checked(one: Statement, _: Command) -> bool:
    job = one.scheduled or one.script.startswith("#!")
    return job and not has(one.script, "checks")


@finds_commands("redis-dump", Document.commands)
def _is_overwritten_at_shutdown(one: Statement, command: Command) -> bool:
    target = command.words[-1] if command.words else ""
    host = command.words[:1] == ("cp",) and has(target, "redis_place")
    container = command.words[1:2] == ("cp",) and ":" in target
    if "rdb" not in one.text or not (host or container):
        return False
    steps = [it for it in one.section.statements if it.command and not it.denied]
    ended_before = any(map(_ends_redis, _before(one, steps)))
    return any(map(_ends_redis, _from(one, steps))) and not ended_before


def _ends_redis(one: Statement) -> bool:
    words = one.command.words if one.command else ()
    named = [word for word in words[2:] if not word.startswith("-")]
    ours = not named or any(re.search(r"redis|cache|\$", word) for word in named)
    return bool({"restart", "stop", "down"} & set(words[1:3])) and ours


@finds("upgrade-without-backup")
def _upgrade_without_backup(document: Document) -> Iterator[Found]:
    saves = pattern("saves").pattern
    saved = rf"(?:{saves})[^.;]*\b(?:before|prior)\b|\bbefore\b[^.;]*(?:{saves})"
    texts = [one.text for one in document.claims(*TEXTS)]
    ahead = [one for one in texts if re.search(saved, one, re.I) and not has(one, "goes_back_by")]
    if any(has(one, "upgrade", "changes") for one in ahead):
        return
    for one, command in document.commands():
        section = one.section
        around = section.parent if section.parent and section.parent.level > 1 else section
        said = f"{section.title} {one.lead} {around.title}"
        pulls = command.words[:2] == ("compose", "pull")
        near = _around(one) if one.listed else section.statements
        after = [it.command for it in _from(one, near) if it.command]
        starts = any(it.words[:2] == ("compose", "up") for it in after)
        text = "\n".join(it.text for it in near) if one.listed else section.text
        if pulls and starts and has(said, "upgrade") and not has(text, "saves"):
            yield Found(one.line, one.text)


@finds_commands("wipe-as-cure", Document.commands)
def _is_a_wipe_as_cure(one: Statement, command: Command) -> bool:
    if not (removes_volumes(command) or _removes_files_of_database(command)):
        return False
    section, titles = one.section, ""
    while section.level > 1 and section.parent:
        titles += f"{section.title}\n"
        section = section.parent
    saved = any(_says(it, "saves") for it in _before(one, one.section.statements))
    announced = has(one.lead, "wipe_is_said") and not has(titles, "trouble")
    return not (saved or announced or has(titles, "wipe_is_meant"))


def _removes_files_of_database(command: Command) -> bool:
    options = "".join(word for word in command.words if word.startswith("-"))
    files = any(has(word, "database_files") for word in command.words[1:])
    return command.program == "rm" and "r" in options.lower() and files


# Containers and images ---------------------------------------------------------------------------


def _lists(command: Command) -> bool:
    return command.words[:1] == ("docker",) and bool({"ps", "ls", "list"} & set(command.words[1:3]))


def _picked(command: Command) -> str:
    """The word by which a command selects names; empty where it selects in another way."""
    picked = ""
    if command.program in ("grep", "egrep", "awk") and any(map(_lists, command.upstream())):
        picked = next((word for word in command.words[1:] if not word.startswith("-")), "")
        exact = {"-x", "-wx", "-v"} & set(command.words) or re.fullmatch(r"\^.*\$", picked)
        picked = "" if exact else picked
    elif _lists(command):
        filters = command.options("--filter", "-f")
        picked = next((word[5:] for word in filters if word[:5] == "name="), "")
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
    return any(map(_picked, picked)) or everything or prunes


@finds("container-name")
def _container_name(document: Document) -> Iterator[Found]:
    commands = list(document.commands()) if "coolify" in document.text.lower() else []
    destroying = {one.line for one, command in commands if _destroys_by_a_word(one, command)}
    for one, command in commands:
        words = set(re.findall(r"[a-z]{2,}", _picked(command).lower()))
        if words - {"backend", "db", "redis", "postgres"} and one.line not in destroying:
            yield Found(one.line, one.text)


@finds("image-tag")
def _image_tag(document: Document) -> Iterator[Found]:
    spares = re.compile(rules()["image-tag"].spares, re.I)
    for one in document.claims(*TEXTS, "code"):
        declares = one.kind == "code" and has(one.text, "declares_image")
        for match in pattern("image").finditer(one.text):
            name, tag, digest = match.groups()
            unnamed = not tag and declares and "infisical" in name
            misleads = unnamed or (tag and (tag == "latest" or any(image_tags.of_tag(match[0]))))
            said = _clause(match) + one.lead
            if misleads and not digest and not has(said, "denies") and not spares.search(said):
                yield Found(one.line_at(match.start()), one.text)


@finds("helm-rollback")
def _goes_back_without_data(document: Document) -> Iterator[Found]:
    for one, command in document.commands():
        release = "".join(command.words[2:3])
        ours = not release or re.search(r"infisical|secret|[$<-]", release)
        if command.words[:2] == ("helm", "rollback") and ours:
            yield Found(one.line, one.text)
    for one in document.claims(*TEXTS):
        match = has(one.text, "goes_back")
        alone = match and not has(_clause(match), "goes_back_with_data")
        if match and alone and not has(one.section.text, "restores_backup"):
            yield Found(one.line_at(match.start()), one.text)


# The health report -------------------------------------------------------------------------------

_FLAGS = frozenset(FLAGS)
_OTHER_FIELDS = {
    *("date", "message", "samlDefaultOrgSlug", "auditLogStorageDisabled"),
    "maxIdentityAccessTokenTTL",
}


@finds("health-fields")
def _health_fields(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        report = json_object(block)
        near = f"{block.lead}\n{block.section.text}"
        expected = "/api/status" in near and has(block.lead, "expects_answer")
        if block.denied or not (_FLAGS & report.keys() or expected):
            continue
        for number, line in enumerate(block.text.splitlines()):
            for name in re.findall(r'"(\w+)"\s*:', line):
                opened = name == "inviteOnlySignup" and report.get(name) is True
                foreign = name in report and name not in _FLAGS | _OTHER_FIELDS
                if foreign or (opened and not has(near, "tells_inverted")):
                    yield Found(block.line + number, line.strip())


def json_object(block: Block) -> dict[str, object]:
    """The JSON object that a block shows; empty where it shows none."""
    try:
        found = json.loads(re.sub(r"(?m)(?<!:)//.*$", "", block.text))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
