"""Decrypts every secret of a backup with its place, and writes them to a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from drillbook.backup.tables import Dump, Values, blob, open_dump, text
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import load_text
from drillbook.infisical import schema
from drillbook.keys.hierarchy import EncryptedBackup, UnlockedKeys

_DEEPEST = 100
_SHUT = "it does not open: damaged, or sealed under another key"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret was: project, its id, environment (slug), folder path."""

    project: str
    project_id: str
    environment: str
    path: str


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret in the clear; type is `shared`, or `personal` for a member's own value.

    value is None, with a reason, for one that stays shut; then name may be missing as well.
    deleted: its environment or project is deleted, and the product removes it by itself. listed:
    whether the API can list it; it leaves out reserved folders, and does not answer for an empty
    secret of a project whose key is held elsewhere.
    """

    place: Place
    id: str
    name: str | None
    version: int
    type: str
    value: bytes | None = field(repr=False)
    comment: bytes | None = field(repr=False)
    reason: str = ""
    deleted: bool = False
    listed: bool = True


class Reader:
    """Reads the secrets of an opened backup with one key, and the one set next to it, if any."""

    def __init__(self, dump: Dump, key: str, also: str = "") -> None:
        self._dump = dump
        self.backup = EncryptedBackup(dump)
        self.keys = UnlockedKeys(self.backup, key, also)
        proof = self.keys.proof
        # Old projects' secrets need no root key: they open even where its row is damaged.
        self.opens = bool(proof.roots_opened or proof.projects_opened)
        self._folders = {row[1]: row for row in dump.rows(*schema.FOLDERS)}
        self._places: dict[bytes | None, Place] = {}

    def secrets(self) -> Iterator[Secret]:
        """Each current secret, opened or not, in the order of the backup."""
        for row in self._dump.rows(*schema.WHOLE_OLD):
            if self.backup.is_outdated(row[6]):
                self.keys.proof.outdated += 1
            else:
                yield self._old(row)
        for row in self._dump.rows(*schema.WHOLE_NEW):
            yield self._new(row)

    def public_texts(self) -> Iterator[str]:
        """Ids, names and slugs of projects and environments, and folder paths: none is a secret."""
        for project in self.backup.projects:
            yield from (project.id, project.name)
        for environment, (_, slug) in self.backup.environments.items():
            yield from (text(part) or "" for part in (environment, slug))
        yield from (text(slug) or "" for (slug,) in self._dump.rows(*schema.PROJECT_SLUGS))
        yield from (self._path(folder) for folder in self._folders)

    def folders(self) -> Iterator[Place]:
        """The place of each folder that the API lists: neither reserved nor deleted."""
        for folder, (environment, *_, reserved) in self._folders.items():
            if reserved != b"t" and environment not in self.backup.deleted:
                yield self.place(folder)

    def _new(self, row: Values) -> Secret:
        sealed, folder, name, version, kind, comment, id_ = row
        at = self._project(folder)
        # An empty secret has no value at all, so that there is nothing to open.
        value = b"" if sealed is None else self.keys.open_new(at, blob(sealed))
        about = (folder, id_, version, kind)
        return self._secret(about, text(name), value, self.keys.open_new(at, blob(comment)))

    def _old(self, row: Values) -> Secret:
        folder, version, kind, *_, id_ = row[6:]
        at = self._project(folder)
        value, name, comment = (
            self.keys.open_old(at, *(text(part) for part in row[first : first + 3]))
            for first in (0, 3, 9)
        )
        plain = name.decode(errors="replace") if name is not None else None
        return self._secret((folder, id_, version, kind), plain, value, comment)

    def _project(self, folder: bytes | None) -> int:
        return self.backup.project_of.get(folder or b"", -1)

    def _secret(
        self,
        about: tuple[bytes | None, ...],
        name: str | None,
        value: bytes | None,
        comment: bytes | None,
    ) -> Secret:
        folder, id_, version, kind = about
        number = int(version) if version and version.isdigit() else 0
        shut = value is None or name is None
        reason = self.keys.reason(self._project(folder))
        why = (reason or _SHUT) if shut else ""
        kind_ = text(kind) or "shared"
        place, id_text = self.place(folder), text(id_) or ""
        environment, *_, reserved = self._folders.get(folder) or (None, None)
        deleted = environment in self.backup.deleted
        listed = reserved != b"t" and (bool(value) or not reason)
        return Secret(place, id_text, name, number, kind_, value, comment, why, deleted, listed)

    def place(self, folder: bytes | None) -> Place:
        """Where a folder's secrets were; empty for a folder that is not in the backup."""
        if folder not in self._places:
            row, at = self._folders.get(folder), self._project(folder)
            project, slug = self.backup.environments.get(row[0] if row else None, (None, None))
            name, path = self.backup.projects[at].name if at >= 0 else "", self._path(folder)
            self._places[folder] = Place(name, text(project) or "", text(slug) or "", path)
        return self._places[folder]

    def _path(self, folder: bytes | None) -> str:
        """The path of a folder; the top one, whose name is root, is /."""
        names: list[str] = []
        row = self._folders.get(folder)
        while row and row[2] is not None and len(names) < _DEEPEST:
            names.append(text(row[3]) or "")
            row = self._folders.get(row[2])
        return "/" + "/".join(reversed(names))


def digests(backup: Path, key: str, project_id: str) -> dict[tuple[str, str, str], str]:
    """Digests of a project's shared values by environment, folder path and name, from a backup.

    Values that stay shut are missing. A failure's message may quote a digest, never a value.
    """
    with open_dump(backup) as dump:
        return {
            (secret.place.environment, secret.place.path, secret.name or ""): (
                hashlib.sha256(secret.value).hexdigest()[:16]
            )
            for secret in Reader(dump, key).secrets()
            if secret.value is not None and secret.place.project_id == project_id
        }


Form = Literal["json", "env"]
# The names of a shell's variables; a shell runs anything else as a command.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A shell runs, calculates, loads or refuses the values of these: at once, at the prompt, or with a
# command. Each name is written out, because MAIL_PASSWORD or BASH_TOKEN would only be kept.
_ACTED_ON = re.compile(
    r"F?PATH|CDPATH|(?:f|cd|man|mail|module_)?path|IFS|ENV|PROMPT_COMMAND|R?PROMPT\d?|R?PS\d|"
    r"prompt|ZLE_RPROMPT_INDENT|BASH|BASHPID|BASHOPTS|BASH_(?:ALIASES|ARG[CV]0?|CMDS|COMMAND|COMPAT|"
    r"ENV|EXECUTION_STRING|LINENO|LOADABLES_PATH|MONOSECONDS|REMATCH|SOURCE|SUBSHELL|TRAPSIG|"
    r"VERSINFO|VERSION|XTRACEFD)|SHELLOPTS|POSIXLY_CORRECT|GLOBIGNORE|EXECIGNORE|"
    r"HIST(?:CHARS|CMD|CONTROL|FILE|FILESIZE|IGNORE|SIZE|TIMEFORMAT)|histchars|SAVEHIST|"
    r"S?RANDOM|SECONDS|EPOCHSECONDS|EPOCHREALTIME|LINENO|OPTIND|OPTARG|OPTERR|SHLVL|ERRNO|"
    r"TRY_BLOCK_(?:ERROR|INTERRUPT)|TTYIDLE|TMOUT|COLUMNS|LINES|KEYTIMEOUT|DIRSTACK|GROUPS|FUNCNAME|"
    r"FUNCNEST|PIPESTATUS|MAIL|MAILPATH|MAILCHECK|(?:READ)?NULLCMD|ZDOTDIR|psvar|argv|status|"
    r"E?[UG]ID|PPID|LD_\w+|DYLD_\w+"
)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`"})


def form_of(name: str) -> Form:
    """JSON unless the name ends in .env or .env.age."""
    return "env" if name.removesuffix(".age").endswith(".env") else "json"


def encode_secrets(
    form: Form, secrets: Iterable[Secret], about: dict[str, Any], whole: Callable[[], bool]
) -> Iterator[bytes]:
    """The file in pieces; about names the backup, the end says whether it is complete.

    whole is called when the last secret has been written.
    """
    write = _as_json if form == "json" else _as_env
    return write(secrets, about, whole)


def _as_json(
    secrets: Iterable[Secret], about: dict[str, str], whole: Callable[[], bool]
) -> Iterator[bytes]:
    # The name of a file need not be text.
    named = {name: printable(value) for name, value in about.items()}
    head = json.dumps(named, indent=1, ensure_ascii=False)
    yield f'{head[:-2]},\n "secrets": ['.encode()
    between = "\n  "
    for secret in secrets:
        yield (between + json.dumps(_as_data(secret), ensure_ascii=False)).encode()
        between = ",\n  "
    yield f'\n ],\n "complete": {json.dumps(whole())}\n}}\n'.encode()


def _as_data(secret: Secret) -> dict[str, Any]:
    data = {**asdict(secret.place), "name": secret.name, "version": secret.version}
    data |= {"type": secret.type, "id": secret.id}
    if secret.reason:
        return {**data, "reason": secret.reason}
    return {
        **data,
        **_readable("value", secret.value),
        **_readable("comment", secret.comment or b""),
    }


def _readable(what: str, value: bytes | None) -> dict[str, str]:
    try:
        return {what: (value or b"").decode()}
    except UnicodeDecodeError:
        return {f"{what}_base64": base64.b64encode(value or b"").decode()}


def _as_env(
    secrets: Iterable[Secret], about: dict[str, Any], whole: Callable[[], bool]
) -> Iterator[bytes]:
    """One section for each place; a name may occur in several sections.

    A shell that sources the file sets variables and runs nothing, for any names and values.
    """
    yield b"".join(f"# {name}: {printable(value)}\n".encode() for name, value in about.items())
    place: Place | None = None
    for secret in secrets:
        if secret.place != place:
            place = secret.place
            where = f"{place.project} ({place.project_id}), {place.environment}, {place.path}"
            yield f"\n# project, environment, folder: {printable(where)}\n".encode()
        yield _assignment(secret)
    yield b"\n# complete\n" if whole() else b"\n# NOT COMPLETE\n"


def _assignment(secret: Secret) -> bytes:
    if secret.reason:
        return f"# {printable(secret.name or secret.id)}: {printable(secret.reason)}\n".encode()
    name, value = secret.name or "", (secret.value or b"").decode(errors="surrogateescape")
    # A member's own value must not take the place of the one that all share.
    if secret.type != "shared":
        return _as_comment(secret.type, name, value)
    if not sets_a_variable(secret):
        acts = _ACTED_ON.fullmatch(name)
        why = "a shell acts on this name" if acts else "not a variable of a shell"
        return _as_comment(why, name, value)
    return f"{name}={_quote(value)}\n".encode(errors="surrogateescape")


def sets_a_variable(secret: Secret) -> bool:
    """Whether an environment file can set it: a name that a shell only keeps, no zero byte."""
    name = secret.name or ""
    named = _NAME.fullmatch(name) and not _ACTED_ON.fullmatch(name)
    return bool(named) and b"\0" not in (secret.value or b"")


def _as_comment(why: str, name: str, value: str) -> bytes:
    """A comment on one line, with name and value as JSON strings, so that neither ends it."""
    return f"# {printable(why)}: {json.dumps(name)}={json.dumps(value)}\n".encode()


def _quote(value: str) -> str:
    """A value in quotes, so that shells and readers of environment files take it literally.

    Single quotes protect everything but a single quote.
    """
    return f"'{value}'" if "'" not in value else f'"{value.translate(_ESCAPES)}"'


# Writes pieces of text to a file, encrypted or not.
Seal = Callable[[Iterator[bytes], BinaryIO], None]
_MOST_ENCRYPTED = 256 << 20


def for_recipients(words: Sequence[str]) -> Seal:
    """Encrypt for age or SSH public keys, given as such or as files that list them."""
    import pyrage

    keys = [_recipient(line, word) for word in words for line in _lines(word)]
    if not keys:
        raise BadInput("--recipient names no public key; make one with `age-keygen`")

    def seal(pieces: Iterator[bytes], file: BinaryIO) -> None:
        try:
            file.write(pyrage.encrypt(_hold(pieces), keys))
        except pyrage.EncryptError as trouble:
            raise BadInput(f"age cannot encrypt: {trouble}") from None

    return seal


_PRIVATE = "AGE-SECRET-KEY-"


def _lines(word: str) -> list[str]:
    if word.startswith(("age1", "ssh-", _PRIVATE)):
        return [word]
    try:
        lines = load_text(Path(word).expanduser(), "file", "--recipient").splitlines()
    except BadInput as why:
        raise BadInput(
            f"--recipient {word} is neither a public key (age1…, ssh-ed25519 …) nor a file that "
            f"lists them: {why}"
        ) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _recipient(line: str, word: str) -> object:
    import pyrage

    if line.startswith(_PRIVATE):
        # It is not quoted: it may open earlier backups.
        raise BadInput("--recipient holds a private key of age; give its public key (age1…)")
    kind = pyrage.ssh.Recipient if line.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(line)
    except pyrage.RecipientError:
        # The line is not quoted: the file may be one of keys, or hold a passphrase.
        raise BadInput(
            f"--recipient {word[:200]} is not a public key of age or SSH, or holds a line that is "
            "none; check it"
        ) from None


def for_passphrase(path: Path) -> Seal:
    """Encrypt under the passphrase in a file."""
    passphrase = load_text(path.expanduser(), "passphrase file", "--passphrase-file").rstrip("\r\n")
    if len(passphrase.splitlines()) > 1:
        # age asks for one line, so no one could open the file.
        raise BadInput(f"passphrase file {path} has more than one line; write the passphrase alone")

    def seal(pieces: Iterator[bytes], file: BinaryIO) -> None:
        import pyrage

        file.write(pyrage.passphrase.encrypt(_hold(pieces), passphrase))

    return seal


def _hold(pieces: Iterator[bytes]) -> bytes:
    """All pieces in memory, as age needs them."""
    plain = bytearray()
    for piece in pieces:
        plain += piece
        if len(plain) > _MOST_ENCRYPTED:
            raise BadInput(
                f"more than {_MOST_ENCRYPTED >> 20} MiB are not encrypted at once; give "
                "--plaintext --out - and have age read that: drillbook … | age -r KEY > FILE"
            )
    return bytes(plain)


def write_plain(pieces: Iterator[bytes], file: BinaryIO) -> None:
    """Write without encryption: anyone who reads the file reads the secrets."""
    file.writelines(pieces)
