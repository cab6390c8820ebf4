"""The tables of this room: Campaign, Run, Message, Attempt, Bounce, Sender, Pace, Beat, Frozen."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from subscribers.models import utc_column

NOTHING = {"server_default": text("''")}
EMPTY = {"server_default": "{}"}  # for the rows that were there before the column
ZERO = {"server_default": text("0")}
ONE = {"server_default": text("1")}


class CampaignState(StrEnum):
    """Where a campaign stands with the scheduler."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class RunState(StrEnum):
    """planning → planned → sending → finished; `cancelled` from anywhere before the end.

    asking: its time was missed, and the campaign says that a person decides. paused: by a person, or by itself because
    too much went wrong; `stopped_because` says what.
    """

    ASKING = "asking"
    PLANNING = "planning"
    PLANNED = "planned"
    SENDING = "sending"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Missed(StrEnum):
    """What becomes of an occurrence whose time was missed: sent late (up to `late_hours`), skipped, or asked about."""

    LATE = "late"
    SKIP = "skip"
    ASK = "ask"


class MessageState(StrEnum):
    """What became of one person's mail. Moves are made only in `campaigns.ledger`.

    skipped: gets nothing, `reason` says why. in_doubt: we died while the mail was on the wire; nobody can know
    whether it arrived.
    """

    SKIPPED = "skipped"
    PLANNED = "planned"
    CLAIMED = "claimed"
    HANDING_OVER = "handing_over"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    IN_DOUBT = "in_doubt"


class Campaign(SQLModel, table=True):
    """What to send, to whom, when. `cron` with `time_zone`, or `next_due` alone for once.

    variables: the template's variables as JSON. picks: products a mail, hero included. rules: what differs from the
    usual rules for picks, as JSON (`campaigns.pick_rules`). own_time: `cron` is meant in each person's own time zone.
    segments: whom it is for, as JSON (`campaigns.segments`); {} is everybody. version: counts the changes, so that of
    two who edit at once the second is told. approved_…: who approved which content (`campaigns.approval`), and when.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=64, unique=True)
    template: str = Field(max_length=100)
    subject: str = Field(max_length=500)
    preheader: str = Field(default="", max_length=500)
    variables: str = Field(default="{}")
    picks: int = Field(default=5)
    rules: str = Field(default="{}", sa_column_kwargs=EMPTY)
    transport: str = Field(default="outbox", max_length=16)
    state: str = Field(default=CampaignState.DRAFT, max_length=16)
    cron: str = Field(default="", max_length=100)
    time_zone: str = Field(default="UTC", max_length=64)
    own_time: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    missed: str = Field(default=Missed.LATE, max_length=16, sa_column_kwargs={"server_default": text("'late'")})
    late_hours: int = Field(default=24, sa_column_kwargs={"server_default": text("24")})
    next_due: datetime | None = utc_column(default=None, nullable=True, index=True)
    segments: str = Field(default="{}", sa_column_kwargs=EMPTY)
    version: int = Field(default=1, sa_column_kwargs=ONE)
    approved_sha256: str = Field(default="", max_length=64, sa_column_kwargs=NOTHING)
    approved_by: str = Field(default="", max_length=64, sa_column_kwargs=NOTHING)
    approved_at: datetime | None = utc_column(default=None, nullable=True)
    created_at: datetime = utc_column()


class Run(SQLModel, table=True):
    """One execution of one occurrence of a campaign; the unique pair is what makes it run once.

    planned_at is the run's `now`: everything in it, dates included, is computed for that moment. The three …_sha256
    name what was frozen (table Frozen); manifest_sha256 covers every message's hash. errors counts what was found in
    its mails that must not be sent, worst says what. unattended: the scheduler takes it to its end. owner and alive_at
    are a lease: whoever works on the run renews it. rules: those its picks were made by, in full, as JSON; rule_counts:
    how often each of them removed or moved something. stopped_because: why it is asking, paused or cancelled.
    """

    __table_args__ = (UniqueConstraint("campaign_id", "occurrence"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    occurrence: datetime = utc_column()
    state: str = Field(default=RunState.PLANNING, max_length=16, index=True)
    planned_at: datetime = utc_column()
    finished_at: datetime | None = utc_column(default=None, nullable=True)
    model: str = Field(default="", max_length=64)
    template_sha256: str = Field(default="", max_length=64)
    cards_sha256: str = Field(default="", max_length=64)
    content_sha256: str = Field(default="", max_length=64)
    manifest_sha256: str = Field(default="", max_length=64)
    errors: int = Field(default=0)
    worst: str = Field(default="", max_length=300)
    rules: str = Field(default="{}", sa_column_kwargs=EMPTY)
    rule_counts: str = Field(default="{}", sa_column_kwargs=EMPTY)
    unattended: bool = Field(default=False)
    stopped_because: str = Field(default="", max_length=300, sa_column_kwargs=NOTHING)
    owner: str = Field(default="", max_length=100)
    alive_at: datetime = utc_column()


class Message(SQLModel, table=True):
    """One person's row in a run: frozen at planning, except for its state.

    picks: JSON list of [sku_id, score, reason, sentence, propensity], the hero first. why: JSON of what lies behind
    them (`campaigns.reasons`). banner: the label of the banner that suits the person. token: of the
    unsubscribe link, so that a rotated signing key changes no frozen mail.
    sha256: of the whole message as bytes. time_zone: the person's, for quiet hours. domain: of the address. attempts:
    how often it was offered to the other side. due_at: not before; empty only for who gets nothing.
    """

    __table_args__ = (
        UniqueConstraint("run_id", "subscriber_id"),
        Index("ix_message_state", "run_id", "state", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id")
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True)
    state: str = Field(max_length=16)
    reason: str = Field(default="", max_length=200)
    key: str = Field(max_length=32)
    address: str = Field(default="", max_length=320)
    given_name: str = Field(default="", max_length=200)
    language: str = Field(default="en", max_length=35)
    banner: str = Field(default="", max_length=200, sa_column_kwargs=NOTHING)
    picks: str = Field(default="[]")
    why: str = Field(default="{}", sa_column_kwargs=EMPTY)
    hero_sku_id: int | None = Field(default=None)
    message_id: str = Field(default="", max_length=200)
    token: str = Field(default="", max_length=200)
    sha256: str = Field(default="", max_length=64)
    claimed_by: str = Field(default="", max_length=100)
    time_zone: str = Field(default="", max_length=64, sa_column_kwargs=NOTHING)
    domain: str = Field(default="", max_length=255, sa_column_kwargs=NOTHING)
    attempts: int = Field(default=0, sa_column_kwargs=ZERO)
    due_at: datetime | None = utc_column(default=None, nullable=True)


class Attempt(SQLModel, table=True):
    """One try to hand a message over, and what the other side said."""

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id", index=True)
    at: datetime = utc_column()
    outcome: str = Field(max_length=16)
    reply: str = Field(default="", max_length=1000)


class Bounce(SQLModel, table=True):
    """A message that came back after it was accepted. sha256: of the report, so that one read twice counts once.

    kind: hard, soft, policy or complaint. status: as in RFC 3463, such as 5.1.1, or the plain code, or empty.
    """

    id: int | None = Field(default=None, primary_key=True)
    sha256: str = Field(max_length=64, unique=True)
    message_id: int = Field(foreign_key="message.id", index=True)
    at: datetime = utc_column()
    kind: str = Field(max_length=16)
    status: str = Field(max_length=16)
    detail: str = Field(max_length=1000)


class Sender(SQLModel, table=True):
    """A process that claims messages. It renews alive_at every few seconds: rows it claimed are taken back when it is
    gone."""

    owner: str = Field(primary_key=True, max_length=100)
    alive_at: datetime = utc_column()


class Pace(SQLModel, table=True):
    """When the next mail may leave, in µs since 1970-01-01 UTC: one row for all mails, one for each limited domain.

    In the database, so that the rate holds across processes and after a resume.
    """

    name: str = Field(primary_key=True, max_length=300)
    next_at: int = Field(sa_type=BigInteger)


class Beat(SQLModel, table=True):
    """A sign of life of something that runs all the time, such as a scheduler: when it last looked."""

    name: str = Field(primary_key=True, max_length=100)
    at: datetime = utc_column()


class Frozen(SQLModel, table=True):
    """Something a run was made from, by the SHA-256 of its text: a template, the product cards, the settings."""

    sha256: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=16)
    body: bytes = Field(sa_type=LargeBinary, description="zlib-compressed UTF-8")
