"""`drillbook evidence verify`: is this bundle what was sealed, and who signed it?

The checks use the bundle and what its reader trusts, and nothing else. Content of a bundle counts
only after its form, digests and signature were checked, and is never unpacked to disk.

Exit code 0: genuine. 1: changed, or without a trusted signature. 3: not a bundle.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, NamedTuple

from cryptography.x509 import Certificate
from pydantic import ValidationError

from drillbook.core.display import write_json
from drillbook.core.files import file_digest, open_file, read_file
from reports.config.declarations import is_separated
from reports.errors import BadBundle, BadEvidence, BadKey, Distrusted, Undecided, Untrusted
from reports.evidence import json_file
from reports.evidence.findings import RULES, judge, match_keys, names_seen
from reports.evidence.json_file import LARGEST, RECORD, strict_json
from reports.evidence.model import Control, Run, gate, is_gating
from reports.render import phrases
from reports.render.terminal import Line, printable, result_style, wrap, write
from reports.seal import signature, timestamp
from reports.seal.manifest import (
    BACKUP,
    MANIFEST,
    SIGNATURE,
    STATEMENT,
    TEST_RESULT,
    Manifest,
    backup_subject,
    bundle_of,
    digest,
    parse,
    result,
    sign_off_file,
    tests,
)
from reports.seal.pdf_attachment import attachment_digest
from reports.seal.signature import Keys
from reports.seal.zip_file import Archive, read_entries
from reports.verdict import FAILED, HOLDS, PASSED, Verdict, worst

_SMALL = 8 << 20
ACTS = ("prepared", "reviewed", "approved")
SIGN_OFF = "urn:drillbook:sign-off:1"
PDF = "report.pdf"
_MOST_VALUES = 3_000_000
_WORD = re.compile("[A-Z]+")
_MARKS = {"ok": "ok", "bad": "NO", "open": "--"}
_NOT_SHOWN = {
    "chain": "which run it follows",
    "time-stamp": "when it existed",
    "sign-off": "who signed it off",
}
_NOT_INDEPENDENT = "not independent"
_COLOURS: dict[str, tuple[str, ...]] = {"ok": ("green",), "bad": ("red", "bold"), "open": ()}
State = Literal["ok", "bad", "open"]


class Trust(NamedTuple):
    """What the reader brings: keys, certificates, the earlier bundle; or no need of a signature."""

    keys: Keys | None = None
    unsigned: bool = False
    previous: Path | None = None
    authorities: list[Certificate] | None = None


class Check(NamedTuple):
    """A check of a bundle and its result; `open` means that there was nothing to check it by."""

    name: str
    state: State
    sentence: str


class Examination:
    """The checks of a bundle; each relies only on earlier ones.

    signer is the key in the signature, which need not be the one that the record names: a bundle
    may be sealed again.

    If a folder is given, the files in it that have names of the bundle's are compared as well.
    """

    def __init__(self, path: Path, trust: Trust, folder: Path | None = None) -> None:
        self.path, self.trust, self.folder = path, trust, folder
        self.checks: list[Check] = []
        # Names of failed checks that say nothing against the bundle itself.
        self.undecided: list[str] = []
        self.untrusted = False
        self.run: Run | None = None
        self.envelope = self.signed = False
        self.signer = ""
        self._stated: _Stated | None = None

    @property
    def bad(self) -> list[Check]:
        """The checks that the bundle failed."""
        return [check for check in self.checks if check.state == "bad"]

    def examine(self) -> None:
        """Do every check; BadBundle if the file is not a bundle that can be opened."""
        try:
            with open_file(self.path) as file:
                self._examine(Archive(file))
        except OSError as trouble:
            raise BadBundle(f"{trouble.strerror}") from None
        except Distrusted as trouble:
            self._note("form", "bad", str(trouble))

    def _examine(self, archive: Archive) -> None:
        self._note("form", "ok", f"a bundle of {len(archive.entries)} files, and nothing else")
        if MANIFEST not in archive.entries or RECORD not in archive.entries:
            raise BadBundle(f"it has no {MANIFEST} or no {RECORD}, so it is not a bundle of a run")
        manifest = parse(archive.read(MANIFEST, _SMALL))
        self._ask("files", lambda: _files(archive, manifest))
        self._ask("signature", lambda: self._signature(archive, manifest))
        self._ask("record", lambda: self._record(archive, manifest))
        if self.run and self.run.rules != RULES:
            other = f"version {self.run.rules} of the rules, and this release has version {RULES}"
            made_by = f"Drillbook {self.run.run.tool.version}, which made the record"
            said = f"not computed again: they follow {other}; check them with {made_by}"
            self._note("findings", "open", said)
        if PDF in archive.entries:
            self._ask(PDF, lambda: _check_attachment(archive))
        if self.folder is not None:
            folder = self.folder
            self._ask("folder", lambda: _folder(folder, archive))
        self._ask("chain", self._chain)
        self._ask("time-stamp", self._stamp)
        self._ask("sign-off", self._sign_off)

    def _ask(self, name: str, question: Callable[[], str | Check]) -> None:
        try:
            answer = question()
        except (Distrusted, BadBundle) as trouble:
            self._note(name, "bad", str(trouble))
            if isinstance(trouble, Undecided):
                self.undecided.append(name)
            self.untrusted |= isinstance(trouble, Untrusted)
        else:
            self.checks.append(Check(name, "ok", answer) if isinstance(answer, str) else answer)

    def _note(self, name: str, state: State, sentence: str) -> None:
        self.checks.append(Check(name, state, sentence))

    def _signature(self, archive: Archive, manifest: Manifest) -> str | Check:
        if SIGNATURE not in archive.entries:
            if self.trust.keys is not None or not self.trust.unsigned:
                raise Untrusted("none: nothing says who made this bundle, anyone could have")
            return Check(
                "signature", "open", "none, as --unsigned allows: anyone could have made it"
            )
        self.envelope = True
        envelope = archive.read(SIGNATURE, _SMALL)
        opened = signature.open_envelope(envelope)
        # Before the key: a signature of other files is tampering, whoever made it.
        self._stated = _covers(opened.payload, manifest, digest(archive.chunks(MANIFEST)))
        self.signer = next(iter(opened.signatures))
        if self.trust.keys is not None:
            signature.verify(envelope, self.trust.keys)
            self.signed = True
            return f"Ed25519, by the trusted key {self.signer[:16]}, over every file"
        by = f"by key {self.signer[:16]}"
        if not self.trust.unsigned:
            raise Untrusted(f"{by}, which is not trusted: give --pubkey")
        return Check("signature", "open", f"{by}, not checked: no --pubkey was given")

    def _record(self, archive: Archive, manifest: Manifest) -> str:
        run = load_record(archive)
        if run.run.id != manifest.run:
            raise Distrusted(f"{MANIFEST} is of run {manifest.run}, {RECORD} of {run.run.id}")
        if run.seal.key_id and SIGNATURE not in archive.entries:
            raise Distrusted(f"it says key {run.seal.key_id[:16]} signs it: the signature is gone")
        if self._stated and self._stated.backup != backup_subject(run):
            raise Distrusted(f"it is about another backup than the one in {SIGNATURE}")
        judged = {"result": result(run)} | tests(run)
        if self._stated and judged != {one: self._stated.predicate.get(one) for one in judged}:
            raise Distrusted(f"{SIGNATURE} gives the run or its controls another result")
        # Versions without this field always wrote these two, unless they leaked.
        leaked = {leak.file for leak in run.redaction.leaks}
        wanted = run.documents or {"report.html", PDF} - leaked
        if missing := sorted(set(wanted) - archive.entries.keys()):
            raise Distrusted(f"it says that {missing[0]} was written, which is not in the bundle")
        self.run = run
        return check_consistency(run)

    def _chain(self) -> str | Check:
        before = self.run.seal.previous if self.run else None
        if before is None:
            if self.trust.previous:
                raise Undecided("the record names no run before it, yet --previous was given")
            return Check("chain", "open", "the record names no run before it")
        found = self.trust.previous
        if found is None:
            # The name comes from the bundle, so only folders next to the bundle's are looked at.
            folder = self.path.resolve().parent.parent
            known = {path.parent.name: path for path in folder.glob(f"*/{self.path.name}")}
            if before.run not in known:
                said = f"follows run {before.run}, whose bundle is not next to it: give --previous"
                return Check("chain", "open", said)
            found = known[before.run]
        try:
            held = read_entries(found, [MANIFEST], _SMALL)
        except (Distrusted, BadBundle, OSError) as trouble:
            what = f"the bundle of the earlier run {before.run}"
            why = trouble.strerror if isinstance(trouble, OSError) else trouble
            raise Undecided(f"{found}, {what}, cannot be read: {why}") from None
        if digest([held.get(MANIFEST, b"")]) != before.manifest_sha256:
            raise Undecided(f"follows run {before.run}, but {found} is another bundle")
        return f"follows run {before.run}, whose bundle is the one it names"

    def _sign_off(self) -> Check:
        executor = self.run.sign_off.executed_by if self.run else None
        signatures = list(sign_offs(self.path, self.trust.keys, executor, self.signer))
        vouched = bool(signatures) and all(trusted for trusted, _ in signatures)
        said = "; ".join(sentence for _, sentence in signatures)
        return Check("sign-off", "ok" if vouched else "open", said or "none")

    def _stamp(self) -> str | Check:
        path = self.path.with_name(f"{self.path.name}.tsr")
        if not path.is_file():
            if self.trust.authorities:
                raise Undecided(f"none: {path.name} is missing, yet --tsa-cert was given")
            return Check("time-stamp", "open", "none")
        try:
            answer = read_file(path, _SMALL)
        except OSError as trouble:
            raise Undecided(f"{path.name} cannot be read: {trouble.strerror}") from None
        if self.trust.authorities:
            moment = timestamp.verify(answer, self.path, self.trust.authorities)
            return f"existed on {moment:%d %B %Y, %H:%M:%S} UTC, says the authority of --tsa-cert"
        moment = timestamp.accept(answer, self.path)
        said = f"claims {moment:%d %B %Y, %H:%M:%S} UTC, not checked: give --tsa-cert"
        return Check("time-stamp", "open", said)


def load_record(archive: Archive) -> Run:
    """The run of a bundle; Distrusted if its record breaks the schema."""
    data = archive.read(RECORD, LARGEST)
    if data.count(b",") > _MOST_VALUES:
        raise Distrusted(f"{RECORD} has more values than is sane")
    try:
        record = strict_json(data)
        json_file.check(record)
        return Run.model_validate(record)
    except BadEvidence as trouble:
        raise Distrusted(str(trouble)) from None
    except ValidationError:
        raise Distrusted(f"{RECORD} cannot be read") from None
    except (ValueError, RecursionError) as trouble:
        said = str(trouble) if "twice" in str(trouble) else "it cannot be read"
        raise Distrusted(f"{RECORD}: {printable(said)}") from None


def check_consistency(run: Run) -> str:
    """A sentence on what was counted; Distrusted if counts or verdicts contradict each other."""
    tally = Counter(control.verdict.value for control in run.controls)
    counted = {verdict.value: getattr(run.counts, verdict.value) for verdict in Verdict}
    if any(tally[word] != count for word, count in counted.items()):
        raise Distrusted(f"{RECORD}: its counts are not those of its controls")
    if run.counts.planned != len(run.controls):
        raise Distrusted(
            f"{RECORD}: {run.counts.planned} controls planned, {len(run.controls)} reported"
        )
    for control in run.controls:
        if odd := _odd(control, run):
            raise Distrusted(f"{RECORD}: {control.id} {odd}")
    if run.deviations.waivers != tuple(one.waiver for one in run.controls if one.waiver):
        raise Distrusted(f"{RECORD}: its waivers are not those of its controls")
    if run.counts.waived != sum(control.waived for control in run.controls):
        raise Distrusted(f"{RECORD}: it counts other waivers than its controls have")
    register, seen = run.key_register, run.subject.keys
    if run.rules == RULES:
        if judge(run) != run:
            raise Distrusted(f"{RECORD}: its findings do not follow from the exercise it declares")
        same = match_keys(register, seen, run.run.finished.date()) == register
    else:
        same = all(key.seen_as == names_seen(key.label, seen) for key in register)
    if not same:
        raise Distrusted(f"{RECORD}: its register of keys does not follow from the keys it saw")
    if (run.verdict, run.exit_code) not in _gates(run):
        raise Distrusted(f"{RECORD}: its verdict or exit code is not what its controls amount to")
    return f"of its schema; counts and verdicts of {len(run.controls)} controls agree"


def _gates(run: Run) -> Iterator[tuple[Verdict, int]]:
    """The verdict and exit code that a record may have."""
    verdict, code = gate(run.controls, run.run, run.redaction)
    yield verdict, code
    if run.run.stopped:
        # Earlier releases kept the verdict of what was judged before the stop.
        facts = run.run.model_copy(update={"stopped": None, "interrupted": False})
        yield gate(run.controls, facts, run.redaction)[0], code


def _odd(control: Control, run: Run) -> str | None:
    """How a control contradicts the rules by which it was judged."""
    if control.verdict is not worst(spec.verdict for spec in control.specs):
        return "has another verdict than its specs"
    if control.gating is not is_gating(control, run.run):
        return "gates, or does not, against the rule"
    if control.waived and not _is_excused(control, run.run.started.date()):
        return "is waived without a waiver in force"
    compared = run.exercise.runbook_sha256 is not None and control.correction is not None
    if (control.taken_over is not None) is not compared:
        return "says of its correction in the runbook what it cannot, or does not say it"
    return None


def _is_excused(control: Control, day: date) -> bool:
    """Whether a waiver is about this control, is in force on this day, and is needed."""
    waiver = control.waiver
    if waiver is None or waiver.state != "in_force" or waiver.control != control.id:
        return False
    return waiver.expires >= day and control.verdict not in HOLDS


def _check_attachment(archive: Archive) -> str:
    """A sentence that report.pdf has the record attached; Distrusted if another or none is."""
    size = archive.entries[RECORD].size
    found = attachment_digest(archive.read(PDF, LARGEST), RECORD, size)
    if found != digest(archive.chunks(RECORD)):
        raise Distrusted(f"the {RECORD} attached to it is another than the bundle's")
    return f"the {RECORD} attached to it is the bundle's"


def intact(
    bundle: Path, trust: Trust, refusal: str, folder: Path | None = None
) -> tuple[Run, Examination]:
    """The run of a bundle that passes its checks, and the checks; of a folder, its files as well.

    BadBundle if it cannot be opened; Distrusted for a bad check, with `refusal` in the message.
    """
    examination = Examination(bundle, trust, folder)
    try:
        examination.examine()
    except BadBundle as trouble:
        raise BadBundle(f"{bundle}: {trouble}; give a bundle.zip") from None
    if examination.bad or examination.run is None:
        raise Distrusted(f"{bundle}: {examination.bad[0].sentence}; {refusal}")
    return examination.run, examination


def _files(archive: Archive, manifest: Manifest) -> str:
    found = archive.entries.keys() - {MANIFEST, SIGNATURE}
    if strange := sorted(found - manifest.digests.keys()):
        raise Distrusted(f"{strange[0]} was added: {MANIFEST} does not name it")
    if missing := sorted(manifest.digests.keys() - found):
        raise Distrusted(f"{missing[0]} was removed: {MANIFEST} names it")
    for file in manifest.files:
        size = archive.entries[file.name].size
        if file.size != size or digest(archive.chunks(file.name)) != file.sha256:
            raise Distrusted(f"{file.name} was changed: {MANIFEST} has another digest or size")
    return f"SHA-256 and size of {len(manifest.files)} files are those of {MANIFEST}"


def _folder(folder: Path, archive: Archive) -> str:
    """A sentence that a folder's files are those of its bundle; Distrusted if one differs."""
    there = [name for name in archive.entries if (folder / name).is_file()]
    for name in there:
        if file_digest(folder / name) != digest(archive.chunks(name)):
            raise Distrusted(
                f"{name} next to the bundle is not the one in it: it was changed, or written anew; "
                "read the one in the bundle"
            )
    return f"the {len(there)} files next to the bundle are those in it"


class _Stated(NamedTuple):
    """What was signed besides the files: the backup, and the predicate with the result."""

    backup: dict[str, str]
    predicate: dict[str, object]


def _covers(payload: bytes, manifest: Manifest, own: str) -> _Stated:
    """What was signed; its subjects must be a backup and the bundle's files."""
    try:
        signed = strict_json(payload)
        subjects = {one["name"]: one["digest"]["sha256"] for one in signed["subject"]}
        kind = signed["_type"], signed["predicateType"]
        predicate = dict(signed["predicate"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Distrusted("what was signed is not a statement about files") from None
    backup = {name: subjects.pop(name) for name in [*subjects] if name.startswith(BACKUP)}
    if kind != (STATEMENT, TEST_RESULT) or subjects != manifest.digests | {MANIFEST: own}:
        raise Distrusted("what was signed is about other files than these")
    return _Stated(backup, predicate)


def sign_offs(
    bundle: Path, keys: Keys | None, executor: str | None, sealed_by: str | None = None
) -> Iterator[tuple[bool, str]]:
    """For each sign-off next to a bundle, whether a trusted key signed it, and a sentence.

    The executor is the record's; sealed_by is the key of the bundle. Distrusted if one is about
    another bundle; else Undecided, after the others, if one cannot be read.
    """
    unreadable = []
    owners: dict[str, str] = {}
    for act in ACTS:
        path = sign_off_file(bundle, act)
        if path.is_file():
            try:
                found = _sign_off_of(act, bundle, keys, executor, sealed_by, owners)
            except Undecided as trouble:
                unreadable.append(f"{path.name} cannot be read: {trouble}")
            else:
                yield found
    if unreadable:
        raise Undecided("; ".join(unreadable))


def _sign_off_of(
    act: str,
    bundle: Path,
    keys: Keys | None,
    executor: str | None,
    sealed_by: str | None,
    owners: dict[str, str],
) -> tuple[bool, str]:
    payload, signer, by = _opened_sign_off(sign_off_file(bundle, act), keys)
    vouched = signer is not None
    try:
        said = strict_json(payload)
        kind, stated = said["predicateType"], said["predicate"]
        digests = [one["digest"]["sha256"] for one in said["subject"]]
        if not isinstance(stated["name"], str):
            raise TypeError
        who = f"{stated['name']} ({stated['role']})" if stated["role"] else stated["name"]
        sentence = f"{act} by {who} on {datetime.fromisoformat(stated['signed']):%d %B %Y}, {by}"
        independent = is_separated(stated["name"], executor)
        same = kind == SIGN_OFF and stated["act"] == act
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Undecided("it is not a sign-off") from None
    if not same or digests != [file_digest(bundle)]:
        raise Distrusted(f"what {who} {act} is another bundle than this one")
    # Two people with one key cannot be told apart.
    owner = owners.setdefault(signer, stated["name"]) if signer else stated["name"]
    if owner.strip().casefold() != stated["name"].strip().casefold():
        vouched = False
        sentence += f"; the key of {owner} as well: {_NOT_INDEPENDENT}"
    if act != "approved":
        return vouched, sentence
    if signer and signer == sealed_by:
        return False, f"{sentence}, which sealed the bundle: {_NOT_INDEPENDENT}"
    if independent is False:
        return False, f"{sentence}; executed it: {_NOT_INDEPENDENT}"
    if independent is None:
        return vouched, f"{sentence}; who executed it is not recorded"
    return vouched, f"{sentence}; executed by {executor}"


def _opened_sign_off(path: Path, keys: Keys | None) -> tuple[bytes, str | None, str]:
    """The statement, the trusted key that signed it or None, and who signed it in words."""
    try:
        data = read_file(path, _SMALL)
        if b'"payload"' not in data[:64]:  # an envelope begins with it
            return data, None, "without a signature: anyone could have written it"
        opened = signature.open_envelope(data)
    except OSError as trouble:
        raise Undecided(f"{trouble.strerror}") from None
    except Distrusted as trouble:
        raise Undecided(f"{trouble}") from None
    name = next(iter(opened.signatures))[:16]
    if keys is None or not set(opened.signatures) & set(keys):
        return opened.payload, None, f"by key {name}, which is not in --pubkey"
    payload, signer = signature.verify(data, keys)
    return payload, signer, f"by the trusted key {signer[:16]}"


def main(given: SimpleNamespace) -> int:
    """Check a bundle and print the result; the exit code."""
    place = Path(given.bundle)
    bundle = bundle_of(place)
    try:
        examination = Examination(bundle, _trust(given), place if place.is_dir() else None)
        examination.examine()
    except (BadBundle, BadKey) as trouble:
        where = "" if isinstance(trouble, BadKey) else f"{bundle}: "
        raise BadBundle(f"UNUSABLE. {where}{trouble}") from None
    if given.output == "json":
        _write_answer(bundle, examination)
    else:
        write(_account(bundle, examination))
    return FAILED if examination.bad else PASSED


def _trust(given: SimpleNamespace) -> Trust:
    keys = signature.load_trusted_keys(*given.pubkey) if given.pubkey else None
    authorities = timestamp.authorities(Path(given.tsa_cert)) if given.tsa_cert else None
    previous = Path(given.previous) if given.previous else None
    return Trust(keys, given.unsigned, previous, authorities)


def _account(bundle: Path, examination: Examination) -> Iterator[Line]:
    yield Line(f"Bundle {bundle}", ("bold",))
    for check in examination.checks:
        first = f"  {_MARKS[check.state]}  {check.name:<11} "
        warns = check.state == "open" and _NOT_INDEPENDENT in check.sentence
        style = ("yellow",) if warns else _COLOURS[check.state]
        yield from wrap(printable(check.sentence), first, " " * len(first), style=style)
    said, then, style = _judge(examination)
    yield Line("")
    yield Line(said, style)
    if then:
        yield from wrap(f"Next: {then}", then="      ")
    if examination.run and not examination.bad:
        yield from _run_lines(examination.run)


def _write_answer(bundle: Path, examination: Examination) -> None:
    said, _, _ = _judge(examination)
    run = None if examination.bad else examination.run
    write_json(
        "evidence-verify",
        bundle=str(bundle),
        answer=_WORD.findall(said)[0],
        checks=[one._asdict() for one in examination.checks],
        run={
            "id": run.run.id,
            "grade": run.subject.grade,
            "verdict": run.verdict,
            "exit_code": run.exit_code,
        }
        if run
        else None,
    )


def _judge(examination: Examination) -> tuple[str, str, tuple[str, ...]]:
    """The answer by the checks, the next step, and the style."""
    red, undecided = _COLOURS["bad"], examination.undecided
    against = {check.name for check in examination.bad} - {*undecided}
    if examination.untrusted:
        against.discard("signature")
    if against == {"folder"}:
        itself = "genuine" if examination.signed else "consistent"
        return (
            f"TAMPERED next to it: the bundle itself is {itself}; use the files in it.",
            "",
            red,
        )
    if against:
        return "TAMPERED. Do not rely on it.", "get the bundle again from its maker.", red
    if examination.untrusted and not examination.envelope:
        return (
            "UNSIGNED. It is consistent, and nothing proves who made it.",
            "if you made it, sign it: drillbook evidence seal FOLDER --signing-key KEY (drillbook "
            "evidence sign-key makes a key); if not, ask its maker for a signed one. --unsigned "
            "checks the bundle as it is.",
            red,
        )
    if examination.untrusted:
        return (
            "UNTRUSTED. It is consistent, and no key that you trust signed it.",
            "ask its maker for the public key, by another way than the bundle's (--pubkey). "
            "--unsigned checks it without a key.",
            red,
        )
    if undecided:
        whole = "as it was signed" if examination.signed else "consistent"
        missing = " and ".join(_NOT_SHOWN[name] for name in undecided)
        return (
            f"UNDECIDED. The bundle itself is {whole}; it is not shown {missing}.",
            "give the right file, or get it again from its maker, and check again.",
            red,
        )
    if examination.signed:
        said = "GENUINE. It is, byte for byte, what the holder of the key sealed."
        return said, "", _COLOURS["ok"]
    said = "INTACT, and no more: it is consistent, and nothing proves who made it."
    return said, "", ("yellow", "bold")


def _run_lines(run: Run) -> Iterator[Line]:
    """The result that the record reports."""
    end = phrases.outcome(run)
    yield Line("")
    yield Line(f"Run {printable(run.run.id)}, as recorded:")
    if worth := phrases.grade(run):
        yield from wrap(worth, "  ", "  ")
    text = f"{end.word.upper()}. {end.sentence}"
    yield from wrap(printable(text), "  ", "  ", style=result_style(run))
