"""Check a sealed bundle: `python verify_bundle.py bundle.zip --pubkey drill.key.pub`.

`drillbook evidence verify` runs this file. To check a bundle without Drillbook, take this file:
it needs Python 3.11 or newer and `cryptography`, and nothing else. Take it and the public key from
a place that you trust, never from the bundle.

GENUINE    0  the files are, byte for byte, what the holder of a key in --pubkey sealed
INTACT     0  it is consistent, and nothing proves who made it (--unsigned)
UNSIGNED   1  no signature
UNTRUSTED  1  signed by a key that is not in --pubkey
UNDECIDED  1  consistent, but a file by which it is checked is missing, unreadable or another
TAMPERED   1  changed since it was sealed, or at odds with itself; TAMPERED next to it: a file in
              the folder is not the bundle's, the bundle itself is whole
UNUSABLE   3  not a bundle

The checks use the bundle and what its reader trusts. They unpack nothing to disk. The verdicts in
the record must follow from what its specs saw. Its other fields are not judged: they are what the
holder of the key sealed. A time-stamp is checked by `drillbook evidence verify --tsa-cert`, or by
`openssl ts -verify -data bundle.zip -in bundle.zip.tsr -CAfile TSA.pem`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import struct
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

BUNDLE, MANIFEST, RECORD, PDF = "bundle.zip", "MANIFEST.json", "evidence.json", "report.pdf"
SIGNATURE = "attestation.intoto.jsonl"
STATEMENT, TEST_RESULT = (
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/attestation/test-result/v0.1",
)
BACKUP = "backup:"
SIGN_OFF = "urn:drillbook:sign-off:1"
ACTS = ("prepared", "reviewed", "approved")
PAYLOAD = "application/vnd.in-toto+json"
PYTHON = sys.version_info[:2]
LARGEST, MOST, MOST_VALUES, SMALL = 256 << 20, 4096, 3_000_000, 8 << 20
KEY_FILE = 64 << 10
NOT_INDEPENDENT = "not independent"
# The zip's own limits, and what a hostile one has.
END, LINK, KIND = struct.Struct("<4s4H2IH"), 0o120000, 0o170000
# Worst last; what they mean for the exit code of a run.
EXIT_CODES = {
    "not_applicable": 0,
    "satisfied": 0,
    "not_run": 2,
    "contradicted": 1,
    "inconclusive": 2,
    "violated": 1,
}
VERDICTS = [*EXIT_CODES]
HOLDS = ("satisfied", "not_applicable")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOMENT = re.compile(DAY.pattern + r"[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
PEM = re.compile(rb"-----BEGIN [A-Z ]+-----[^-]{1,8192}-----END [A-Z ]+-----")
MARKS = {"ok": "ok", "bad": "NO", "open": "--"}
NOT_SHOWN = {
    "chain": "which run it follows",
    "time-stamp": "when it existed",
    "sign-off": "who signed it off",
}
# What a record that was altered by hand raises where it is read.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
State = Literal["ok", "bad", "open"]
Keys = dict[str, Ed25519PublicKey]


class Unusable(Exception):
    """The file is not a bundle, or a key cannot be read (exit code 3)."""


class Tampered(Exception):
    """The bundle was changed, or contradicts itself (exit code 1)."""


class Untrusted(Tampered):
    """The bundle has no signature, or one that names no key in --pubkey."""


class Undecided(Tampered):
    """A file next to the bundle is missing, unreadable or another: the bundle may be whole."""


class Check(NamedTuple):
    """A check of a bundle and its result; `open` means that there was nothing to check it by."""

    name: str
    state: State
    sentence: str


class Trust(NamedTuple):
    """What the reader brings: public keys by id, no need of a signature, the earlier bundle.

    stamp gives the moment of a time-stamp (its bytes, the bundle's path) if a known authority made
    it, and raises Undecided or Tampered if not.
    """

    keys: Keys | None = None
    unsigned: bool = False
    previous: Path | None = None
    stamp: Callable[[bytes, Path], datetime] | None = None


def need(holds: object, otherwise: str) -> None:
    """Tampered, with this sentence, unless it holds."""
    if not holds:
        raise Tampered(otherwise)


def sha256(data: bytes) -> str:
    """The digest of the data in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a file; ValueError if it has more than `most` bytes, OSError."""
    size = path.stat().st_size
    if not path.is_file():
        raise ValueError("not a file")
    with path.open("rb") as file:
        # A file that grows meanwhile is not read beyond the limit.
        data = file.read(most + 1) if size <= most else b""
    if max(size, len(data)) > most:
        raise ValueError(f"more than {most >> 20} MiB, which is not sane")
    return data


def strict_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; ValueError if a name stands twice in one object.

    Of two values some readers take the first and others the last. Halves of a character
    (surrogates) are refused, too: no document can hold them.
    """

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name stands twice in one object")
        return dict(pairs)

    text = data.decode()
    value = json.loads(text, object_pairs_hook=read_object)
    if re.search(r"\\u[dD][89a-fA-F]", text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


# The zip.


def pack(files: Mapping[str, bytes]) -> bytes:
    """The zip of these files: sorted, stored, undated, without any gap.

    Equal files give equal bytes on every machine, and nothing can hide between them. Python's
    zipfile writes other bytes in other versions. ValueError if a name or the size cannot be.
    """
    body, listing, seen = bytearray(), bytearray(), set[str]()
    for name in sorted(files):
        if reason := _unfit(name, seen):
            raise ValueError(f"{name!r} {reason}; rename it")
        data, raw, at = files[name], name.encode(), len(body)
        facts = (zlib.crc32(data), len(data), len(data), len(raw))
        body += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 2048, 0, 0, 33, *facts, 0) + raw + data
        listing += struct.pack("<4s6H3I5H", b"PK\1\2", 788, 20, 2048, 0, 0, 33, *facts, 0, 0, 0, 0)
        listing += struct.pack("<2I", 0o100644 << 16, at) + raw
        if len(body) > LARGEST or len(seen) > MOST:
            raise ValueError(f"more than {LARGEST >> 20} MiB or {MOST} files cannot be sealed")
    end = (0, 0, len(files), len(files), len(listing), len(body), 0)
    return bytes(body + listing + END.pack(b"PK\5\6", *end))


def _unfit(name: str, seen: set[str]) -> str | None:
    """Why a name is not portable, leads out of its folder or was seen; None if it is fine."""
    if len(name.encode("utf-8", "replace")) > 255 or not name.isprintable():
        return "has a name that cannot be written everywhere"
    if any(part in ("", ".", "..") for part in name.split("/")) or {*"\\:"} & {*name}:
        return "has a name that leads out of its folder"
    if name.casefold() in seen:
        return "occurs twice"
    seen.add(name.casefold())
    return None


def unpack(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name.

    Unusable if it is not a zip that is safe to open. Tampered if its bytes are not those that
    `pack` writes; only a zip with entries for folders, which another program packed, may have
    others. Then the files count and nothing else in the zip; time-stamps and sign-offs, which are
    about the bytes of the zip, do not fit it.
    """
    try:
        data = read_bounded(path, LARGEST + (MOST << 10))
        if len(data) < END.size:
            raise ValueError("no zip file" if data else "empty")
        magic, *_, count, size, _, _ = END.unpack(data[-END.size :])
        if magic != b"PK\5\6" or data[-42:-38] == b"PK\6\7":
            raise ValueError("no zip file, or not all of one, or something was appended to it")
        if count > MOST or size > MOST * 512:
            raise ValueError("its directory has more entries than is sane")
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
        _refuse_hostile(entries)
    except OSError as error:
        raise Unusable(error.strerror or "it cannot be read") from None
    except ValueError as error:
        raise Unusable(str(error)) from None
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise Unusable(f"no whole zip file: {error}") from None
    try:
        files = {entry.filename: archive.read(entry) for entry in entries if not entry.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, *UNREADABLE, NotImplementedError) as error:
        raise Tampered(f"its structure or content was changed: {str(error)[:200]}") from None
    if len(files) == len(entries):
        need(pack(files) == data, "its structure was changed: not the form in which it was sealed")
    else:
        need(entries[0].header_offset == 0, "something stands before its files")
    return files


def _refuse_hostile(entries: list[zipfile.ZipInfo]) -> None:
    """ValueError if an entry is not safe to read, or not what a bundle holds."""
    seen = set[str]()
    for entry in entries:
        name, reason = entry.orig_filename, ""
        if entry.flag_bits & 1:
            reason = "is encrypted"
        elif entry.external_attr >> 16 & KIND == LINK:
            reason = "is a link"
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = "is compressed in a way that no bundle is"
        elif entry.is_dir() and entry.file_size:
            reason = "is a folder with content"
        if reason := reason or _unfit(name.removesuffix("/"), seen) or "":
            raise ValueError(f"its file {name[:60]!r} {reason}")
    if sum(entry.file_size for entry in entries) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MiB, which is not sane")


# Manifest and signature.


def read_manifest(data: bytes) -> tuple[str, dict[str, tuple[int, str]]]:
    """The run, and size and digest of each file by name; Tampered if it has another form."""
    try:
        content = strict_json(data)
        files, run = content["files"], content["run"]
        kinds = {(*map(type, (f["name"], f["size"], f["sha256"])), len(f)) for f in files}
        form = render_manifest(run, {f["name"]: (f["size"], f["sha256"]) for f in files})
        same = kinds <= {(str, int, str, 3)} and type(run) is str and form == data
    except UNREADABLE:
        raise Tampered(f"{MANIFEST} is not a manifest: it was changed") from None
    need(same, f"{MANIFEST} was changed")
    return run, {f["name"]: (f["size"], f["sha256"]) for f in files}


def render_manifest(run: str, files: Mapping[str, tuple[int, str]]) -> bytes:
    """The manifest of a run as a file: size and SHA-256 of each file by name."""
    listed = [{"name": name, "size": facts[0], "sha256": facts[1]} for name, facts in files.items()]
    content = {"schema": "drillbook/manifest/1", "run": run, "files": listed}
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode()


def measure(files: Mapping[str, bytes]) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file by name, sorted, without manifest and signature."""
    names = sorted(files.keys() - {MANIFEST, SIGNATURE})
    return {name: (len(files[name]), sha256(files[name])) for name in names}


def check_files(files: Mapping[str, bytes], manifest: Mapping[str, tuple[int, str]]) -> str:
    """Every file is there, none is added, and none was changed."""
    measured = measure(files)
    if strange := sorted(measured.keys() - manifest.keys()):
        raise Tampered(f"{strange[0]} was added: {MANIFEST} does not name it")
    if missing := sorted(manifest.keys() - measured.keys()):
        raise Tampered(f"{missing[0]} was removed: {MANIFEST} names it")
    for name, facts in manifest.items():
        need(measured[name] == facts, f"{name} was changed: {MANIFEST} has another digest or size")
    return f"SHA-256 and size of {len(manifest)} files are those of {MANIFEST}"


def check_folder(files: Mapping[str, bytes], folder: Path) -> str:
    """What lies next to the bundle under the name of a file in it is that file."""
    there = sorted(name for name in files if (folder / name).is_file())
    for name in there:
        changed = "it was changed, or written anew; read the one in the bundle"
        same = (folder / name).read_bytes() == files[name]
        need(same, f"{name} next to the bundle is not the one in it: {changed}")
    return f"the {len(there)} files next to the bundle are those in it"


def signed_bytes(payload: bytes) -> bytes:
    """What a signature is over: the type and the payload (DSSE 1.0.2, PAE)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def render_envelope(payload: bytes, key: str, signature: bytes) -> bytes:
    """The DSSE envelope as one line of JSON."""
    named = {"keyid": key, "sig": base64.b64encode(signature).decode()}
    content = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD,
        "signatures": [named],
    }
    return json.dumps(content, sort_keys=True).encode() + b"\n"


def open_envelope(data: bytes) -> tuple[bytes, str, bytes]:
    """What was signed, by which key, and the signature; Tampered if it has another form."""
    try:
        content = strict_json(data)
        (named,) = content["signatures"]
        payload, signature = base64.b64decode(content["payload"]), base64.b64decode(named["sig"])
        same = render_envelope(payload, named["keyid"], signature) == data
    except UNREADABLE:
        raise Tampered("the signature's envelope cannot be read: it was changed") from None
    need(same, "the signature's envelope was changed")
    return payload, str(named["keyid"]), signature


def check_signature(envelope: bytes, keys: Keys) -> tuple[bytes, str]:
    """What was signed by one of these keys, and by which."""
    payload, key, signature = open_envelope(envelope)
    trusted = f"trusted: {', '.join(name[:16] for name in keys)}"
    if key not in keys:
        raise Untrusted(f"signed by key {key[:16]}; {trusted}; it is not")
    try:
        keys[key].verify(signature, signed_bytes(payload))
    except InvalidSignature:
        raise Tampered(f"signed by key {key[:16]}; {trusted}; that signature is false") from None
    return payload, key


def check_statement(payload: bytes, digests: dict[str, str]) -> tuple[dict[str, str], Any]:
    """The backup and the result that were signed; the rest is exactly the files of the bundle."""
    try:
        content = strict_json(payload)
        subjects = {subject["name"]: subject["digest"]["sha256"] for subject in content["subject"]}
        kind = content["_type"], content["predicateType"]
        predicate = dict(content["predicate"])
    except UNREADABLE:
        raise Tampered("what was signed is not a statement about files") from None
    backup = {name: subjects.pop(name) for name in [*subjects] if name.startswith(BACKUP)}
    same = kind == (STATEMENT, TEST_RESULT) and subjects == digests
    need(same, "what was signed is about other files than these")
    return backup, predicate


def key_id(public: Ed25519PublicKey) -> str:
    """The id of a public key: SHA-256 of its DER form, in 64 hexadecimal digits."""
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def load_keys(paths: Iterable[str | Path]) -> Keys:
    """Public keys by id; each file has one or more in PEM form. Unusable if one has none."""
    keys: Keys = {}
    for path in map(Path, paths):
        try:
            data = read_bounded(path, KEY_FILE)
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror}; give the key's file") from None
        except ValueError:
            raise Unusable(f"{path}: too large for a key") from None
        own: Keys = {}
        for pem in PEM.findall(data):
            if b"PRIVATE" in pem:
                raise Unusable(f"{path}: a private key; never hand it on, give its .pub file")
            try:
                key = load_pem_public_key(pem)
            except (ValueError, UnsupportedAlgorithm):
                raise Unusable(f"{path}: a public key that cannot be read") from None
            if isinstance(key, Ed25519PublicKey):
                own[key_id(key)] = key
        if not own:
            why = "no Ed25519 public key in PEM form" if data else "empty"
            raise Unusable(f"{path}: {why}")
        keys |= own
    return keys


# The record: its verdicts must follow from what it says was seen.


def check_record(data: bytes, names: Iterable[str], run: str, stated: Any) -> dict[str, Any]:
    """The record of this run; it must agree with itself and with the signed backup and result.

    names are those of the bundle's files; stated is what check_statement returned, or None.
    """
    need(data.count(b",") <= MOST_VALUES, f"{RECORD} has more values than is sane")
    try:
        record = strict_json(data)
        need(record["schema"] == "drillbook/evidence/1", f"{RECORD} is of another schema")
        own = record["run"]["id"]
        need(own == run, f"{MANIFEST} is of run {run}, {RECORD} of {own}")
        signer = record.get("seal", {}).get("key_id")
        gone = f"it says key {signer[:16]} signs it: the signature is gone" if signer else ""
        need(not signer or SIGNATURE in names, gone)
        same = not stated or stated[0] == backup_subject(record)
        need(same, f"it is about another backup than the one in {SIGNATURE}")
        leaked = {leak["file"] for leak in record["redaction"].get("leaks", ())}
        # Versions without this field always wrote these two, unless they leaked.
        wanted = {*(record.get("documents") or {"report.html", PDF} - leaked)}
        missing = sorted(wanted - {*names})
        need(not missing, f"it says that {missing[:1]} was written, which is not in the bundle")
        check_verdicts(record)
        judged = results(record)
        same = not stated or judged == {name: stated[1].get(name) for name in judged}
        need(same, f"{SIGNATURE} gives the run or its controls another result")
    except UNREADABLE as error:
        why = str(error) if "twice" in str(error) else "it cannot be read"
        raise Tampered(f"{RECORD}: {why}") from None
    return dict(record)


def backup_subject(record: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of the backup of the run, by a name that no file of a bundle can have."""
    backup = record["subject"].get("backup")
    return {f"{BACKUP}{backup['name']}": backup["sha256"]} if backup else {}


def results(record: dict[str, Any]) -> dict[str, Any]:
    """What a policy that admits a deployment reads of the run and its controls.

    result is PASSED only if every gating control of a deployment held and nothing was contradicted
    or violated. It is WARNED if the gate held, but something was, no gating control applied,
    waivers were needed, controls were selected, a bug was planted, or it was a rehearsal.
    """
    named: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    judged = False
    for control in record["controls"]:
        gates = control["gating"] and not control.get("waived")
        verdict = control["verdict"]
        judged = judged or (gates and verdict != "not_applicable")
        if verdict == "satisfied":
            named["passedTests"].append(control["id"])
        elif verdict not in HOLDS:
            failed = gates or verdict == "violated"
            named["failedTests" if failed else "warnedTests"].append(control["id"])
    counts, facts, rules = record["counts"], record["run"], record.get("rules", 1)
    doubtful = counts["contradicted"] or counts.get("waived")
    doubtful = doubtful or re.search(r"--mutant[= ]\S", facts.get("command") or "")
    # Earlier versions looked at less, and their bundles must stay genuine.
    doubtful = doubtful or (rules > 1 and facts.get("selection"))
    doubtful = doubtful or (rules > 2 and (counts["violated"] or not judged))
    rehearsed = record["subject"].get("grade", "rehearsal") == "rehearsal"
    passed = "WARNED" if doubtful or rehearsed else "PASSED"
    return {"result": "FAILED" if record["exit_code"] else passed, **named}


def worst(verdicts: Iterable[str]) -> str:
    """The worst of these verdicts; not_run if there is none."""
    return max(verdicts, key=VERDICTS.index, default="not_run")


def check_verdicts(record: dict[str, Any]) -> str:
    """A sentence on what was counted; Tampered if counts, verdicts, gates or waivers disagree."""
    controls, facts, counts = record["controls"], record["run"], record["counts"]
    moment(facts["finished"])
    tally = [control["verdict"] for control in controls]
    agree = all(counts[word] == tally.count(word) for word in VERDICTS)
    need(agree, f"{RECORD}: its counts are not those of its controls")
    planned = f"{counts['planned']} controls planned, {len(controls)} reported"
    need(counts["planned"] == len(controls), f"{RECORD}: {planned}")
    for control in controls:
        if odd := _odd(control, record):
            raise Tampered(f"{RECORD}: {control['id']} {odd}")
    waivers = [_waiver_facts(control["waiver"]) for control in controls if control.get("waiver")]
    if "deviations" in record:  # Earlier versions listed the waivers a second time.
        listed = [_waiver_facts(waiver) for waiver in record["deviations"]["waivers"]]
        need(listed == waivers, f"{RECORD}: its waivers are not those of its controls")
    waived = sum(control.get("waived") is True for control in controls)
    same = counts.get("waived", 0) == waived
    need(same, f"{RECORD}: it counts other waivers than its controls have")
    gates = (record["verdict"], record["exit_code"]) in [*_gates(record)]
    need(gates, f"{RECORD}: its verdict or exit code is not what its controls amount to")
    return f"counts and verdicts of {len(controls)} controls agree"


def _odd(control: dict[str, Any], record: dict[str, Any]) -> str | None:
    """How a control contradicts the rules by which it was judged."""
    facts = record["run"]
    if control["verdict"] != worst(spec["verdict"] for spec in control["specs"]):
        return "has another verdict than its specs"
    asked = not facts.get("asked") or control["id"] in facts["asked"]
    claim = control["nature"] == "claim"
    # A violated claim is a matter of safety as well.
    unsafe = not claim or control["verdict"] == "violated"
    gating = unsafe and control["severity"] in ("critical", "major")
    gating = (gating or (bool(flag(facts, "strict_claims")) and claim)) and asked
    # A conditional control decides only where the deployment is exposed.
    gating = gating and (control.get("exposure") or {"state": "exposed"})["state"] == "exposed"
    if control["gating"] is not gating:
        return "gates, or does not, against the rule"
    if flag(control, "waived"):
        started, waiver = moment(facts["started"]).date(), control.get("waiver") or {}
        in_force = waiver and _waiver_facts(waiver)[:2] == ("in_force", control["id"])
        if not in_force or day(waiver["expires"]) < started or control["verdict"] in HOLDS:
            return "is waived without a waiver in force"
    return None


def _waiver_facts(waiver: dict[str, Any]) -> tuple[Any, ...]:
    words = (waiver[name] for name in ("control", "reason", "owner", "approved_by", "expires"))
    return waiver.get("state", "in_force"), *words, waiver.get("days_left")


def _gates(record: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The verdict and exit code that a record may have."""
    deciding = [c["verdict"] for c in record["controls"] if c["gating"] and not c.get("waived")]
    # A failure comes first, even if other controls are undecided.
    verdict = worst([word for word in deciding if EXIT_CODES[word] == 1] or deciding)
    early = verdict if EXIT_CODES[verdict] else "not_run"
    if record["redaction"].get("leaks"):
        yield "violated", 1
    elif record["run"].get("stopped"):
        # Earlier releases kept the verdict of what was judged before the stop.
        yield from ((early, 3), (verdict, 3))
    elif flag(record["run"], "interrupted"):
        yield early, EXIT_CODES[early]
    else:
        yield verdict, EXIT_CODES[verdict]


def flag(facts: dict[str, Any], name: str) -> bool | None:
    """True, False, or None if nothing is said; what merely counts as false is none of them."""
    value = facts.get(name)
    need(value is None or value is True or value is False, f"{name} is neither true nor false")
    return value


def moment(text: str) -> datetime:
    """A moment of the record, in UTC."""
    need(MOMENT.fullmatch(text), f"{text[:40]!a} is not a moment")
    when = datetime.fromisoformat(text)
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    need(first <= when < last, f"{text[:40]!a} is near an end of the calendar")
    return when.astimezone(UTC)


def day(text: str) -> date:
    """A day of the record."""
    need(DAY.fullmatch(text), f"{text[:40]!a} is not a day")
    return date.fromisoformat(text)


def check_pdf(pdf: bytes, record: bytes) -> str:
    """The report carries the record itself as its attachment, in the form that Drillbook writes.

    At most three bytes more than the record are unpacked.
    """
    need(pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF"), "it cannot be read")
    objects: dict[bytes, list[bytes]] = {}
    for match in re.finditer(rb"\b(\d+) 0 obj\b(.*?)\bendobj\b", pdf, re.DOTALL):
        objects.setdefault(match[1], []).append(match[2])
    named = [
        stream[1]
        for (content, *_) in objects.values()
        if re.search(rb"/F\s*\(evidence\.json\)", content)
        and (stream := re.search(rb"/EF\s*<<[^>]*?/F\s+(\d+) 0 R", content))
    ]
    attached = len(named) == 1 and len(objects.get(named[0], ())) == 1
    need(attached, f"it has no {RECORD} attached")
    head, _, content = objects[named[0]][0].partition(b"stream")
    content = content.lstrip(b"\r").removeprefix(b"\n").rpartition(b"endstream")[0]
    if b"/FlateDecode" in head:
        try:
            content = zlib.decompressobj().decompress(content, len(record) + 3)
        except zlib.error:
            raise Tampered("its attachment cannot be unpacked") from None
    rest = content.removeprefix(record)
    same = len(rest) < len(content) and rest in (b"", b"\n", b"\r\n")
    same = same and (rest == b"" or b"/FlateDecode" not in head)
    need(same, f"the {RECORD} attached to it is another than the bundle's")
    return f"the {RECORD} attached to it is the bundle's"


# What lies next to a bundle.


def sign_off_file(bundle: Path, act: str) -> Path:
    """The path of a sign-off, next to its bundle."""
    return bundle.with_name(f"{bundle.name}.{act}.json")


def sign_offs(
    bundle: Path, keys: Keys | None, executor: str | None, sealed_by: str | None = None
) -> Iterator[tuple[bool, str]]:
    """For each sign-off next to a bundle, whether a trusted key vouches for it, and a sentence.

    The executor is the record's; sealed_by is the key of the bundle. Tampered if one is about
    another bundle; else Undecided, after the others, if one cannot be read.
    """
    unreadable = []
    owners: dict[str, str] = {}
    for act in ACTS:
        path = sign_off_file(bundle, act)
        if not path.is_file():
            continue
        try:
            envelope = payload = read_bounded(path, SMALL)
            key, by = "", "without a signature: anyone could have written it"
            if b'"payload"' in envelope[:64]:
                payload, key, _ = open_envelope(envelope)
                by = f"by key {key[:16]}, which is not in --pubkey"
        except (OSError, ValueError, Tampered) as error:
            why = error.strerror if isinstance(error, OSError) else error
            unreadable.append(f"{path.name} cannot be read: {why}")
            continue
        if trusted := key in (keys or {}):
            check_signature(envelope, keys or {})
            by = f"by the trusted key {key[:16]}"
        try:
            content = strict_json(payload)
            stated, kind = content["predicate"], content["predicateType"]
            digests = [subject["digest"]["sha256"] for subject in content["subject"]]
            name, role = stated["name"], stated["role"]
            if not isinstance(name, str):
                raise TypeError
            who = f"{name} ({role})" if role else name
            sentence = (
                f"{act} by {who} on {datetime.fromisoformat(stated['signed']):%d %B %Y}, {by}"
            )
            of_it = kind == SIGN_OFF and stated["act"] == act
        except UNREADABLE:
            unreadable.append(f"{path.name} cannot be read: it is not a sign-off")
            continue
        same = of_it and digests == [sha256(bundle.read_bytes())]
        need(same, f"what {who} {act} is another bundle than this one")
        # Two people with one key cannot be told apart.
        owner = owners.setdefault(key, name) if trusted else name
        doubt = owner.strip().casefold() != name.strip().casefold()
        if doubt:
            sentence += f"; the key of {owner} as well: {NOT_INDEPENDENT}"
        if act == "approved" and trusted and key == sealed_by:
            doubt, sentence = True, f"{sentence}, which sealed the bundle: {NOT_INDEPENDENT}"
        elif act == "approved" and executor and name:
            # Of a run in several parts, the executors are separated by semicolons.
            people = {person.strip().casefold() for person in (executor, *executor.split(";"))}
            own = name.strip().casefold() in people
            doubt = doubt or own
            sentence += f"; executed it: {NOT_INDEPENDENT}" if own else f"; executed by {executor}"
        elif act == "approved":
            sentence += "; who executed it is not recorded"
        yield trusted and not doubt, sentence
    if unreadable:
        raise Undecided("; ".join(unreadable))


class Examination:
    """The checks of a bundle; each relies only on earlier ones.

    signer is the key in the signature, which need not be the one that the record names: a bundle
    may be sealed again. If a folder is given, the files in it that have names of the bundle's are
    compared as well.
    """

    def __init__(self, path: Path, trust: Trust, folder: Path | None = None) -> None:
        self.path, self.trust, self.folder = path, trust, folder
        self.checks: list[Check] = []
        # Names of failed checks that say nothing against the bundle itself.
        self.undecided: list[str] = []
        self.untrusted = self.envelope = self.signed = False
        self.signer = ""
        self.record: dict[str, Any] | None = None
        self.files: dict[str, bytes] = {}
        self._stated: tuple[dict[str, str], Any] | None = None

    @property
    def bad(self) -> list[Check]:
        """The checks that the bundle failed."""
        return [check for check in self.checks if check.state == "bad"]

    def examine(self) -> None:
        """Do every check; Unusable if the file is not a bundle that can be opened."""
        try:
            files = self.files = unpack(self.path)
            if MANIFEST not in files or RECORD not in files:
                raise Unusable(f"it has no {MANIFEST} or no {RECORD}: it is not a bundle of a run")
            if len(files[MANIFEST]) > SMALL:
                raise Unusable(f"{MANIFEST} is larger than is sane")
            run, manifest = read_manifest(files[MANIFEST])
        except Tampered as error:
            self.checks.append(Check("form", "bad", str(error)))
            return
        self.checks.append(Check("form", "ok", f"a bundle of {len(files)} files"))
        self._ask("files", lambda: check_files(files, manifest))
        digests = {name: facts[1] for name, facts in manifest.items()}
        digests[MANIFEST] = sha256(files[MANIFEST])
        self._ask("signature", lambda: self._signature(digests))
        self._ask("record", lambda: self._record(run))
        if PDF in files:
            self._ask(PDF, lambda: check_pdf(files[PDF], files[RECORD]))
        if (folder := self.folder) is not None:
            self._ask("folder", lambda: check_folder(files, folder))
        self._ask("chain", self._chain)
        self._ask("time-stamp", self._stamp)
        self._ask("sign-off", self._sign_off)

    def _ask(self, name: str, question: Callable[[], str | Check]) -> None:
        try:
            answer = question()
        except (Tampered, *UNREADABLE) as error:
            known = isinstance(error, Tampered)
            sentence = str(error) if known else "what it relies on in the record cannot be read"
            answer = Check(name, "bad", sentence)
            if isinstance(error, Undecided):
                self.undecided.append(name)
            self.untrusted |= isinstance(error, Untrusted)
        self.checks.append(Check(name, "ok", answer) if isinstance(answer, str) else answer)

    def _signature(self, digests: dict[str, str]) -> str | Check:
        if SIGNATURE not in self.files:
            if self.trust.keys is not None or not self.trust.unsigned:
                raise Untrusted("none: nothing says who made this bundle, anyone could have")
            sentence = "none, as --unsigned allows: anyone could have made it"
            return Check("signature", "open", sentence)
        self.envelope = True
        payload, self.signer, _ = open_envelope(self.files[SIGNATURE])
        # Before the key: a signature of other files is tampering, whoever made it.
        self._stated = check_statement(payload, digests)
        if self.trust.keys is not None:
            check_signature(self.files[SIGNATURE], self.trust.keys)
            self.signed = True
            return f"Ed25519, by the trusted key {self.signer[:16]}, over every file"
        by = f"by key {self.signer[:16]}"
        if not self.trust.unsigned:
            raise Untrusted(f"{by}, which is not trusted: give --pubkey")
        return Check("signature", "open", f"{by}, not checked: no --pubkey was given")

    def _record(self, run: str) -> str:
        record = check_record(self.files[RECORD], self.files, run, self._stated)
        self.record = record
        return check_verdicts(record)

    def _chain(self) -> str | Check:
        before = self.record.get("seal", {}).get("previous") if self.record else None
        previous = self.trust.previous
        if before is None:
            if previous:
                raise Undecided("the record names no run before it, yet --previous was given")
            return Check("chain", "open", "the record names no run before it")
        run, digest = before["run"], before["manifest_sha256"]
        if previous is None:
            # The name comes from the bundle, so only folders next to the bundle's are looked at.
            folder = self.path.resolve().parent.parent
            known = {path.parent.name: path for path in folder.glob(f"*/{self.path.name}")}
            if run not in known:
                sentence = f"follows run {run}, whose bundle is not next to it: give --previous"
                return Check("chain", "open", sentence)
            previous = known[run]
        try:
            own = sha256(unpack(previous).get(MANIFEST, b""))
        except (Tampered, Unusable) as error:
            what = f"{previous}, the bundle of the earlier run {run}"
            raise Undecided(f"{what}, cannot be read: {error}") from None
        if own != digest:
            raise Undecided(f"follows run {run}, but {previous} is another bundle")
        return f"follows run {run}, whose bundle is the one it names"

    def _stamp(self) -> str | Check:
        path = self.path.with_name(f"{self.path.name}.tsr")
        if not path.is_file():
            if self.trust.stamp:
                raise Undecided(f"none: {path.name} is missing, yet --tsa-cert was given")
            return Check("time-stamp", "open", "none")
        if not self.trust.stamp:
            return Check("time-stamp", "open", "not checked: give --tsa-cert")
        try:
            answer = read_bounded(path, SMALL)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Undecided(f"{path.name} cannot be read: {why}") from None
        when = self.trust.stamp(answer, self.path)
        return f"existed on {when:%d %B %Y, %H:%M:%S} UTC, says the authority of --tsa-cert"

    def _sign_off(self) -> Check:
        executor = ((self.record or {}).get("sign_off") or {}).get("executed_by")
        signatures = [*sign_offs(self.path, self.trust.keys, executor, self.signer)]
        vouched = bool(signatures) and all(trusted for trusted, _ in signatures)
        sentence = "; ".join(sentence for _, sentence in signatures)
        return Check("sign-off", "ok" if vouched else "open", sentence or "none")

    def conclude(self) -> tuple[str, str]:
        """The answer by the checks, which begins with its word, and the next step or nothing."""
        against = {check.name for check in self.bad} - {*self.undecided}
        if self.untrusted:
            against.discard("signature")
        if against == {"folder"}:
            itself = "genuine" if self.signed else "consistent"
            return f"TAMPERED next to it: the bundle itself is {itself}; use the files in it.", ""
        if against:
            return "TAMPERED. Do not rely on it.", "get the bundle again from its maker."
        if self.untrusted and not self.envelope:
            return (
                "UNSIGNED. It is consistent, and nothing proves who made it.",
                "if you made it, sign it: drillbook evidence seal FOLDER --signing-key KEY "
                "(drillbook evidence sign-key makes a key); if not, ask its maker for a signed "
                "one. --unsigned checks the bundle as it is.",
            )
        if self.untrusted:
            return (
                "UNTRUSTED. It is consistent, and no key that you trust signed it.",
                "ask its maker for the public key, by another way than the bundle's (--pubkey). "
                "--unsigned checks it without a key.",
            )
        if self.undecided:
            whole = "as it was signed" if self.signed else "consistent"
            missing = " and ".join(NOT_SHOWN[name] for name in self.undecided)
            return (
                f"UNDECIDED. The bundle itself is {whole}; it is not shown {missing}.",
                "give the right file, or get it again from its maker, and check again.",
            )
        if self.signed:
            return "GENUINE. It is, byte for byte, what the holder of the key sealed.", ""
        return "INTACT, and no more: it is consistent, and nothing proves who made it.", ""

    def lines(self) -> Iterator[str]:
        """The checks and the answer, for a terminal of 80 columns."""
        yield f"Bundle {self.path}"
        for check in self.checks:
            first = f"  {MARKS[check.state]}  {check.name:<11} "
            yield from _wrap(check.sentence, first, " " * len(first))
        answer, then = self.conclude()
        yield ""
        yield from _wrap(answer, "", "")
        if then:
            yield from _wrap(f"Next: {then}", "", "      ")


def _wrap(text: str, first: str, others: str) -> list[str]:
    """The text in lines of at most 80 columns, without what could steer a terminal."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return textwrap.wrap(
        shown,
        80,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def bundle_of(place: Path) -> Path:
    """The path of a bundle, given itself or its folder."""
    return place / BUNDLE if place.is_dir() else place


def main(words: list[str] | None = None) -> int:
    """Check a bundle and print the result; the exit code."""
    parser = argparse.ArgumentParser(description="Check a bundle of Drillbook.")
    parser.add_argument("bundle", type=Path, help="bundle.zip, or the folder it is in")
    parser.add_argument("--pubkey", action="append", default=[], help="trusted public keys (PEM)")
    parser.add_argument("--unsigned", action="store_true", help="check it without a signature")
    parser.add_argument("--previous", type=Path, help="the bundle of the run before")
    options = parser.parse_args(words)
    place = options.bundle
    try:
        if PYTHON < (3, 11):
            raise Unusable("this Python reads no moment that ends in Z; take Python 3.11 or newer")
        keys = load_keys(options.pubkey) if options.pubkey else None
        trust = Trust(keys, options.unsigned, options.previous)
        examination = Examination(bundle_of(place), trust, place if place.is_dir() else None)
        examination.examine()
    except Unusable as error:
        sys.stderr.write(f"UNUSABLE. {bundle_of(place).name!a}: {str(error)!a}\n")
        return 3
    sys.stdout.write("\n".join(examination.lines()) + "\n")
    return 1 if examination.bad else 0


if __name__ == "__main__":
    sys.exit(main())
