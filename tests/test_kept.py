"""A golden state that is kept spares its making, and is believed only while nobody touched it."""

import json
import os
import time
from types import SimpleNamespace

import pytest

from fixtures.data import kept
from fixtures.data.kept import Cellar, Untrusted, label, pedigree
from fixtures.installation import Installation
from fixtures.stack import home
from fixtures.stack.embedded import Embedded
from fixtures.stack.home import Home, new_run_id
from fixtures.stack.installed import _cellar
from tests.conftest import Deaf

NAME = "0" * 32


class Listener(Deaf):
    """A recorder that counts requests and keeps notes."""

    def __init__(self):
        super().__init__()
        self.requests = []
        self.notes = []

    def exchange(self, method, url, *_):
        self.requests.append(f"{method} {url}")

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def cellar(tmp_path):
    made = Cellar(tmp_path / "golden")
    assert made.opened()
    return made


@pytest.fixture
def filled(cellar):
    """A cellar with something under NAME."""
    with cellar.alone(NAME), cellar.filling(NAME) as archive:
        archive.write_bytes(b"a volume")
        label(archive, settings={"KEY": "k"}, golden={}, logs={}, learned={})
    return cellar


@pytest.fixture
def installed():
    """Make an installation on a fresh stack of its own, as another run would."""
    made = []

    def make(cellar):
        place, recorder = Home(new_run_id()), Listener()
        stack = Embedded(place.run_id, recorder, place.path)
        made.append((stack, place))
        return Installation(stack, recorder, place.path, cellar), recorder

    yield make
    for stack, place in made:
        stack.down()
        place.close()


def test_what_is_kept_comes_back_and_is_private(filled):
    found = filled.take(NAME)
    assert (found.archive.read_bytes(), found.settings) == (b"a volume", {"KEY": "k"})
    assert "settings" not in repr(found)
    modes = {one.name: one.stat().st_mode & 0o777 for one in found.archive.parent.iterdir()}
    assert modes == {"volume.tar": 0o600, "label": 0o600}
    assert filled.folder.stat().st_mode & 0o777 == 0o700
    assert filled.take("f" * 32) is None


def _rewrite(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new))


def _age(place):
    _seal, _, text = (place / "label").read_text().partition("\n")
    facts = json.dumps({**json.loads(text), "made": time.time() - 5 * 3600})
    sealed = kept.hashlib.sha256(facts.encode()).hexdigest()
    (place / "label").write_text(f"{sealed}\n{facts}")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda at: _rewrite(at / "volume.tar", b"volume", b"vomule"), "its archive was changed"),
        (lambda at: _rewrite(at / "label", b'"k"', b'"x"'), "its label was changed"),
        (lambda at: (at / "label").write_bytes(b""), "its label was changed"),
        (lambda at: (at / "label").write_bytes(b"\xff\n\x00"), "unreadable"),
        (lambda at: (at / "volume.tar").unlink(), "a file is missing or not ours alone"),
        (lambda at: (at / "volume.tar").chmod(0o644), "a file is missing or not ours alone"),
        (lambda at: at.chmod(0o755), "the folder is not ours alone"),
        (lambda at: at.rename(at.parent / "x") and at.symlink_to("x"), "the folder is not ours"),
        (_age, "too old for the tokens in it"),
    ],
)
@pytest.mark.parametrize("believed_before", [False, True])
def test_what_was_touched_is_refused_and_gone(filled, spoil, why, believed_before):
    if believed_before:
        assert filled.take(NAME)
    spoil(filled.folder / NAME)
    with pytest.raises(Untrusted, match=why):
        filled.take(NAME)
    assert not os.path.lexists(filled.folder / NAME)
    assert filled.take(NAME) is None


def test_what_was_checked_is_not_hashed_again_while_it_is_the_same(filled, monkeypatch):
    hashed = []
    honest = kept._digest
    monkeypatch.setattr(kept, "_digest", lambda file: hashed.append(file) or honest(file))
    assert filled.take(NAME) is filled.take(NAME)
    assert len(hashed) == 1


@pytest.mark.parametrize(
    ("mutant", "fresh", "certified", "where"),
    [
        (None, False, False, "shared"),
        (None, True, False, "own"),
        (None, False, True, "own"),
        ("WipeLeavesVolume", False, False, None),
        ("WipeLeavesVolume", True, True, None),
    ],
)
def test_a_mutant_neither_uses_nor_fills_it(tmp_path, mutant, fresh, certified, where):
    option = SimpleNamespace(mutant=mutant, offer=None, fresh=fresh, certified=certified)
    found = _cellar(SimpleNamespace(option=option), tmp_path)
    folders = {"shared": home.cache_folder() / "golden", "own": tmp_path / "golden", None: None}
    assert (found and found.folder) == folders[where]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_refused(filled):
    os.chown(filled.folder / NAME / "label", 12345, 12345)
    with pytest.raises(Untrusted, match="not ours alone"):
        filled.take(NAME)
    os.chown(filled.folder, 12345, 12345)
    assert not filled.opened()


def test_what_was_begun_and_what_is_old_is_pruned(filled, monkeypatch):
    (filled.folder / f".{NAME}-dead").mkdir()
    monkeypatch.setattr(kept, "_MOST", 2)
    for name in ("1" * 32, "2" * 32):
        with filled.alone(name), filled.filling(name) as archive:
            archive.write_bytes(b"another")
            label(archive, settings={}, golden={}, logs={}, learned={})
    with filled.alone(NAME), filled.filling(NAME):
        pass
    found = {one.name for one in filled.folder.iterdir() if not one.name.endswith(".lock")}
    assert found == {"2" * 32}
    os.utime(filled.folder / ("2" * 32), (0, 0))
    filled.expire()
    assert not (filled.folder / ("2" * 32)).exists()


def test_clearing_leaves_nothing(filled):
    assert filled.clear() == 1
    assert not filled.folder.exists()


def test_pedigree_follows_what_it_comes_from(tmp_path, monkeypatch):
    before = pedigree("containers", {"image": "a"})
    assert before == pedigree("containers", {"image": "a"})
    assert before != pedigree("containers", {"image": "b"})
    (tmp_path / "code.py").write_text("x = 1")
    monkeypatch.setattr(kept, "_CODE", tmp_path)
    kept._code.cache_clear()
    first = pedigree()
    (tmp_path / "code.py").write_text("x = 2")
    assert pedigree() == first  # a process that runs goes on with the code it has loaded
    kept._code.cache_clear()
    assert pedigree() != first
    kept._code.cache_clear()


def test_second_run_gets_the_first_ones_golden_state(cellar, installed):
    first, _ = installed(cellar)
    made = first.untouched()
    second, recorder = installed(cellar)
    copied = second.pristine()
    assert copied.golden_settings == made.golden_settings
    assert copied.inventory() == made.inventory()
    assert copied.stack.logs("db").startswith(made.stack.logs("db")[:200])
    assert "POST /api/v1/admin/bootstrap" not in recorder.requests
    assert set(made.golden_settings.sensitive().values()) <= set(recorder.secrets.values())
    assert made.golden.token in recorder.secrets.values()
    copied.stack.destroy(copied.stack.resources())
    assert second.pristine().inventory() == made.inventory(), "a wipe costs no new golden state"
    assert "POST /api/v1/admin/bootstrap" not in recorder.requests


def test_a_golden_state_that_does_not_serve_is_made_anew(cellar, installed):
    first, _ = installed(cellar)
    made = first.untouched()
    (place,) = (one for one in cellar.folder.iterdir() if one.is_dir())
    _seal, _, text = (place / "label").read_text().partition("\n")
    wrong = made.golden_settings["ENCRYPTION_KEY"][::-1]
    facts = text.replace(made.golden_settings["ENCRYPTION_KEY"], wrong)
    sealed = kept.hashlib.sha256(facts.encode()).hexdigest()
    (place / "label").write_text(f"{sealed}\n{facts}")
    second, recorder = installed(cellar)
    assert second.untouched().inventory().values
    assert "a kept golden state does not serve" in " ".join(recorder.notes)
    assert not place.exists()
