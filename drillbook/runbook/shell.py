"""The commands of a shell block, from its syntax: words, redirects, pipelines and wrappers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))
# `<db-container>` would be two redirects: other characters stand for its marks while it is parsed.
PLACEHOLDER = re.compile(r"<([A-Za-z0-9][\w.:/-]*(?: [\w.:/-]*\w)*)>")
_HIDE = str.maketrans("<> ", "\ue000\ue001\ue002")
_SHOW = str.maketrans("\ue000\ue001\ue002", "<> ")
_KNOWN = re.compile(
    r"(?:sudo\s+|export\s+|[A-Z_]+=\S+\s+)*(?:docker|docker-compose|podman|psql|pg_dump|pg_restore|"
    r"dropdb|createdb|helm|kubectl|openssl|ssh|curl|zcat|gunzip|redis-cli|sh|bash|"
    r"cp|mv|rm|tar|cat|gzip|rsync|systemctl)\s+\S"
)
# The options of each command that take a value, by letter or name.
_VALUED = {
    "docker": "H host c context config l log-level",
    "compose": "f file p project-name env-file profile project-directory ansi parallel progress",
    "exec": "e env u user w workdir env-file index n namespace c container name v volume network "
    "detach-keys",
    "ssh": "i p o l J F L b",
    "kubectl": "n namespace context kubeconfig s server",
}
_WRAPPERS = {"sudo": "u g", "nice": "n", "ionice": "c n", "timeout": "k s", "env": "u"}
_WRAPPERS |= {"xargs": "n I P L", "nohup": "", "time": "", "command": ""}
_VALUED |= _WRAPPERS
# `sudo NAME=value docker …` and `env NAME=value docker …` run docker.
_ASSIGNS = re.compile(r"[A-Za-z_]\w*=")
# These run a command in a guest of this host: `pct exec 107 -- docker ps`.
_HOSTS = ("pct", "lxc", "incus")
_DEEPEST = 3
# A longer text is not a command of a runbook; only a part of it is read.
LONGEST = 2_000
_LONGEST_PIPELINE = 20


class Line:
    """The options of a command line, and its other words; leading: options end at the first."""

    def __init__(self, words: Sequence[str], command: str, leading: bool = False) -> None:
        valued = _VALUED.get(command, "").split()
        self.options: list[tuple[str, str]] = []
        self.rest: list[str] = []
        left = list(words)
        while left and not (leading and self.rest):
            word = left.pop(0)
            if word[:1] != "-" or word == "-":
                self.rest.append(word)
                continue
            name, _, value = word.removeprefix("--").partition("=")
            if word[:2] != "--":
                letters = word[1:]
                at = next((n for n, one in enumerate(letters) if one in valued), len(letters) - 1)
                self.options += [(one, "") for one in letters[:at]]
                name, value = letters[at], letters[at + 1 :].removeprefix("=")
            if name in valued and not value and left:
                value = left.pop(0)
            self.options.append((name, value))
        self.rest += left

    def has(self, *names: str) -> bool:
        """Whether one of these is given."""
        return any(name in names for name, _ in self.options)

    def values(self, *names: str) -> list[str]:
        """The values of these, in order."""
        return [value for name, value in self.options if name in names]

    def value(self, *names: str) -> str:
        """The first of them; empty where none is given."""
        return next(iter(self.values(*names)), "")


@dataclass(frozen=True, slots=True)
class Exec:
    """The wrapper that runs a command inside a container."""

    engine: str
    options: Line
    target: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a block."""

    text: str
    line: int


@dataclass(eq=False, slots=True)
class Command:
    """One simple command.

    words are those of the program itself, without sudo, docker exec, ssh and the like; `docker
    compose` and `docker-compose` are both ("compose", ...), without options of their own.
    """

    words: tuple[str, ...]
    text: str
    line: int
    inside: Exec | None = None
    reads: str | None = None
    writes: str | None = None
    here: str = ""
    here_line: int = 0
    feeds: Command | None = None
    fed_by: Command | None = None

    @property
    def program(self) -> str:
        """The name of the program, without its folder."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    def options(self, *names: str) -> Iterator[str]:
        """The values of an option: the next word, or the text behind =."""
        for word, value in zip(self.words, (*self.words[1:], ""), strict=False):
            if word in names:
                yield value
            elif word.startswith(tuple(f"{name}=" for name in names)):
                yield word.partition("=")[2]

    def option(self, *names: str) -> str:
        """The first value of an option; empty where it is not given."""
        return next(self.options(*names), "")

    def upstream(self) -> Iterator[Command]:
        """The commands before it in its pipeline, the nearest first."""
        one = self.fed_by
        for _ in range(_LONGEST_PIPELINE):
            if one:
                yield one
                one = one.fed_by


def looks_like_a_command(line: str) -> bool:
    """Whether a line of unknown language starts with a known command."""
    return bool(_KNOWN.match(line.strip()))


def parse(text: str, line: int) -> list[Command | Comment]:
    """The commands and comments of a block in their order; line is the number of its first line."""
    return _Reader(text, line).commands()


def commands(text: str, line: int) -> list[Command]:
    """The commands of a block in their order; line is the number of its first line."""
    return [one for one in parse(text, line) if isinstance(one, Command)]


class _Reader:
    """One block, read once in the order of its syntax tree."""

    def __init__(self, text: str, line: int, inside: Exec | None = None, depth: int = 0) -> None:
        self._line = line
        self._inside = inside
        self._depth = depth
        source = PLACEHOLDER.sub(lambda found: found[0].translate(_HIDE), text)
        self._nodes, self._above = _preorder(_PARSER.parse(source.encode()).root_node)
        self._of: dict[int, list[Command]] = {}

    def commands(self) -> list[Command | Comment]:
        found: list[Command | Comment] = []
        for node in self._nodes:
            if node.type == "comment":
                found.append(Comment(_text(node).strip("# \t"), self._at(node)))
            elif node.type == "command":
                self._of[node.id] = list(self._command(node))
                found += self._of[node.id]
        for node in self._nodes:
            if node.type == "pipeline":
                parts = filter(None, [self._commands(child) for child in _named(node)])
                for before, after in itertools.pairwise(parts):
                    before[-1].feeds, after[0].fed_by = after[0], before[-1]
            elif node.type == "redirected_statement":
                self._redirect(node)
        return found

    def _at(self, node: Node) -> int:
        return self._line + node.start_point[0]

    def _command(self, node: Node) -> Iterator[Command]:
        words = [_word(child) for child in _named(node) if child.type not in _NO_WORDS]
        line, whole = self._at(node), self._above.get(node.id)
        while whole is not None and whole.type in _LINES:
            if whole.end_byte - whole.start_byte > LONGEST:
                break
            node, whole = whole, self._above.get(whole.id)
        base = Command((), " ".join(_text(node).split()), line, self._inside)
        while words:
            program, rest = words[0].rpartition("/")[2], words[1:]
            if program in _WRAPPERS:
                words = Line(rest, program, leading=True).rest[program == "timeout" :]
                words = list(itertools.dropwhile(_ASSIGNS.match, words))
            elif program in ("docker", "podman", "docker-compose", "podman-compose"):
                engine = "compose" if program.endswith("-compose") else "docker"
                if engine == "docker":
                    rest = Line(rest, "docker", leading=True).rest
                    if rest[:1] == ["compose"]:
                        engine, rest = "compose", rest[1:]
                if engine == "compose":
                    rest = Line(rest, "compose", leading=True).rest
                if rest[:1] != ["exec"] and (engine, rest[:1]) != ("compose", ["run"]):
                    words = [engine, *rest]
                    break
                options = Line(rest[1:], "exec", leading=True)
                base.inside = Exec(engine, options, "".join(options.rest[:1]))
                words = options.rest[1:]
            elif program in _HOSTS and rest[:1] == ["exec"] and "--" in rest:
                words = rest[rest.index("--") + 1 :]
            elif program == "kubectl" and "--" in rest:
                rest = Line(rest, "kubectl", leading=True).rest
                if rest[:1] != ["exec"]:
                    break
                base.inside = Exec("kubectl", Line(rest[1:], "exec", leading=True), "")
                words = rest[rest.index("--") + 1 :]
            elif script := _script(program, rest):
                if self._depth < _DEEPEST:
                    inner = _Reader(script, base.line, base.inside, self._depth + 1).commands()
                    yield from (one for one in inner if isinstance(one, Command))
                return
            else:
                break
        base.words = tuple(words)
        yield base

    def _commands(self, node: Node | None) -> list[Command]:
        """The commands of a part of a pipeline, or of what a redirect belongs to."""
        while node is not None and node.id not in self._of:
            node = next((one for one in reversed(_named(node)) if one.type in _HOLDERS), None)
        return self._of[node.id] if node is not None else []

    def _redirect(self, node: Node) -> None:
        of = self._commands(node.child_by_field_name("body"))
        for one in node.children_by_field_name("redirect") if of else ():
            target = one.child_by_field_name("destination")
            if one.type == "heredoc_redirect":
                parts = [part for part in _named(one) if part.type == "heredoc_body"]
                of[0].here = "".join(map(_text, parts))
                of[0].here_line = self._at(parts[0]) if parts else 0
            elif target and _text(one).startswith("<"):
                of[0].reads = _word(target)
            elif target and not _text(one).startswith("2"):
                of[-1].writes = _word(target)


_NO_WORDS = frozenset(("variable_assignment", "file_redirect", "heredoc_redirect", "comment"))
_HOLDERS = frozenset(
    ("command", "pipeline", "list", "subshell", "compound_statement", "redirected_statement")
)
_LINES = frozenset(("redirected_statement", "pipeline", "list"))


def _preorder(root: Node) -> tuple[list[Node], dict[int, Node]]:
    """Every node in its order in the text, and the parent of each."""
    found, above, waiting = [], {}, [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for child in reversed(_named(node)):
            above[child.id] = node
            waiting.append(child)
    return found, above


def _named(node: Node) -> list[Node]:
    # named_children takes time that grows with the square of their number.
    return [child for child in node.children if child.is_named]


def _text(node: Node) -> str:
    return re.sub(r"\s*\\\n\s*", " ", (node.text or b"").decode()).translate(_SHOW)


def _word(node: Node) -> str:
    text = _text(node)
    if node.type in ("string", "raw_string"):
        return text[1:-1]
    return text.replace('"', "").replace("'", "") if node.type == "concatenation" else text


def _script(program: str, words: list[str]) -> str:
    """The script that a shell, su or ssh gets in quotes; empty where there is none."""
    if program in ("sh", "bash", "ash", "zsh"):
        at = next((n for n, word in enumerate(words) if re.fullmatch(r"-\w*c", word)), None)
        if at is None or at + 1 >= len(words):
            return ""
        strict = "set -o pipefail\n" if "pipefail" in words[:at] else ""
        return strict + words[at + 1]
    if program in ("su", "runuser") and "-c" in words[:-1]:
        return words[words.index("-c") + 1]
    if program == "ssh":
        return " ".join(Line(words, "ssh", leading=True).rest[1:])
    return ""
