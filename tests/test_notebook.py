"""A qualification that was killed goes on where it was, for the same code and question alone."""

import os
import time

import pytest

from reports import sample
from reports.qualification.notebook import Notebook
from reports.qualification.trial import Laboratory, Outcome, Trial

RUN = sample.run()
TRIALS = [Trial("embedded", name, number=1) for name in ("Forgets", "Invents", "Loses")]


def done(trial, run=RUN):
    return Outcome(trial, run, "", 2.5)


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "unfinished"


def test_what_was_noted_is_known_to_the_next(shelf):
    first = Notebook(shelf, "code", "embedded", ())
    first.note(done(TRIALS[0]))
    second = Notebook(shelf, "code", "embedded", ())
    assert second.known(TRIALS) == {TRIALS[0]: done(TRIALS[0])}
    assert second.begun.started == first.begun.started
    assert second.spent_s >= first.begun.spent_s


@pytest.mark.parametrize(
    "question", [("other code", "embedded", ()), ("code", "auto", ()), ("code", "embedded", ("X",))]
)
def test_another_code_or_question_knows_nothing(shelf, question):
    Notebook(shelf, "code", "embedded", ()).note(done(TRIALS[0]))
    assert Notebook(shelf, *question).known(TRIALS) == {}


def test_a_trial_without_evidence_is_tried_again(shelf):
    book = Notebook(shelf, "code")
    book.note(done(TRIALS[0], None))
    assert book.known(TRIALS) == {}


@pytest.mark.parametrize("broken", [b"", b"2.5\n{", b"x\n{}", b"\xff\xfe", b"2.5"])
def test_a_broken_note_is_no_note(shelf, broken):
    book = Notebook(shelf, "code")
    book.note(done(TRIALS[0]))
    for path in book.folder.iterdir():
        path.write_bytes(broken)
    assert Notebook(shelf, "code").known(TRIALS) == {}


def test_a_finished_one_begins_anew(shelf):
    book = Notebook(shelf, "code")
    book.note(done(TRIALS[0]))
    book.close()
    assert Notebook(shelf, "code").known(TRIALS) == {}


def test_notes_of_others_are_forgotten_after_a_day(shelf):
    old, young = Notebook(shelf, "old"), Notebook(shelf, "young")
    for book in (old, young):
        book.note(done(TRIALS[0]))
    yesterday = time.time() - 25 * 3600
    os.utime(old.folder, (yesterday, yesterday))
    Notebook(shelf, "mine")
    assert (old.folder.exists(), young.folder.exists()) == (False, True)


def test_the_laboratory_does_only_what_is_not_known(shelf, tmp_path, monkeypatch):
    book = Notebook(shelf, "code")
    book.note(done(TRIALS[0]))
    tried, told = [], []

    def one(self, trial):
        tried.append(trial)
        return done(trial)

    monkeypatch.setattr(Laboratory, "_one", one)
    ended = Laboratory({}, tmp_path, book).perform(TRIALS, 1, told.append)
    assert tried == TRIALS[1:]
    assert ended == told == [done(one) for one in TRIALS]
    assert Notebook(shelf, "code").known(TRIALS).keys() == set(TRIALS)
