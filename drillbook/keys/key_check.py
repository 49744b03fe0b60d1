"""Whether a key opens a backup: one of three answers, found offline, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from drillbook.backup.facts import Backup, facts
from drillbook.backup.tables import Dump, open_dump, text
from drillbook.core.bugs import seam
from drillbook.core.display import printable, write_json
from drillbook.infisical import schema
from drillbook.keys.hierarchy import (
    LOST,
    ROOTLESS,
    EncryptedBackup,
    Project,
    Proof,
    UnlockedKeys,
    Wrapper,
)
from drillbook.keys.key_files import KeyFile


@seam("prove_key")
def prove(backup: Path, key: str, also: str = "") -> Proof:
    """Try a key (the text of ENCRYPTION_KEY or ROOT_ENCRYPTION_KEY) on a backup of any form.

    also is the ROOT_ENCRYPTION_KEY that is set next to ENCRYPTION_KEY, if any.
    A key that does not fit raises nothing: nothing opened in its proof. BadInput where the file is
    not a backup.
    """
    with open_dump(backup) as dump:
        return prove_all(dump, [(key, also)])[0]


def prove_all(dump: Dump, keys: Sequence[tuple[str, str]]) -> list[Proof]:
    """A proof for each key and the one next to it (see `prove`), from one reading of a backup."""
    backup = EncryptedBackup(dump)
    unlocked = [UnlockedKeys(backup, *pair) for pair in keys]
    for at, old, values in backup.secrets():
        for keyring in unlocked:
            keyring.try_secret(at, old, values)
    proofs = [keyring.result() for keyring in unlocked]
    for proof in proofs:
        proof.damage, proof.empty, proof.outdated = dump.missing(), backup.empty, backup.outdated
    return proofs


Word = Literal["OPENS", "DOES NOT OPEN", "CANNOT TELL"]
EXIT: dict[Word, int] = {"OPENS": 0, "DOES NOT OPEN": 1, "CANNOT TELL": 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for one key, with reasons and numbers."""

    file: KeyFile
    word: Word
    reasons: tuple[str, ...]
    proof: Proof


def try_keys(dump: Dump, path: Path, keys: Sequence[KeyFile]) -> tuple[Backup, list[Answer]]:
    """The facts of an opened backup, and the answer for each key."""
    proofs = prove_all(dump, [(file.key, file.also) for file in keys])
    backup = facts(dump, path)
    return backup, [
        answer(file, proof, dump, backup.labels) for file, proof in zip(keys, proofs, strict=True)
    ]


def answer(file: KeyFile, proof: Proof, dump: Dump, labels: Sequence[str]) -> Answer:
    """Judge one proof. Only for a whole backup with every secret opened is the answer OPENS."""
    word, reasons = _judge(proof, dump)
    if proof.root_keys and not proof.roots_opened and file.label in labels:
        word, damage = "CANNOT TELL", "the row of the root key is damaged"
        reasons = [f"it is the key the backup names, yet it opens nothing: {damage}"]
    if word == "DOES NOT OPEN" and proof.opens_nothing:
        reasons = [*filter(None, [file.unfit]), *reasons]
        if labels and file.label not in labels:
            named = ", ".join(labels)
            reasons.append(f"the backup names the label {named}; this key's is {file.label}")
    if word == "DOES NOT OPEN" and not proof.roots_opened:
        reasons += _past_of(file, dump)
        if proof.under_this_key:
            # For anyone who finds a key that was rotated out.
            reasons.append(
                f"{proof.under_this_key} of {proof.first_generation} values of the first "
                "generation (bots, users, indexes) lie under it: a rotation leaves them there for "
                "good"
            )
    return Answer(file, word, tuple(reasons), proof)


def _judge(proof: Proof, dump: Dump) -> tuple[Word, list[str]]:
    if not proof.root_keys:
        return "CANNOT TELL", [why_rootless(dump)]
    if not proof.roots_opened:
        if proof.is_undecided:
            return "CANNOT TELL", list(proof.unproven)
        if proof.rootless:
            return "DOES NOT OPEN", ["it opens no project's key"]
        reasons = ["it does not open the root key"]
        if not proof.opens_nothing:
            opened = f"{proof.secrets_opened} of {proof.secrets} secrets open"
            reasons.append(f"and yet {opened}: no start, no service")
        return "DOES NOT OPEN", reasons
    missing = _missing(proof)
    # An instance has one row of this name.
    roots = sum(row[2] == schema.ACTIVE_ROOT for row in dump.rows(*schema.ROOTS))
    if missing and roots > 1:
        return "CANNOT TELL", [
            f"the backup holds the databases of {roots} instances, and this key opens "
            f"{proof.secrets_opened} of all their {proof.secrets} secrets: dump the database of "
            "one instance alone, by pg_dump"
        ]
    if proof.is_undecided:
        # The key to the rest may lie in the part that is lost.
        damage = [f"the backup {proof.damage}"] if proof.damage else []
        return "CANNOT TELL", [*damage, *missing, *proof.unproven]
    return ("DOES NOT OPEN", missing) if missing else ("OPENS", [])


def _missing(proof: Proof) -> list[str]:
    """The projects and secrets that stay shut although the root key opened."""
    reasons = []
    if shut := proof.projects - proof.projects_opened:
        reasons.append(f"the keys of {shut} of {proof.projects} projects stay shut")
    lost = sum(project.secrets for project in proof.by_project if project.reason == LOST)
    if lost:
        reasons.append(f"{lost} of {proof.secrets} secrets stay shut: {LOST}")
    if shut := proof.secrets - proof.secrets_opened - lost:
        reasons.append(
            f"{shut} of {proof.secrets} secrets stay shut: they are damaged, or were sealed "
            "under another key"
        )
    return reasons


def why_rootless(dump: Dump) -> str:
    """Why no key can be tried on a backup: it has no root key."""
    if dump.damage:
        return f"the backup {dump.damage}, and holds no root key before that"
    if lacks := dump.lacks():
        return f"the backup {lacks}; it holds no root key"
    if dump.inserts:
        return (
            "the backup holds no rows that can be read: it was made with --schema-only or "
            "--globals-only, and has no data, or with --inserts: then restore it, and dump that "
            "without the option"
        )
    if schema.BOTS.table not in dump.tables:
        return "the backup holds no root key: it is not of Infisical's database"
    return (
        "the backup holds no root key, and nothing else that shows whether the key is right: the "
        f"table {schema.ROOTS.table} is missing or empty, or the instance has no project yet"
    )


def _past_of(file: KeyFile, dump: Dump) -> list[str]:
    """When this key was in force, by the instance's own history of its keys."""
    for label, activated, superseded, retired in dump.rows(*schema.KEY_HISTORY):
        if text(label) == file.label:
            start, end, day = ((text(at) or "")[:10] for at in (activated, superseded, retired))
            until = f" until {end}" if end else ""
            removed = f", and was removed on {day}" if day else ""
            return [
                f"this key was in force from {start}{until}{removed}: it is the key of backups of "
                "that time, not of this one"
            ]
    return []


def best(answers: Sequence[Answer], untried: Sequence[str] = ()) -> Answer:
    """The deciding answer: the key in force, else one that opens, else one that opens something.

    untried says which keys could not be tried, and why. Where there are any, no answer is DOES NOT
    OPEN: one of them may be the key.
    """
    order: list[Word] = ["OPENS", "CANNOT TELL", "DOES NOT OPEN"]

    def rank(answer: Answer) -> tuple[int, bool, int]:
        return order.index(answer.word), not is_in_force(answer.proof), -answer.proof.roots_opened

    decisive = min(answers, key=rank)
    if decisive.word == "DOES NOT OPEN" and untried:
        reasons = (_UNTRIED, *decisive.reasons)
        return replace(decisive, word="CANNOT TELL", reasons=reasons)
    return decisive


def is_in_force(proof: Proof) -> bool:
    """Whether a deployment starts with this key; False for one that is staged or superseded."""
    states = {wrapper.state for wrapper in proof.wrappers if wrapper.opened}
    return not states or "active" in states


_UNTRIED = 'not every key was tried (see "not tried"), and none of the others opens it'
_MOST_PROJECTS = 20
_KINDS = {2: "keys held by bots, as until 2024", 3: "keys held by the KMS"}
_NEXT: dict[Word, str] = {
    "OPENS": (
        "keep this key as long as this backup. If an instance needs it, set {variable} to this key "
        "and redeploy (where the image's tag moves, with --pull never: else this upgrades, too); "
        "AUTH_SECRET (a new one ends every token) and the password of a new database may be new"
        "{in_coolify}"
    ),
    "DOES NOT OPEN": (
        "try your other keys: from escrow, `docker inspect` of an earlier container, an old .env, "
        "/data/coolify/services/<uuid>/.env (of an application from Git "
        "/data/coolify/applications/<uuid>/.env), or Git; make no new one"
    ),
    "CANNOT TELL": "do not rely on this backup until this is resolved; try an older one",
}
# There, the service's environment has ENCRYPTION_KEY=${SERVICE_PASSWORD_ENCRYPTIONKEY}.
_IN_COOLIFY = (
    ". Coolify's own template takes it from SERVICE_PASSWORD_ENCRYPTIONKEY: there, set that one; a "
    "variable ENCRYPTION_KEY next to it changes nothing"
)
_SECOND, _READS_SECOND = "ROOT_ENCRYPTION_KEY", "202410"
_UNREAD = (
    "Note: the release of July 2024 starts with ROOT_ENCRYPTION_KEY alone, and then reads no "
    "secret; the one of October 2024 reads them."
)
# A line of its own, so that it works when pasted.
_COMMANDS = {
    "OPENS": "drillbook drill {backup} --env-file {key}  "
    "# starts the product from them; --image names the release that you run",
    "DOES NOT OPEN": "drillbook key check {backup} --env-file first.env --env-file second.env",
}
_NOT_IN_FORCE = (
    "look for the key in force, and deploy that one (a staged key is in force once the instance "
    "has started with it); keep this key as long as this backup"
)
_CUT = (
    "if this is a copy, fetch it again, and compare the sizes, since a transfer may have cut it; "
    "only if the original is cut, too, take an older one"
)
_TRY_THEM = (
    "write each key that was not tried into a file of its own, as ENCRYPTION_KEY=…, and check "
    "again; make no new key"
)
_ELSEWHERE = (
    "no key file can prove this part, of this backup or of another one: restore it where that HSM "
    "or KMS can be reached, and read its secrets there"
)
# No other key opens what stays shut.
_DAMAGED = (
    "keep this key, since no other opens more; take an earlier backup for what stays shut, and "
    "save what opens by `drillbook key recover`"
)


def as_text(
    facts: Backup,
    name: str,
    answers: Sequence[Answer],
    untried: Sequence[str] = (),
) -> str:
    """The answer for a terminal, with its reasons, the facts of the backup and the next step.

    untried says why a key file could not be tried.
    """
    return "\n".join(_lines(facts, name, answers, untried)) + "\n"


def _lines(
    facts: Backup, name: str, answers: Sequence[Answer], untried: Sequence[str]
) -> Iterator[str]:
    decisive = best(answers, untried)
    yield f"{decisive.word}: {_sentence(decisive)}"
    yield from (f"  because {reason}" for reason in map(safe_text, decisive.reasons))
    yield ""
    yield f"  key        {_key(decisive)}"
    others = (answer for answer in answers if answer.file is not decisive.file)
    yield from (f"  tried too  {_key(other)}: {other.word}" for other in others)
    yield from (f"  not tried  {safe_text(reason)}" for reason in untried)
    yield from _about(facts, name)
    yield from _numbers(decisive.proof)
    yield ""
    yield from (f"Note: {note}." for note in notes(decisive.proof, decisive.file.label))
    if facts.beyond:
        yield f"Note: the backup {facts.beyond}."
    if facts.not_restored:
        yield f"Note: the backup {safe_text(facts.not_restored)}."
    if facts.rows_alone:
        yield (
            "Note: no restore works from it alone, since it makes no table for its rows: dump "
            "again, by pg_dump without --data-only."
        )
    if stops := facts.stops_psql(facts.server):
        yield f"Note: {stops}."
    proof, file = decisive.proof, decisive.file
    if file.accepted_as != file.deployed_as:
        yield (
            f"Note: {safe_text(file.path)} sets it as {file.deployed_as}, with which no backend "
            f"starts: a key of this form belongs into {file.accepted_as}."
        )
    if file.accepted_as == _SECOND and decisive.word == "OPENS" and facts.schema:
        yield from [_UNREAD] if facts.schema < _READS_SECOND else []
    # A project's key of generation 3 lies under the root key alone, which this key has opened.
    under_another = any(
        one.generation == 2 and not (one.key_opened or one.reason) for one in proof.by_project
    )
    right = proof.roots_opened and not under_another
    todo, command = _NEXT[decisive.word], _COMMANDS.get(decisive.word)
    if decisive.word == "DOES NOT OPEN" and right:
        todo, command = _DAMAGED, None
    if decisive.word == "CANNOT TELL" and proof.held_elsewhere and not proof.damage:
        todo = _ELSEWHERE
    if decisive.word == "CANNOT TELL" and facts.damage:
        todo = _CUT
    if decisive.reasons[:1] == (_UNTRIED,):
        todo = _TRY_THEM
    if decisive.word == "OPENS" and not is_in_force(proof):
        todo, command = _NOT_IN_FORCE, None
    if decisive.word == "OPENS" and (facts.beyond or facts.rows_alone):
        # A drill cannot restore it.
        command = None
    in_coolify = _IN_COOLIFY if file.accepted_as == "ENCRYPTION_KEY" else ""
    yield f"Next: {todo.format(variable=file.accepted_as, in_coolify=in_coolify)}."
    if command:
        # An address is shown without what may be a secret in it.
        known = name != "standard input" and "…" not in safe_text(name)
        backup = quote(safe_text(name)) if known else "BACKUP"
        yield f"  {command.format(backup=backup, key=quote(safe_text(decisive.file.path)))}"


def _sentence(answer: Answer) -> str:
    if answer.word == "OPENS":
        last = "to the last secret" if answer.proof.secrets else "in which no secret has a value"
        return f"this key opens this backup, {last}"
    if answer.word == "CANNOT TELL":
        return "this may or may not be the key to all of this backup"
    part = "nothing" if answer.proof.opens_nothing else "only a part"
    return f"this key opens {part} of this backup"


def _key(answer: Answer) -> str:
    return f"{safe_text(answer.file.path)}: {answer.file.variable} with label {answer.file.label}"


def _numbers(proof: Proof) -> Iterator[str]:
    first = "bots' keys" if proof.rootless else "root key  "
    # Two in force are of two instances.
    several = [wrapper.state for wrapper in proof.wrappers].count("active") > 1
    two = proof.root_keys > 1 and proof.roots_opened and not (proof.rootless or several)
    rotating = "; it lies under several keys, so another one opens as well" if two else ""
    yield f"  {first} {proof.roots_opened} of {proof.root_keys} open{rotating}"
    if len(proof.wrappers) > 1:
        yield from (f"    {_wrapper(wrapper)}" for wrapper in proof.wrappers)
    yield f"  projects   {proof.projects_opened} of {proof.projects} keys open"
    empty = f"; {proof.empty} empty" if proof.empty else ""
    yield f"  secrets    {proof.secrets_opened} of {proof.secrets} open{empty}"
    projects = sorted(
        (project for project in proof.by_project if project.secrets),
        key=lambda project: (project.secrets == project.secrets_opened, -project.secrets),
    )
    yield from map(_project, projects[:_MOST_PROJECTS])
    if rest := projects[_MOST_PROJECTS:]:
        secrets = sum(project.secrets for project in rest)
        opened = sum(project.secrets_opened for project in rest)
        yield f"    other projects ({len(rest)}): {opened} of {secrets}"


_STATES = {
    "active": "in force{since}",
    "staged": "staged and not deployed yet",
    "retained": "superseded{since}",
}


def _wrapper(wrapper: Wrapper) -> str:
    state = _STATES[wrapper.state].format(
        since=f" since {safe_text(wrapper.since)}" if wrapper.since else ""
    )
    opens = "opens with this key" if wrapper.opened else "stays shut"
    return f"under label {safe_text(wrapper.label) or 'not said'}, {state}: {opens}"


def notes(proof: Proof, key: str) -> Iterator[str]:
    """Notes on a backup that the key with this label opens: its age, and rotations of keys."""
    if proof.rootless:
        yield ROOTLESS
    if proof.second_key_needed:
        yield (
            f"ENCRYPTION_KEY alone does not open this: bots or indexes lie under the {_SECOND} of "
            "its file. Keep both, and set both"
        )
    if proof.outdated:
        yield (
            f"rows of the table {schema.OLD.table} that are older than their project's upgrade: "
            f"{proof.outdated}; the product no longer reads them, so they do not count"
        )
    states = {wrapper.state for wrapper in proof.wrappers if wrapper.opened}
    active = next((wrapper.label for wrapper in proof.wrappers if wrapper.state == "active"), "")
    if states == {"staged"}:
        yield (
            "this key was staged and not deployed when this backup was made: it opens this backup, "
            "and the running database until it is discarded. Its first start puts it in force: if "
            "the instance has started with it since, deploy this one, since the key before it "
            "starts the instance for some more days only"
        )
    elif states == {"retained"}:
        yield (
            f"this key is superseded by the one with label {active or 'not said'}: an instance "
            "starts with it only until it is removed. Deploy the one in force"
        )
    if proof.first_generation and (earlier := [label for label in proof.kept if label != key]):
        yield (
            f"{proof.first_generation} values of the first generation (bots, users, indexes) lie "
            f"under the key with label {', '.join(earlier)} for good. The backup keeps that one "
            "under its root key, so anyone who has this key has both; if the earlier one leaked, "
            "the rotation does not protect these values"
        )


def _project(project: Project) -> str:
    why = project.reason or _KINDS.get(project.generation, "")
    name = safe_text(project.name) or "unknown project"
    return f"    {name}: {project.secrets_opened} of {project.secrets} ({why})"


def _about(facts: Backup, name: str) -> Iterator[str]:
    packed = f", packed by {facts.packed}" if facts.packed else ""
    complete = "complete" if facts.complete else "not complete"
    about = f"{facts.form} format{packed}, {facts.size:,} bytes, {complete}"
    yield f"  backup     {safe_text(name)}: {about}"
    yield f"  instance   {safe_text(facts.instance or 'not said')}"
    yield f"  product    {_schema(facts)}"
    yield f"  dumped     {_origin(facts)}"


def _schema(facts: Backup) -> str:
    if not facts.schema:
        return "version not said"
    stamp = facts.schema[:8]
    day = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}" if stamp.isdigit() else safe_text(facts.schema)
    return f"database schema of {day} ({facts.migrations} migrations), so a release from then on"


def _origin(facts: Backup) -> str:
    parts = []
    if facts.dumped_at:
        parts.append(f"{facts.dumped_at:%Y-%m-%d %H:%M} by the clock of its machine")
    if facts.newest:
        parts.append(f"not before {facts.newest:%Y-%m-%d %H:%M} UTC (newest row)")
    tools = (("from PostgreSQL", facts.server), ("by pg_dump", facts.dumped_by))
    parts += [f"{what} {safe_text(version)}" for what, version in tools if version]
    return ", ".join(parts) or "not said"


def safe_text(text: str) -> str:
    """A text from the backup or the user, cut, and without control characters."""
    safe = printable(text)
    return safe if len(safe) <= 200 else f"{safe[:199]}…"


def write_answer(
    facts: Backup, name: str, answers: Sequence[Answer], untried: Sequence[str] = ()
) -> None:
    """Write the answer as JSON: `answer`, `exit_code`, `backup`, and `keys` with each key."""
    decisive = best(answers, untried)
    write_json(
        "key-check",
        answer=decisive.word,
        exit_code=EXIT[decisive.word],
        reasons=decisive.reasons,
        backup=about_backup(facts, name),
        keys=[_as_data(answer) for answer in answers],
        not_tried=list(untried),
    )


def about_backup(facts: Backup, name: str) -> dict[str, Any]:
    """The facts of a backup for JSON."""
    left_out = ("path", "rows", "orders", "changed", "lacks", "gaps", "rows_alone")
    about = {key: value for key, value in asdict(facts).items() if key not in left_out}
    return {"path": name, "complete": facts.complete, **about}


def _as_data(answer: Answer) -> dict[str, Any]:
    key = {"file": answer.file.path, "variable": answer.file.variable, "label": answer.file.label}
    return {**key, "answer": answer.word, "reasons": answer.reasons, **asdict(answer.proof)}
