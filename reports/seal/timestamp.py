"""RFC 3161: a time-stamp authority confirms when a bundle existed.

The stamp is a file next to the bundle and covers all of it, so it can be added later and by hand:
carry `bundle.zip.tsq` to an authority, and bring `bundle.zip.tsr` back. To check it without
Drillbook: `openssl ts -verify -data bundle.zip -in bundle.zip.tsr -CAfile TSA.pem`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx2
from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from drillbook.core.files import open_file, read_file
from reports.errors import BadKey, ReportError
from reports.seal.verify_bundle import LARGEST, Tampered, Undecided

_LARGEST = 1 << 20
_PATIENCE_S = 15.0
_GRANTED = 0


def request(bundle: Path) -> bytes:
    """The request for a stamp; from it an authority learns a digest and nothing else."""
    builder = TimestampRequestBuilder(read_file(bundle, 2 * LARGEST), HashAlgorithm.SHA256)
    return builder.build().as_bytes()


def ask(authority: str, query: bytes) -> bytes:
    """The answer of an authority on the network; ReportError if none came within 15 s."""
    answer: Future[bytes] = Future()

    def fetch() -> None:
        try:
            answer.set_result(_fetch(authority, query))
        except BaseException as trouble:
            answer.set_exception(trouble)

    # In a thread: where an answer drips, no single read of it times out.
    Thread(target=fetch, daemon=True).start()
    host = "the address of --tsa"
    try:
        host = urlsplit(authority).hostname or host
        return answer.result(_PATIENCE_S)
    except httpx2.HTTPStatusError as trouble:
        why = f"it answered {trouble.response.status_code}"
    except (TimeoutError, httpx2.TimeoutException):
        why = f"no whole answer within {_PATIENCE_S:g} s"
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        why = "it cannot be reached"
    # The rest of the address, which the error may quote, may hold a password.
    raise ReportError(f"no time-stamp from {host}: {why}; check --tsa")


def _fetch(authority: str, query: bytes) -> bytes:
    """The beginning of an answer, which is the whole of any stamp."""
    # An authority has no reason to compress; what it compresses anyway is not unpacked.
    headers = {"Content-Type": "application/timestamp-query", "Accept-Encoding": "identity"}
    received = b""
    with httpx2.stream(
        "POST", authority, content=query, headers=headers, timeout=_PATIENCE_S
    ) as response:
        response.raise_for_status()
        for piece in response.iter_raw():
            received += piece
            if len(received) > _LARGEST:
                break
    return received


def accept(answer: bytes, bundle: Path) -> datetime:
    """When the bundle existed, by the stamp; Tampered if it is not a stamp of this bundle.

    Who stamped it is not checked: that takes a certificate, see verify.
    """
    return _of_bundle(answer, bundle).tst_info.gen_time


def verify(answer: bytes, bundle: Path, authorities: list[Certificate]) -> datetime:
    """When one of these authorities stamped the bundle; Undecided if none did.

    Tampered if it is not a stamp of this bundle.
    """
    stamp = _of_bundle(answer, bundle)
    builder = VerifierBuilder()
    for certificate in authorities:
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify(stamp, _digest(stamp, bundle))
    except (VerificationError, ValueError) as trouble:
        raise Undecided(f"the time-stamp is not one by --tsa-cert: {trouble}") from None
    return stamp.tst_info.gen_time


def verifier(certificates: Path) -> Callable[[bytes, Path], datetime]:
    """The check of a stamp, as verify, by the certificates of a PEM file."""
    return partial(verify, authorities=authorities(certificates))


def authorities(path: Path) -> list[Certificate]:
    """The certificates of a PEM file that a stamp may rest on."""
    try:
        return list(load_pem_x509_certificates(read_file(path, _LARGEST)))
    except OSError as trouble:
        raise BadKey(f"{path}: {trouble.strerror}; give the authority's certificate") from None
    except ValueError:
        raise BadKey(f"{path}: no certificate in PEM form; ask the authority for its own") from None


def _of_bundle(answer: bytes, bundle: Path) -> TimeStampResponse:
    stamp = _decode(answer)
    if stamp.tst_info.message_imprint.message != _digest(stamp, bundle):
        raise Tampered("the time-stamp is for another file")
    return stamp


def _decode(answer: bytes) -> TimeStampResponse:
    try:
        stamp = decode_timestamp_response(answer[:_LARGEST])
        if stamp.status == _GRANTED:
            stamp.tst_info.message_imprint  # noqa: B018  # a malformed one raises only on access
            return stamp
        said = "; ".join(stamp.status_string) or f"status {stamp.status}"
    except ValueError:
        raise Undecided("the answer is not a time-stamp") from None
    raise Undecided(f"the authority refused: {said}")


def _digest(stamp: TimeStampResponse, bundle: Path) -> bytes:
    names = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.3": "sha512"}
    oid = stamp.tst_info.message_imprint.hash_algorithm.dotted_string
    if oid not in names:
        raise Undecided(f"a digest of kind {oid} is not accepted")
    with open_file(bundle) as file:
        return hashlib.file_digest(file, names[oid]).digest()
