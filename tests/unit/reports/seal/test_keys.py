"""How much of a key is shown, who may read it, and how long what is signed may be."""

import os
import stat

import pytest

from reports.errors import BadKey, BadSignOff, Distrusted
from reports.seal import sealer, signature, verification
from tests.support import sample_run
from tests.support.bundles import key, sealed
from tests.support.commands import call

LARGEST = 64 << 10


@pytest.fixture
def made(tmp_path):
    return key(tmp_path)


@pytest.fixture
def bundle(tmp_path):
    return sealed(tmp_path / "runs") / "bundle.zip"


def test_key_file_has_a_bound(tmp_path, made):
    whole = (tmp_path / "drill.key").read_bytes()
    padded = tmp_path / "padded"
    padded.touch(0o600)
    padded.write_bytes(whole + b"\n" * (LARGEST - len(whole)))
    assert signature.load(padded).id == made[0].id
    padded.write_bytes(whole + b"\n" * (LARGEST - len(whole) + 1))
    with pytest.raises(BadKey, match="too large for a key"):
        signature.load(padded)


@pytest.mark.parametrize(
    ("mode", "fits"), [(0o600, True), (0o400, True), (0o700, True), (0o640, False), (0o604, False),
                       (0o610, False), (0o601, False), (0o620, False), (0o602, False)]
)  # fmt: skip
def test_key_that_anybody_else_can_use_is_refused(tmp_path, made, mode, fits):
    (tmp_path / "drill.key").chmod(mode)
    if fits:
        assert signature.load(tmp_path / "drill.key").id == made[0].id
        return
    with pytest.raises(BadKey, match="run `chmod 600` on it"):
        signature.load(tmp_path / "drill.key")


def test_halves_of_a_key_have_the_modes_they_need(tmp_path):
    before = os.umask(0)
    try:
        signature.generate(tmp_path / "k")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("k", "k.pub")]
    assert modes == [0o600, 0o644]
    (tmp_path / "k").unlink()
    with pytest.raises(BadKey, match=r"k\.pub: exists"):
        signature.generate(tmp_path / "k")
    with pytest.raises(BadKey, match="choose another place"):
        signature.generate(tmp_path / "nowhere" / "k")


def test_sixteen_digits_name_a_key(tmp_path, made):
    signer, public = made
    other, foreign = key(tmp_path, "other")
    short = signer.id[:16]
    assert repr(signer) == f"SigningKey({short})"
    envelope = signer.sign(b"{}")
    with pytest.raises(Distrusted) as refused:
        signature.verify(envelope, signature.load_trusted_keys(foreign))
    assert str(refused.value) == f"signed by key {short}; trusted: {other.id[:16]}; it is not"
    assert signature.verify(envelope, signature.load_trusted_keys(public))[1] == signer.id


def test_what_must_appear_nowhere_is_the_seed_and_the_text_of_the_key(tmp_path, made):
    text = (tmp_path / "drill.key").read_text().splitlines()
    assert made[0].secrets["SIGNING_KEY text"] == "".join(text[1:-1])
    assert len(bytes.fromhex(made[0].secrets["SIGNING_KEY"])) == 32


def test_several_public_keys_may_stand_in_one_file_and_one_that_is_broken_may_not(tmp_path, made):
    _, second = key(tmp_path, "second")
    both = tmp_path / "both.pub"
    both.write_bytes(made[1].read_bytes() + second.read_bytes())
    assert len(signature.load_trusted_keys(both)) == 2
    both.write_bytes(made[1].read_bytes().replace(b"MCow", b"MCox"))
    with pytest.raises(BadKey, match="a public key that cannot be read"):
        signature.load_trusted_keys(both)


@pytest.mark.parametrize("what", ["name", "role", "remark"])
def test_sign_off_takes_three_hundred_characters(bundle, what):
    given = {"act": "approved", "name": "Grace Hopper", "role": "", "remark": ""}
    who = sealer.Who(**given | {what: "x" * 300}).check()
    path = sealer.write_sign_off(bundle, sample_run.run(), who, None)
    assert "x" * 300 in path.read_text()
    path.unlink()
    with pytest.raises(BadSignOff, match="give one line of at most 300 characters"):
        sealer.Who(**given | {what: "x" * 301}).check()


def test_sign_off_names_its_key_by_sixteen_digits(bundle, made, tmp_path, capsys):
    signer, public = made
    arguments = [
        str(bundle),
        "--act=reviewed",
        "--name=Grace",
        "--anyway",
        f"--signing-key={tmp_path}/drill.key",
    ]
    assert call("evidence sign-off", arguments) == 0
    assert f"reviewed by Grace, signed with key {signer.id[:16]}\n" in capsys.readouterr().out
    ((vouched, said),) = verification.sign_offs(bundle, signature.load_trusted_keys(public), None)
    assert vouched
    assert said.endswith(f", by the trusted key {signer.id[:16]}")
    ((vouched, said),) = verification.sign_offs(bundle, None, None)
    assert not vouched
    assert said.endswith(f", by key {signer.id[:16]}, for which no one vouches here")


def test_sign_offs_are_told_in_the_order_of_their_acts(bundle):
    for act in ("approved", "prepared"):
        who = sealer.Who(act, "Grace", "lead" if act == "approved" else "", "")
        sealer.write_sign_off(bundle, sample_run.run(), who, None)
    said = [sentence for _, sentence in verification.sign_offs(bundle, None, None)]
    assert said[0].startswith("prepared by Grace on ")
    assert said[1].startswith("approved by Grace (lead) on ")
