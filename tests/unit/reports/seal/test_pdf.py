"""A PDF in a bundle carries the record itself, or the bundle is not what it seems."""

import hashlib
import io
import subprocess
import sys
import zlib

import pikepdf
import pytest
from pikepdf import AttachedFileSpec, Name, Pdf

from reports.seal import pdf_attachment
from reports.seal.sealer import Sealer
from tests.support import sample_run
from tests.support.bundles import sealed
from tests.support.commands import verify as main


def document(attachment=None, name="evidence.json", change=None):
    """A PDF with this attached; `change` tampers with the attachment's stream."""
    pdf = Pdf.new()
    pdf.add_blank_page()
    if attachment is not None:
        pdf.attachments[name] = AttachedFileSpec(pdf, attachment, mime_type="application/json")
        if change:
            change(pdf.attachments[name].get_file().obj)
    target = io.BytesIO()
    pdf.save(target, compress_streams=False)
    return target.getvalue()


def said_of(folder, pdf, capsys):
    (folder / "report.pdf").write_bytes(pdf)
    assert Sealer().seal(folder, sample_run.run(), lambda _: True).trouble is None
    code = main([str(folder), "--unsigned"])
    return code, " ".join(capsys.readouterr().out.split())


@pytest.fixture
def folder(tmp_path):
    return sealed(tmp_path)


@pytest.fixture
def record(folder):
    return (folder / "evidence.json").read_bytes()


def test_attached_record_is_compared(folder, record, capsys):
    code, said = said_of(folder, document(record), capsys)
    assert code == 0
    assert "ok report.pdf the evidence.json attached to it is the bundle's" in said
    packed = document(record, change=deflated)
    assert packed != document(record)
    assert said_of(folder, packed, capsys)[0] == 0


def deflated(stream):
    data = stream.read_bytes()
    stream.write(zlib.compress(data), filter=Name.FlateDecode)


def bomb(stream):
    stream.write(zlib.compress(bytes(200 << 20), 1), filter=Name.FlateDecode)


def odd(stream):
    stream.write(stream.read_bytes().hex().encode() + b">", filter=Name.ASCIIHexDecode)


@pytest.mark.parametrize(
    ("pdf", "why"),
    [
        (lambda r: document(r + b" "), "is another than the bundle's"),
        (lambda r: document(b""), "is another than the bundle's"),
        (lambda r: document(r, change=bomb), "is another than the bundle's"),
        (lambda r: document(r, change=odd), "in a way that is not expected"),
        (lambda r: document(r, name="other.json"), "it has no evidence.json attached"),
        (lambda r: document(), "it has no evidence.json attached"),
        (lambda r: b"", "cannot be read"),
        (lambda r: b"%PDF-1.7 nonsense", "cannot be read"),
        (lambda r: document(r)[:-300], "cannot be read"),
    ],
)
def test_pdf_without_the_record_is_caught(folder, record, capsys, pdf, why):
    code, said = said_of(folder, pdf(record), capsys)
    assert (code, "TAMPERED." in said) == (1, True)
    assert why in said


def swelling(size):
    """A PDF whose cross-reference table unpacks to this many bytes."""
    packed = zlib.compress(bytes(size), 9)
    head = "%PDF-1.7\n1 0 obj\n<< /Type /XRef /Size 2 /W [1 2 1] /Root 2 0 R /Filter /FlateDecode"
    stream = f"{head} /Length {len(packed)} >>\nstream\n".encode() + packed
    return stream + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"


PEAK = """
import resource, sys
from reports.errors import Distrusted
from reports.seal import pdf_attachment as attachment
attachment.MEMORY = int(sys.argv[1]) << 20
try:
    print(attachment.attachment_digest(sys.stdin.buffer.read(), "evidence.json", 10))
except Distrusted as trouble:
    print(trouble)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
"""


def peak(pdf, most):
    """What is said, and MiB at most in use, when so many may be."""
    command = [sys.executable, "-c", PEAK, str(most)]
    done = subprocess.run(
        command, input=pdf, capture_output=True, check=True, cwd=pdf_attachment.ROOT
    )
    return done.stdout.split(b"\n")


def test_pdf_that_swells_is_given_up_within_bounds():
    pdf = swelling(100 << 20)
    said, bounded, _ = peak(pdf, 150)
    assert said == b"it cannot be read"
    assert int(bounded) < 150 < int(peak(pdf, 2000)[1])


def test_attachment_is_unpacked_no_further_than_its_length(record):
    assert int(peak(document(record, change=bomb), 2000)[1]) < 150


def test_pdf_that_takes_for_ever_is_given_up(folder, monkeypatch, capsys, record, compared):
    monkeypatch.setattr(pdf_attachment, "_PATIENCE_S", 0.001)
    assert "could not be read within" in said_of(folder, document(record), capsys)[1]
    compared.clear()


def test_password_is_not_asked_for(folder, record, capsys):
    pdf = Pdf.open(io.BytesIO(document(record)))
    target = io.BytesIO()
    pdf.save(target, encryption=pikepdf.Encryption(owner="a", user="b"))
    code, said = said_of(folder, target.getvalue(), capsys)
    assert code == 1
    assert "cannot be read" in said


@pytest.mark.parametrize(("size", "seen"), [(98, 99), (99, 100), (100, 100)])
def test_digest_is_of_one_byte_more_than_was_expected_at_most(size, seen):
    content = bytes(range(100))
    pdf = document(content, change=deflated)
    digest = pdf_attachment.attachment_digest(pdf, "evidence.json", size)
    assert digest == hashlib.sha256(content[:seen]).hexdigest()


def test_bounds_are_those_that_are_documented():
    told = (pdf_attachment.ROOT / "docs" / "sealing.md").read_text(encoding="utf-8")
    bounds = f"may use {pdf_attachment.MEMORY >> 20} MiB and {pdf_attachment._PATIENCE_S} s."
    assert bounds in told
