"""When a mail that the other side put off is tried again: a documented row of waits, and an end."""

import hashlib
from datetime import datetime, timedelta

FIRST = timedelta(minutes=15)
LONGEST = timedelta(hours=4)  # RFC 5321 section 4.5.4.1: at least 30 minutes at first, then 2 or 3 hours
_JITTER = 0.2


def next_try(attempts: int, message_id: str, *, now: datetime, first: datetime, days: float) -> datetime | None:
    """When to try again after `attempts` tries, or None to give up.

    15 minutes, 30, 1 h, 2 h, then every 4 h; each up to a fifth shorter or longer, by the Message-ID, so that those
    who were put off together do not come back together. It ends `days` after `first`.
    """
    wait: timedelta = min(FIRST * 2 ** min(attempts - 1, 10), LONGEST)
    draw = int.from_bytes(hashlib.sha256(f"{message_id} {attempts}".encode()).digest()[:4], "big") / 2**32
    due = now + wait * (1 - _JITTER + 2 * _JITTER * draw)
    return due if due <= first + timedelta(days=days) else None
