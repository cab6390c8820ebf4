"""How often somebody may try: a password at the door."""

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

MOST_KEYS = 10_000  # names and machines remembered at once; the oldest are forgotten first


class Throttle:
    """At most `most` failures for one key within `within`; a success forgets them. In memory: a restart forgets all."""

    def __init__(self, most: int = 10, within: timedelta = timedelta(minutes=15)) -> None:
        self._most, self._within = most, within
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def refuses(self, key: str, *, now: datetime) -> bool:
        """Whether this key has failed too often lately."""
        with self._lock:
            failures = self._failures.get(key, deque())
            while failures and now - failures[0] >= self._within:
                failures.popleft()
            return len(failures) >= self._most

    def failed(self, key: str, *, now: datetime) -> None:
        """Remember a failure."""
        with self._lock:
            while len(self._failures) >= MOST_KEYS:
                del self._failures[next(iter(self._failures))]
            self._failures.setdefault(key, deque(maxlen=self._most)).append(now)

    def succeeded(self, key: str) -> None:
        """Forget the failures of this key."""
        with self._lock:
            self._failures.pop(key, None)
