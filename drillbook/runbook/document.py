"""Reads a runbook in Markdown: its statements, blocks and marks, each with line and section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from drillbook.core.errors import BadInput
from drillbook.runbook import shell

# A text without markup, and its spans of code, each with its position.
Spans = tuple[str, list[tuple[int, str]]]

Kind = Literal["heading", "sentence", "row", "comment", "command", "code"]

OURS = re.compile("infisical", re.I)
# The mark of a finding that the document accepts.
ACCEPT = "accept"
TEXTS: tuple[Kind, ...] = ("sentence", "row", "comment")
_DENYING_TITLE = re.compile(
    r"\b(do not|don['’]?ts?|what not|mistakes?|anti-?patterns?|pitfalls?)\b", re.I
)
_DENYING_LEAD = re.compile(
    r"(?<!you )(?<!they )\b(do not|don['’]t|never|must not|should not|avoid)\b|"
    r"\b(does not|do not|did not|doesn['’]t|don['’]t) work|^\W*(wrong|bad|incorrect|broken)\b|"
    r"\b(wrong way|mistakes?|bad example)\b|❌",
    re.I,
)
_DENYING_REST = re.compile(r"\b(not|never|cannot|nothing|no)\b|n['’]t\b", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(]?[A-Z0-9`])")
# A span of code may begin a sentence with a small letter.
_BEFORE_QUOTED = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)[.!?][\"')\]]*\s+$", re.I)
_SETTING = re.compile(
    r"^\s*(?:-\s+)?(?:export\s+|set\s+)?[\"']?([A-Z][A-Z0-9]*_[A-Z0-9_]+)[\"']?\s*[=:]\s*"
    r"[\"']?([^\s\"'#]*(?:\$\([^)]*\)|\$\{[^}]*\}|<[^>]*>)?)"
)
_MARK = re.compile(r"<!--\s*drillbook\s*[:=]\s*([\w-]*?)(?:\s+(.*?))?\s*-->")
# Braces stand around the attributes of a fence as Runme writes them.
_MARK_OF_FENCE = re.compile(r"(?:^|[\s{])drillbook\b\W?([\w-]*)([^{}]*)")
_LONGEST_BLOCK = 20_000
CRON = re.compile(r"^\s*(@\w+|(?:[\d*/,-]+\s+){4}[\w*/,-]+)\s+(?:root\s+)?(?=\S)")
SHELLS = frozenset(("bash", "sh", "shell", "zsh", "ksh", "console", "terminal", "shell-session"))
_SETTINGS = frozenset(("env", "dotenv", "properties", "ini", "conf", "yaml", "yml", "toml"))
_TEXTS = frozenset(("text", "txt", "plain", "log", "output"))


@dataclass(eq=False)
class Section:
    """The text under a heading, subsections included; last_line is the last line of the heading."""

    title: str
    level: int
    line: int
    parent: Section | None
    last_line: int = 0
    statements: list[Statement] = field(default_factory=list)

    @cached_property
    def text(self) -> str:
        """All its text, heading included; complete once the document is read."""
        return "\n".join((self.title, *(one.text for one in self.statements)))

    def within(self, other: Section) -> bool:
        """Whether it is that section or a part of it."""
        one: Section | None = self
        while one and one is not other:
            one = one.parent
        return one is other


@dataclass(eq=False, slots=True)
class Statement:
    """A sentence, a row of a table, or a line of a block.

    lead introduces it: the sentence before a list or a block, the header of a table, or the comment
    before a line. denied: the document itself says not to do this. inline: it is a command in a
    sentence or a row, which is its lead; listed: that sentence is an item of a list without
    numbers. raw has the text with its line breaks.
    """

    kind: Kind
    text: str
    line: int
    section: Section
    lead: str = ""
    denied: bool = False
    command: shell.Command | None = None
    inline: bool = False
    listed: bool = False
    scheduled: bool = False
    script: str = ""
    raw: str = ""

    def line_at(self, position: int) -> int:
        """The line of a position in the text."""
        return self.line + self.raw.count("\n", 0, position)

    @property
    def setting(self) -> tuple[str, str] | None:
        """The variable that a line of a block sets, and its value."""
        found = _SETTING.match(self.text) if self.kind == "code" else None
        return (found[1], found[2]) if found else None


@dataclass(eq=False, slots=True)
class Mark:
    """A comment `<!-- drillbook: word rest -->`, or the attribute `drillbook=word rest` of a fence.

    follows: the lines of the block or text after the comment, or of the fence's block.
    """

    word: str
    rest: str
    line: int
    follows: range = range(0)

    def is_before(self, block: Block) -> bool:
        """Whether this block, with its fence, is what follows at once."""
        return bool(self.follows) and self.follows.start == block.line - block.fenced


@dataclass(eq=False, slots=True)
class Block:
    """A fenced or indented block; declared: the language of its fence.

    line is that of its first line, behind the fence.
    """

    language: str
    text: str
    line: int
    section: Section
    lead: str
    denied: bool
    declared: str = ""
    fenced: bool = False


class Document:
    """A runbook that was read."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        # The parser counts lines like this, whichever characters end them.
        self.text = text = re.sub(r"\r\n?", "\n", text)
        self.statements: list[Statement] = []
        self.blocks: list[Block] = []
        self.marks: list[Mark] = []
        self._section = Section("", 0, 1, None)
        self._lead = ""
        self._lists: list[str] = []
        self._row = 1
        self._is_about = _is_about(name, text)
        self._read(MarkdownIt("commonmark").enable("table").parse(_without_front_matter(text)))

    def claims(self, *kinds: Kind) -> Iterator[Statement]:
        """The statements about Infisical that the document does not deny."""
        for one in self.statements:
            if one.kind in kinds and not one.denied and self._concerns(one):
                yield one

    def commands(self) -> Iterator[tuple[Statement, shell.Command]]:
        """Every command about Infisical that the document does not deny."""
        for one in self.claims("command"):
            if one.command:
                yield one, one.command

    def source(self, section: Section) -> str:
        """The lines of a section as they are written, those of its subsections included."""
        later = [
            one.line - 1
            for one in self.statements
            if one.kind == "heading"
            and one.line > section.line
            and one.section.level <= section.level
        ]
        end = min(later, default=None)
        return "\n".join(self.text.split("\n")[section.line - 1 : end])

    def _concerns(self, one: Statement) -> bool:
        """Whether a statement is about Infisical; a document may be about other services, too."""
        if self._is_about or OURS.search(f"{one.text} {one.script}"):
            return True
        section: Section | None = one.section
        if section and one.kind != "command" and OURS.search(section.text):
            return True
        while section and not OURS.search(section.title):
            section = section.parent
        return section is not None

    def _read(self, tokens: list[Token]) -> None:
        leads: list[str] = []
        waiting: list[Mark] = []
        cells: list[Spans] | None = None
        header = ""
        for number, token in enumerate(tokens):
            line = token.map[0] + 1 if token.map else 0
            if token.map and token.type != "html_block":
                while waiting:
                    waiting.pop().follows = range(line, token.map[1] + 1)
            match token.type:
                case "html_block":
                    waiting += self._mark(token.content, line)
                case "heading_open":
                    last_line = token.map[1] if token.map else line
                    self._open(_plain(tokens[number + 1])[0], int(token.tag[1]), line, last_line)
                case "bullet_list_open" | "ordered_list_open":
                    leads.append(self._lead)
                    self._lists.append(token.type)
                case "bullet_list_close" | "ordered_list_close":
                    leads.pop()
                    self._lists.pop()
                case "tr_open":
                    cells = []
                case "thead_close":
                    header = self.statements.pop().text if self.statements else ""
                case "tr_close" if cells is not None:
                    self._say_row(cells, line or self._row, header)
                    cells = None
                case "inline" if cells is not None:
                    cells.append(_plain(token))
                    self._row = line
                case "inline" if tokens[number - 1].type != "heading_open":
                    self._mark_inline(token, line)
                    self._say(_plain(token), line, leads[-1] if leads else "")
                case "fence" | "code_block":
                    first = line + (token.type == "fence")
                    lines = range(line, token.map[1] + 1) if token.map else range(0)
                    for found in _MARK_OF_FENCE.finditer(token.info):
                        mark = Mark(found[1], found[2].strip(), line, lines)
                        self.marks.append(mark)
                    self._quote(token.info.strip().lower(), token.content, first)
                    self.blocks[-1].fenced = token.type == "fence"

    def _mark_inline(self, token: Token, line: int) -> None:
        breaks = 0
        for child in token.children or []:
            breaks += child.type in ("softbreak", "hardbreak")
            if child.type == "html_inline":
                self._mark(child.content, line + breaks)

    def _mark(self, comment: str, line: int) -> list[Mark]:
        found = [
            Mark(one[1], one[2] or "", line + comment.count("\n", 0, one.start()))
            for one in _MARK.finditer(comment)
        ]
        self.marks += found
        return found

    def _open(self, title: str, level: int, line: int, last_line: int) -> None:
        above: Section | None = self._section
        while above and above.level >= level:
            above = above.parent
        self._section = Section(title, level, line, above, last_line)
        self._lead = ""
        self._add("heading", title, line)

    def _add(self, kind: Kind, text: str, line: int, **more: object) -> Statement:
        one = Statement(kind, text[: shell.LONGEST], line, self._section, **more)  # type: ignore[arg-type]
        above: Section | None = self._section
        one.denied = one.denied or bool(kind != "heading" and _DENYING_LEAD.search(one.lead))
        self.statements.append(one)
        while above:
            one.denied = one.denied or bool(_DENYING_TITLE.search(above.title))
            above.statements.append(one)
            above = above.parent
        return one

    def _say(self, said_at: Spans, line: int, lead: str) -> None:
        text, spans = said_at
        start, spans = 0, spans[::-1]
        quoted = {
            place for place, _ in spans if _BEFORE_QUOTED.search(text[max(place - 20, 0) : place])
        }
        for end in sorted({*(it.end() for it in _SENTENCE_END.finditer(text)), *quoted, len(text)}):
            sentence = text[start:end].rstrip()
            if sentence:
                raw, sentence = sentence, sentence.replace("\n", " ")
                said = self._add("sentence", sentence, line, lead=lead, raw=raw)
                while spans and spans[-1][0] < end:
                    place, span = spans.pop()
                    at = line + text.count("\n", start, place)
                    self._run_span(span, at, said, sentence, text[place + len(span) : end])
                self._lead = sentence
            line += text.count("\n", start, end)
            start = end

    def _say_row(self, cells: list[Spans], line: int, header: str) -> None:
        said = self._add("row", " | ".join(text for text, _ in cells), line, lead=header)
        for text, spans in cells:
            for place, span in spans:
                self._run_span(span, line, said, text, text[place + len(span) :])

    def _run_span(self, span: str, line: int, said: Statement, near: str, rest: str) -> None:
        """A span of code in a sentence or a cell (near), which may go on to deny it (rest)."""
        if len(span) < shell.LONGEST and shell.looks_like_a_command(span):
            goes_on = re.split(r"[.;,]", rest)[0]
            denies = _DENYING_LEAD.search(near) or _DENYING_REST.search(goes_on)
            self._run(span, line, said.text, said.denied or bool(denies), True)

    def _quote(self, info: str, content: str, line: int) -> None:
        declared = language = info.split()[0].strip("{.}") if info else ""
        if language in ("", *_TEXTS) and (guessed := _guess(content)):
            language = guessed
        typed = [one for one in content.splitlines() if one.strip() and one.lstrip()[:1] != "#"]
        if language in SHELLS and typed and all(map(CRON.match, typed)):
            language = "cron"
        denied = bool(_DENYING_LEAD.search(self._lead))
        self.blocks.append(
            Block(language, content, line, self._section, self._lead, denied, declared)
        )
        if language in SHELLS and len(content) > _LONGEST_BLOCK:
            raise BadInput(
                f"the runbook {self.name} has a shell block of more than {_LONGEST_BLOCK:,} "
                f"characters at line {line}; check the path, or name its language if it is none"
            )
        if language in SHELLS:
            content = without_prompts(content)
            self._run(content, line, self._lead, denied, False)
        elif language in ("cron", "crontab"):
            number = 0
            for one in re.split(r"(?<!\\)\n", content):
                if found := CRON.match(one):
                    self._run(one[found.end() :], line + number, self._lead, denied, False, True)
                number += one.count("\n") + 1
        if language in SHELLS | _SETTINGS | {"dockerfile", "docker"}:
            self._lines(content, line, denied, comments=language in _SETTINGS)
        elif language == "sql":
            for number, one in enumerate(content.splitlines()):
                self._add("code", one, line + number, lead=self._lead, denied=denied)

    def _lines(self, content: str, line: int, denied: bool, comments: bool) -> None:
        """Add the lines as they are: the rules look for settings and images in them."""
        before = ""
        for number, one in enumerate(content.splitlines()):
            if one.lstrip().startswith("#"):
                before = one.strip("# \t")
                if comments:
                    self._add("comment", before, line + number, denied=denied)
            elif one.strip():
                self._add("code", one, line + number, lead=before, denied=denied)
                before = ""

    def _run(
        self, text: str, line: int, lead: str, denied: bool, inline: bool, scheduled: bool = False
    ) -> None:
        before = lead if inline else ""
        for one in shell.parse(text, line):
            if isinstance(one, shell.Comment):
                before = one.text
                self._add("comment", before, one.line, denied=denied)
                continue
            self._add(
                "command",
                one.text,
                one.line,
                lead=before,
                denied=denied,
                command=one,
                inline=inline,
                scheduled=scheduled or bool(CRON.match(one.text)),
                script=text,
                listed=inline and self._lists[-1:] == ["bullet_list_open"],
            )
            if one.here.startswith("#!") and re.match(r"#!\S+(?: -\S+)*[ /]\w*sh\b", one.here):
                # A script that the command writes to a file.
                self._run(one.here, one.here_line, before, denied, inline)
            if not inline:
                before = ""


_ONE_OF_SEVERAL = re.compile(
    r"(?:,|\band|\bor|&)\W+infisical\b|\binfisical\W*(?:,|\band\b|\bor\b|&)", re.I
)
_PROMPT = re.compile(r"^\s*(\$|[\w.-]+@[\w.-]+[:~\w/. -]*[$#]|\[[^\]\n]+\][$#]) ", re.M)
_HEREDOC = re.compile(r"(?<!<)<<-?(?!<)\s*\\?['\"]?(\w+)")


def without_prompts(content: str) -> str:
    """The typed text of a recorded session; its output becomes empty lines, so no line moves."""
    if not _PROMPT.search(content):
        return content
    kept, goes_on, was_typed, end = list[str](), False, False, ""
    lines = content.splitlines()
    for number, line in enumerate(lines):
        typed = _PROMPT.match(line)
        was_typed = bool(typed) or goes_on or bool(end) or (was_typed and line.startswith("> "))
        if typed and not end:
            text = line[typed.end() :]
        elif was_typed:
            # The shell's prompt for a line that goes on.
            text = line.removeprefix("> ")
        else:
            text = ""
        kept.append(text)
        if end:
            end = "" if text.strip() == end else end
        elif was_typed and (found := _HEREDOC.search(text)):
            later = [one.removeprefix("> ").strip() for one in lines[number + 1 :]]
            end = found[1] if found[1] in later else ""
        goes_on = was_typed and not end and line.endswith("\\")
    return "\n".join(kept)


def _is_about(name: str, text: str) -> bool:
    """Whether all of a document is about Infisical, by its name, its title or its beginning.

    The beginning does not count where Infisical is one of several, or has a chapter.
    """
    title = re.search(r"^#\s+(.*)|^(.*)\n=+$", text, re.M)
    if OURS.search(f"{name} {title[0] if title else ''}"):
        return True
    if not title:
        return False
    beginning, *chapters = re.split(r"^#{2,6}\s", text[title.end() :], flags=re.M)
    several = _ONE_OF_SEVERAL.search(beginning) or any(
        OURS.search(one.partition("\n")[0]) for one in chapters
    )
    return bool(OURS.search(beginning)) and not several


def _guess(content: str) -> str:
    """The language of a block that names none."""
    lines = [one for one in content.splitlines() if one.strip()]
    typed = [one for one in lines if not one.lstrip().startswith("#")]
    if content.lstrip().startswith("{"):
        return "json"
    if typed and all(_SETTING.match(one) for one in typed):
        return "env"
    if any(CRON.match(one) for one in typed):
        return "cron"
    if any(re.match(r"\s*(services|image):", one) for one in typed):
        return "yaml"
    if without_prompts(content) != content or any(shell.looks_like_a_command(one) for one in typed):
        return "sh"
    return ""


def _plain(token: Token) -> Spans:
    """The text of an inline token without markup, and its spans of code with their positions."""
    text: str = ""
    spans: list[tuple[int, str]] = []
    for child in token.children or []:
        if child.type in ("softbreak", "hardbreak"):
            text += "\n"
        elif child.type == "code_inline":
            spans.append((len(text), child.content))
            text += child.content
        elif child.type in ("text", "image"):
            text += child.content
    return text, spans


def _without_front_matter(text: str) -> str:
    found = re.match(r"---\n.*?\n(---|\.\.\.)\n", text, re.S)
    return "\n" * found[0].count("\n") + text[found.end() :] if found else text
