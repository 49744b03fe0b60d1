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

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from drillbook.infisical.settings import KEYS
from drillbook.runbook import shell, shell_variables
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
from drillbook.runbook.placeholders import NAMED, fill_in, type_password
from drillbook.runbook.rules import has, is_dump, is_restore, json_object, removes_volumes
from drillbook.runbook.sandbox import HOME, SHIMS
from drillbook.runbook.shell import Command
from drillbook.runbook.steps_by_hand import (
    BY_ITSELF,
    CONDITIONAL,
    MASTER_KEYS,
    NEGATION,
    Act,
    keeps_keys,
    read_mark,
    read_steps,
)

Meaning = Literal["restore", "wipe", "password", "rotation", "backup", "keys", "health", "logs", ""]


# After these, the check reads everything that was there.
_READING_ALL = ("restore", "password", "rotation")
_PURPOSE_OF = {"rotation": "keys"}
_STEP = re.compile(r"^\W*(?:step|part)\s+\d+\b", re.I)
# What a title may say that its section is for.
_PURPOSES = {
    "restore": re.compile(r"\b(?:restor|recover)\w*", re.I),
    "password": re.compile(r"(?:\b|_)pass(?:word|phrase)s?\b", re.I),
    "backup": re.compile(r"\bback(?:ing)?[- ]?ups?\b|\bdump", re.I),
    "wipe": re.compile(r"\b(?:wip|eras|uninstall)\w*|\breset\w*(?!.*pass)", re.I),
    "keys": re.compile(
        r"\bkeys\b|\b(?:encryption|master|root|old|new) key\b|_KEY\b|_SECRET\b", re.I
    ),
    "upgrade": re.compile(
        r"\bupgrad\w*|^\W*updat\w+\W*$|\b(?:updat\w+|new)\b.*\b(?:version|release|image|infisical)\b",
        re.I,
    ),
    "health": re.compile(r"\b(?:health\w*|status)\b", re.I),
    "logs": re.compile(r"\blogs?\b(?! (?:in|on|out)\b)", re.I),
}
# "Before an upgrade" is no upgrade.
_CIRCUMSTANCE = re.compile(r"\b(?:before|after|prior|for|from|during|without|by)\b[^,;:—–]*", re.I)
# A part that is another way to the same end, or that is for some readers alone.
_OTHER_WAY = re.compile(
    r"^\W*(?:\d+\W+)?(?:on|with|without|via|using|by|for|under|in|from|if|when)\b|"
    r"\b(?:if|alternativ\w*|options?|optional|variants?|trouble\w*|undo|revert)\b|"
    r"\broll(?:ing)?[- ]?back\b|\b(?:method|way)\s+\w+$",
    re.I,
)
_STARTS = re.compile(r"\b(?:re)?start\b|\bup\b")
# A sentence that gives a command to type begins with the command, a label or an imperative.
_TYPED = re.compile(
    r"^\W*(?:step \d+\W+)?(?:(?:then|now|finally|next|first|afterwards?|lastly|also),?\s+)*"
    r"(?:run|execute|type|enter|use|do|call|issue|start|stop|restart|empty|flush|load|restore|bring|"
    r"take|make|create|drop|remove|delete|wipe|check|look|see|read|verify|dump|copy|redeploy|"
    r"recreate|back|clear|set|give|apply|list|find|get|show|pull|put)\b",
    re.I,
)
_RENAMES = re.compile(r"\bRENAME\s+TO\b", re.I)
_SQL = re.compile(r"\b(?:ALTER|SELECT|DROP|CREATE|UPDATE|REVOKE)\b")
_PROGRAMS = {"compose", *SHIMS} | {*shell.PROGRAM_NAMES.split()}
# A script of the document has no file here, and compose no other project.
_NOT_FOLLOWED = re.compile(
    r"\bdirname\s+(?:--\s+)?[\"']?\$\{?(?:0|BASH_SOURCE)\b|\bCOMPOSE_(?:PROJECT_NAME|FILE)\b"
)
_NAMING = {"logs", "stop", "start", "restart", "rm", "kill"}
_SHELL_NAMES = (
    "HOME PWD USER PATH RANDOM SECONDS HOSTNAME BASHPID OLDPWD IFS LANG PIPESTATUS EUID UID PPID "
    "LINENO FUNCNAME BASH_SOURCE BASH_VERSION EPOCHSECONDS OPTARG OPTIND REPLY SHELL TERM"
)
_OF_SHELL = {*_SHELL_NAMES.split()}
_AT_EXIT = """trap '_code=$?; [ -z "${_block-}" ] || printf "\\036stop $_block $_code\\036"' EXIT"""
# Where the variables of a shell that makes keys are written in the end, by name.
KEYS_FILE = f"{HOME}/.drillbook-keys"
_WRITES_KEYS = (
    f"for _name in {' '.join(KEYS)}; do\n"
    f'[ -z "${{!_name-}}" ] || printf \'%s=%s\\n\' "$_name" "${{!_name}}"\ndone > {KEYS_FILE}'
)
# Commands that change nothing, unless they write to a file.
_LOOKING = re.compile(
    r"\[+|:|cat|cd|curl|cut|date|df|diff|du|echo|exit|export|false|grep|head|hostname|id|ls|md5sum|od|"
    r"openssl|printf|set|sha256sum|sleep|sort|stat|tail|test|trap|true|uniq|wc|whoami|zcat|zgrep"
)
_LOOKING_AT = ("config", "images", "info", "inspect", "logs", "ls", "port", "ps", "top", "version")


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
    sentences: list[Statement] = field(default_factory=list)
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

        A block that ends the script leaves another mark, unless it sets a trap of its own. Where it
        makes keys, its variables of their names are in KEYS_FILE in the end.
        """
        parts = [_AT_EXIT, *([self.preamble] if self.preamble else [])]
        for number, one in enumerate(self.steps):
            if isinstance(one, Act):
                value = f'"{one.value}"' if "$" in one.value else shlex.quote(one.value)
                parts.append(f"drillbook-step {number} {value} </dev/null")
            else:
                parts.append(f"_block={number}; printf '\\036begin {number}\\036'\n{one.script}\n")
                parts.append(f"printf '\\036end {number} %s\\036' $?; _block=")
        if self.meaning == "keys":
            parts.append(_WRITES_KEYS)
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
        for variable, given in shell_variables.values(without_prompts(block.text)).items():
            values.setdefault(variable, []).extend(given)
    found: dict[str, str] = {}
    for _, command in document.commands():
        inside, words = command.inside, command.words
        named = [inside.target] if inside and inside.engine == "docker" else []
        if words[:1] == ("docker",) and _NAMING & {*words[1:2]}:
            named += [one for one in words[2:] if not one.startswith("-") and not one.isdecimal()]
        meant = [value for word in named for value in shell_variables.expand(word, values)]
        # A loop may also name containers of another application.
        for name in sorted(meant, key=lambda one: "infisical" not in one):
            if re.fullmatch(r"[\w.-]+", name) and (service := service_of(name)):
                found.setdefault(service, name)
    return found


def procedures(document: Document, names: dict[str, str], password: str) -> list[Procedure]:
    """The procedures of a document in their order.

    names has the values for the placeholders of containers, volumes and the project.
    """
    found: dict[Section, Procedure] = {}
    names = {**NAMED, **names, "password": password}

    home = _homes(document)

    def of(section: Section) -> Procedure:
        section = home(section)
        return found.setdefault(section, Procedure(section))

    places = {one: number for number, one in enumerate(document.statements)}
    told = [one for one in _in_sentences(document) if _is_told(one)]
    lists = _labelled(told)
    whole = {one for one, items in lists.items() if _are_whole(items, one)}
    items = {it.section.line: it.section for one in whole for it in lists[one]}
    for typed in told:
        section = items.get(typed.line, typed.section)
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
        elif act := read_mark(mark):
            place = _place_of(mark, document, places)
            of(mark.section).steps.append(replace(act, place=place))
    for block in document.blocks:
        shown = {} if block.denied else json_object(block)
        if {"message", "redisConfigured"} <= shown.keys():
            of(block.section).shown = shown
    for one in found.values():
        one.sentences = [
            it
            for it in document.statements
            if it.kind == "sentence"
            and not it.denied
            and (
                home(it.section) is one.section
                or (it.line == one.section.line and one.section.item)
            )
        ]
        _add_by_hand(one, places)
        one.files = _files(one, password)
        _leave_out(one)
        one.steps.sort(key=lambda step: (step.line, step.place))
        one.meaning = _meaning(one)
        _fill(one, blocks, names)
    for section, steps in lists.items():
        if section not in whole and len({*map(_meaning, steps)} - {""}) > 1:
            of(section).unfilled = "which items of its list belong together is not known"
    kept = {it: one for it, one in found.items() if one.commands or one.acts or one.shown}
    for section, lost in _lost(document, kept, home).items():
        of(section).unfilled = (
            f"nothing was understood as a procedure in {'; '.join(lost)}; begin the sentence with "
            "`Run`, make it a block, or add marks"
        )
        kept[section] = of(section)
    return sorted(kept.values(), key=lambda one: one.section.line)


def _homes(document: Document) -> Callable[[Section], Section]:
    """What gives the section whose procedure a section belongs to."""
    parts = _parts_of_procedures(document)

    def home(section: Section) -> Section:
        while section.parent and (section in parts or _STEP.match(section.title)):
            section = section.parent
        return section

    return home


def _lost(
    document: Document,
    kept: Mapping[Section, Procedure],
    home: Callable[[Section], Section],
) -> dict[Section, list[str]]:
    """What sections without a procedure tell to do, in their order."""
    carried = [it.text for one in kept.values() for it in one.steps if isinstance(it, Typed)]
    over = {*_passed_over(document, carried)}
    lost: dict[Section, list[str]] = {}
    condition = 0
    for one in document.statements:
        if one.kind == "sentence" and CONDITIONAL.search(one.text):
            # It may be that of the sentences after it, too.
            condition = one.line
        acts = one.kind == "sentence" and read_steps(one.text, one.line, one.section)
        is_told = acts and not one.denied and one.line != condition
        is_job = one.scheduled and not one.denied
        if home(one.section) not in kept and (one in over or is_told or is_job):
            said = _quoted(one) if one.command else f"line {one.line}: {one.text[:100]}"
            lost.setdefault(home(one.section), []).append(said)
    return lost


def _parts_of_procedures(document: Document) -> set[Section]:
    """The sections that are steps of the procedure around them, by their titles and commands."""
    below: dict[Section, list[Section]] = {}
    for one in document.statements:
        if one.kind == "heading" and one.section.parent and one.section.parent.level:
            below.setdefault(one.section.parent, []).append(one.section)
    skipped = {mark.section for mark in document.marks if mark.word == "skip"}
    parts: set[Section] = set()
    for chapter, sections in below.items():
        about = [meaning for meaning, title in _PURPOSES.items() if title.search(chapter.title)]
        if len(about) == 1 and not any(map(_OTHER_WAY.search, (one.title for one in sections))):
            numbered = all(has(one.title, "step_title") for one in sections)
            may_be_steps = numbered or (about[0] in ("restore", "password") and chapter.level > 1)
            if may_be_steps and not skipped & {*sections} and _is_one(about[0], sections):
                parts |= {*sections}
    return parts


def _is_one(meaning: str, sections: list[Section]) -> bool:
    """Whether sections are one procedure: none is whole, and no two do what it is about."""
    doing = []
    for section in sections:
        said = [one for one in section.statements if one.command and not one.denied]
        done = [one for one in said if one.command and _does(meaning, one.command, one.script)]
        if done:
            doing.append((section, said, done))
    if len(doing) != 1:
        return False
    section, said, done = doing[0]
    after = said[said.index(done[-1]) :]
    texts = [one.text for one in section.statements if one.kind == "sentence"]
    starts = any(has(one.text, "redeploys", "starts") or _STARTS.search(one.text) for one in after)
    return not starts and not any(has(one, "redeploys") for one in texts)


def _does(meaning: str, one: Command, script: str) -> bool:
    if meaning == "restore":
        return _is_restore(one, script)
    return {"backup": is_dump, "wipe": _wipes}.get(meaning, _alters)(one)


def _is_restore(one: Command, script: str) -> bool:
    known = {name: " ".join(said) for name, said in shell_variables.values(script).items()}
    dumped = [
        form
        for name, said in known.items()
        if has(said, "backup_file") and not has(said, "no_backup_file")
        for form in (f"${name}", f"${{{name}")
    ]
    return is_restore(one, dumped)


def _alters(one: Command) -> bool:
    return bool(has(f"{one.text} {one.here}", "alters"))


def _in_sentences(document: Document) -> list[Statement]:
    """The commands that sentences name, but not under a condition, and not to advise against them.

    Those in a table only describe.
    """
    rows = {one.line for one in document.statements if one.kind == "row"}
    denied = {(it.section, it.text) for it in document.statements if it.denied and not it.command}
    found = {
        (one.line, one.script): one
        for one in document.statements
        if one.inline
        and one.line not in rows
        and (one.section, one.lead) not in denied
        and not _is_negated(one)
        and not CONDITIONAL.search(one.lead)
    }
    return list(found.values())


def _is_negated(one: Statement) -> bool:
    before, _, after = one.lead.partition(one.script)
    near = (re.split(r"[.;:]\s", before)[-1], re.split(r"[.;:,]", after)[0])
    return any(map(NEGATION.search, near))


def _is_told(one: Statement) -> bool:
    begins = one.lead.startswith(one.script) or has(one.lead, "label") or _TYPED.match(one.lead)
    return bool(begins) and not one.denied


def _commands(text: str, line: int) -> list[Command]:
    return shell.commands(without_prompts(text), line)


def _labelled(told: Sequence[Statement]) -> dict[Section, list[Procedure]]:
    """The items of lists with a label and a command, as procedures, by the section around them."""
    found: dict[Section, list[Procedure]] = {}
    for one in told:
        if one.listed and has(one.lead, "label"):
            items = found.setdefault(one.section, [])
            if not items or items[-1].section.line != one.line:
                items.append(Procedure(_item_of(one)))
            items[-1].commands += _commands(one.script, one.line)
    return found


def _are_whole(items: Sequence[Procedure], section: Section) -> bool:
    """Whether items are procedures of their own: each has a meaning, and nothing is by hand."""
    return all(map(_meaning, items)) and not _by_hand(section)


def _by_hand(section: Section) -> bool:
    said = [it for it in section.statements if it.kind == "sentence" and not it.denied]
    return any(read_steps(it.text, it.line, section) for it in said)


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
    for at in sorted(shell_variables.comment_lines(text)):
        if acts := read_steps(lines[at].strip("# \t"), block.line + at, block.section):
            if any(one.strip() for one in lines[start:at]):
                yield Typed(block.line + start, "\n".join(lines[start:at]), "")
            yield from acts
            start = at + 1
    if any(one.strip() for one in lines[start:]):
        yield Typed(block.line + start, "\n".join(lines[start:]), "")


def _add_by_hand(procedure: Procedure, places: Mapping[Statement, int]) -> None:
    """Add the steps that its sentences give, where no mark does so on the same or a near line."""
    marked = {act.line for act in procedure.acts}
    typed = {step.line for step in procedure.steps if isinstance(step, Typed)}
    for one in procedure.sentences:
        if marked & {one.line, one.line + 1, one.line + 2}:
            continue
        for act in read_steps(one.text, one.line, procedure.section):
            if not (act.verb in BY_ITSELF and act.line in typed):
                procedure.steps.append(replace(act, place=places[one]))


def _leave_out(one: Procedure) -> None:
    """Leave out steps that are done in some cases alone, and those that keep a restore's keys.

    The keys of the backup's day are those that the deployment has when it is restored.
    """
    one.doubtful = [act for act in one.acts if act.doubtful]
    restores = _restores_backup(one) and not any(map(_alters, one.commands))
    left_out = [act for act in one.acts if act.doubtful or (restores and keeps_keys(act))]
    one.steps = [step for step in one.steps if step not in left_out]


def _meaning(one: Procedure) -> Meaning:
    commands = one.commands
    typed = [f"{command.text} {command.here}" for command in commands]
    sets = [act for act in one.acts if act.verb == "set"]
    keyed = any(
        not act.variables or act.value == "old" or MASTER_KEYS & {*act.variables} for act in sets
    )
    asked = [it.text for it in commands if it.program in ("curl", "wget")]
    meanings: dict[Meaning, object] = {
        "restore": _restores_backup(one),
        "wipe": any(map(_wipes, commands)) and _says_that_it_wipes(one.section),
        "password": any(has(text, "alters") for text in (*typed, *one.files.values())),
        # A change of keys may begin with a dump.
        "rotation": keyed and any(act.verb == "redeploy" for act in one.acts),
        "backup": any(map(is_dump, commands)),
        "keys": any(it.program == "openssl" and "rand" in it.words for it in commands),
        "health": one.shown or any("/api/status" in text for text in asked),
        "logs": any(re.search(r"\blogs\b", it.text) for it in commands),
    }
    found = [meaning for meaning, is_so in meanings.items() if is_so]
    # A password is made like a key.
    named = {*_named(one.section)} - {"keys"}
    return next((it for it in found if it in named), next(iter(found), ""))


def _named(section: Section) -> list[str]:
    """What a section is for, by its own title."""
    title = _CIRCUMSTANCE.sub("", section.title)
    return [purpose for purpose, words in _PURPOSES.items() if words.search(title)]


def _says_that_it_wipes(section: Section) -> bool:
    """Whether its title, one above it, or a sentence of it says that the data is removed."""
    if any(
        has(one.text, "wipe_is_said") and not (one.denied or NEGATION.search(one.text))
        for one in section.statements
        if one.kind in ("sentence", "comment")
    ):
        return True
    own, above = _named(section), section.parent
    while above and not own:
        own, above = [it for it in _named(above) if _named(above) == ["wipe"]], above.parent
    return "wipe" in own or bool(has(section.title, "wipe_is_said"))


def _restores_backup(one: Procedure) -> bool:
    script = "\n".join(step.text for step in one.steps if isinstance(step, Typed))
    return any(_restores(it, one.commands, script) for it in one.commands)


def _restores(one: Command, commands: Sequence[Command], script: str) -> bool:
    """Whether it restores a backup into a database that stays, not into one made for a test."""
    if not _is_restore(one, script):
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
                found[name] = type_password(match[1], password).rstrip(".") + "\n"
    return found


def _fill(one: Procedure, blocks: list[Block], names: Mapping[str, str]) -> None:
    """Set the script of each block, the preamble, and the reasons not to carry it out."""
    reasons: list[str] = []
    for at, step in enumerate(one.steps):
        if isinstance(step, Typed):
            script, missing = fill_in(step.text, names)
            one.steps[at] = replace(step, script=script)
            unknown = f"line {step.line}: nothing is known to fill"
            reasons += [f"{unknown} <{placeholder}> with" for placeholder in missing]
    own = shell_variables.functions(
        "\n".join(step.text for step in one.steps if isinstance(step, Typed))
    )
    for command in one.commands:
        program = command.program
        known = not program or "$" in program or program in _PROGRAMS | own
        if not known and not command.inside:
            reasons.append(f"line {command.line}: `{program[:60]}` is not a command that runs here")
    reasons += [*_undecided(one), *_misnamed(one)]
    for step in one.steps:
        if isinstance(step, Typed) and (said := _NOT_FOLLOWED.search(step.script)):
            reasons.append(f"line {step.line}: `{said[0]}` is not followed here")
    given: dict[str, str] = {}
    first_line = min((step.line for step in one.steps), default=one.section.line)
    for block in blocks:
        if block.line < first_line:
            given |= shell_variables.assignments(fill_in(block.text, names)[0])
    one.preamble, missing = _preamble(one, given)
    reasons += [f"${name} has no value in the document" for name in missing]
    one.unfilled = "; ".join(dict.fromkeys(reasons))


def _misnamed(one: Procedure) -> Iterator[str]:
    """Why its meaning is not what the section is for, as far as it says so."""
    if any(map(_wipes, one.commands)) and one.meaning not in ("wipe", *_READING_ALL):
        yield "it removes the volumes with the data, and does not say so"
    named = _named(one.section)
    if one.meaning and named and _PURPOSE_OF.get(one.meaning, one.meaning) not in named:
        title = " and ".join(named)
        yield f"its title speaks of {title}, its commands of {one.meaning}: {title} was not checked"


def _undecided(one: Procedure) -> Iterator[str]:
    """Why nothing is known of a procedure in which a deployment or start is done in some cases."""
    verbs = {act.verb for act in one.acts}
    starts = verbs & {"redeploy", "start", "restart"} or any(
        re.search(r"\b(?:up|(?:re)?start)\b", command.text) for command in one.commands
    )
    for act in one.doubtful if one.meaning in ("password", "restore") and not starts else ():
        if act.verb in BY_ITSELF - {"stop"}:
            yield f"line {act.line}: whether this is done, the document does not say: {act.words}"


def _preamble(one: Procedure, given: dict[str, str]) -> tuple[str, list[str]]:
    """The assignments in earlier blocks to the variables that it uses, and those that lack one."""
    text = "\n".join(step.script for step in one.steps if isinstance(step, Typed))
    text += "\n" + "\n".join(act.value for act in one.acts)
    used, bound, asked = shell_variables.variables(text)
    own = shell_variables.assignments(text)
    lines: list[str] = []
    asked -= own.keys() | bound
    missing = [name for name, needed in used.items() if needed and name in asked]
    # What it binds itself in any way, even to nothing, it does not have from elsewhere.
    wanted = [name for name in used if name not in {*own, *bound, *asked, *_OF_SHELL}]
    while wanted:
        name = wanted.pop(0)
        if name in given:
            if given[name] not in lines:
                lines.insert(0, given[name])
                more = shell_variables.variables(given[name])[0]
                wanted += [n for n in more if n != name and n not in _OF_SHELL]
                used = {**more, **used}
        elif used[name]:
            missing.append(name)
    return "\n".join(lines), missing


def _only_reads(one: Command) -> bool:
    asks = one.words[:1] in (("docker",), ("compose",)) and {*_LOOKING_AT} & {*one.words[1:3]}
    looks = asks or not one.words or _LOOKING.fullmatch(one.program)
    return bool(looks) and one.writes in (None, "/dev/null")


def find_ignored(one: Procedure, document: Document) -> list[str]:
    """The commands in its sentences that change something and were not understood as steps."""
    home, carried = _homes(document), [it.text for it in one.steps if isinstance(it, Typed)]
    over = [it for it in _passed_over(document, carried) if home(it.section) is one.section]
    return list(dict.fromkeys(map(_quoted, over)))


def _passed_over(document: Document, carried: Collection[str]) -> list[Statement]:
    return [
        it
        for it in _in_sentences(document)
        if it.script not in carried
        and any(
            # Where the commands after it run, and with which variables, is changed.
            one.program in ("cd", "export") or not _only_reads(one)
            for one in _commands(it.script, it.line)
        )
    ]


def _quoted(one: Statement) -> str:
    return f"line {one.line}: `{one.script[:100]}`"
