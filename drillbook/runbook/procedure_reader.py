"""The procedures of an operator's document: typed commands, steps by hand, and their meaning.

A section with a shell block, with a sentence that gives a command to type, or with a mark for a
step, is a procedure; so is an item of a list such as "- restore: `…`". Marks are comments that a
rendered document does not show:

<!-- drillbook: redeploy -->                      the variables typed in Coolify are deployed now
<!-- drillbook: set POSTGRES_PASSWORD=$NEW -->    a variable is typed in; old, new, or an expression
<!-- drillbook: stop backend -->                  also start, restart; backend, db or redis
<!-- drillbook: names {service}-{id}-secrets -->  the names of the operator's containers
<!-- drillbook: skip needs a second server -->    the section is not carried out
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from drillbook.runbook import shell
from drillbook.runbook.document import (
    SHELLS,
    Block,
    Document,
    Mark,
    Section,
    Statement,
    without_prompts,
)
from drillbook.runbook.emulated_host import service_of
from drillbook.runbook.rules import has, is_dump, is_restore, json_object, removes_volumes
from drillbook.runbook.sandbox import HOME, ROOTS, SHIMS
from drillbook.runbook.shell import Command
from drillbook.stack.base import SERVICES, Service

Meaning = Literal["restore", "wipe", "password", "rotation", "backup", "keys", "health", "logs", ""]
Verb = Literal["redeploy", "set", "stop", "start", "restart"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STEP = re.compile(r"^\W*(?:step|part)\s+\d+\b", re.I)
# Titles of chapters whose parts may be steps of one procedure, by what they are about.
_CHAPTERS: dict[Meaning, re.Pattern[str]] = {
    "restore": re.compile(r"\b(?:restor|recover)\w*", re.I),
    "password": re.compile(r"\bpass(?:word|phrase)s?\b", re.I),
    "backup": re.compile(r"\bback(?:ing)?[- ]?ups?\b|\bdump", re.I),
    "wipe": re.compile(r"\b(?:wip|eras|reset|uninstall)\w*", re.I),
    "keys": re.compile(r"\b(?:keys?|secrets)\b|_KEY\b|_SECRET\b", re.I),
}
# A part that is another way to the same end, or that is for some readers alone.
_OTHER_WAY = re.compile(
    r"^\W*(?:\d+\W+)?(?:on|with|without|via|using|by|for|under|in|from|if|when)\b|"
    r"\b(?:if|alternativ\w*|options?|optional|variants?|trouble\w*|undo|revert)\b|"
    r"\broll(?:ing)?[- ]?back\b|\b(?:method|way)\s+\w+$",
    re.I,
)
_STARTS = re.compile(r"\b(?:re)?start\b|\bup\b")
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
# Where a step is done: "In Coolify, set …", "In `.env` change …".
_PLACE = (
    r"(?:in|on|under|within)(?! case\b)\s+(?:[\w`\"*-]+\s+){0,3}?"
    r"[`\"*]*(?:coolify|\.env|environment|dashboard|interface|ui|panel|resource|settings)\b[`\"*]*"
    r"(?:['’]s)?(?:\s+(?:ui|dashboard|interface|panel|resource|settings|variables|tab|page|file))*"
)
_BY_HAND = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:(?:please|then|now|finally|next|first|lastly|also|"
    rf"after(?:wards?| that| this)|in the \w+ place|{_PLACE}),?\s+)*(\w+)\b(.*)",
    re.I | re.S,
)
# Several steps in one sentence: "Open the resource, change A_KEY, save, and redeploy."
_OPENING = _words(
    "open go log sign click press save navigate select choose switch wait confirm deploy"
)
_NEXT_STEP = re.compile(
    r"(?:\s*[,;→]\s*|\s+(?=and\b|then\b))(?:and\s+|then\s+)*"
    r"(?=\W?(?:re-?deploy|deploy|press|click|stop|start|restart|update|set|change|replace|edit|put|"
    r"type|enter|paste|modify|adjust|overwrite)\b)",
    re.I,
)
# "Redeploy can take a minute" and "redeploy is needed" instruct no one.
_DESCRIBES = re.compile(r"^\W*(?:is|are|can|could|may|might|will|would|takes?|does|means)\b", re.I)
# Two steps of which one is done: "redeploy or restart the backend".
_ALTERNATIVES = re.compile(r"\bor\s+(?:\w+\s+)?(?:re-?deploy|stop|start|restart)\b", re.I)
# A step that is done in some cases alone; that the step before it succeeded is none.
_IN_SOME_CASES = re.compile(
    r"\b(?:if|unless|when(?:ever)?|in case|as needed|where (?:needed|necessary)|optional(?:ly)?|"
    r"alternatively|should (?:it|you|that|the))\b",
    re.I,
)
_AFTER_SUCCESS = re.compile(
    r"\b(?:if|when)\b(?![^,;:]*(?:\bno[tr]?\b|n['’]t\b|\bnothing\b|\bfail))[^,;:]*"
    r"\b(?:succe\w+|ALTER ROLE|exit (?:code|status) 0|worked|done|finished|ready)\b",
    re.I,
)
# The keys of a backup's day: those that the deployment of this run has.
_SAVED = re.compile(
    r"\b(?:saved|stored|kept|escrowed|of the backup|its day|"
    r"from the (?:backup|vault|safe|password manager)|that day)\b",
    re.I,
)
_OLD = re.compile(r"\b(old|previous|original|backed.up)\b", re.I)
_SAID_NEW = re.compile(r"\b(?:new|fresh|generated?|another|different|random)\b", re.I)
# A value that is written down somewhere else than in the deployment.
_INTO_A_SAFE = re.compile(
    r"\b(?:in|into|to)\s+(?:\w+\s+){0,3}?(?:vault|safe|password manager|keepass\w*|1password|"
    r"bitwarden)\b",
    re.I,
)
# A sentence that gives a command to type begins with the command, a label or an imperative.
_TYPED = re.compile(
    r"^\W*(?:step \d+\W+)?(?:(?:then|now|finally|next|first|afterwards?|lastly|also),?\s+)*"
    r"(?:run|execute|type|enter|use|do|call|issue|start|stop|restart|empty|flush|load|restore|bring|"
    r"take|make|create|drop|remove|delete|wipe|check|look|see|read|verify|dump|copy|redeploy|"
    r"recreate|back|clear|set|give|apply|list|find|get|show|pull|put)\b",
    re.I,
)
_CONDITIONAL = re.compile(
    r"\b(?:if|unless|when(?:ever)?|otherwise|instead|alternatively|optional(?:ly)?|or|either|"
    r"for example|e\.g|such as|cannot|could|may|might|would)\b",
    re.I,
)
_BY_ITSELF = _words("redeploy start stop restart")
_SETTING = _words(
    "update set change replace edit put type enter paste restore modify adjust overwrite"
)
_NEW_PASSWORD = re.compile(
    r"\b(?:your[-_ ]?)?(?:new|strong|secure|my)[-_]?(?:(?:db|postgres)[-_]?)?(?:password|pass|pw)\b"
    r"|\bCHANGE[-_]?ME\b|(?<=PASSWORD ')(?:…|\.\.\.|x{3,}|\*{3,})(?=')",
    re.I,
)
# A document's own variables may be called new_password: those of the shell, and those of psql.
_OWN_VARIABLE = re.compile(
    r"\$\{?[#!]?(\w+)|\b(\w+)=|(?<!\w):'?(\w+)|\bread\b[^\n;|&]*?(\w+)\s*(?:$|[;|&<\n])"
)
# Before a word on its line, what makes it the name of a variable.
_OF_A_VARIABLE = re.compile(
    r"(?:[$_]|\{[#!]?|(?<!\w):'|(?:-e|--env)[ =]|\bread\s+(?:[^;|&]*\s)?|"
    r"\b(?:unset|export|readonly|local|declare)\s+(?:[^\s;|&]+\s+)*)$"
)
# What replaces a placeholder, by its words; else the name of the service it names.
_PLACEHOLDERS = {
    r"pass|\bpw\b": "password",
    r"^(?!.*container).*(?:uuid|project|stack|resource|\bid\b)": "project",
    r"(?:redis|cache).*volume|volume.*(?:redis|cache)": "redis_data",
    r"volume": "pg_data",
    r"^(?!.*container).*(?:server|host|\bip\b|domain)": "server",
    r"^(?!.*container).*(?:file|dump|backup)": "file",
    r"date|time": "date",
}
NAMED = {"server": "server.example.com", "file": "backup.sql", "date": "2026-01-01"}
_ALTERED = re.compile(r"\bPASSWORD\s+(?:\\?['\"]){1,2}(.+?)\\?['\"]", re.I)
_RENAMES = re.compile(r"\bRENAME\s+TO\b", re.I)
_SQL = re.compile(r"\b(?:ALTER|SELECT|DROP|CREATE|UPDATE|REVOKE)\b")
# These folders are in the sandbox as they are.
_EVERYWHERE = ("", "tmp", "dev", "proc", "usr", "bin")
_ROOT = re.compile(rf"(?<![\w.~$}}/])/(?:{'|'.join((*ROOTS, 'etc/[\\w.-]+'))})/[\w./-]+")
# The commands that run here: builtins of the shell, tools, and those that are emulated.
_PROGRAMS = {"compose", *SHIMS} | _words(
    "[ [[ : . true false test echo printf set exit return cd export "
    "local declare read eval source trap wait shift unset exec break continue "
    "awk base64 bash basename cat chmod cmp command cp cut date df diff dirname du env find "
    "grep gunzip gzip head hostname id install ls md5sum mkdir mktemp mv nice od openssl paste rm "
    "sed seq sh sha256sum sleep sort split stat sync tail tar tee time timeout touch tr "
    "uniq umask wc whoami xargs xz zcat zstd zgrep ionice"
)
# The programs that pack a file, by the ending that they give it.
PACKERS = {".gz": "gzip", ".xz": "xz", ".zst": "zstd", ".bz2": "bzip2", ".lz4": "lz4"}
_PACKERS = {program: ending for ending, program in PACKERS.items()}
_PACKERS |= {"gunzip": ".gz", "unxz": ".xz", "unzstd": ".zst", "bunzip2": ".bz2"}
# A script of the document has no file here, and compose no other project.
_NOT_FOLLOWED = re.compile(
    r"\bdirname\s+(?:--\s+)?[\"']?\$\{?(?:0|BASH_SOURCE)\b|\bCOMPOSE_(?:PROJECT_NAME|FILE)\b"
)
_PACKED = re.compile(r"\.(?:gz|xz|zst|bz2|lz4)$")
_UNPACKERS = {*_PACKERS} | _words("cat zcat xzcat zstdcat bzcat pv")
_READERS = _UNPACKERS | _words("cp mv tar sha256sum md5sum pg_restore psql compose docker")
_BACKUP = re.compile(
    r"\.(sql|dump|dmp|pgdump|pgc|custom|backup|bak|tar|tgz|gz|zst|xz|bz2|lz4|sha256|md5)\b"
)
# A variable, its default, or a variable without braces.
_REFERENCE = re.compile(
    r"\$(?:\{([A-Za-z_]\w*|\d)(?:\[[@*]\])?(?::?[-=]([^{}]*))?\}|([A-Za-z_]\w*))"
)
_LOOP = re.compile(r"\bfor\s+([A-Za-z_]\w*)\s+in\s+([^;\n]+)")
_MOST_VALUES = 12
_NAMING = _words("logs stop start restart rm kill")
_MASTERS = _words("ENCRYPTION_KEY AUTH_SECRET")
_SUDO_WITH_VARIABLES = re.compile(
    r"\bsudo\s+(?:-[ug]\s+\w+\s+|-\w+\s+)*(?:--\s+)?(?=[A-Za-z_]\w*=)"
)
_OF_SHELL = _words(
    "HOME PWD USER PATH RANDOM SECONDS HOSTNAME BASHPID OLDPWD IFS LANG PIPESTATUS EUID UID PPID "
    "LINENO FUNCNAME BASH_SOURCE BASH_VERSION EPOCHSECONDS OPTARG OPTIND REPLY SHELL TERM"
)


_AT_EXIT = """trap '_code=$?; [ -z "${_block-}" ] || printf "\\036stop $_block $_code\\036"' EXIT"""
# Commands that change something, in a sentence that was not understood as a step.
_ACTING = re.compile(
    r"\b(?:up|down|stop|start|restart|rm|kill|psql|pg_restore|dropdb|createdb|flushall|flushdb)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Act:
    """A step that is done by hand; value is an expression of the shell, or old or new.

    place orders the steps of one line, as the statements of the document are ordered. doubtful: the
    sentence says that it is done in some cases alone.
    """

    verb: Verb
    line: int
    words: str
    service: Service = "backend"
    variables: tuple[str, ...] = ()
    value: str = "new"
    place: int = 0
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """A shell block as the document has it, and as it is run."""

    line: int
    text: str
    script: str
    place: int = 0


@dataclass
class Procedure:
    """One section to carry out; unfilled says why that is impossible, skipped why it is not done.

    files are those whose text a sentence gives; doubtful are steps by hand that depend on a case
    which the document does not decide, and that are not done; shown is the health report that the
    section shows.
    """

    section: Section
    steps: list[Act | Typed] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    meaning: Meaning = ""
    preamble: str = ""
    files: dict[str, str] = field(default_factory=dict)
    doubtful: list[Act] = field(default_factory=list)
    shown: dict[str, object] | None = None
    unfilled: str = ""
    skipped: str = ""

    @property
    def title(self) -> str:
        """Its heading."""
        return self.section.title or "the document"

    @property
    def name(self) -> str:
        """Its heading as one word, with its line, so that it is unique."""
        word = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")
        return f"{word[:40].strip('-')}-line-{self.section.line}"

    @property
    def acts(self) -> list[Act]:
        """The steps that are done by hand, in order."""
        return [one for one in self.steps if isinstance(one, Act)]

    @property
    def lines(self) -> range:
        """The lines from its heading to its last step."""
        last = [one.line + getattr(one, "text", "").count("\n") for one in self.steps]
        return range(self.section.line, max(last, default=self.section.line) + 1)

    def script(self) -> str:
        """One bash script of all steps; acts are calls, and marks divide the output by blocks.

        A block that ends the script leaves another mark, unless it sets a trap of its own.
        """
        parts = [_AT_EXIT, *([self.preamble] if self.preamble else [])]
        for number, one in enumerate(self.steps):
            if isinstance(one, Act):
                value = f'"{one.value}"' if "$" in one.value else shlex.quote(one.value)
                parts.append(f"drillbook-step {number} {value} </dev/null")
            else:
                parts.append(f"_block={number}; printf '\\036begin {number}\\036'\n{one.script}\n")
                parts.append(f"printf '\\036end {number} %s\\036' $?; _block=")
        return "\n".join(parts) + "\n"


def names_pattern(document: Document) -> str | None:
    """The pattern of the names that the document gives its containers."""
    found = [one.rest for one in document.marks if one.word == "names" and "{service}" in one.rest]
    return found[0] if found else None


def literal_names(document: Document) -> dict[str, str]:
    """The names of containers that the document's commands use, by service.

    A variable stands for what the document assigns to it, or for each word of its loop.
    """
    blocks = [one for one in document.blocks if one.language in SHELLS and not _is_denied(one)]
    values: dict[str, list[str]] = {}
    for block in blocks:
        for variable, given in _values(without_prompts(block.text)).items():
            values.setdefault(variable, []).extend(given)
    found: dict[str, str] = {}
    for _, command in document.commands():
        inside, words = command.inside, command.words
        named = [inside.target] if inside and inside.engine == "docker" else []
        if words[:1] == ("docker",) and _NAMING & {*words[1:2]}:
            named += [one for one in words[2:] if not one.startswith("-") and not one.isdecimal()]
        meant = [value for word in named for value in _expanded(word, values)]
        # A loop may also name containers of another application.
        for name in sorted(meant, key=lambda one: "infisical" not in one):
            if re.fullmatch(r"[\w.-]+", name) and (service := service_of(name)):
                found.setdefault(service, name)
    return found


def _values(text: str) -> dict[str, list[str]]:
    """The values that a text gives to its variables, by assignments and as words of loops."""
    found: dict[str, list[str]] = {}
    for name, said in shell.assignments(text).items():
        value = re.sub(r"[\"']", "", said.partition("=")[2])
        found[name] = value[1:-1].split() if value.startswith("(") else [value]
    for name, words in _LOOP.findall(text.replace("\\\n", " ")):
        if not re.search(r"\$\(|`", words):
            found.setdefault(name, []).extend(re.sub(r"[\"']", "", words).split())
    return found


def _expanded(word: str, values: Mapping[str, list[str]], depth: int = 3) -> list[str]:
    """What a word stands for; a variable without a value or default is left as it is."""
    options: list[list[str]] = []
    at = 0
    for found in _REFERENCE.finditer(word):
        name, default = found[1] or found[3], found[2]
        given = values.get(name, [])[:_MOST_VALUES] if depth else []
        # `DB=${DB:-infisical-db}` must not stand for itself.
        others = {one: held for one, held in values.items() if one != name}
        given = [it for one in given for it in _expanded(one, others, depth - 1)]
        options += [[word[at : found.start()]], given or [default or found[0]]]
        at = found.end()
    options.append([word[at:]])
    return ["".join(one) for one in itertools.islice(itertools.product(*options), _MOST_VALUES)]


def procedures(document: Document, names: dict[str, str], password: str) -> list[Procedure]:
    """The procedures of a document in their order.

    names has the values for the placeholders of containers, volumes and the project.
    """
    found: dict[Section, Procedure] = {}
    names = {**NAMED, **names, "password": password}

    parts = _parts_of_procedures(document)

    def of(section: Section) -> Procedure:
        while section.parent and (section in parts or _STEP.match(section.title)):
            section = section.parent
        return found.setdefault(section, Procedure(section))

    places = {one: number for number, one in enumerate(document.statements)}
    items: dict[int, Section] = {}
    for typed in _typed(document):
        section = typed.section
        if typed.listed and has(typed.lead, "label"):
            section = items.setdefault(typed.line, _item_of(typed))
        of(section).commands += _commands(typed.script, typed.line)
        of(section).steps.append(Typed(typed.line, typed.script, "", places[typed]))
    blocks = [one for one in document.blocks if one.language in SHELLS and not _is_denied(one)]
    for block in blocks:
        commands = _commands(block.text, block.line)
        if any(one.words for one in commands):
            of(block.section).commands += commands
            of(block.section).steps += _steps(block)
    for mark in document.marks:
        if mark.word == "skip":
            of(mark.section).skipped = mark.rest or "the document says so"
        elif act := _marked(mark):
            place = _place_of(mark, document, places)
            of(mark.section).steps.append(replace(act, place=place))
    for block in document.blocks:
        shown = {} if block.denied else json_object(block)
        if {"message", "redisConfigured"} <= shown.keys():
            of(block.section).shown = shown
    for one in found.values():
        _add_by_hand(one, document, parts)
        one.files = _files(one, password)
        _leave_out(one)
        one.steps.sort(key=lambda step: (step.line, step.place))
        one.meaning = _meaning(one)
        _fill(one, blocks, names)
    kept = [one for one in found.values() if one.commands or one.acts or one.shown]
    return sorted(kept, key=lambda one: one.section.line)


def _parts_of_procedures(document: Document) -> set[Section]:
    """The sections that are steps of the procedure around them, by their titles and commands."""
    below: dict[Section, list[Section]] = {}
    for one in document.statements:
        if one.kind == "heading" and one.section.parent and one.section.parent.level:
            below.setdefault(one.section.parent, []).append(one.section)
    skipped = {mark.section for mark in document.marks if mark.word == "skip"}
    parts: set[Section] = set()
    for chapter, sections in below.items():
        about = [meaning for meaning, title in _CHAPTERS.items() if title.search(chapter.title)]
        if len(about) == 1 and not any(map(_OTHER_WAY.search, (one.title for one in sections))):
            numbered = all(has(one.title, "step_title") for one in sections)
            may_be_steps = numbered or (about[0] in ("restore", "password") and chapter.level > 1)
            if may_be_steps and not skipped & {*sections} and _is_one(about[0], sections):
                parts |= {*sections}
    return parts


def _is_one(meaning: Meaning, sections: list[Section]) -> bool:
    """Whether sections are one procedure: none is whole, and no two do what it is about."""
    does = {"restore": is_restore, "backup": is_dump, "wipe": _wipes}.get(meaning)
    doing = []
    for section in sections:
        commands = [one.command for one in section.statements if one.command and not one.denied]
        done = [it for it in commands if (does(it) if does else _alters(it))]
        if done:
            doing.append((section, commands, done))
    if len(doing) != 1:
        return False
    section, commands, done = doing[0]
    after = commands[commands.index(done[-1]) :]
    texts = [one.text for one in section.statements if one.kind == "sentence"]
    starts = any(has(one.text, "redeploys", "starts") or _STARTS.search(one.text) for one in after)
    return not starts and not any(has(one, "redeploys") for one in texts)


def _alters(one: Command) -> bool:
    return bool(has(f"{one.text} {one.here}", "alters"))


def _typed(document: Document) -> list[Statement]:
    """The commands that sentences give to type; those in a table only describe."""
    rows = {one.line for one in document.statements if one.kind == "row"}
    found = {
        (one.line, one.script): one
        for one in document.statements
        if one.inline and not one.denied and one.line not in rows and _is_told(one)
    }
    return list(found.values())


def _is_told(one: Statement) -> bool:
    begins = one.lead.startswith(one.script) or has(one.lead, "label") or _TYPED.match(one.lead)
    return bool(begins) and not _CONDITIONAL.search(one.lead)


def _commands(text: str, line: int) -> list[Command]:
    text = without_prompts(text)
    return [one for one in shell.parse(text, line) if isinstance(one, Command)]


def _item_of(one: Statement) -> Section:
    """The item of a list as a section of its own, by its label."""
    title = one.lead.partition(":")[0].strip("*_ -")
    section = Section(title, one.section.level + 1, one.line, one.section, one.line, item=True)
    section.statements = [it for it in one.section.statements if it.line == one.line]
    return section


def _is_denied(block: Block) -> bool:
    return block.denied or any(
        one.denied and one.line == block.line for one in block.section.statements
    )


def _marked(mark: Mark) -> Act | None:
    verb, rest, words = mark.word, mark.rest, f"{mark.word} {mark.rest}".strip()
    if verb == "redeploy":
        return Act("redeploy", mark.line, words)
    if verb == "set" and "=" in rest:
        name, _, value = (one.strip() for one in rest.partition("="))
        return Act("set", mark.line, words, variables=(name,), value=value or "new")
    if verb in ("stop", "start", "restart") and rest in SERVICES:
        return Act(verb, mark.line, words, service=rest)  # type: ignore[arg-type]
    return None


def _place_of(mark: Mark, document: Document, places: Mapping[Statement, int]) -> int:
    """The place of a mark among the commands of its line: before those written after it."""
    source = document.text.split("\n")[mark.line - 1]
    behind = source.partition(f"drillbook: {mark.word}")[2]
    later = [
        place
        for one, place in places.items()
        if one.inline and one.line == mark.line and one.script in behind
    ]
    return min(later, default=len(places)) - 1


def _steps(block: Block) -> Iterator[Act | Typed]:
    """The steps of a block, which is divided where a comment says what is done by hand."""
    text = without_prompts(block.text)
    lines, start = text.splitlines(), 0
    for at in sorted(shell.comment_lines(text)):
        if acts := _by_hand(lines[at].strip("# \t"), block.line + at, block.section):
            if any(one.strip() for one in lines[start:at]):
                yield Typed(block.line + start, "\n".join(lines[start:at]), "")
            yield from acts
            start = at + 1
    if any(one.strip() for one in lines[start:]):
        yield Typed(block.line + start, "\n".join(lines[start:]), "")


def _by_hand(sentence: str, line: int, section: Section) -> list[Act]:
    """The steps that a sentence in the imperative gives to do by hand; all of them, or none."""
    plain = re.sub(r"\bre-deploy", "redeploy", sentence, flags=re.I)
    begin = _BY_HAND.match(plain)
    if not begin or len(sentence) > 300 or _ALTERNATIVES.search(sentence):
        return []
    if begin[1].lower() not in _BY_ITSELF | _SETTING | _OPENING:
        return []
    found: list[Act] = []
    named: tuple[str, ...] = ()
    for part in _parts(plain):
        named += tuple(name for name in _VARIABLE.findall(part) if name not in named)
        act = _step_of(part, sentence, line, section, named)
        if act:
            found.append(replace(act, doubtful=_is_doubtful(plain)))
        elif _is_undone(part, section, line):
            # The rest of the sentence, carried out alone, would be another procedure.
            return []
    return found


def _is_doubtful(sentence: str) -> bool:
    """Whether a sentence names a case in which its step is done, before any explanation."""
    step = re.split(r"[:;—–]|,? and (?=if\b|when\b)", sentence)[0]
    return bool(_IN_SOME_CASES.search(_AFTER_SUCCESS.sub("", step)))


def _parts(sentence: str) -> list[str]:
    """A sentence divided before each further step in it."""
    cuts = [0, *(one.end() for one in _NEXT_STEP.finditer(sentence)), len(sentence)]
    return [sentence[start:end] for start, end in itertools.pairwise(cuts)]


def _is_undone(part: str, section: Section, line: int) -> bool:
    """Whether a part of a sentence asks to stop or start something that was not understood."""
    found = _BY_HAND.match(part)
    verb = found[1].lower() if found else ""
    return verb in ("stop", "start", "restart") and not _commands_follow(section, line)


def _step_of(
    part: str, sentence: str, line: int, section: Section, named: tuple[str, ...]
) -> Act | None:
    """The step in one part of a sentence; named are the variables named in it so far."""
    found = _BY_HAND.match(part)
    if not found or _DESCRIBES.match(found[2]):
        return None
    verb, rest = found[1].lower(), found[2]
    if verb == "redeploy" or (
        verb in ("deploy", "press", "click") and re.search(r"\b(re)?deploy", rest, re.I)
    ):
        return Act("redeploy", line, sentence)
    variables = tuple(dict.fromkeys(_VARIABLE.findall(rest)))
    if not variables and re.search(r"\b(it|its value|value|password|key)\b", rest, re.I):
        variables = named
    if _INTO_A_SAFE.search(rest):
        return None
    if verb in _SETTING and (
        variables or re.search(r"\bkeys?\b.*\b(coolify|environment)|environment var", rest, re.I)
    ):
        return Act(
            "set", line, sentence, variables=variables, value=_value(rest, section, variables)
        )
    if verb in ("stop", "start", "restart") and re.match(r"\s+(the\s+)?\W?\w+", rest):
        service = service_of(" ".join(rest.split()[:3]))
        if service and not _commands_follow(section, line):
            return Act(verb, line, sentence, service=service)  # type: ignore[arg-type]
    return None


def _value(rest: str, section: Section, variables: tuple[str, ...]) -> str:
    """What a variable is set to: old, new, or an expression of the shell."""
    old = _OLD.search(rest)
    # "Replace the old password by the new one"
    by_new = re.search(r"\b(?:to|by|with)\s+(?:\w+\s+)?new\b", rest, re.I)
    if old and not by_new:
        return "old"
    makes = any("openssl rand" in one.script for one in section.statements)
    keyed = not variables or _MASTERS & {*variables}
    if keyed and _SAVED.search(rest) and not (makes or _SAID_NEW.search(rest)):
        return "old"
    return _altered(section) if "POSTGRES_PASSWORD" in variables else "new"


def _commands_follow(section: Section, line: int) -> bool:
    """Whether a command in a block does what the sentence before it announces."""
    after = [
        one
        for one in section.statements
        if one.kind == "command" and not one.inline and one.line > line
    ]
    return bool(after) and min(one.line for one in after) <= line + 4


def _altered(section: Section) -> str:
    """The password that a section gives to the role, as an expression of the shell."""
    scripts = [one.script for one in section.statements if one.kind == "command"]
    altered = [_ALTERED.search(script) for script in scripts if has(script, "alters")]
    first = next(filter(None, altered), None)
    return first[1] if first and "$" in first[1] else "new"


def _add_by_hand(procedure: Procedure, document: Document, parts: Collection[Section]) -> None:
    """Add the steps that its sentences give, where no mark does so on the same or a near line."""
    marked = {act.line for act in procedure.acts}
    typed = {step.line for step in procedure.steps if isinstance(step, Typed)}
    for place, one in enumerate(document.statements):
        section, parent = one.section, one.section.parent
        is_step = parent is procedure.section and (section in parts or _STEP.match(section.title))
        if one.kind != "sentence" or one.denied or not (is_step or section is procedure.section):
            continue
        if marked & {one.line, one.line + 1, one.line + 2}:
            continue
        for act in _by_hand(one.text, one.line, procedure.section):
            if not (act.verb in _BY_ITSELF and act.line in typed):
                procedure.steps.append(replace(act, place=place))


def _leave_out(one: Procedure) -> None:
    """Leave out steps that are done in some cases alone, and those that keep a restore's keys.

    The keys of the backup's day are those that the deployment has when it is restored.
    """
    one.doubtful = [act for act in one.acts if act.doubtful]
    restores = any(_restores(it, one.commands) for it in one.commands) and not any(
        map(_alters, one.commands)
    )
    left_out = [act for act in one.acts if act.doubtful or (restores and _keeps_keys(act))]
    one.steps = [step for step in one.steps if step not in left_out]


def _keeps_keys(act: Act) -> bool:
    sensitive = [one for one in act.variables if re.search(r"(?:KEY|SECRET|PASSWORD)$", one)]
    if act.verb != "set" or (act.variables and not sensitive):
        return False
    if act.value == "old":
        return not _OLD.search(act.words)
    return act.value == "new" and not _SAID_NEW.search(act.words)


def _meaning(one: Procedure) -> Meaning:
    commands = one.commands
    typed = [f"{command.text} {command.here}" for command in commands]
    sets = [act for act in one.acts if act.verb == "set"]
    keyed = any(
        not act.variables or act.value == "old" or _MASTERS & {*act.variables} for act in sets
    )
    asked = [it.text for it in commands if it.program in ("curl", "wget")]
    meanings: dict[Meaning, object] = {
        "restore": any(_restores(it, commands) for it in commands),
        "wipe": any(map(_wipes, commands)),
        "password": any(has(text, "alters") for text in (*typed, *one.files.values())),
        "backup": any(map(is_dump, commands)),
        "rotation": keyed and any(act.verb == "redeploy" for act in one.acts),
        "keys": any(it.program == "openssl" and "rand" in it.words for it in commands),
        "health": one.shown or any("/api/status" in text for text in asked),
        "logs": any(re.search(r"\blogs\b", it.text) for it in commands),
    }
    return next((meaning for meaning, is_so in meanings.items() if is_so), "")


def _restores(one: Command, commands: Sequence[Command]) -> bool:
    """Whether it restores a backup into a database that stays, not into one made for a test."""
    if not is_restore(one):
        return False
    database = one.option("-d", "--dbname") or one.words[-1]
    if database == "infisical" or any(_RENAMES.search(f"{it.text} {it.here}") for it in commands):
        return True
    ordered = sorted(commands, key=lambda it: it.line)
    at = ordered.index(one)
    made = any(_works_on(it, "createdb", database) for it in ordered[:at])
    dropped = any(_works_on(it, "dropdb", database) for it in ordered[at:])
    return not (made and dropped)


def _works_on(one: Command, program: str, database: str) -> bool:
    """Whether a command creates or drops this database, by a program or by SQL."""
    if one.program == program:
        return database in one.words
    verb = "CREATE" if program == "createdb" else "DROP"
    sql = rf"\b{verb}\s+DATABASE\s+(?:IF\s+EXISTS\s+)?[\\\"]*{re.escape(database)}(?!\w)"
    return re.search(sql, f"{one.text} {one.here}", re.I) is not None


def _wipes(one: Command) -> bool:
    volumes = one.words[:2] == ("docker", "volume") and one.words[2:3] in (("rm",), ("prune",))
    return volumes or removes_volumes(one)


def _files(one: Procedure, password: str) -> dict[str, str]:
    """Files that the commands read, and whose text a sentence of the section gives."""
    read = [command.reads or command.option("-f", "--file") for command in one.commands]
    found = {}
    for name in filter(None, read):
        held = re.compile(rf"{re.escape(name)}\W+(?:holds|contains|has|is|reads)\W+(.+)")
        for said in one.section.statements:
            match = held.search(said.text) if said.kind == "sentence" else None
            if match and _SQL.search(match[1]):
                found[name] = _with_password(match[1], password).rstrip(".") + "\n"
    return found


def _fill(one: Procedure, blocks: list[Block], names: Mapping[str, str]) -> None:
    """Set the script of each block, the preamble, and the reasons not to carry it out."""
    reasons: list[str] = []
    for at, step in enumerate(one.steps):
        if isinstance(step, Typed):
            script, missing = _filled(step.text, names)
            one.steps[at] = replace(step, script=script)
            unknown = f"line {step.line}: nothing is known to fill"
            reasons += [f"{unknown} <{placeholder}> with" for placeholder in missing]
    own = shell.functions("\n".join(step.text for step in one.steps if isinstance(step, Typed)))
    for command in one.commands:
        program = command.program
        known = not program or "$" in program or program in _PROGRAMS | own
        if not known and not command.inside:
            reasons.append(f"line {command.line}: `{program[:60]}` is not a command that runs here")
    reasons += _undecided(one)
    for step in one.steps:
        if isinstance(step, Typed) and (said := _NOT_FOLLOWED.search(step.script)):
            reasons.append(f"line {step.line}: `{said[0]}` is not followed here")
    given: dict[str, str] = {}
    first_line = min((step.line for step in one.steps), default=one.section.line)
    for block in blocks:
        if block.line < first_line:
            given |= shell.assignments(_filled(block.text, names)[0])
    one.preamble, missing = _preamble(one, given)
    reasons += [f"${name} has no value in the document" for name in missing]
    one.unfilled = "; ".join(dict.fromkeys(reasons))


def _undecided(one: Procedure) -> Iterator[str]:
    """Why nothing is known of a procedure in which a deployment or start is done in some cases."""
    verbs = {act.verb for act in one.acts}
    starts = verbs & {"redeploy", "start", "restart"} or any(
        re.search(r"\b(?:up|(?:re)?start)\b", command.text) for command in one.commands
    )
    for act in one.doubtful if one.meaning in ("password", "restore") and not starts else ():
        if act.verb in _BY_ITSELF - {"stop"}:
            yield f"line {act.line}: whether this is done, the document does not say: {act.words}"


def _filled(text: str, names: Mapping[str, str]) -> tuple[str, list[str]]:
    """A block with a value in the place of each placeholder, and the placeholders without one."""
    script = _with_password(without_prompts(text), names["password"])
    # The stand-in for sudo runs its first word.
    script = _SUDO_WITH_VARIABLES.sub(r"\g<0>env ", script)
    missing = []
    for found in dict.fromkeys(shell.PLACEHOLDER.findall(script)):
        words = found.lower().replace("_", "-")
        known = [name for pattern, name in _PLACEHOLDERS.items() if re.search(pattern, words)]
        name = next(iter(known), service_of(words.replace("-", " ")))
        if name:
            script = script.replace(f"<{found}>", names[name])
        else:
            missing.append(found)
    return script, missing


def _with_password(text: str, password: str) -> str:
    """A text with the password in the place of words such as NEW_PASSWORD."""

    variables = {name for names in _OWN_VARIABLE.findall(text) for name in names}

    def type_in(found: re.Match[str]) -> str:
        begin = text.rfind("\n", 0, found.start()) + 1
        before, after = text[begin : found.start()], text[found.end() : found.end() + 1]
        if _OF_A_VARIABLE.search(before) or after == "=" or before[-1:] + after == "<>":
            return found[0]
        is_literal = found[0] not in variables or re.search(r"PASSWORD\s+\\?['\"]+$", before, re.I)
        return password if is_literal else found[0]

    return _NEW_PASSWORD.sub(type_in, text)


def _preamble(one: Procedure, given: dict[str, str]) -> tuple[str, list[str]]:
    """The assignments in earlier blocks to the variables that it uses, and those that lack one."""
    text = "\n".join(step.script for step in one.steps if isinstance(step, Typed))
    text += "\n" + "\n".join(act.value for act in one.acts)
    used, bound = shell.variables(text)
    own = shell.assignments(text)
    lines: list[str] = []
    missing: list[str] = []
    wanted = [name for name in used if name not in own and name not in _OF_SHELL]
    while wanted:
        name = wanted.pop(0)
        if name in given:
            if given[name] not in lines:
                lines.insert(0, given[name])
                more = shell.variables(given[name])[0]
                wanted += [n for n in more if n != name and n not in _OF_SHELL]
                used = {**more, **used}
        elif used[name] and name not in bound:
            missing.append(name)
    return "\n".join(lines), missing


def env_files(one: Procedure) -> list[str]:
    """The files of variables that its commands name, other than by a variable."""
    text = "\n".join(step.script for step in one.steps if isinstance(step, Typed))
    return list(dict.fromkeys(re.findall(r"--env-file[ =][\"']?([\w./-]+)", text)))


def changes_something(one: Procedure) -> bool:
    """Whether its commands or steps by hand change something."""
    return bool(one.acts) or any(_ACTING.search(command.text) for command in one.commands)


def find_ignored(one: Procedure, document: Document) -> list[str]:
    """The commands in its sentences that act but were not understood, except under a condition."""
    carried = [step.text for step in one.steps if isinstance(step, Typed)]
    rows = {it.line for it in document.statements if it.kind == "row"}
    found = [
        it
        for it in document.statements
        if it.inline
        and not it.denied
        and it.line not in rows
        and it.section is one.section
        and it.script not in carried
        and _ACTING.search(it.script)
        and not _CONDITIONAL.search(it.lead)
    ]
    names = [
        f"line {it.line}: `{it.script[:100]}`" for it in found if _commands(it.script, it.line)
    ]
    return list(dict.fromkeys(names))


def folders(one: Procedure) -> list[str]:
    """The folders that its commands enter, or in which they name files; a variable is its value.

    One that the sandbox does not have is among them if it is entered or written to, or in /etc.
    """
    scripts = [step.script for step in one.steps if isinstance(step, Typed)]
    found: list[str] = []
    made: set[str] = set()
    for command, folder, values in _in_place(one):
        options = " ".join(it for it in command.words if it.startswith("-"))
        if command.program == "mkdir" and not re.search(r"(?:^| )-\w*p|--parents", options):
            made.update(_paths(command.words[1:], folder, values))
        found += [it for it in _paths(_entered(command), folder, values) if "$" not in it]
        for path in _paths(_written(command), folder, values):
            found.append(path.partition("$")[0].rpartition("/")[0])
    values = _known_values(one)
    for script in scripts:
        text = re.sub(r"[\"']", "", _expanded(f"{one.preamble}\n{script}", values)[0])
        text = re.sub(r"(?<![\w/.])~(?=/)", HOME, text)
        for path in _ROOT.findall(text):
            is_entered = re.search(rf"--project-directory[ =]{re.escape(path)}", text)
            found.append(path if is_entered or path in found else path.rpartition("/")[0])
    return [
        it
        for it in dict.fromkeys(found)
        if it.count("/")
        and it.split("/")[1] not in _EVERYWHERE
        and not any(it == path or it.startswith(f"{path}/") for path in made)
    ]


def reads(one: Procedure) -> list[str]:
    """The files that its commands read without making them; a variable stands as its value.

    A path is absolute, unless it begins with a variable or a command whose value is not known.
    """
    made: set[str] = set()
    found: list[str] = []
    for command, folder, values in _in_place(one):
        found += [it for it in _paths(_inputs(command), folder, values) if it not in made]
        made.update(_paths(_outputs(command), folder, values))
    return [it for it in dict.fromkeys(found) if Path(it).name != ".env"]


def _known_values(one: Procedure) -> dict[str, list[str]]:
    scripts = [step.script for step in one.steps if isinstance(step, Typed)]
    return {"HOME": [HOME], **_values("\n".join([one.preamble, *scripts]))}


def _in_place(one: Procedure) -> Iterator[tuple[Command, str, dict[str, list[str]]]]:
    """Each command, the folder that it runs in, and the values of variables."""
    folder, values = HOME, _known_values(one)
    for script in [step.script for step in one.steps if isinstance(step, Typed)]:
        for command in _commands(script, 0):
            yield command, folder, values
            if command.program in ("cd", "pushd") and not command.inside:
                folder = next(iter(_paths(_entered(command), folder, values)), HOME)


def _entered(one: Command) -> list[str]:
    """The folder that a command enters on the host."""
    is_entering = one.program in ("cd", "pushd") and not one.inside
    return [it for it in one.words[1:] if is_entering and not it.startswith("-")][:1]


def _paths(words: Iterable[str], folder: str, values: Mapping[str, list[str]]) -> list[str]:
    """The absolute paths of words; one that begins with an unknown value is left as it is."""
    said = [it for word in words for it in _expanded(re.sub(r"[\"']", "", word), values)]
    said = [re.sub(r"^~(?=/|$)", HOME, it) for it in said]
    return [it if it[:1] in "$`" else os.path.normpath(Path(folder, it)) for it in said]


def _inputs(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it reads: redirected, or a backup."""
    if one.reads and not one.reads.startswith(("<(", "/dev/", "/proc/", "&")):
        yield one.reads
    words = list(one.words[1:]) if one.program in _READERS else []
    if one.program in ("cp", "mv") or one.words[1:2] == ("cp",):
        words = words[:-1]
    of_file = set(one.options("-f", "--file"))
    if one.program == "pg_restore" and not "".join(one.words[-2:-1]).startswith("-"):
        of_file.add(one.words[-1])
    written = {*_outputs(one)}
    for word in words:
        path = re.sub(r"^(?:--[a-z][\w-]*=|-f(?=.))", "", word)
        is_variable = path[:1] == "$" and (one.program in _UNPACKERS or path in of_file)
        # `db:/srv/x.sql` is in a container, `s3://…` elsewhere.
        is_file = path not in written and ":" not in re.sub(r"\$\{[^}]*\}", "", path)
        if is_file and (_BACKUP.search(path) or is_variable):
            yield path


def _written(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it writes to."""
    if one.writes:
        yield one.writes
    if one.program in ("curl", "wget", "zstd", "sort", "psql"):
        yield from filter(None, one.options("-o", "-O", "--output"))
    if one.program in ("pg_dump", "pg_dumpall", "pg_restore"):
        yield from filter(None, one.options("-f", "--file"))
    if one.program == "tee":
        yield from (it for it in one.words[1:] if not it.startswith("-"))


def _outputs(one: Command) -> Iterator[str]:
    """The words of a command that name a file that it makes."""
    program, words = one.program, [it for it in one.words[1:] if not it.startswith("-")]
    options = set(one.words) - set(words)
    yield from _written(one)
    if words[1:] and (program in ("cp", "mv") or words[:1] == ["cp"]):
        target = words[-1].rpartition(":")[2]
        yield target
        yield from (f"{target}/{Path(source).name}" for source in words[:-1])
    if program == "tar" and re.search(r"^-?[a-z]*c", " ".join(one.words[1:2])):
        yield from words
    if program in _PACKERS and not re.search(r"(?:^| )-[a-z]*c|--stdout", " ".join(options)):
        for word in words:
            yield re.sub(_PACKED, "", word)
            yield f"{word}{_PACKERS[program]}"
