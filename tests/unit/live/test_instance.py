"""What the public configuration says of sign-up, and of a newer release."""

import pytest

from drillbook.core.errors import NotGiven, Unsupported
from drillbook.core.recorder_protocol import NullRecorder
from drillbook.infisical.address import parse_address
from drillbook.infisical.settings import Settings
from drillbook.live.container_checks import Container
from drillbook.live.instance import Instance, Site, load_keys, sign_up


@pytest.mark.parametrize(
    ("config", "seen"),
    [
        ({"allowSignUp": False}, "sign_up_closed"),
        ({"allowSignUp": False, "allowedSignUpDomain": "example.com"}, "sign_up_closed"),
        ({"allowSignUp": True, "allowedSignUpDomain": "example.com"}, "sign_up_for_a_domain"),
        ({"allowSignUp": True, "allowedSignUpDomain": None}, "sign_up_open"),
    ],
)
def test_who_may_sign_up(config, seen):
    assert sign_up(config) == seen


def test_a_silent_configuration_decides_nothing():
    with pytest.raises(Unsupported, match="does not say"):
        sign_up({})


@pytest.mark.parametrize(
    ("offered", "image", "says"),
    [
        ("v0.166.7", "infisical/infisical:v0.154.6", "0.166.7 is available; the tag of its"),
        ("0.166.7", None, "0.166.7 is available"),
        ("v0.154.6", "infisical/infisical:v0.154.6", ""),
        (None, "infisical/infisical:v0.154.6", ""),
        ("soon", None, ""),
    ],
)
def test_a_newer_release_is_named(offered, image, says):
    backend = Container("1", "b", "backend", "backend", "p", {"Config": {"Image": image}})
    instance = Instance.__new__(Instance)
    instance.__dict__["config"] = {"latestAvailableVersion": offered}
    instance.__dict__["parts"] = {"backend": backend} if image else None
    said = instance.newer_release
    assert says in said
    assert bool(said) == bool(says)


@pytest.mark.parametrize("more", ["", "ENCRYPTION_KEY=${SERVICE_PASSWORD_ENCRYPTIONKEY}\n"])
def test_the_file_that_coolify_writes_holds_the_deployed_key(tmp_path, more):
    file = tmp_path / "coolify.env"
    file.write_text(f"{more}SERVICE_PASSWORD_ENCRYPTIONKEY=3f9c1a7e5b2d8046c1e9f7a35d0b8264\n")
    address = parse_address("https://secrets.example.com")
    instance = Instance.__new__(Instance)
    keys = load_keys(Site(address, address, env_file=file), NullRecorder())
    object.__setattr__(instance, "given_keys", keys)
    assert instance.root_key == "3f9c1a7e5b2d8046c1e9f7a35d0b8264"


def test_only_keys_are_compared_and_none_is_no_comparison():
    instance = Instance.__new__(Instance)
    settings = {"ROOT_ENCRYPTION_KEY": "k" * 44, "AUTH_SECRET": "", "SITE_URL": "https://a"}
    object.__setattr__(instance, "given_keys", Settings(settings))
    assert {**instance.keys} == {"ROOT_ENCRYPTION_KEY": "k" * 44}
    object.__setattr__(instance, "given_keys", Settings({"SITE_URL": "https://a"}))
    with pytest.raises(NotGiven, match="none of the keys"):
        _ = instance.keys
