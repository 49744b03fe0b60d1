"""A PDF in a bundle carries the record itself, or the bundle is not what it seems."""

import io
import zlib

import pikepdf
import pytest
from pikepdf import AttachedFileSpec, Name, Pdf

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
        (lambda r: document(r, change=odd), "is another than the bundle's"),
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


def test_password_is_not_asked_for(folder, record, capsys):
    pdf = Pdf.open(io.BytesIO(document(record)))
    target = io.BytesIO()
    pdf.save(target, encryption=pikepdf.Encryption(owner="a", user="b"))
    code, said = said_of(folder, target.getvalue(), capsys)
    assert (code, "TAMPERED." in said) == (1, True)
