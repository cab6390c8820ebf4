"""The tables of the ground floor: Subscriber, Consent, Suppression, Sku, Signal, Segment.

Times of people and decisions are `UtcDateTime` columns; the time of a signal is whole seconds since 1970-01-01 UTC,
because signals are read by the million into numpy columns and never as objects (0.54 µs a row against 18 µs).
"""

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Index, TypeDecorator, func
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time that always carries UTC, on databases with and without time zones. Refuses naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_column(**options: Any) -> Any:
    """A field holding an aware UTC datetime."""
    return Field(sa_type=UtcDateTime, **options)


class Purpose(StrEnum):
    """What a person can allow, one by one."""

    MAIL = "mail"
    PERSONALISE = "personalise"
    TRACK = "track"


class Kind(IntEnum):
    """What a signal is about. Small integers: they are read into int8 columns."""

    VIEW = 1
    CLICK = 2
    CART = 3
    PURCHASE = 4
    CANCELLATION = 5


class Subscriber(SQLModel, table=True):
    """A person on the roster.

    `key` is the keyed hash of the normalised address: it identifies the person in links and suppressions without
    saying who it is. The three `may_…` columns repeat the newest ledger entry per purpose; only
    `consent.record` writes them, in the same transaction as the entry. The two indexes are for finding people by how
    their address or name begins.
    """

    id: int | None = Field(default=None, primary_key=True)
    address: str = Field(max_length=320)
    key: str = Field(max_length=32, unique=True)
    given_name: str = Field(default="", max_length=200)
    language: str = Field(default="en", max_length=35)
    time_zone: str = Field(default="UTC", max_length=64)
    country: str = Field(default="", max_length=80)
    joined_at: datetime = utc_column()
    may_mail: bool = Field(default=False)
    may_personalise: bool = Field(default=False)
    may_track: bool = Field(default=False)


class Consent(SQLModel, table=True):
    """One yes or no, for one purpose, at one time. Append-only."""

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True)
    purpose: str = Field(max_length=16)
    granted: bool
    at: datetime = utc_column()
    how: str = Field(max_length=200)
    wording: str = Field(default="", max_length=2000)


# outside the class: a declared table knows its columns only when it is done
Index("ix_subscriber_address", func.lower(Subscriber.__table__.c.address), Subscriber.__table__.c.id)  # type: ignore[attr-defined]
Index("ix_subscriber_given_name", func.lower(Subscriber.__table__.c.given_name), Subscriber.__table__.c.id)  # type: ignore[attr-defined]


class Suppression(SQLModel, table=True):
    """An address that must not be mailed, whatever else is true. Holds only the keyed hash, so it outlives an erase."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(max_length=32, unique=True)
    reason: str = Field(max_length=200)
    at: datetime = utc_column()


class Sku(SQLModel, table=True):
    """The shop's own id of a product, as signals name it; a signal may arrive before the product feed does."""

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=100, unique=True)


class Signal(SQLModel, table=True):
    """One thing one person did with one product at one time.

    `subscriber_id` is empty for purchases by unknown people: they count for trends only. `fingerprint` is a 64-bit
    digest of where the signal came from, so that importing twice changes nothing. `settled` is, of a purchase, the
    units cancelled since; of a cancellation, the units already matched to purchases.
    """

    __table_args__ = (Index("ix_signal_history", "subscriber_id", "at"), Index("ix_signal_at", "at"))

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: int = Field(sa_type=BigInteger, unique=True)
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id")
    sku_id: int = Field(foreign_key="sku.id")
    kind: int
    at: int = Field(sa_type=BigInteger, description="seconds since 1970-01-01 UTC")
    quantity: int = Field(default=1)
    price_minor: int | None = Field(default=None, description="unit price in cents, purchases and carts only")
    settled: int = Field(default=0)


class Segment(SQLModel, table=True):
    """A named part of the roster. rules: what its people have in common, as JSON (`subscribers.segments`)."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=64, unique=True)
    rules: str = Field(default="{}")
    created_at: datetime = utc_column()
    changed_at: datetime = utc_column()
