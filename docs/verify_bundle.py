"""Check a bundle without Drillbook: `python verify_bundle.py bundle.zip --pubkey drill.key.pub`.

This file is all there is to read: Python 3.11, and `cryptography` for Ed25519. Take it and
the public key from a place that you trust, never from the bundle. It gives the same verdicts as
`drillbook evidence verify`:

GENUINE    0  byte for byte what the holder of a key in --pubkey sealed
INTACT     0  it is consistent, and nothing proves who made it (--unsigned)
UNSIGNED   1  no signature
UNTRUSTED  1  signed by a key that is not in --pubkey
UNDECIDED  1  consistent, but a file by which it is checked is missing, unreadable or another
TAMPERED   1  changed since it was sealed, or at odds with itself; TAMPERED next to it: a file in
              the folder is not the bundle's, the bundle itself is whole
UNUSABLE   3  not a bundle

It does less in two points. The record is not checked against its JSON Schema, only for the rules by
which verdicts and findings were reached. Of a time-stamp it says whether it is one of this bundle;
who stamped says `openssl ts -verify -data bundle.zip -in bundle.zip.tsr -CAfile TSA.pem`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

MANIFEST, RECORD = "MANIFEST.json", "evidence.json"
SIGNATURE, PDF = "attestation.intoto.jsonl", "report.pdf"
TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/attestation/test-result/v0.1")
SIGN_OFF = "urn:drillbook:sign-off:1"
PAYLOAD = "application/vnd.in-toto+json"
PYTHON = sys.version_info[:2]
LARGEST, MOST, MOST_VALUES = 256 << 20, 4096, 3_000_000
# Worst last; what they mean for the exit code of a run.
VERDICTS = ["not_applicable", "satisfied", "not_run", "contradicted", "inconclusive", "violated"]
HOLDS = ("satisfied", "not_applicable")
EXIT_CODES = {
    "not_applicable": 0,
    "satisfied": 0,
    "not_run": 2,
    "contradicted": 1,
    "inconclusive": 2,
    "violated": 1,
}
# The version of the rules of findings; those of another version are not computed again.
RULES = 3
UNREGISTERED = ["used, and not in the register"]
# What only a register can say of a key.
FACTS = {"algorithm", "created", "activated", "expires", "retired", "custodians", "stored_in"}
FACTS |= {"escrow_last_opened", "challenge", "acknowledged"}
# What is declared of an exercise; a reader ignores what later versions add.
DECLARED = [
    *("runbook", "timeline", "references", "third_parties", "functions", "authorisation"),
    *("production", "reported"),
]
DAY = re.compile(r"\d{4}-\d\d-\d\d")
# A granted time-stamp whose TSTInfo (1.2.840.113549.1.9.16.1.4) has a SHA-256 or SHA-512.
STAMP = re.compile(
    rb"0.{1,5}0.{1,3}\x02\x01\x00.*?\x06\x0b\x2a\x86H\x86\xf7\r\x01\t\x10\x01\x04.{6,15}\x02\x01\x01"
    rb"\x06.{2,60}0.0.\x06\t`\x86H\x01e\x03\x04\x02[\x01\x03]",
    re.DOTALL,
)
MOMENT = re.compile(DAY.pattern + r"[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")


class Unusable(Exception):
    """It is not a bundle at all."""


class Bad(Exception):
    """It was changed, or it is at odds with itself."""


class Untrusted(Bad):
    """It has no signature, or one that names no key in --pubkey."""


class Undecided(Bad):
    """A file next to the bundle is missing, unreadable or another: the bundle may be whole."""


def need(holds: object, otherwise: str) -> None:
    """Bad, with this sentence, unless it holds."""
    if not holds:
        raise Bad(otherwise)


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def strict_json(data: bytes) -> Any:
    """JSON in which a name stands once: of two values, two readers may take different ones.

    It is in UTF-8, without halves of a character (surrogates).
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a name stands twice in one object")
        return dict(pairs)

    text = data.decode()
    value = json.loads(text, object_pairs_hook=once)
    if re.search(r"\\u[dD][89a-fA-F]", text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


# The zip: its one form, so that nothing can hide before, between or after its files.


class Files(dict[str, bytes]):
    """The files of a bundle by name; Bad where one is not what its checksum says."""

    crcs: dict[str, int]

    def __getitem__(self, name: str) -> bytes:
        """The content."""
        data = super().__getitem__(name)
        need(zlib.crc32(data) == self.crcs[name], f"{name} is not what its checksum says")
        return data


def pack(files: dict[str, bytes], crcs: dict[str, int]) -> bytes:
    """These files as a zip with these checksums: sorted, stored, without dates."""
    body, listing = bytearray(), bytearray()
    for name in sorted(files):
        data, raw, at = files[name], name.encode(), len(body)
        facts = (crcs[name], len(data), len(data), len(raw))
        body += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 2048, 0, 0, 33, *facts, 0) + raw + data
        listing += struct.pack("<4s6H3I5H", b"PK\1\2", 788, 20, 2048, 0, 0, 33, *facts, 0, 0, 0, 0)
        listing += struct.pack("<2I", 0o100644 << 16, at) + raw
    end = (0, 0, len(files), len(files), len(listing), len(body), 0)
    return bytes(body + listing + struct.pack("<4s4H2IH", b"PK\5\6", *end))


def unpack(path: Path) -> Files:
    """The files of a bundle by name; nothing is written anywhere."""
    try:
        if not path.is_file() or not 22 <= path.stat().st_size <= LARGEST + (MOST << 10):
            raise Unusable("it is not a file, or not of a size that a bundle has")
        data = path.read_bytes()
    except OSError as trouble:
        raise Unusable(f"{trouble.strerror}") from None
    magic, _, _, _, count, size, at, _ = struct.unpack("<4s4H2IH", data[-22:])
    if magic != b"PK\5\6" or at + size + 22 != len(data) or count > MOST or size > MOST * 368:
        raise Unusable("it is not a zip file, or not all of one, or something was appended to it")
    listing, place, seen = data[at : at + size], 0, set()
    files: dict[str, bytes] = {}
    crcs: dict[str, int] = {}
    for _ in range(count):
        if place + 46 > len(listing):
            raise Unusable("its directory ends too early")
        fields = struct.unpack_from("<4s6H3I5H2I", listing, place)
        size, full, length = fields[8:11]
        name = listing[place + 46 : place + 46 + length].decode("utf-8", "replace")
        place += 46 + length + fields[11] + fields[12]
        start = fields[16] + 30 + len(name.encode())
        compressed = fields[4] or size != full
        link = fields[15] >> 28 == 0o12
        odd = any(part in ("", ".", "..") for part in name.split("/")) or {*"\\:"} & {*name}
        if fields[3] & 1 or compressed or link or odd or len(name.encode()) > 255:
            raise Unusable("one of its files is packed, encrypted, a link, or oddly named")
        if not name.isprintable() or name.casefold() in seen or start + size > len(data):
            raise Unusable("one of its files is named oddly or twice, or is not all there")
        seen.add(name.casefold())
        files[name], crcs[name] = data[start : start + size], fields[7]
    need(pack(files, crcs) == data, "its structure is not the one in which it was sealed")
    checked = Files(files)
    checked.crcs = crcs
    return checked


# Manifest and signature.


def read_manifest(data: bytes) -> tuple[str, dict[str, str]]:
    """The run, and the digests by name; it has one form as well."""
    try:
        said = strict_json(data)
        files, run = said["files"], said["run"]
        kinds = {(*map(type, (f["name"], f["size"], f["sha256"])), len(f)) for f in files}
        need(kinds <= {(str, int, str, 3)} and type(run) is str, "no manifest")
        form = {"schema": "drillbook/manifest/1", "run": run}
        ordered = [{key: f[key] for key in ("name", "size", "sha256")} for f in files]
        same = f"{json.dumps(form | {'files': ordered}, indent=1, ensure_ascii=False)}\n".encode()
    except (ValueError, TypeError, KeyError, RecursionError, Bad):
        raise Bad(f"{MANIFEST} is not a manifest: it was changed") from None
    need(same == data and len(said) == 3, f"{MANIFEST} was changed")
    return run, {file["name"]: file["sha256"] for file in files}


def check_files(files: dict[str, bytes], digests: dict[str, str], sizes: bytes) -> str:
    """Every file is there, none is added, and none was changed."""
    found = files.keys() - {MANIFEST, SIGNATURE}
    need(found <= digests.keys(), f"{sorted(found - digests.keys())[:1]} was added")
    need(digests.keys() <= found, f"{sorted(digests.keys() - found)[:1]} was removed")
    for file in json.loads(sizes)["files"]:
        data = files[file["name"]]
        same = (len(data), sha256(data)) == (file["size"], file["sha256"])
        need(same, f"{file['name']} was changed")
    return f"SHA-256 and size of {len(digests)} files are those of {MANIFEST}"


def check_folder(files: dict[str, bytes], folder: Path) -> str:
    """What lies next to the bundle under the name of a file in it is that file."""
    there = sorted(name for name in files if (folder / name).is_file())
    for name in there:
        same = (folder / name).read_bytes() == files[name]
        need(same, f"{name} next to the bundle is not the one in it; read the one in the bundle")
    return f"the {len(there)} files next to the bundle are those in it"


def open_envelope(data: bytes) -> tuple[bytes, str, bytes]:
    """What was signed, by which key, and the signature; an envelope has one form, too."""
    try:
        said = strict_json(data)
        (one,) = said["signatures"]
        payload, signature = base64.b64decode(said["payload"]), base64.b64decode(one["sig"])
        form = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [
                {"keyid": one["keyid"], "sig": base64.b64encode(signature).decode()},
            ],
        }
        need(json.dumps(form, sort_keys=True).encode() + b"\n" == data, "")
        return payload, str(one["keyid"]), signature
    except (ValueError, TypeError, KeyError, RecursionError, Bad):
        raise Bad("the signature's envelope was changed") from None


def check_signature(envelope: bytes, keys: dict[str, Ed25519PublicKey]) -> tuple[bytes, str]:
    """What was signed by one of these keys, and by which: DSSE, over type and payload."""
    payload, key, signature = open_envelope(envelope)
    if key not in keys:
        raise Untrusted(f"signed by key {key[:16]}, which is not among the trusted ones")
    signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)
    try:
        keys[key].verify(signature, signed)
    except InvalidSignature:
        raise Bad(f"signed by key {key[:16]}: that signature is false") from None
    return payload, key


def check_statement(
    payload: bytes, digests: dict[str, str], manifest: bytes
) -> tuple[dict[str, str], dict[str, Any]]:
    """The backup and result that were signed; the rest is exactly the files of the bundle."""
    try:
        said = strict_json(payload)
        subjects = {one["name"]: one["digest"]["sha256"] for one in said["subject"]}
        kind = said["_type"], said["predicateType"]
        predicate = dict(said["predicate"])
    except (ValueError, TypeError, KeyError, RecursionError, Bad):
        raise Bad("what was signed is not a statement about files") from None
    backup = {name: subjects.pop(name) for name in [*subjects] if name.startswith("backup:")}
    same = kind == TYPES and subjects == {**digests, MANIFEST: sha256(manifest)}
    need(same, "what was signed is about other files than these")
    return backup, predicate


# The record: its verdicts must follow from what it says was seen.


def check_record(data: bytes, files: dict[str, bytes], run: str, stated: Any) -> dict[str, Any]:
    """The record of this run, at one with itself and with the backup and result in `stated`."""
    need(data.count(b",") <= MOST_VALUES, "the record has more values than is sane")
    try:
        record = strict_json(data)
        need(record["schema"] == "drillbook/evidence/1", "the record is of another schema")
        need(record["run"]["id"] == run, "the record is of another run than the manifest")
        signer = record.get("seal", {}).get("key_id")
        need(not signer or SIGNATURE in files, "it says a key signs it: the signature is gone")
        seen = record["subject"].get("backup")
        named = {f"backup:{seen['name']}": seen["sha256"]} if seen else {}
        need(not stated or stated[0] == named, "it is about another backup than was signed for")
        leaked = {leak["file"] for leak in record["redaction"].get("leaks", ())}
        wanted = {*(record.get("documents") or {"report.html", PDF} - leaked)}
        need(
            wanted <= files.keys(), f"{sorted(wanted - files.keys())[:1]} was written, and is gone"
        )
        check_own_rules(record)
        judged = results(record)
        same = not stated or judged == {name: stated[1].get(name) for name in judged}
        need(same, "another result was signed than the record gives the run or its controls")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Bad("the record cannot be read") from None
    return dict(record)


def results(record: dict[str, Any]) -> dict[str, Any]:
    """What a policy is to read of the run and its controls; it must have been signed so."""
    named: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    judged = False
    for one in record["controls"]:
        gates = one["gating"] and not one.get("waived")
        holds = one["verdict"] in HOLDS
        judged = judged or (gates and one["verdict"] != "not_applicable")
        if one["verdict"] == "satisfied":
            named["passedTests"].append(one["id"])
        elif not holds:
            failed = gates or one["verdict"] == "violated"
            named["failedTests" if failed else "warnedTests"].append(one["id"])
    doubtful = record["counts"]["contradicted"] or record["counts"].get("waived")
    # A bug that was planted on purpose.
    doubtful = doubtful or re.search(r"--mutant[= ]\S", record["run"].get("command") or "")
    rules = record.get("rules", 1)
    doubtful = doubtful or (rules > 1 and record["run"].get("selection"))
    doubtful = doubtful or (rules > 2 and (record["counts"]["violated"] or not judged))
    rehearsed = record["subject"].get("grade", "rehearsal") == "rehearsal"
    passed = "WARNED" if doubtful or rehearsed else "PASSED"
    return {"result": "FAILED" if record["exit_code"] else passed, **named}


def check_own_rules(record: dict[str, Any]) -> None:
    """Verdicts and findings follow from what the record says was seen and declared."""
    check_verdicts(record)
    ended(record)
    for action in (record.get("deviations") or {}).get("actions") or []:
        [*days_of(action, "due", "closed")]
    rules = record.get("rules", 1)
    need(rules is not True and rules in range(1, 10_000), "it names no version of its rules")
    said = (record.get("exercise") or {}).get("findings") or []
    same = said == [*exercise_findings(record)]
    need(same or rules != RULES, "its findings do not follow from the exercise it declares")
    check_register(record, of_ours=rules == RULES)


def worst(verdicts: list[str]) -> str:
    """The worst of them; of nothing, nothing is known."""
    return max(verdicts, key=VERDICTS.index, default="not_run")


def check_verdicts(record: dict[str, Any]) -> None:
    """Counts, each control's verdict and gate, the run's verdict and exit code."""
    controls, facts, counts = record["controls"], record["run"], record["counts"]
    tally = [control["verdict"] for control in controls]
    book = (record.get("exercise") or {}).get("runbook_sha256")
    need(all(counts[v] == tally.count(v) for v in VERDICTS), "its counts are not its controls'")
    need(counts["planned"] == len(controls), "more or fewer controls were planned than reported")
    waivers = [waiver_facts(one["waiver"]) for one in controls if one.get("waiver")]
    said = [waiver_facts(one) for one in (record.get("deviations") or {}).get("waivers") or []]
    need(said == waivers, "its waivers are not those of its controls")
    started = moment(facts["started"]).astimezone(UTC).date()
    waived = sum(control.get("waived") is True for control in controls)
    need(counts.get("waived", 0) == waived, "it counts other waivers than its controls have")
    for control in controls:
        name, waiver = control["id"], control.get("waiver") or {}
        specs = [spec["verdict"] for spec in control["specs"]]
        need(control["verdict"] == worst(specs), f"{name} has another verdict than its specs")
        strict = bool(flag(facts, "strict_claims"))
        severe = control["severity"] in ("critical", "major")
        asked = not facts.get("asked") or name in facts["asked"]
        claim = control["nature"] == "claim"
        # A violated claim is a matter of safety as well.
        unsafe = severe and (not claim or control["verdict"] == "violated")
        gating = (unsafe or (strict and claim)) and asked
        need(control["gating"] is gating, f"{name} gates, or does not, against the rule")
        (expires,) = days_of(waiver, "expires")
        excused = waiver and waiver_facts(waiver)[:2] == ("in_force", name)
        excused = excused and expires and started <= expires and control["verdict"] not in HOLDS
        need(excused or not flag(control, "waived"), f"{name} is waived without a waiver in force")
        compared = book is not None and control.get("correction") is not None
        said = control.get("taken_over") is not None
        need(said is compared, f"{name}: what it says of its correction in the runbook is odd")
    deciding = [c["verdict"] for c in controls if c["gating"] and not c.get("waived")]
    verdict = worst([v for v in deciding if EXIT_CODES[v] == 1] or deciding)
    code = EXIT_CODES[verdict]
    early = verdict if code else "not_run"
    own = [(verdict, code)]
    if record["redaction"].get("leaks"):
        own = [("violated", 1)]
    elif facts.get("stopped"):
        # Earlier releases kept the verdict of what was judged before the stop.
        own = [(early, 3), (verdict, 3)]
    elif flag(facts, "interrupted"):
        own = [(early, EXIT_CODES[early])]
    need((record["verdict"], record["exit_code"]) in own, "its verdict is not its own")


def waiver_facts(one: dict[str, Any]) -> tuple[Any, ...]:
    """What a record says of a waiver."""
    words = (one[name] for name in ("control", "reason", "owner", "approved_by", "expires"))
    return one.get("state", "in_force"), *words, one.get("days_left")


# What people declared: what is missing in it, or cannot be as it is declared.


def exercise_findings(record: dict[str, Any]) -> Iterator[str]:
    """In the record's words and order; of an exercise that is not declared nothing is said."""
    said, facts, subject = record.get("exercise") or {}, record["run"], record["subject"]
    # An object is declared also if it is empty.
    if not any(said.get(name) or said.get(name) == {} for name in DECLARED):
        return
    if not (book := said.get("runbook")):
        yield "no runbook is named"
    else:
        people = {one["name"] for one in record["people"]}
        if not book["followed_by"]:
            yield "no one is named who worked from the runbook"
        for name in book["followed_by"]:
            if name not in people:
                yield f"{name} worked from the runbook, and is not among the people"
    line = said.get("timeline") or []
    for before, after in pairwise(line):
        if moment(after["at"]) < moment(before["at"]):
            yield f"{after['what']} stands after {before['what']}, and is earlier"
    reported = said.get("reported") or []
    moments = [(one["what"], one["at"]) for one in line]
    moments += [(f"the report to {one['to']}", one["at"]) for one in reported]
    for what, at in moments:
        if moment(at) > moment(facts["finished"]):
            yield f"{what} is later than the end of the run"
    if subject.get("backup"):
        if not (allowed := said.get("authorisation")):
            yield "a backup was restored, and no authorisation is declared"
        elif moment(allowed["at"]) > moment(facts["started"]):
            yield "the restore was authorised after it had begun"
    critical = [one["name"] for one in said.get("functions") or [] if flag(one, "critical")]
    if critical and all(one["kind"] != "bia" for one in said.get("references") or []):
        yield f"{', '.join(critical)}: critical, and no business impact analysis is referred to"
    for party in said.get("third_parties") or []:
        if not flag(party, "involved"):
            yield f"{party['name']}: a third party, and not involved"
    data = subject.get("data_set") or (record.get("scope") or {}).get("data_set") or {}
    if data.get("kind") in ("production", "production copy"):
        use = said.get("production") or {}
        for what in ("data", "keys"):
            if not use.get(what):
                yield f"production {what} were used, and no reason is declared"
        if not use.get("disposal"):
            yield "production data were used, and no disposal is declared"
    for action in (record.get("deviations") or {}).get("actions") or []:
        yield from action_findings(action, ended(record))


def action_findings(action: dict[str, Any], day: date) -> Iterator[str]:
    """What is wrong with a corrective action on this day."""
    name, due, closed = f"the action about {action['control']}", *days_of(action, "due", "closed")
    if not closed:
        if due and due < day:
            yield f"{name} was due on {due}, and is open"
    elif closed > day:
        yield f"{name} is closed on {closed}, after the run"
    elif action.get("retest_run") in (None, action.get("retest_of")):
        yield f"{name} is closed without a re-test"


def check_register(record: dict[str, Any], *, of_ours: bool) -> None:
    """Each registered key with its names in this run and its findings, then those used besides.

    Findings that do not follow our rules are not compared.
    """
    register, seen = record.get("key_register") or [], record["subject"].get("keys") or []
    ours = [key for key in register if key.get("findings") != UNREGISTERED]
    for key in register:
        need(re.fullmatch("[0-9a-f]{16,64}", key["label"]), "a key of its register has no label")
        same = key.get("seen_as", []) == names_of(key["label"], seen)
        need(same, "its register names a key in another way than the run saw it")
        stated = any(key.get(name) for name in FACTS) or key["purpose"] != "not stated"
        foreign = key not in ours and stated
        need(not (foreign and of_ours), "it declares facts of a key that is not in its register")
    labels = {key["label"][:16] for key in ours}
    others = dict.fromkeys(key["label"] for key in seen if key["label"][:16] not in labels)
    stated = [(key["label"], key.get("seen_as", []), key.get("findings", [])) for key in register]
    expected = []
    for key in ours:
        names = names_of(key["label"], seen)
        found = [*key_findings(key, ended(record), used=bool(names))]
        expected.append((key["label"], names, found))
    if ours:
        expected += [(label, names_of(label, seen), UNREGISTERED) for label in others]
    same = stated == expected or not of_ours
    need(same, "its register of keys does not follow from the keys it saw")


def names_of(label: str, seen: list[dict[str, Any]]) -> list[str]:
    """The names under which a key was seen; labels may be cut to sixteen digits."""
    return [*dict.fromkeys(key["name"] for key in seen if key["label"][:16] == label[:16])]


def key_findings(key: dict[str, Any], day: date, *, used: bool) -> Iterator[str]:
    """What is wrong with the life of a key on this day."""
    retired, expires, opened = days_of(key, "retired", "expires", "escrow_last_opened")
    created, activated = days_of(key, "created", "activated")
    if retired and retired <= day:
        if used:
            yield f"used, although it was retired on {retired}"
        return
    if expires and expires < day:
        yield f"past its end, {expires}"
    for what, when in (("created", created), ("activated", activated)):
        if used and when and when > day:
            yield f"used before it was {what}, {when}"
    stores = key.get("stored_in") or []
    if len({*stores}) == 1:
        yield f"in one store only: {stores[0]}"
    if not stores:
        yield "no store is named"
    if opened is None:
        yield "never opened from escrow, as far as is declared"
    elif (day - opened).days > 90:
        yield f"not opened from escrow for a quarter, last on {opened}"
    elif opened > day:
        yield f"opened from escrow on {opened}, after the run"
    if not (challenge := key.get("challenge")):
        return
    answered = [one for one in key["acknowledged"] if one["challenge"] == challenge]
    custodians = key.get("custodians") or []
    strangers = [one for one in answered if custodians and one["name"] not in custodians]
    for name in custodians:
        if name not in {one["name"] for one in answered}:
            yield f"{name} has not answered the challenge {challenge}"
    for one in answered:
        if one in strangers:
            yield f"{one['name']} answered, and is not one of its custodians"
        given = moment(one["signed"]).astimezone(UTC).date()
        if given > day:
            yield f"the answer of {one['name']} is of {given}, after the run"
        elif (day - given).days > 90:
            yield f"the answer of {one['name']} is older than a quarter, of {given}"
        if flag(one, "held") is False:
            yield f"{one['name']} does not hold it: the answer was not made with this key"
        elif used and one.get("held") is None:
            yield f"the answer of {one['name']} was not judged"
    proved = [one for one in answered if one.get("held") is not False and one not in strangers]
    if min(len({one.get(name) for one in proved}) for name in ("name", "key_id")) < 2:
        yield "no dual control: fewer than two custodians have proved to hold it"


def flag(facts: dict[str, Any], name: str) -> bool | None:
    """Yes, no, or nothing said; what merely counts as no is none of them."""
    said = facts.get(name)
    need(said is None or said is True or said is False, f"{name} is neither true nor false")
    return said


def moment(text: str) -> datetime:
    """A moment of the record, with its zone."""
    need(MOMENT.fullmatch(text), f"{text[:40]!a} is not a moment")
    when = datetime.fromisoformat(text)
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    need(first <= when < last, f"{text[:40]!a} is near an end of the calendar")
    return when


def days_of(facts: dict[str, Any], *names: str) -> Iterator[date | None]:
    """The days that a key or an action has under these names."""
    for name in names:
        if (text := facts.get(name)) is None:
            yield None
        else:
            need(DAY.fullmatch(text), f"{text[:40]!a} is not a day")
            yield date.fromisoformat(text)


def ended(record: dict[str, Any]) -> date:
    """The day on which the run ended, in UTC."""
    return moment(record["run"]["finished"]).astimezone(UTC).date()


def check_pdf(pdf: bytes, record: bytes) -> str:
    """The report carries the record itself as its attachment."""
    need(pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF"), f"{PDF} cannot be read")
    objects: dict[bytes, list[bytes]] = {}
    for found in re.finditer(rb"\b(\d+) 0 obj\b(.*?)\bendobj\b", pdf, re.DOTALL):
        objects.setdefault(found[1], []).append(found[2])
    named = [
        spec[1]
        for (one, *_) in objects.values()
        if re.search(rb"/F\s*\(evidence\.json\)", one)
        and (spec := re.search(rb"/EF\s*<<[^>]*?/F\s+(\d+) 0 R", one))
    ]
    need(len(named) == 1 and len(objects.get(named[0], ())) == 1, f"{PDF} has no record attached")
    head, _, content = objects[named[0]][0].partition(b"stream")
    content = content.lstrip(b"\r").removeprefix(b"\n").rpartition(b"endstream")[0]
    if b"/FlateDecode" in head:
        try:
            content = zlib.decompressobj().decompress(content, len(record) + 3)
        except zlib.error:
            raise Bad(f"{PDF}: its attachment cannot be unpacked") from None
    rest = content.removeprefix(record)
    same = len(rest) < len(content) and rest in (b"", b"\n", b"\r\n")
    need(same and (rest == b"" or b"/FlateDecode" not in head), f"{PDF} carries another record")
    return "the record attached to it is the bundle's"


# What lies next to a bundle.


def check_chain(path: Path, record: dict[str, Any] | None, previous: Path | None) -> str:
    """The run before is the one that the record names."""
    before = record.get("seal", {}).get("previous") if record else None
    if not before:
        if previous:
            raise Undecided("the record names no run before it, yet --previous was given")
        return "-- the record names no run before it"
    if not previous:
        folder = path.resolve().parent.parent
        known = {one.parent.name: one for one in folder.glob(f"*/{path.name}")}
        if before["run"] not in known:
            return f"-- follows run {before['run']}, whose bundle is not next to it"
        previous = known[before["run"]]
    try:
        found = unpack(previous)
        own = sha256(found[MANIFEST]) if MANIFEST in found else ""
    except (Bad, Unusable) as trouble:
        said = f"{previous}, the bundle of the earlier run {before['run']}, cannot be read"
        raise Undecided(f"{said}: {trouble}") from None
    if own != before["manifest_sha256"]:
        raise Undecided(f"it follows run {before['run']}, but {previous} is another bundle")
    return f"follows run {before['run']}, whose bundle is the one it names"


def is_sequence(data: bytes) -> bool:
    """Whether data is one sequence of DER, neither cut nor followed by more."""
    length = data[1] if len(data) > 1 else 0
    head = 2 + (length & 127 if length > 127 else 0)
    size = int.from_bytes(data[2:head], "big") if length > 127 else length
    return data[:1] == b"0" and len(data) == head + size


def check_stamp(path: Path) -> str:
    """The time-stamp is one of this bundle."""
    stamp = path.with_name(f"{path.name}.tsr")
    if not stamp.is_file():
        return "-- none"
    try:
        need(stamp.stat().st_size <= 8 << 20, "it is larger than is sane")
        answer, data = stamp.read_bytes()[: 1 << 20], path.read_bytes()
        said = "it is not a granted time-stamp of a SHA-256 or SHA-512"
        need(is_sequence(answer) and STAMP.match(answer), said)
    except (OSError, Bad) as trouble:
        raise Undecided(f"{stamp.name} cannot be read: {trouble}") from None
    of_it = hashlib.sha256(data).digest() in answer or hashlib.sha512(data).digest() in answer
    need(of_it, "the time-stamp is one of another file, or none at all")
    return "-- of this bundle; who stamped it says openssl ts -verify"


def check_sign_offs(
    path: Path,
    keys: dict[str, Ed25519PublicKey],
    record: dict[str, Any] | None,
    sealed_by: str,
) -> str:
    """Each sign-off next to the bundle is one of this bundle."""
    sentences, unreadable, vouched = [], [], True
    owners: dict[str, str] = {}
    executor = ((record or {}).get("sign_off") or {}).get("executed_by")
    for act in ("prepared", "reviewed", "approved"):
        file = path.with_name(f"{path.name}.{act}.json")
        if not file.is_file():
            continue
        key, by = "", "without a signature: anyone could have written it"
        try:
            need(file.stat().st_size <= 8 << 20, "it is larger than is sane")
            payload = envelope = file.read_bytes()
            if signed := b'"payload"' in envelope[:64]:
                payload, key, _ = open_envelope(envelope)
                by = f"by key {key[:16]}, which is not in --pubkey"
        except (OSError, Bad) as trouble:
            unreadable.append(f"{file.name} cannot be read: {trouble}")
            continue
        if signed and key in keys:
            payload, by = check_signature(envelope, keys)[0], f"by the trusted key {key[:16]}"
        try:
            said = strict_json(payload)
            stated, kind = said["predicate"], said["predicateType"]
            digests = [one["digest"]["sha256"] for one in said["subject"]]
            day = datetime.fromisoformat(stated["signed"]).date()
            need(isinstance(stated["name"], str), "no name")
            who = f"{stated['name']} ({stated['role']})" if stated["role"] else stated["name"]
            own = act == "approved" and key in keys and key == sealed_by
            owner = owners.setdefault(key, stated["name"]) if key in keys else stated["name"]
            other = owner.strip().casefold() != stated["name"].strip().casefold()
            vouched = vouched and key in keys and not own and not other
            if other:
                by += f"; the key of {owner} as well: not independent"
            if own:
                by += ", which sealed the bundle: not independent"
            elif act == "approved" and executor and stated["name"]:
                alike = stated["name"].strip().casefold() in people(executor)
                vouched = vouched and not alike
                by += "; executed it: not independent" if alike else f"; executed by {executor}"
            elif act == "approved":
                by += "; who executed it is not recorded"
            sentences.append(f"{act} by {who} on {day}, {by}")
            of_it = kind == SIGN_OFF and stated["act"] == act
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Bad):
            unreadable.append(f"{file.name} cannot be read: it is not a sign-off")
            continue
        need(of_it and digests == [sha256(path.read_bytes())], f"what was {act} is another bundle")
    if unreadable:
        raise Undecided("; ".join(unreadable))
    return ("" if sentences and vouched else "-- ") + ("; ".join(sentences) or "none")


def people(names: str) -> list[str]:
    """The persons who executed a run; a record of several parts names them all."""
    return [one.strip().casefold() for one in (names, *names.split(";"))]


def judge(
    path: Path,
    keys: dict[str, Ed25519PublicKey],
    unsigned: bool,
    previous: Path | None = None,
    folder: Path | None = None,
) -> tuple[str, list[tuple[str, bool, str]]]:
    """The verdict, and each check with its name, whether it held, and a sentence."""
    checks: list[tuple[str, bool, str]] = []
    # Checks that failed, and say nothing against the bundle itself.
    untrusted: list[str] = []
    undecided: list[str] = []

    def ask(name: str, question: Any) -> Any:
        try:
            answer = question()
        except (Bad, Unusable) as trouble:
            checks.append((name, False, str(trouble)))
            untrusted.extend([name] * isinstance(trouble, Untrusted))
            undecided.extend([name] * isinstance(trouble, Undecided))
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            checks.append((name, False, "what it relies on in the record cannot be read"))
            return None
        checks.append((name, True, answer if isinstance(answer, str) else "holds"))
        return answer

    try:
        files = unpack(path)
        if MANIFEST not in files or RECORD not in files:
            raise Unusable(f"it has no {MANIFEST} or no {RECORD}")
    except Bad as trouble:
        return "TAMPERED", [("form", False, str(trouble))]
    try:
        if len(files[MANIFEST]) > 8 << 20:
            raise Unusable("its manifest is larger than is sane")
        run, digests = read_manifest(files[MANIFEST])
    except Bad as trouble:
        return "TAMPERED", [("form", False, str(trouble))]
    stated, sealed_by = None, ""

    def signature() -> None:
        nonlocal stated, sealed_by
        if SIGNATURE not in files:
            if keys or not unsigned:
                raise Untrusted("none: nothing says who made this bundle")
            return
        # Before the key: a signature of other files is tampering, whoever made it.
        payload, _, _ = open_envelope(files[SIGNATURE])
        stated = check_statement(payload, digests, files[MANIFEST])
        if keys:
            _, sealed_by = check_signature(files[SIGNATURE], keys)
        elif not unsigned:
            raise Untrusted("by a key that is not trusted: give --pubkey")

    ask("files", lambda: check_files(files, digests, files[MANIFEST]))
    ask("signature", signature)
    record = ask("record", lambda: check_record(files[RECORD], files, run, stated))
    if record and (rules := record.get("rules", 1)) != RULES:
        made = f"they follow version {rules} of the rules, and this file has version {RULES}"
        by = "take the verify_bundle.py of Drillbook"
        ask(
            "findings",
            lambda: f"-- not computed again: {made}; {by} {record['run']['tool']['version']}",
        )
    if PDF in files:
        ask(PDF, lambda: check_pdf(files[PDF], files[RECORD]))
    if folder:
        ask("folder", lambda: check_folder(files, folder))
    ask("chain", lambda: check_chain(path, record, previous))
    ask("time-stamp", lambda: check_stamp(path))
    ask("sign-off", lambda: check_sign_offs(path, keys, record, sealed_by))
    against = {name for name, held, _ in checks if not held} - {*untrusted, *undecided}
    if against == {"folder"}:
        itself = "genuine" if sealed_by else "consistent"
        said = f"TAMPERED next to it: the bundle itself is {itself}; use the files in it"
        return said, checks
    if against:
        return "TAMPERED", checks
    if untrusted:
        return ("UNTRUSTED" if SIGNATURE in files else "UNSIGNED"), checks
    if undecided:
        return "UNDECIDED", checks
    return ("GENUINE" if sealed_by else "INTACT"), checks


def load_keys(paths: list[str]) -> dict[str, Ed25519PublicKey]:
    """Public keys by the SHA-256 of their DER form, which is how a signature names them."""
    found = {}
    for path in paths:
        pem = rb"-----BEGIN PUBLIC KEY-----[^-]{1,8192}-----END PUBLIC KEY-----"
        for one in re.findall(pem, Path(path).read_bytes()):
            key = load_pem_public_key(one)
            if isinstance(key, Ed25519PublicKey):
                der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                found[sha256(der)] = key
    if paths and not found:
        raise Unusable(f"{', '.join(paths)}: no Ed25519 public key in PEM form")
    return found


def main(words: list[str] | None = None) -> int:
    """Check one bundle and print what was found."""
    parser = argparse.ArgumentParser(description="Check a bundle of Drillbook without Drillbook.")
    parser.add_argument("bundle", type=Path, help="bundle.zip, or the folder it is in")
    parser.add_argument("--pubkey", action="append", default=[], help="trusted public keys (PEM)")
    parser.add_argument("--unsigned", action="store_true", help="look at it without a signature")
    parser.add_argument("--previous", type=Path, help="the bundle of the run before")
    given = parser.parse_args(words)
    folder = given.bundle if given.bundle.is_dir() else None
    path = folder / "bundle.zip" if folder else given.bundle
    try:
        if PYTHON < (3, 11):
            raise Unusable("this Python reads no moment that ends in Z; take Python 3.11 or newer")
        keys = load_keys(given.pubkey)
        verdict, checks = judge(path, keys, given.unsigned, given.previous, folder)
    except (Unusable, OSError, ValueError) as trouble:
        sys.stderr.write(f"UNUSABLE. {path.name!a}: {str(trouble)!a}\n")
        return 3
    for name, held, sentence in checks:
        mark = "NO" if not held else "--" if sentence.startswith("-- ") else "ok"
        said = "".join(c if c.isprintable() else "\ufffd" for c in sentence.removeprefix("-- "))
        sys.stdout.write(f"  {mark}  {name:<11} {said}\n")
    sys.stdout.write(f"{verdict}.\n")
    return 0 if verdict in ("GENUINE", "INTACT") else 1


if __name__ == "__main__":
    sys.exit(main())
