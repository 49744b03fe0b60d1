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
from drillbook.runbook.shell import Command, commands


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
    denial: str = ""
    spares: str = "(?!)"
    spares_section: str = "(?!)"
    code: bool = False


class Found(NamedTuple):
    """The line of a mistake, and the words that show it."""

    line: int
    words: str


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
        for mistake in _mistakes(rule, document):
            found.setdefault((mistake.line, rule.id), (rule, mistake))
    return [found[key] for key in sorted(found)]


def _mistakes(rule: Rule, document: Document) -> Iterator[Found]:
    """The mistakes that this rule finds, by its patterns and by the tables below."""
    yield from _words(rule, document)
    if find := _FINDERS.get(rule.id):
        yield from find(document)
    if rule.id in _STATEMENTS:
        kinds, mistake = _STATEMENTS[rule.id]
        found = ((statement.line, mistake(statement)) for statement in document.claims(*kinds))
        yield from (Found(line, words) for line, words in found if words)
    if rule.id in _COMMANDS:
        listed, is_mistake = _COMMANDS[rule.id]
        for statement, command in listed(document):
            if is_mistake(statement, command):
                yield Found(statement.line, statement.text)


def _words(rule: Rule, document: Document) -> Iterator[Found]:
    denial = rule.denial or pattern("denies").pattern
    spares = re.compile(f"{denial}|{rule.spares}", re.I)
    spared = cache(lambda section: re.search(rule.spares_section, section.text, re.I))
    kinds: tuple[Kind, ...] = (*TEXTS, "code") if rule.code else TEXTS
    for words in rule.patterns:
        for statement in document.claims(*kinds):
            for match in re.finditer(words, statement.text, re.I):
                if not spares.search(_clause(match)) and not spared(statement.section):
                    yield Found(statement.line_at(match.start()), statement.text)
    for statement in document.claims("heading"):
        if re.search(rule.heading, statement.text, re.I) and not spared(statement.section):
            yield Found(statement.line, statement.text)


def _clause(match: re.Match[str]) -> str:
    """The part of a text around a match, between full stops, semicolons and the like."""
    text, (start, end) = match.string, match.span()
    left = max(text.rfind(mark, 0, start) for mark in (". ", "; ", "! "))
    right = [at for mark in (". ", "; ", "! ") if (at := text.find(mark, end)) >= 0]
    return text[left + 1 : min(right, default=len(text))]


# Keys and passwords ------------------------------------------------------------------------------

_KEY_LENGTH = 32
# A random value has at least so many different characters.
_FEWEST_CHARACTERS = 8


class Generated(NamedTuple):
    """A command that makes a random text, and the name of the variable or key it is for."""

    statement: Statement
    line: int
    form: str
    characters: int
    subject: str


def _generated(document: Document) -> Iterator[Generated]:
    subject, leads_to = pattern("subject"), pattern("for_subject")
    for statement in document.claims(*TEXTS, "code"):
        text, start = statement.text, 0
        for match in pattern("generator").finditer(text):
            form = "hex" if "hex" in (match[1], match[3]) else "base64"
            count = int(match[2] or match[4])
            before, after = text[start : match.start()], text[match.end() :][:60]
            start = match.end()
            named = subject.match(after, (leads_to.match(after) or match).end())
            subjects = [*subject.finditer(before)] or [*subject.finditer(statement.lead)]
            said = re.split(r"[;.!|]\s", before)[-1] + re.split(r"[;.!|]\s", after)[0]
            if (named or subjects) and not has(said, "denies"):
                characters = 2 * count if form == "hex" else -(-count // 3) * 4
                made_for = (named or subjects[-1])[0].lower()
                line = statement.line_at(match.start())
                yield Generated(statement, line, form, characters, made_for)


def _find_keys_of_wrong_length(document: Document) -> Iterator[Found]:
    if has(document.text, "fips"):
        return  # there base64 of 32 bytes is right
    for made in _generated(document):
        key = re.fullmatch(r"(?:infisical_)?encryption[ _]keys?", made.subject)
        if key and made.characters != _KEY_LENGTH:
            yield Found(made.line, made.statement.text)


def _find_passwords_in_addresses(document: Document) -> Iterator[Found]:
    for made in _generated(document):
        raw = made.form == "base64" and not has(made.statement.section.text, "encodes")
        if raw and pattern("database_password").fullmatch(made.subject):
            yield Found(made.line, made.statement.text)


def _renews_the_key(statement: Statement) -> str:
    """Regular rotation, and a new key as the cure of a wrong one in a table of symptoms."""
    text = statement.text
    if statement.kind == "sentence":
        match = has(text, "rotates_regularly")
        return text if match and not has(_clause(match), "denies") else ""
    *causes, cure = (cell.strip() for cell in text.split("|"))
    key = re.search(r"\b(?:INFISICAL_)?ENCRYPTION_KEY\b", " ".join(causes))
    renewed = key and has(cure, "renews") and not has(f"{statement.lead} {text}", "new_instance")
    return text if renewed else ""


def _lists_as_encrypting(statement: Statement) -> str:
    words = f"{statement.lead} {statement.text}"
    named = re.match(r"\W*(?:AUTH_SECRET|JWT_\w*SECRET\w*)\b", statement.text)
    listed = named and has(statement.lead, "listing_of_keys")
    return words if listed and not has(words, "denies") else ""


def _says_required(statement: Statement) -> str:
    text, lead = statement.text, statement.lead
    near = text if statement.kind != "code" else ""
    said = [words for words in (near, lead, statement.section.title) if has(words, "required")]
    named = re.match(r"\W*JWT_(?:AUTH|REFRESH|SERVICE|SIGNUP|PROVIDER_AUTH)_SECRET\b", text)
    required = named and said and not has(f"{said[0]} {text} {lead}", "optional")
    return f"{said[0]}: {text}" if required else ""


def _has_a_sample(statement: Statement) -> str:
    values = pattern("sample").findall(statement.text)
    if statement.setting and statement.setting[0] in (*SENSITIVE, "DB_PASSWORD"):
        values = [statement.setting[1]]
    disclaimed = has(f"{statement.text} {statement.lead}", "denies", "known_sample")
    used = any(map(is_sample, values)) and not disclaimed
    return statement.text if used and not has(statement.section.text, "disclaims") else ""


def _find_written_keys(document: Document) -> Iterator[Found]:
    for statement in document.claims(*TEXTS, "code"):
        for match in pattern("key_written_out").finditer(statement.text):
            varied = len(set(match[1])) >= _FEWEST_CHARACTERS and "0123456789" not in match[1]
            if varied and not is_sample(match[1]) and not has(statement.lead, "known_sample"):
                yield Found(statement.line_at(match.start()), statement.text)


# Commands ----------------------------------------------------------------------------------------

Commands = Iterator[tuple[Statement, Command]]
_UNPACKS = {
    *("cat", "zcat", "gunzip", "gzip", "zstd", "zstdcat", "lz4", "xz", "xzcat"),
    *("age", "gpg", "aws", "pv", "openssl"),
}
RESTARTS = (("docker", "restart"), ("compose", "restart"))
_STARTS = (("docker", "start"), ("compose", "up"), ("compose", "start"))
_UP = (*_STARTS, ("docker", "run"))
# Only the first hundred of each kind: each is compared with all statements around it.
_MOST = 100


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


def _dumps(document: Document) -> Commands:
    return itertools.islice((pair for pair in document.commands() if is_dump(pair[1])), _MOST)


def _restores(document: Document) -> Commands:
    targets = [command.option("-f", "--file") or command.writes for _, command in _dumps(document)]
    dumped = {Path(target).name for target in targets if target and "$" not in target}
    found = (pair for pair in document.commands() if is_restore(pair[1], dumped))
    return itertools.islice(found, _MOST)


def _dumps_and_restores(document: Document) -> Commands:
    return itertools.chain(_restores(document), _dumps(document))


def _around(statement: Statement) -> list[Statement]:
    """The statements of the procedure that a statement is part of."""
    section = statement.section
    if statement.listed and has(statement.lead, "label"):
        # `- restore: …` in a list of commands is a procedure of its own.
        return [it for it in section.statements if it.line == statement.line]
    while section.parent and (
        has(section.title, "step_title")
        or (section.parent.level > 1 and has(section.parent.title, "backup_chapter"))
    ):
        section = section.parent
    return section.statements


def _from(statement: Statement, among: list[Statement]) -> list[Statement]:
    return among[among.index(statement) :]


def _before(statement: Statement, among: list[Statement]) -> list[Statement]:
    return among[: among.index(statement)]


def _last(statements: list[Statement], is_so: Callable[[Statement], object]) -> int:
    return max((at for at, it in enumerate(statements) if is_so(it)), default=-1)


def _says(statement: Statement, name: str) -> bool:
    return statement.kind in (*TEXTS, "command") and bool(has(statement.text, name))


def _names_neighbours(command: Command | None) -> bool:
    """Whether a start or stop names services other than the backend alone."""
    words = command.words[2:] if command else ()
    named = [word for word in words if not word.startswith("-")]
    return bool(named) and all(has(word, "neighbour") for word in named)


# The database's password -------------------------------------------------------------------------


def _find_restarts_after_a_password(document: Document) -> Iterator[Found]:
    for statement in document.claims(*TEXTS, "command", "code"):
        here = statement.command.here if statement.command else ""
        if has(f"{statement.text}\n{here}", "alters", "alters_by_prompt"):
            yield from _restarts(_from(statement, _around(statement)), "redeploys", _is_restart)


def _find_restarts_after_a_variable(document: Document) -> Iterator[Found]:
    for statement in document.claims(*TEXTS):
        if has(statement.text, "changes_variable") and not has(statement.text, "denies"):
            later = _from(statement, statement.section.statements)
            yield from _restarts(later, "takes_variable", _restarts_something)


def _restarts(
    later: list[Statement], deploys: str, is_restart: Callable[[Statement], object]
) -> Iterator[Found]:
    """The first restart, of a command if there is one, unless what is said later deploys."""
    restarts = [it for it in later if not it.denied and is_restart(it)]
    if restarts and not any(has(it.text, deploys) for it in later):
        first = next((it for it in restarts if it.command), restarts[0])
        yield Found(first.line, first.text)


def _restarts_something(statement: Statement) -> bool:
    return statement.command is not None and statement.command.words[:2] in RESTARTS


def _is_restart(statement: Statement) -> bool:
    if not statement.command:
        said = statement.kind in TEXTS and has(statement.text, "restart")
        return bool(said) and not has(statement.text, "denies")
    words = " ".join(statement.command.words[2:])
    alone = has(words, "neighbour") and "backend" not in words
    return _restarts_something(statement) and not alone


# Backup and restore ------------------------------------------------------------------------------


def _starts_backend(statement: Statement) -> bool:
    if not statement.command:
        return statement.kind in ("sentence", "comment") and bool(has(statement.text, "starts"))
    starts = statement.command.words[:2] in _STARTS
    return starts and not _names_neighbours(statement.command)


def _find_restores_over_data(document: Document) -> Iterator[Found]:
    dumped_clean = any({"--clean", "-c"} & set(command.words) for _, command in _dumps(document))
    for statement, command in _restores(document):
        clean = {"--clean", "-c", "--create", "-C"} & set(command.words)
        if dumped_clean or (clean and command.program == "pg_restore"):
            continue
        around = _around(statement)
        before, after = _before(statement, around), _from(statement, around)
        emptied = _last(before, lambda it: _says(it, "empties"))
        started = _last(before, lambda it: it.command and _starts_backend(it))
        emptying = [it for it in after if _says(it, "empties")]
        typed = {it.line for it in emptying if it.command}
        says_so = any(it.line not in typed for it in emptying)
        says_so = says_so or bool(has(statement.section.title, "empties"))
        if emptied < started or (emptied < 0 and not says_so):
            yield Found(statement.line, statement.text)


def _restores_while_running(statement: Statement, command: Command) -> bool:
    names = [word for word in command.words[1:] if not {"/", "."} & {*word}]
    if any(has(word, "other_database") for word in names):
        return False  # it fills a database that the backend does not use
    before = _before(statement, _around(statement))
    ups = [it for it in before if it.command and it.command.words[:2] in _UP]
    alone = any(_names_neighbours(it.command) for it in ups)
    alone = alone or any(_says(it, "starts_neighbours") for it in before)
    stopped = _last(before, lambda it: _says(it, "stops") and not _names_neighbours(it.command))
    return _last(before, _starts_backend) > stopped or (stopped < 0 and not alone)


def _goes_on_after_errors(statement: Statement, command: Command) -> bool:
    typed = f"{statement.script}{statement.text}"
    return command.program == "psql" and "ON_ERROR_STOP" not in typed


def _reads_nothing(_: Statement, command: Command) -> object:
    inside = command.inside if command.reads or command.fed_by else None
    deaf = inside and not inside.options.has("i", "interactive", "stdin")
    return inside and inside.engine != "compose" and deaf


def _goes_through_a_terminal(_: Statement, command: Command) -> object:
    moved = command.reads or command.fed_by or command.writes or command.feeds
    inside = command.inside if moved else None
    return inside and inside.engine == "docker" and inside.options.has("t", "tty")


def _is_piped_without_pipefail(statement: Statement, command: Command) -> object:
    before = _before(statement, statement.section.statements)
    text = statement.script + "".join(it.text for it in before if it.kind != "code")
    return command.feeds and not re.search("pipefail|PIPESTATUS", text)


def _is_written_into_the_volume(_: Statement, command: Command) -> object:
    target = command.option("-f", "--file") or command.writes or ""
    return re.match(r"/var/lib/(postgresql|docker/volumes)/", target)


def _copies_files_of_database(statement: Statement, _: Command) -> bool:
    if not (has(statement.text, "copies_files") and has(statement.text, "volume_of_database")):
        return False
    return not any(_says(it, "stops") for it in _before(statement, _around(statement)))


def _is_not_checked(statement: Statement, _: Command) -> bool:
    job = statement.scheduled or statement.script.startswith("#!")
    return job and not has(statement.script, "checks")


def _find_chapters_without_key(document: Document) -> Iterator[Found]:
    texts = [statement.text for statement in document.claims(*TEXTS)]
    if any(has(text, "names_key") and has(text, "backup_title") for text in texts):
        return
    dumps = [statement for statement, _ in _dumps(document)]
    for heading in document.claims("heading"):
        section = heading.section
        above = section.parent.title if section.parent else ""
        if has(section.title, "backup_title") and not has(above, "backup_title"):
            dumped = any(it.section.within(section) for it in dumps)
            if dumped and not has(section.text, "names_key"):
                yield Found(heading.line, heading.text)


def _find_upgrades_without_backup(document: Document) -> Iterator[Found]:
    saves = pattern("saves").pattern
    saved = rf"(?:{saves})[^.;]*\b(?:before|prior)\b|\bbefore\b[^.;]*(?:{saves})"
    texts = [statement.text for statement in document.claims(*TEXTS)]
    ahead = [text for text in texts if re.search(saved, text, re.I)]
    if any(has(it, "upgrade", "changes") and not has(it, "goes_back_by") for it in ahead):
        return
    for statement, command in document.commands():
        section, near = statement.section, statement.section.statements
        around = section.parent if section.parent and section.parent.level > 1 else section
        said = f"{section.title} {statement.lead} {around.title}"
        text = section.text
        if statement.listed:
            near = _around(statement)
            text = "\n".join(it.text for it in near)
        later = [it.command.words[:2] for it in _from(statement, near) if it.command]
        pulls = command.words[:2] == ("compose", "pull") and ("compose", "up") in later
        if pulls and has(said, "upgrade") and not has(text, "saves"):
            yield Found(statement.line, statement.text)


def _is_a_wipe_as_cure(statement: Statement, command: Command) -> bool:
    if not (removes_volumes(command) or _removes_files_of_database(command)):
        return False
    section, titles = statement.section, ""
    while section.level > 1 and section.parent:
        titles += f"{section.title}\n"
        section = section.parent
    before = _before(statement, statement.section.statements)
    saved = any(_says(it, "saves") for it in before)
    announced = has(statement.lead, "wipe_is_said") and not has(titles, "trouble")
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


def _sources(statement: Statement, command: Command) -> list[Command]:
    """The commands whose output is among a command's arguments, at once or by a variable."""
    texts = [word for word in command.words if "$(" in word or "`" in word]
    for name in re.findall(r"\$\{?(\w+)", " ".join(command.words)):
        texts += re.findall(rf"(?m)\b{name}(?:=| in )(.*)", statement.script)[:1]
    return [*command.upstream(), *commands("\n".join(texts), statement.line)]


def _destroys_by_a_word(statement: Statement, command: Command) -> bool:
    words = command.words
    if words[:1] != ("docker",) or not {"stop", "rm", "kill", "prune"} & set(words[1:3]):
        return False
    sources = _sources(statement, command)
    narrowed = any(it.program in ("grep", "awk") or "filter" in it.text for it in sources)
    everything = any(map(_lists, sources)) and not narrowed
    volumes = "prune" in words and (words[1] == "volume" or "--volumes" in words)
    prunes = volumes and "label" not in statement.text
    return any(map(_picked, sources)) or everything or prunes


def _find_words_in_no_name(document: Document) -> Iterator[Found]:
    pairs = list(document.commands()) if "coolify" in document.text.lower() else []
    destroying = {statement.line for statement, it in pairs if _destroys_by_a_word(statement, it)}
    for statement, command in pairs:
        words = set(re.findall(r"[a-z]{2,}", _picked(command).lower()))
        if words - {"backend", "db", "redis", "postgres"} and statement.line not in destroying:
            yield Found(statement.line, statement.text)


def _find_misleading_tags(document: Document) -> Iterator[Found]:
    spares = re.compile(rules()["image-tag"].spares, re.I)
    for statement in document.claims(*TEXTS, "code"):
        declares = statement.kind == "code" and has(statement.text, "declares_image")
        for match in pattern("image").finditer(statement.text):
            name, tag, digest = match.groups()
            unnamed = not tag and declares and "infisical" in name
            misleads = unnamed or (tag and (tag == "latest" or any(image_tags.of_tag(match[0]))))
            said = _clause(match) + statement.lead
            if misleads and not digest and not has(said, "denies") and not spares.search(said):
                yield Found(statement.line_at(match.start()), statement.text)


def _goes_back_by_helm(_: Statement, command: Command) -> object:
    release = "".join(command.words[2:3])
    ours = not release or re.search(r"infisical|secret|[$<-]", release)
    return command.words[:2] == ("helm", "rollback") and ours


# The health report -------------------------------------------------------------------------------

_FLAGS = frozenset(FLAGS)
_OTHER_FIELDS = {
    *("date", "message", "samlDefaultOrgSlug", "auditLogStorageDisabled"),
    "maxIdentityAccessTokenTTL",
}


def _find_foreign_fields(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        report = _json_object(block)
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


def _json_object(block: Block) -> dict[str, object]:
    """The JSON object that a block shows; empty where it shows none."""
    try:
        found = json.loads(re.sub(r"(?m)(?<!:)//.*$", "", block.text))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# The tables: what finds a mistake besides the patterns of rules.toml ------------------------------

# The words of a statement that show the mistake, empty where it makes none.
_STATEMENTS: dict[str, tuple[tuple[Kind, ...], Callable[[Statement], str]]] = {
    "key-rotation": (("row", "sentence"), _renews_the_key),
    "key-purpose": (("sentence", "row"), _lists_as_encrypting),
    "key-required": (("code", "sentence", "row"), _says_required),
    "key-sample": ((*TEXTS, "code"), _has_a_sample),
}
_COMMANDS: dict[
    str, tuple[Callable[[Document], Commands], Callable[[Statement, Command], object]]
] = {
    "restore-running": (_restores, _restores_while_running),
    "restore-errors": (_restores, _goes_on_after_errors),
    "restore-no-input": (_restores, _reads_nothing),
    "terminal": (_dumps_and_restores, _goes_through_a_terminal),
    "dump-pipe": (_dumps, _is_piped_without_pipefail),
    "dump-in-volume": (_dumps, _is_written_into_the_volume),
    "volume-copy": (Document.commands, _copies_files_of_database),
    "job-without-check": (_dumps, _is_not_checked),
    "wipe-as-cure": (Document.commands, _is_a_wipe_as_cure),
    "selector": (Document.commands, _destroys_by_a_word),
    "helm-rollback": (Document.commands, _goes_back_by_helm),
}
_FINDERS: dict[str, Callable[[Document], Iterator[Found]]] = {
    "key-format": _find_keys_of_wrong_length,
    "password-in-address": _find_passwords_in_addresses,
    "key-in-document": _find_written_keys,
    "password-restart": _find_restarts_after_a_password,
    "variable-restart": _find_restarts_after_a_variable,
    "restore-not-empty": _find_restores_over_data,
    "backup-without-key": _find_chapters_without_key,
    "upgrade-without-backup": _find_upgrades_without_backup,
    "container-name": _find_words_in_no_name,
    "image-tag": _find_misleading_tags,
    "health-fields": _find_foreign_fields,
}
