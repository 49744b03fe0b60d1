"""Random secrets, at every place a secret can be, never reach the finished bundle."""

import base64
import gzip
import io
import json
import tempfile
import urllib.parse
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import AttachedFileSpec, Pdf

from reports.config.declarations import Declared, Setting
from reports.record.recorder import Recorder
from reports.redaction import redactor
from reports.redaction.redactor import Redactor
from reports.render import pdf
from reports.session import bundle
from reports.session.bundle import Bundle
from reports.session.evidence_run import assemble
from reports.session.spec_selection import Plan
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.commands import verify
from tests.unit.core.test_secret_search import WRITERS
from tests.unit.reports.session.test_assemble import CATALOGUE

pytestmark = pytest.mark.slow

# A prefix keeps Hypothesis from finding a word that every report holds.
secrets = st.one_of(
    st.binary(min_size=12, max_size=60).map(lambda raw: f"k9$Zw~{base64.b85encode(raw).decode()}"),
    st.text("abcXYZ019+/=-_'\"\\<&%é ☃", min_size=8, max_size=40).map(
        lambda text: f"k9Zw~7{text}!"
    ),
)
WRITTEN = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "url": lambda text: urllib.parse.quote(text, safe=""),
}
PLACES = {
    "url": lambda to, _, text: to.exchange("GET", f"http://x/?q={text}", 200, 0.1),
    "header": lambda to, _, text: to.note(f"Authorization: Bearer {text}"),
    "body": lambda to, _, text: to.log("backend", f'{{"token":"{text}"}}'),
    "exception": lambda to, _, text: to.judge(Verdict.VIOLATED, f"Refused: {text}"),
    "SQL": lambda to, _, text: to.command("db", "exec", f"ALTER USER x PASSWORD '{text}'", 0, 0.1),
    "image": lambda to, _, text: to.subject(backend={"image": f"x:{text}"}),
    "file": lambda _, into, text: into.add("attached/notes.txt", text.encode()),
    "PDF": lambda _, into, text: into.add("attached/c.pdf", attached(text.encode())),
}
KEPT = ("file", "PDF")


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", data)
    return file.getvalue()


def attached(data):
    file = io.BytesIO()
    with Pdf.new() as made:
        made.add_blank_page()
        made.attachments["inner"] = AttachedFileSpec(made, data)
        made.save(file)
    return file.getvalue()


def finished(folder, recorder, fill):
    """The bundle of a run into which `fill` put something, and its record."""
    made = Bundle(folder, "run")
    recorder.logs = made.logs
    recorder.begin("suites/x.py::test_it", ("KEY-1",))
    with recorder.step("restart"):
        fill(made)
    recorder.end()
    facts = sample_run.run().run

    def record(redaction):
        return assemble(CATALOGUE, Plan(), recorder, facts, redaction, Setting(Declared()))

    run = made.write(recorder.redactor, record)
    assert made.sealed.trouble is None
    return made.path, run


def everything(data):
    """All bytes of a file and of what is packed in it, by ways of the test's own."""
    yield data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from everything(archive.read(name))
    if data.startswith(b"%PDF"):
        yield from redactor.pdf_pieces(data)


def traces(path, secret):
    """Where the bundle still tells the secret."""
    needles = [write(secret).encode() for write in WRITTEN.values()]
    whole = list(everything((path / "bundle.zip").read_bytes()))
    return [piece[:60] for piece in whole for needle in needles if needle in piece]


@settings(max_examples=4, deadline=None)
@given(
    st.lists(secrets, min_size=len(PLACES), max_size=len(PLACES), unique=True),
    st.sampled_from([*WRITTEN]),
    st.booleans(),
)
def test_no_secret_reaches_the_bundle_from_any_place(texts, written, late):
    # Each its own: two of the same text are one secret, and have one name.
    values, recorder = dict(zip(PLACES, texts, strict=True)), Recorder()

    def learn():
        for place, value in values.items():
            recorder.secret(place, value)

    def fill(made):
        for place, value in values.items():
            PLACES[place](recorder, made, WRITTEN[written](value))
        if late:
            learn()

    if not late:
        learn()
    with tempfile.TemporaryDirectory() as folder:
        path, run = finished(Path(folder), recorder, fill)
        for place, value in values.items():
            assert traces(path, value) == [], place
        assert {leak.secret for leak in run.redaction.leaks} >= set(KEPT)
        assert (run.verdict, run.exit_code) == (Verdict.VIOLATED, 1)


def test_no_encoding_of_a_secret_reaches_the_bundle_from_any_place(tmp_path):
    recorder, texts = Recorder(), []
    for number, write in enumerate(WRITERS.values()):
        # Each its own, so that none is hidden by another; with a sign that each encoding changes.
        value = f"{number:02}k9/of#it?is $lost@ 'a\" <b>&{{c}}+*~"
        recorder.secret("PW", value)
        texts.append(write(value).decode())
    text = "\n".join(texts)
    path, run = finished(
        tmp_path,
        recorder,
        lambda made: [PLACES[place](recorder, made, text) for place in PLACES],
    )
    kept = list(everything((path / "bundle.zip").read_bytes()))
    kept += [one.encode() for one in strings(json.loads((path / "evidence.json").read_text()))]
    assert [one for one in texts if any(one.encode() in piece for piece in kept)] == []
    assert {leak.secret.partition("#")[0] for leak in run.redaction.leaks} == {"PW"}


def strings(tree):
    if isinstance(tree, dict | list):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from strings(one)
    elif isinstance(tree, str):
        yield tree


@pytest.mark.parametrize("place", PLACES)
def test_each_place_alone_is_redacted_or_fails_the_run(place, tmp_path):
    secret, recorder = "k9$Zw~5b1f3a9c77de4402", Recorder()
    recorder.secret("PW", secret)
    path, run = finished(tmp_path, recorder, lambda made: PLACES[place](recorder, made, secret))
    assert traces(path, secret) == []
    assert bool(run.redaction.leaks) is (place in KEPT)


def test_the_oracle_finds_a_secret_that_nobody_told_the_recorder(tmp_path):
    secret, recorder = "k9$Zw~5b1f3a9c77de4402", Recorder()
    for place in PLACES:
        path, _ = finished(
            tmp_path / place,
            recorder,
            lambda made, place=place: PLACES[place](recorder, made, secret),
        )
        assert traces(path, secret) != [], place


@pytest.mark.parametrize("renderings", [1, 2, 99])
def test_a_pdf_that_leaks_although_its_record_is_clean_fails_the_run(
    tmp_path, monkeypatch, renderings
):
    secret, recorder, made = "k9$Zw~5b1f3a9c77de4402", Recorder(), []
    recorder.secret("PW", secret)
    plain = bundle.render

    def leaking(name, run):
        if name != "report.pdf":
            return plain(name, run)
        made.append(run)
        return attached(secret.encode()) if len(made) <= renderings else pdf.render(run)

    monkeypatch.setattr(bundle, "render", leaking)
    path, run = finished(tmp_path, recorder, lambda _: None)
    assert [leak.file for leak in run.redaction.leaks] == ["report.pdf"]
    assert (run.verdict, run.exit_code) == (Verdict.VIOLATED, 1)
    assert '"exit_code": 1' in (path / "evidence.json").read_text()
    assert (path / "report.pdf").exists() is (renderings == 1)
    assert ("report.pdf" in run.documents) is (renderings == 1)
    assert verify([str(path), "--unsigned"]) == 0
    assert traces(path, secret) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (zipped(b"x"), "not a PDF"),
        (gzip.compress(b"x", mtime=0), "not a PDF"),
        (b"%PDF-1.7 none", "cannot be read"),
        (attached(zipped(b"x")), "inside a PDF"),
        (attached(gzip.compress(b"x", mtime=0)), "inside a PDF"),
        (attached(attached(b"x")), "inside a PDF"),
    ],
    ids=["zip", "gzip", "broken", "zip in PDF", "gzip in PDF", "PDF in PDF"],
)
def test_what_cannot_be_searched_is_a_leak_and_taken_away(tmp_path, data, said):
    (tmp_path / "a").write_bytes(data)
    (leak,) = Redactor().scan(tmp_path / "a", "a")
    assert said in leak.encoding
    _, run = finished(tmp_path / "runs", Recorder(), lambda made: made.add("attached/a", data))
    assert [one.file for one in run.redaction.leaks] == ["attached/a"]
    assert not (tmp_path / "runs" / "run" / "attached" / "a").exists()
    assert (run.verdict, run.exit_code) == (Verdict.VIOLATED, 1)


def test_a_pdf_that_unpacks_to_too_much_is_a_leak(tmp_path, monkeypatch):
    monkeypatch.setattr(redactor, "_LARGEST", 1 << 20)
    (tmp_path / "bomb").write_bytes(attached(bytes(2 << 20)))
    assert "MiB when unpacked" in Redactor().scan(tmp_path / "bomb", "bomb")[0].encoding
