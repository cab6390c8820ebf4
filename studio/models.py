"""The tables of this room: who may use the studio, what they did, and the work they left to it.

Of passwords, sessions and access tokens only digests are kept: whoever reads the database cannot use them.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from subscribers.models import utc_column


class Account(SQLModel, table=True):
    """Somebody who may use the studio. role: `studio.roles.Role`. password: an argon2id digest, with its salt and cost.

    time_zone: the IANA zone in which they are shown times.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=64, unique=True)
    role: str = Field(max_length=16)
    password: str = Field(max_length=200)
    time_zone: str = Field(default="UTC", max_length=64)
    created_at: datetime = utc_column()
    disabled_at: datetime | None = utc_column(default=None, nullable=True)


class Login(SQLModel, table=True):
    """A session: somebody logged in with a browser. digest: SHA-256 of what the cookie holds."""

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    browser: str = Field(default="", max_length=200)
    begun_at: datetime = utc_column()
    seen_at: datetime = utc_column()
    revoked_at: datetime | None = utc_column(default=None, nullable=True)


class AccessToken(SQLModel, table=True):
    """Lets a program use the API as its account, with at most the token's own role. digest: SHA-256 of the token."""

    __tablename__ = "access_token"

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    name: str = Field(max_length=64)
    role: str = Field(max_length=16)
    created_at: datetime = utc_column()
    used_at: datetime | None = utc_column(default=None, nullable=True)
    revoked_at: datetime | None = utc_column(default=None, nullable=True)


class AuditLine(SQLModel, table=True):
    """Who did what, when. Append-only, and without addresses: a subscriber is a number here.

    actor: the account's name, as it was then. via: studio, api or console. subject: what it was done to, such as
    "campaign weekly" or "subscriber 41". detail: what changed, in words.
    """

    __tablename__ = "audit_line"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = utc_column(index=True)
    actor: str = Field(max_length=64)
    via: str = Field(max_length=16)
    action: str = Field(max_length=64)
    subject: str = Field(max_length=200, index=True)
    detail: str = Field(default="", max_length=1000)


class KeptAnswer(SQLModel, table=True):
    """The answer to an API request that had an Idempotency-Key, to be given again when the request comes again.

    request_sha256: of method, path and body. status: 0 while the first one is still being worked on.
    """

    __tablename__ = "kept_answer"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    key: str = Field(max_length=200)
    request_sha256: str = Field(max_length=64)
    status: int = Field(default=0)
    body: str = Field(default="")
    at: datetime = utc_column(index=True)


class KeptFigure(SQLModel, table=True):
    """A figure that takes long to count, and when it was counted. value: JSON."""

    __tablename__ = "kept_figure"

    name: str = Field(primary_key=True, max_length=200)
    value: str
    counted_at: datetime = utc_column()


class Job(SQLModel, table=True):
    """Work that takes longer than a page may: an import, a training, an evaluation. `studio.jobs` does it.

    asked: what is to be done, result: what came of it; both JSON. owner and alive_at are a lease, as a run's.
    """

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=16)
    state: str = Field(max_length=16, index=True)
    asked_by: str = Field(max_length=64)
    asked_at: datetime = utc_column()
    asked: str = Field(default="{}")
    done: int = Field(default=0)
    result: str = Field(default="{}")
    problem: str = Field(default="", max_length=1000)
    owner: str = Field(default="", max_length=100)
    alive_at: datetime = utc_column()
    finished_at: datetime | None = utc_column(default=None, nullable=True)
