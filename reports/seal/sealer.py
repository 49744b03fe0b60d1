"""Sealing the folder of a run: manifest, signature, zip, time-stamp; and the commands for later.

A failure here costs no evidence: the folder stays as it is, and the failure is reported. Evidence
does not change after a run, so a sign-off is a file of its own next to the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from types import SimpleNamespace
from typing import NamedTuple

from drillbook.core.files import file_digest, read_file, write_file
from reports.errors import BadBundle, BadEvidence, BadKey, Distrusted, ReportError
from reports.evidence import json_file
from reports.evidence.model import Previous, Run, Seal
from reports.redaction.redactor import Redactor
from reports.render import phrases
from reports.render.terminal import Line, printable, wrap, write
from reports.seal import signature, timestamp
from reports.seal.signature import SigningKey
from reports.seal.statement import in_toto, statement
from reports.seal.verification import checked, intact
from reports.seal.verify_bundle import (
    ACTS,
    BUNDLE,
    MANIFEST,
    SIGN_OFF,
    SIGNATURE,
    SMALL,
    Examination,
    Tampered,
    Trust,
    Unusable,
    bundle_of,
    measure,
    pack,
    read_manifest,
    render_manifest,
    sha256,
    sign_off_file,
    unpack,
)
from reports.verdict import FAILED, PASSED, UNDECIDED

BY_FILE = "file"
_LONGEST = 300


class Sealed(NamedTuple):
    """How far sealing got: zip, signing key, time of the stamp, request for one, what failed.

    The key is named also if sealing failed: without it, sealing again would fail, too.
    """

    bundle: Path | None = None
    key_id: str | None = None
    stamped: datetime | None = None
    request: Path | None = None
    trouble: str | None = None


class Sealer(NamedTuple):
    """What a run is sealed with: a key or none, and who stamps it: an address, "file" or none."""

    key: SigningKey | None = None
    authority: str | None = None

    def facts(self, runs: Path) -> Seal:
        """The facts of the seal for the record, before it is sealed."""
        return Seal(key_id=self.key.id if self.key else None, previous=previous(runs))

    def seal(self, folder: Path, run: Run, clean: Callable[[Path], bool]) -> Sealed:
        """Seal what is in the folder; `clean` says whether a file is free of known secrets."""
        sealed = Sealed(key_id=self.key.id if self.key else None)
        try:
            self._pack(folder, run, clean)
            sealed = sealed._replace(bundle=folder / BUNDLE)
            return self._stamp(sealed, folder / BUNDLE)
        except ReportError as trouble:
            return sealed._replace(trouble=str(trouble))
        except OSError as trouble:
            where = trouble.filename or folder
            return sealed._replace(trouble=f"cannot write {where}: {trouble.strerror}")

    def _pack(self, folder: Path, run: Run, clean: Callable[[Path], bool]) -> None:
        files = {name: path.read_bytes() for name, path in contents(folder).items()}
        files.pop(SIGNATURE, None)
        measured = measure(files)
        files[MANIFEST] = render_manifest(run.run.id, measured)
        written = [(MANIFEST, files[MANIFEST])]
        if self.key:
            digests = {name: facts[1] for name, facts in measured.items()}
            digests[MANIFEST] = sha256(files[MANIFEST])
            files[SIGNATURE] = self.key.sign(statement(run, digests))
            written.append((SIGNATURE, files[SIGNATURE]))
        try:
            packed = pack(files)
        except ValueError as error:
            raise ReportError(str(error)) from None
        before = _digest_of(folder / BUNDLE)
        if not self.key:
            (folder / SIGNATURE).unlink(missing_ok=True)
        for name, data in (*written, (BUNDLE, packed)):
            _write_clean(folder / name, data, clean)
        if before != _digest_of(folder / BUNDLE):
            for suffix in (".tsq", ".tsr"):  # of the earlier bundle
                (folder / f"{BUNDLE}{suffix}").unlink(missing_ok=True)

    def _stamp(self, sealed: Sealed, bundle: Path) -> Sealed:
        if self.authority is None:
            return sealed
        if earlier := _earlier_stamp(bundle):
            return sealed._replace(stamped=earlier)
        query = companion(bundle, ".tsq")
        write_file(query, timestamp.request(bundle))
        if self.authority == BY_FILE:
            return sealed._replace(request=query)
        try:
            answer = timestamp.ask(self.authority, query.read_bytes())
            return sealed._replace(stamped=_keep_stamp(answer, bundle))
        except ReportError as trouble:
            return sealed._replace(request=query, trouble=f"{trouble}; or {_by_hand(query)}")


def _by_hand(query: Path) -> str:
    """How to carry a request to an authority, and its answer back, with the command for that."""
    answer, bundle = (quote(str(query.with_suffix(one))) for one in (".tsr", ""))
    return (
        f"carry {query} to an authority, bring its answer back as {answer}, then: "
        f"drillbook evidence timestamp {bundle} --tsr {answer}"
    )


def _keep_stamp(answer: bytes, bundle: Path) -> datetime:
    """When the bundle existed, by an authority's answer, which replaces the request for it.

    ReportError if there is another stamp of the bundle: an earlier one cannot be had again.
    """
    with checked():
        moment, path = timestamp.accept(answer, bundle), companion(bundle, ".tsr")
    if (earlier := _earlier_stamp(bundle)) and path.read_bytes() != answer:
        said = f"{path} is a time-stamp of this bundle, of {earlier:%d %B %Y, %H:%M:%S} UTC"
        raise ReportError(f"{said}; for another, keep that file elsewhere")
    write_file(path, answer)
    companion(bundle, ".tsq").unlink(missing_ok=True)
    return moment


def _earlier_stamp(bundle: Path) -> datetime | None:
    """When the stamp next to a bundle says that it existed; None without a stamp of it."""
    with suppress(OSError, Tampered):
        return timestamp.accept(read_file(companion(bundle, ".tsr"), SMALL), bundle)
    return None


def make_sealer(file: str | None, variable: str | None, authority: str | None) -> Sealer:
    """A sealer from options; the command line has refused contradictory ones."""
    key = signature.from_environment(variable) if variable else None
    return Sealer(signature.load(Path(file)) if file else key, authority or None)


def companion(bundle: Path, suffix: str) -> Path:
    """The path of a bundle's request (`.tsq`) or stamp (`.tsr`)."""
    return bundle.with_name(bundle.name + suffix)


def contents(folder: Path) -> dict[str, Path]:
    """The files of a run's folder that belong in its bundle, by their names there."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        # The bundle and the files about it, and files that are still being written.
        and not path.name.startswith(BUNDLE)
        and not (path.name.startswith(".") and path.name.endswith(".new"))
    }


def _digest_of(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None


def previous(runs: Path) -> Previous | None:
    """The newest sealed run of a folder of runs; None if there is none, or it cannot be read."""
    with suppress(OSError, ReportError):
        bundle = runs / "latest" / BUNDLE
        with checked(bundle):
            data = unpack(bundle).get(MANIFEST, b"")
            return Previous(run=read_manifest(data)[0], manifest_sha256=sha256(data))
    return None


def refuse_changes(folder: Path) -> None:
    """Distrusted if a sealed folder is not what its manifest says any more."""
    if not (folder / MANIFEST).is_file():
        return
    with checked(folder):
        _, files = read_manifest((folder / MANIFEST).read_bytes())
    if measure({name: path.read_bytes() for name, path in contents(folder).items()}) != files:
        raise Distrusted(f"{folder}: changed since it was sealed; it is not sealed again")


def _refuse_key(folder: Path, key: SigningKey | None) -> None:
    """BadKey if a file of the folder holds the key: everyone who gets the bundle would have it."""
    redactor = Redactor()
    for name, value in (key.secrets if key else {}).items():
        redactor.add(name, value)
    for path in contents(folder).values():
        if redactor.scan(path, path.name, packed=False):
            raise BadKey(f"{path} holds the signing key, which no bundle may; take the file out")


def _refuse_signed_off(bundle: Path) -> None:
    """ReportError if there is a sign-off of the bundle: it covers the bytes that would change."""
    for act in ACTS:
        path = sign_off_file(bundle, act)
        if path.exists():
            what = f"{bundle} was {act} as it is, see {path.name}"
            raise ReportError(f"{what}; keep that file elsewhere, seal, then sign off again")


def _write_clean(path: Path, data: bytes, clean: Callable[[Path], bool]) -> None:
    """Write the file unless the search finds a secret in it; ReportError if it does."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        write_file(fresh, data)
        if not clean(fresh):
            raise ReportError(f"a secret would stand in {path.name}, perhaps as the name of a file")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def describe_seal(sealed: Sealed) -> Iterator[Line]:
    """Who sealed the bundle, when it was stamped, and what failed, as lines."""
    by = f"signed by key {sealed.key_id[:16]}" if sealed.key_id else "unsigned"
    if sealed.bundle:
        style = () if sealed.key_id else ("yellow",)
        yield Line(f"Bundle sealed: {by}", style)
    if sealed.stamped:
        yield Line(f"Time-stamp: {sealed.stamped:%d %B %Y, %H:%M:%S} UTC")
    elif sealed.request and not sealed.trouble:
        yield from wrap(f"Time-stamp: to be fetched by hand: {_by_hand(sealed.request)}", then="  ")
    if sealed.trouble:
        what = "Sealed only in part" if sealed.bundle else "Not sealed"
        again = f"drillbook evidence seal FOLDER{' --signing-key KEY' * bool(sealed.key_id)}"
        text = f"{what}: {sealed.trouble}. The folder holds all evidence; `{again}` tries again."
        yield from wrap(text, then="  ", style=("red", "bold"))


def sign_key(given: SimpleNamespace) -> int:
    """Make a key to sign with; the exit code."""
    name = signature.generate(Path(given.out))
    used = f"drillbook verify --sign {quote(str(given.out))}"
    lines = (
        f"Private key: {given.out} (keep it secret; {used})",
        f"Public key:  {given.out}.pub (give it to anyone who checks your bundles)",
        f"Key id:      {name}",
    )
    write(map(Line, lines))
    return PASSED


def seal(given: SimpleNamespace) -> int:
    """Seal a run that has ended, unless it has changed since it was sealed; the exit code."""
    folder = Path(given.run)
    sealer = make_sealer(given.signing_key, given.signing_key_env, given.tsa)
    try:
        run = json_file.load(folder / json_file.RECORD)
    except (OSError, ValueError):
        raise BadEvidence(f"{given.run}: no folder of a run with its {json_file.RECORD}") from None
    refuse_changes(folder)
    _refuse_signed_off(folder / BUNDLE)
    if sealer.key is None and (folder / SIGNATURE).is_file():
        raise BadKey(f"{given.run} is signed; give --signing-key to sign it anew")
    if sealer.key is None and run.seal.key_id:
        # Without a signature, it would look as if one had been taken away.
        named = f"says that key {run.seal.key_id[:16]} signs it"
        raise BadKey(f"{given.run}: its record {named}; give --signing-key")
    stamped = companion(folder / BUNDLE, ".tsr").is_file()
    _refuse_key(folder, sealer.key)
    sealed = sealer.seal(folder, run, lambda _: True)
    if sealed.trouble:
        raise ReportError(sealed.trouble)
    lines = [*describe_seal(sealed), Line(f"Bundle: {folder / BUNDLE}")]
    if stamped and not companion(folder / BUNDLE, ".tsr").is_file():
        said = "Its time-stamp was for the earlier bundle: `evidence timestamp` gets another."
        lines.append(Line(said))
    write(lines)
    return PASSED


def stamp(given: SimpleNamespace) -> int:
    """Have a bundle time-stamped; the exit code."""
    bundle = bundle_of(Path(given.bundle))
    _refuse_other_files(bundle)
    query, moment = companion(bundle, ".tsq"), _earlier_stamp(bundle)
    if given.tsr:
        moment = _keep_stamp(read_file(Path(given.tsr), 1 << 20), bundle)
    elif not moment and given.tsa not in (None, "", BY_FILE):
        moment = _keep_stamp(timestamp.ask(given.tsa, timestamp.request(bundle)), bundle)
    if moment:
        place = companion(bundle, ".tsr")
        said = f"{place}: {moment:%d %B %Y, %H:%M:%S} UTC, says the authority that stamped it"
    else:
        write_file(query, timestamp.request(bundle))
        said = f"To stamp it by hand: {_by_hand(query)}"
    write([Line(said)])
    return PASSED


def _refuse_other_files(bundle: Path) -> None:
    """BadBundle for a file that is not a bundle: its stamp would prove nothing."""
    try:
        why = "" if MANIFEST in unpack(bundle) else f"it has no {MANIFEST}"
    except (Unusable, Tampered) as error:
        why = str(error)
    if why:
        raise BadBundle(f"{bundle}: {why}; give a bundle.zip")


class Who(NamedTuple):
    """A person, and whether they prepared, reviewed or approved the bundle."""

    act: str
    name: str
    role: str
    remark: str

    def check(self) -> Who:
        """A copy without outer white space; ReportError if something cannot be shown."""
        for what, text in (("--name", self.name), ("--role", self.role), ("--remark", self.remark)):
            if len(text) > _LONGEST or not text.isprintable():
                raise ReportError(f"{what}: give one line of at most {_LONGEST} characters")
        return Who(*(text.strip() for text in self))


def write_sign_off(bundle: Path, run: Run, who: Who, key: SigningKey | None) -> Path:
    """The file next to the bundle, written: an in-toto statement that covers its SHA-256.

    It is in a DSSE envelope if a key is given; without one, anyone could have written it, and
    `evidence verify` says so. An existing file is never overwritten.
    """
    predicate = {
        "run": run.run.id,
        "act": who.act,
        "name": who.name,
        "role": who.role or None,
        "remark": who.remark or None,
        "signed": datetime.now(UTC).isoformat(timespec="seconds"),
        "executedBy": run.sign_off.executed_by,
    }
    statement = in_toto(SIGN_OFF, {bundle.name: {"sha256": file_digest(bundle)}}, predicate)
    payload = json_file.text(statement).encode()
    path = sign_off_file(bundle, who.act)
    if path.exists():
        done = f"it was {who.act} before; to sign again, keep that file elsewhere"
        raise ReportError(f"{path} exists: {done}")
    write_file(path, key.sign(payload) if key else payload)
    return path


def _doubts(run: Run, examination: Examination) -> Iterator[str]:
    """Why the bundle decides or proves little."""
    if run.exit_code not in (PASSED, FAILED):
        yield f"the run is {phrases.outcome(run).word.lower()}"
    elif phrases.color_code(run) == UNDECIDED:
        yield "the run judged no gating control"
    if run.subject.grade == "rehearsal":
        yield "it is a rehearsal, no evidence about a deployment"
    if phrases.planted_bug(run.run.command):
        yield "a bug was planted on purpose"
    if not examination.envelope:
        yield "the bundle is unsigned"


def _preview(run: Run, examination: Examination) -> Iterator[Line]:
    """What the person signs off, in lines."""
    end = phrases.outcome(run)
    trusted = "trusted" if examination.signed else "not checked; give --pubkey"
    by = (
        f"signed by key {examination.signer[:16]} ({trusted})"
        if examination.envelope
        else "unsigned"
    )
    yield from wrap(f"Run {run.run.id}: {printable(run.run.command)}")
    yield Line(f"{run.run.finished:%d %B %Y, %H:%M} UTC, grade {run.subject.grade}, bundle {by}")
    yield from wrap(printable(f"{end.word.upper()}. {end.sentence}"))


def sign_off(given: SimpleNamespace) -> int:
    """Sign a bundle off as prepared, reviewed or approved; the exit code.

    It is 1 for a sign-off that does not count.
    """
    who = Who(*(getattr(given, one) or "" for one in ("act", "name", "role", "remark"))).check()
    key = make_sealer(given.signing_key, given.signing_key_env, None).key
    place = Path(given.bundle)
    bundle, folder = bundle_of(place), place if place.is_dir() else None
    keys = signature.load_trusted_keys(*given.pubkey) if given.pubkey else None
    run, examination = intact(bundle, Trust(keys, keys is None), "it is not signed off", folder)
    if (doubts := "; ".join(_doubts(run, examination))) and not given.anyway:
        raise ReportError(f"{bundle}: {doubts}. To sign it all the same: --anyway")
    shown = [*_preview(run, examination)]
    counts = not (key and who.act == "approved" and key.id == examination.signer)
    if not counts:
        said = "This key sealed the bundle: its approval is not independent, and does not count."
        shown += wrap(said, style=("yellow",))
    path = write_sign_off(bundle, run, who, key)
    by = f"signed with key {key.id[:16]}" if key else "without a key: a note, and no proof"
    write([*shown, Line(f"{path}: {given.act} by {given.name}, {by}")])
    return PASSED if counts else FAILED
