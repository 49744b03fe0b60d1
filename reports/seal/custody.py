"""`drillbook key prove`: a custodian proves to hold a registered key without showing it.

The answer is an HMAC under the key over a challenge, the key's label and the custodian's name: to
make or to check it takes the key. A run that has the key checks it. The answer is signed like a
sign-off, by a key of the custodian's own.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from drillbook.core.files import read_file, write_file
from reports.config.declarations import Declared, DeclaredKey, Words
from reports.errors import BadDeclaration, ReportError
from reports.evidence.context import Acknowledgement, RegisteredKey
from reports.evidence.json_file import strict_json
from reports.evidence.model import Key
from reports.seal.signature import SigningKey, load_trusted_keys
from reports.seal.statement import in_toto
from reports.seal.verification import checked
from reports.seal.verify_bundle import Keys, check_signature

_KIND = "urn:drillbook:custody:1"
_LARGEST = 1 << 20


def _answer(key: str, label: str, said: Acknowledgement) -> str:
    """The answer of a holder of the key to the challenge, under this name."""
    text = "\0".join((_KIND, label, said.challenge, said.name))
    return hmac.new(key.strip().encode(), text.encode(), "sha256").hexdigest()


def prove(
    key: tuple[str, str], said: Acknowledgement, words: Words, signer: SigningKey, out: Path
) -> None:
    """Write a custodian's answer; key is its text and label. ReportError if it is not theirs."""
    text, label = key
    registered = next((one for one in words.keys if label.startswith(one.label)), None)
    if registered is None:
        where = "[[keys]] in drillbook.toml, or in the file of --config"
        raise ReportError(
            f"the register has no key with the label {label}; write it down in {where}"
        )
    if said.name not in registered.custodians:
        custodians = ", ".join(registered.custodians) or "no one"
        raise ReportError(f"--name {said.name}: the custodians of this key are {custodians}")
    said = said.model_copy(update={"answer": _answer(text, label, said)})
    predicate = said.model_dump(mode="json", exclude={"key_id", "held"})
    statement = in_toto(_KIND, {"key": {"label": label}}, predicate)
    if out.exists():
        raise ReportError(f"{out} exists; an answer is never overwritten")
    write_file(out, signer.sign(json.dumps(statement, indent=2, ensure_ascii=False).encode()))


def load(declared: Declared) -> Declared:
    """The declaration with the answers its register names, each signed by a custodian's key."""
    try:
        found = tuple(tuple(_answers(declared.folder, key)) for key in declared.words.keys)
    except (OSError, ReportError) as trouble:
        raise BadDeclaration(f"drillbook.toml: keys: {trouble}") from None
    return replace(declared, acknowledged=found)


def _answers(folder: Path, key: DeclaredKey) -> Iterator[Acknowledgement]:
    if not key.acknowledgements:
        return
    trusted = load_trusted_keys(*(folder / one for one in key.custodian_keys))
    for name in key.acknowledgements:
        label, said = _read(folder / name, trusted)
        if not label.startswith(key.label):
            raise ReportError(f"{name} is about another key: {label}")
        yield said


def _read(path: Path, trusted: Keys) -> tuple[str, Acknowledgement]:
    with checked(path.name):
        payload, signer = check_signature(read_file(path, _LARGEST), trusted)
    try:
        said = strict_json(payload)
        (subject,) = said["subject"]
        if said["predicateType"] != _KIND:
            raise ValueError
        stated = Acknowledgement.model_validate(said["predicate"])
        return str(subject["digest"]["label"]), stated.model_copy(update={"key_id": signer})
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ReportError(f"{path.name} is not an answer of drillbook key prove") from None


def register(
    declared: Declared, seen: Sequence[Key], secrets: Iterable[tuple[str, str]]
) -> Iterator[RegisteredKey]:
    """The register; answers are judged if the run has the key."""
    # A drill names the keys that it was given with this prefix.
    values = [(name.removeprefix("BACKUP_"), value) for name, value in secrets]
    for at, key in enumerate(declared.words.keys):
        labels = {one.name: one.label for one in seen if one.label.startswith(key.label[:16])}
        own = [(value, labels[name]) for name, value in values if name in labels]
        answers = []
        for said in declared.acknowledged[at] if declared.acknowledged else ():
            held = any(_answer(*one, said) == said.answer for one in own) if own else None
            answers.append(said.model_copy(update={"held": held}))
        stated = key.model_dump(exclude={"acknowledgements", "custodian_keys"})
        yield RegisteredKey(**stated, acknowledged=tuple(answers))
