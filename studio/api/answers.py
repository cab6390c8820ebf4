"""What the API answers, and what it takes: names that stay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")
MOST_ROWS = 200


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which no database keeps")
    return text


Text = Annotated[str, AfterValidator(_no_nul)]
Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
At = Annotated[str, Query(max_length=500, description="where to go on: `next` of the answer before")]
Rows = Annotated[int, Query(ge=1, le=MOST_ROWS, description="how many at most")]


class Body(BaseModel):
    """What a request says. A field we do not know is a spelling mistake."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why nothing was done."""

    error: str


class Page(BaseModel, Generic[T]):
    """Some of a long list. next: what to ask for with ?at= to get those that follow; empty at the end."""

    items: Sequence[T]
    next: str


class CampaignAnswer(BaseModel):
    """A campaign. approved_by: empty until it is approved as it stands."""

    name: str
    state: str
    version: int
    template: str
    subject: str
    preheader: str
    variables: dict[str, str]
    picks: int
    transport: str
    rules: dict[str, Any]
    segments: dict[str, list[str]]
    cron: str
    time_zone: str
    own_time: bool
    missed: str
    late_hours: int
    next_due: datetime | None
    approved_by: str
    approved_at: datetime | None


class SegmentsBody(Body):
    """Whom a campaign is for, by the names of segments; none are everybody."""

    include: list[Text] = Field(default_factory=list, max_length=100)
    exclude: list[Text] = Field(default_factory=list, max_length=100)


class CampaignBody(Body):
    """What a campaign is to be. Empty subject and preheader: the template\'s own. version: the one that was read; a
    campaign that somebody changed since is then left alone (409). 0: it must be new. Without it the last one wins."""

    template: Text = Field(default="picked-for-you", max_length=100)
    subject: Text = Field(default="", max_length=500)
    preheader: Text = Field(default="", max_length=500)
    variables: dict[Text, Text] = Field(default_factory=dict, max_length=200)
    picks: int = Field(default=5, ge=1, le=12)
    transport: Text = Field(default="outbox", max_length=16)
    rules: dict[Text, Text | float | list[Text] | None] = Field(default_factory=dict, max_length=20)
    segments: SegmentsBody = Field(default_factory=SegmentsBody)
    version: int | None = Field(default=None, ge=0, le=2**31 - 1)


class ScheduleBody(Body):
    """When: once (`at`, such as "2026-12-01 09:00") or again and again (`cron`), in a time zone."""

    at: Text = Field(default="", max_length=40)
    cron: Text = Field(default="", max_length=100)
    time_zone: Text = Field(default="UTC", max_length=64)
    own_time: bool = False
    missed: Text = Field(default="late", max_length=16)
    late_hours: int = Field(default=24, ge=1, le=720)


class DuplicateBody(Body):
    """The name of the copy."""

    name: Text = Field(max_length=63)


class CheckAnswer(BaseModel):
    """One line of the checklist. state: ok, warn or block."""

    key: str
    says: str
    state: str
    mend: str


class PickAnswer(BaseModel):
    """A pick, and why. reason: what spoke most for it; sentence: what the mail says."""

    code: str
    title: str
    score: float
    reason: str
    sentence: str


class PreviewAnswer(BaseModel):
    """The mail somebody would get now. skip: why they would get none; the rest is empty then."""

    skip: str
    subject: str
    picks: list[PickAnswer]


class RunAnswer(BaseModel):
    """A run."""

    id: int
    campaign: str
    occurrence: datetime
    state: str
    planned_at: datetime
    finished_at: datetime | None
    stopped_because: str


class RunPerson(BaseModel):
    """Somebody in a run."""

    id: int
    subscriber: int
    address: str
    state: str
    reason: str


class DecideBody(Body):
    """Whether a run that asks is sent now."""

    send: bool


class SegmentAnswer(BaseModel):
    """A segment. words: its rules for people."""

    name: str
    rules: dict[str, Any]
    words: list[str]
    changed_at: datetime


class SubscriberAnswer(BaseModel):
    """Somebody on the roster."""

    id: int
    address: str
    given_name: str
    language: str
    time_zone: str
    country: str
    joined_at: datetime
    may_mail: bool
    may_personalise: bool
    may_track: bool


class SubscriberBody(Body):
    """Somebody to put on the roster, with what they agreed to and how. Who is there already stays as they are."""

    address: Text = Field(min_length=3, max_length=320)
    given_name: Text = Field(default="", max_length=200)
    language: Text = Field(default="en", max_length=35)
    time_zone: Text = Field(default="UTC", max_length=64)
    country: Text = Field(default="", max_length=80)
    mail: bool = False
    personalise: bool = False
    track: bool = False
    how: Text = Field(default="api", max_length=200)
    wording: Text = Field(default="", max_length=2000)


class SubscriberMade(BaseModel):
    """The number of somebody, and whether they are new. No address: answers are kept for a day."""

    id: int
    added: bool


class ConsentAnswer(BaseModel):
    """One yes or no."""

    purpose: str
    granted: bool
    at: datetime
    how: str
    wording: str


class ProductAnswer(BaseModel):
    """A product of the shop."""

    code: str
    title: str
    link: str
    image_link: str
    price_minor: int
    currency: str
    availability: str
    stock: int | None
    product_type: str
    brand: str
    labels: str


class JobAnswer(BaseModel):
    """Work that goes on by itself: waiting, running, done, failed or interrupted."""

    id: int
    kind: str
    state: str
    done: int
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    problem: str
    result: dict[str, Any]


class ModelAnswer(BaseModel):
    """A trained model. current: whether it is in use."""

    name: str
    trained_at: datetime
    people: int
    products: int
    metrics: dict[str, float]
    current: bool


class AuditAnswer(BaseModel):
    """Who did what."""

    at: datetime
    actor: str
    via: str
    action: str
    subject: str
    detail: str


class Done(BaseModel):
    """It is done, and there is nothing to tell."""

    done: bool = True
