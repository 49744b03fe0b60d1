"""Generates nearly valid inputs, and checks that a reader accepts or properly refuses them."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from drillbook.core.errors import DrillbookError
from reports.errors import ReportError

BUDGET = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
NASTY = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\x1b[2J",
    b"\\.\n",
    b"'",
    b'"',
    b"${",
    b"}",
    b"[" * 300,
    b"{" * 300,
    b"-" * 100,
    b"9" * 400,
    b"A" * 70_000,
    "\u202e日本\u2028".encode(),
]


@st.composite
def damaged(draw, samples, words):
    """A valid sample with up to six random changes."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        wound = draw(st.sampled_from(["byte", "cut", "gap", "word", "noise", "echo"]))
        if wound == "byte":
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif wound == "cut":
            del data[at:]
        elif wound == "gap":
            del data[at : at + draw(st.integers(1, 300))]
        elif wound == "word":
            data[at:at] = draw(st.sampled_from([*words, *NASTY]))
        elif wound == "noise":
            data[at:at] = draw(st.binary(max_size=40))
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 60))] * draw(st.integers(1, 40))
    return bytes(data)


def inputs(samples, words=()):
    """Mostly nearly valid inputs, sometimes arbitrary ones."""
    good = [one if isinstance(one, bytes) else one.encode() for one in samples]
    put_together = st.lists(st.sampled_from([*words, *NASTY[:-4], b"\n", b"a"]), max_size=8)
    return st.one_of(
        damaged(good, list(words)),
        damaged(good, list(words)),
        put_together.map(b"".join),
        st.text(max_size=200).map(str.encode),
        st.binary(max_size=300),
    )


def survives(read):
    """The result of reading; None for input that was refused with a readable message."""
    try:
        return read()
    except (DrillbookError, ReportError) as refusal:
        said = str(refusal)
        assert said.strip(), "a refusal says why"
        assert len(said) < 2000, "one sentence, not the input"
        assert all(letter.isprintable() for letter in said), f"not fit for a terminal: {said!r}"
        return None


def ends(main, arguments, capsys):
    """The exit code of a command in this process, which must be 0 to 3 without a traceback."""
    code = main(arguments)
    said = capsys.readouterr()
    assert code in (0, 1, 2, 3)
    assert "Traceback" not in said.err + said.out
    if code == 3:
        assert 0 < len(said.err) < 2000
    return code
