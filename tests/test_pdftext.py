"""A page is read by its fonts' tables, whatever draws it, and objects by what they hold."""

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from reports import pdftext

TABLE = b"""begincmap
1 beginbfchar
<0001> <0061>
endbfchar
3 beginbfchar
<0002> <00660069>
<0003> <D83DDD11>
<0141> <0062>
endbfchar
2 beginbfrange
<0010> <0012> <0078>
<0020> <0021> [<0041> <00420043>]
endbfrange
1 beginbfrange
<0030> <0031> <00660061>
endbfrange
endcmap"""


@pytest.fixture
def page():
    """A page with the fonts F1 (with a table) and F2 (without), and the content a test sets."""
    pdf = Pdf.new()
    pdf.add_blank_page()
    first = Dictionary(Type=Name.Font, Subtype=Name.Type0, ToUnicode=Stream(pdf, TABLE))
    second = Dictionary(Type=Name.Font, Subtype=Name.Type0)
    fonts = Dictionary(F1=pdf.make_indirect(first), F2=pdf.make_indirect(second))
    pdf.pages[0].obj.Resources = Dictionary(Font=fonts)

    def with_content(content):
        pdf.pages[0].obj.Contents = Stream(pdf, content)
        return pdf.pages[0]

    yield with_content
    pdf.close()


def drawn(acts):
    return b"BT /F1 12 Tf " + acts + b" ET"


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        (b"<0001> Tj", "a"),
        (b"<00010002> Tj", "afi"),
        (b"<0003> Tj", "🔑"),
        (b"<001000110012> Tj", "xyz"),
        (b"<00200021> Tj", "ABC"),
        (b"<00300031> Tj", "fafb"),
        (b"[<0001> -20 <0010>] TJ", "ax"),
        (b"[(\\000\\001) 5 (\\000\\020\\000\\021)] TJ", "axy"),
        (b"<0001> '", "a"),
        (b'1 2 <0001> "', "a"),
        (b"<0001> Tj 0 -12 Td <0010> Tj", "ax"),
        (b"<0099> Tj <0001> Tj", "a"),
        (b"<01410041> Tj", "b"),
        (b"<0012001300210022> Tj", "zBC"),
        (b"<000100> Tj", "a"),
        (b"<0001> Tj /F2 9 Tf <0001> Tj /F1 9 Tf <0010> Tj", "ax"),
        (b"<0001> Tj /F9 9 Tf <0001> Tj", "a"),
        (b"/GS gs 5 w", ""),
    ],
)
def test_text_is_what_the_fonts_say_it_is(page, acts, said):
    assert pdftext.text(page(drawn(acts))) == said


def test_text_before_any_font_and_page_without_fonts_say_nothing(page):
    assert pdftext.text(page(b"BT <0001> Tj ET")) == ""
    bare = page(drawn(b"<0001> Tj"))
    del bare.obj.Resources.Font
    assert pdftext.text(bare) == ""
    del bare.obj.Resources
    assert pdftext.text(bare) == ""


def nested(value, depth):
    for _ in range(depth):
        value = Dictionary(In=Array([value]))
    return value


def test_pieces_are_streams_strings_and_pages(page, tmp_path):
    shown = page(drawn(b"<0001> Tj"))
    pdf = Pdf.new()
    pdf.pages.append(shown)
    pdf.Root.Deep = nested(String("below"), 30)
    pdf.Root.Twice = pdf.make_indirect(Array([String("once")]))
    pdf.Root.Again = pdf.Root.Twice
    pdf.Root.Held = Stream(pdf, b"inside", Note=String("at a stream"))
    path = tmp_path / "x.pdf"
    pdf.save(path)
    found = list(pdftext.pieces(path))
    assert b"inside" in found
    assert found[-1] == b"a"
    said = found[-2].decode().split("\n")
    assert {"below", "at a stream"} <= set(said)
    assert said.count("once") == 1
