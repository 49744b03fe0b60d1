"""The parts of the evidence around the verdicts: who, for whom, when, on what, with what limits.

They are declared in `drillbook.toml`, measured by the run, or added by a sign-off. A fact that is
not stated is null or empty: nothing is made up.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)

Cadence = Literal["weekly", "monthly", "quarterly", "half-yearly", "yearly"]
WaiverState = Literal["in_force", "expired", "not_needed"]
DataKind = Literal["synthetic", "production copy", "production"]


class EvidenceModel(BaseModel):
    """A frozen piece of evidence. Readers ignore fields that later versions add."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", serialize_by_alias=True, allow_inf_nan=False
    )


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _as_moment(value: object) -> object:
    """Refuse a number, also in quotes, which would be read as seconds since 1970."""
    number = isinstance(value, int | float)
    day = isinstance(value, date) and not isinstance(value, datetime)
    if number or day or (isinstance(value, str) and not _MOMENT.fullmatch(value)):
        raise ValueError("write a moment with its zone: 2026-11-24T16:05:00Z")
    return value


def _as_day(value: object, info: ValidationInfo) -> object:
    """In a file that people write, accept only dates: 20271231 would be a day of 1970."""
    if info.context and (isinstance(value, datetime) or not isinstance(value, date)):
        raise ValueError("write a date without quotes: 2027-01-31")
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("a day is written as 2027-01-31")
    return value


# In UTC, so that the days of any two moments can be compared. At the ends of the calendar, another
# day or another time zone would overflow.
Time = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC)),
    BeforeValidator(_as_moment),
    AfterValidator(lambda when: when.astimezone(UTC)),
]
Day = Annotated[date, BeforeValidator(_as_day)]


class Declaration(EvidenceModel):
    """The file the declared facts come from."""

    file: str
    sha256: str


class Pack(EvidenceModel):
    """The statements and specs that were applied: this product's suites folder."""

    name: str = "drillbook/infisical-runbook"
    version: str | None = None
    commit: str | None = None
    sha256: str | None = Field(
        default=None, description="over the sorted lines '<sha256>  <path>' of suites/"
    )


class TestedRunbook(EvidenceModel):
    """The document whose statements the controls judge, in the checkout or the wheel."""

    __test__ = False

    file: str
    sha256: str


class Identity(EvidenceModel):
    """Which record this is; `uuid` follows from the run's id."""

    uuid: str | None = None
    previous_run: str | None = Field(default=None, description="id of the run before, same folder")
    pack: Pack = Pack()
    runbook: TestedRunbook | None = Field(
        default=None, description="null: the operator's own document was carried out instead"
    )
    declared: Declaration | None = None


class Organisation(EvidenceModel):
    """Whose system was examined, as declared."""

    name: str | None = None
    system: str | None = None
    system_id: str | None = None

    @property
    def identity(self) -> str | None:
        """What identifies the system: its number in the inventory, else its name."""
        return self.system_id or self.system


class Schedule(EvidenceModel):
    """How often a run is due, and when next."""

    cadence: Cadence | None = None
    next_due: Day | None = None


class DataSet(EvidenceModel):
    """What data the procedures worked on; counts are those of the seeded or restored data."""

    kind: DataKind | None = None
    description: str | None = None
    rows: int | None = None
    canaries: int | None = Field(
        default=None, description="values to compare, if the run gets so far"
    )
    bytes: int | None = None


class Comparison(EvidenceModel):
    """Another clock next to ours: positive when it is ahead; the truth lies within uncertainty."""

    source: str
    offset_s: float
    uncertainty_s: float
    same_machine: bool | None = None


class ClockFacts(EvidenceModel):
    """Whose time the record carries, whether the kernel holds it synchronised, and comparisons."""

    source: str = "system clock, then monotonic"
    synchronised: bool | None = None
    max_error_s: float | None = None
    compared: tuple[Comparison, ...] = ()


class Waiver(EvidenceModel):
    """A deviation that a person accepts until a day; it never hides the verdict."""

    control: str
    reason: str
    owner: str
    approved_by: str
    expires: Day
    state: WaiverState = "in_force"
    days_left: int | None = None


class Signatory(EvidenceModel):
    """A person who is to sign; a sign-off itself is a file next to the bundle."""

    name: str | None = None
    role: str | None = None


class SignOff(EvidenceModel):
    """Who prepared, reviewed and approved it; separated when the approver did not execute it."""

    executed_by: str | None = Field(
        default=None, description="named by --operator; a log-in name says too little"
    )
    prepared: Signatory = Signatory()
    reviewed: Signatory = Signatory()
    approved: Signatory = Signatory()
    separated: bool | None = Field(default=None, description="null while the approver is unknown")
