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

    def admits(self, key: str, *, now: datetime) -> bool:
        """Whether this key may try once more. The try counts as a failure until `succeeded` says otherwise, so that
        many at once are no more than one after the other."""
        with self._lock:
            tries = self._failures.get(key)
            while tries and now - tries[0] >= self._within:
                tries.popleft()
            if tries is None:
                while len(self._failures) >= MOST_KEYS:
                    del self._failures[next(iter(self._failures))]
                tries = self._failures[key] = deque()
            if len(tries) >= self._most:
                return False
            tries.append(now)
            return True

    def succeeded(self, key: str) -> None:
        """Forget the failures of this key."""
        with self._lock:
            self._failures.pop(key, None)
