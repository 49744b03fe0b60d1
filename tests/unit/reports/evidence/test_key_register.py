"""The register of keys is matched by label, and what is wrong with a key's life is found."""

from datetime import date

import pytest

from reports.evidence.context import RegisteredKey
from reports.evidence.findings import match_keys
from reports.evidence.model import Key
from reports.render import html
from reports.render.context_sections import key_register
from tests.support import sample_run

DAY = date(2026, 11, 24)
LABEL = "2e8c387a6790c53b"
SEEN = (Key(name="ENCRYPTION_KEY", label=LABEL + "0" * 16, bytes=32),)
SOUND = RegisteredKey(
    label=LABEL,
    purpose="production",
    activated=date(2026, 1, 6),
    expires=date(2028, 1, 5),
    custodians=("Ada", "Grace"),
    stored_in=("safe", "envelope"),
    escrow_last_opened=date(2026, 10, 1),
)


def matched(**changes):
    return match_keys([SOUND.model_copy(update=changes)], SEEN, DAY)[0]


def test_a_sound_key_is_seen_and_without_findings():
    assert (matched().seen_as, matched().findings) == (("ENCRYPTION_KEY",), ())
    assert matched(label="f" * 16).seen_as == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires": date(2026, 11, 23)}, "past its end, 2026-11-23"),
        ({"stored_in": ("safe", "safe")}, "in one store only: safe"),
        ({"stored_in": ()}, "no store is named"),
        ({"escrow_last_opened": date(2026, 8, 25)}, "not opened from escrow for a quarter"),
        ({"escrow_last_opened": None}, "never opened from escrow"),
        ({"retired": DAY}, "used, although it was retired"),
        ({"activated": date(2026, 12, 1)}, "used before it was activated"),
        ({"created": date(2026, 12, 1)}, "used before it was created"),
        ({"escrow_last_opened": date(2026, 11, 25)}, "opened from escrow on 2026-11-25, after"),
    ],
)
def test_what_is_wrong_is_found(changes, said):
    (finding,) = matched(**changes).findings
    assert said in finding


@pytest.mark.parametrize(
    "changes", [{"expires": DAY}, {"escrow_last_opened": date(2026, 8, 26)}, {"expires": None}]
)
def test_the_last_day_still_counts(changes):
    assert matched(**changes).findings == ()


def test_a_key_that_was_used_must_be_registered():
    found = match_keys([SOUND.model_copy(update={"label": "f" * 16})], SEEN, DAY)
    assert found[-1].findings == ("used, and not in the register",)
    assert match_keys([], SEEN, DAY) == ()


def record(seen=(), **changes):
    """A run that saw these keys, or those of the sample."""
    run = sample_run.run()
    seen = seen or run.subject.keys
    keys = match_keys([SOUND.model_copy(update=changes)], seen, DAY)
    subject = run.subject.model_copy(update={"keys": seen})
    return run.model_copy(update={"key_register": keys, "subject": subject})


def test_declared_and_measured_never_look_alike():
    ((_, text),) = key_register(record(stored_in=("safe",)))
    assert text.startswith("Declared: production; activated 2026-01-06")
    assert "Measured: seen as ENCRYPTION_KEY. FINDING: in one store only" in text
    assert "FINDING: in one store only" in html.render(record(stored_in=("safe",)))
