"""Read one cell of a stranger's file: a time, an amount, a yes. Each says what it expected when it cannot."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from subscribers.csv_files import Row

_YES = {"yes", "y", "true", "1", "on", "ja"}
_NO = {"no", "n", "false", "0", "off", "nein"}
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # nobody has shop data from before; 1900-01-01 is a spreadsheet's zero
_THOUSANDS_OR_NOT = re.compile(r"[-+]?[1-9][0-9]{0,2},[0-9]{3}")
MOST = 1_000_000_000  # cents and units: ten million euros, and what fits every database's integer


def time_in(row: Row, column: str, *, now: datetime) -> datetime:
    """An ISO 8601 time; UTC when it names no zone. Raises RowRejected, also for a time after `now`."""
    text = row.cells[column]
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for the year 1 or 9999 east or west of Greenwich
        raise row.reject(column, "is no ISO 8601 time such as 2026-03-31T09:30:00Z") from None
    if at < EARLIEST:
        raise row.reject(column, f"lies before {EARLIEST:%Y}; is it a spreadsheet's empty date?")
    if at > now:
        raise row.reject(column, "lies in the future")
    return at


def yes_or_no_in(row: Row, column: str, *, default: bool) -> bool:
    """A yes or a no; `default` when the cell is empty. Raises RowRejected."""
    text = row.cells.get(column, "").lower()
    if text in _YES or text in _NO:
        return text in _YES
    if not text:
        return default
    raise row.reject(column, "is neither yes nor no")


def minor_units(text: str) -> int:
    """An amount of money in cents, rounded half to even: `24.50`, `24,50`. Raises ValueError, also for `1,234`:
    one and a bit to some, over a thousand to others.

    >>> minor_units("24.50")
    2450
    """
    if "," in text and "." in text:  # 1,234.50 or 1.234,50: what comes first parts the thousands
        text = text.replace(min(",", ".", key=text.index), "")
    elif _THOUSANDS_OR_NOT.fullmatch(text):
        raise ValueError(text)
    try:
        amount = Decimal(text.replace(",", ".")) * 100
        if abs(amount) > MOST:  # also raises for NaN, which compares to nothing
            raise ValueError(text)
        return int(amount.to_integral_value())
    except ArithmeticError:  # no number, or one beyond Decimal's own limits such as 1e999999
        raise ValueError(text) from None


def price_in(row: Row, column: str) -> int | None:
    """A price of at least 0 in cents, None when the cell is empty. Raises RowRejected."""
    text = row.cells.get(column, "")
    if not text:
        return None
    try:
        price = minor_units(text)
    except ValueError:
        raise row.reject(column, "is no amount such as 24.50") from None
    if price < 0:
        raise row.reject(column, "is negative")
    return price


def quantity_in(row: Row, column: str) -> int:
    """A whole number of units of at least 1; 1 when the cell is empty. Raises RowRejected."""
    text = row.cells.get(column, "")
    if not text:
        return 1
    try:
        quantity = int(text)
    except ValueError:
        raise row.reject(column, "is no whole number") from None
    if not 1 <= quantity <= MOST:
        raise row.reject(column, "must be at least 1" if quantity < 1 else "is larger than any order")
    return quantity
