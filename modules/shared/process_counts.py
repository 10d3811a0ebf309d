"""Counters and event logs of one process, for rate limits: constant cost per hit, bounded memory, safe in any thread.

What has run out is dropped in passing. Beyond `most_keys` the entry that would end first is dropped too, which bounds
what somebody with many addresses can make us remember.
"""

from collections import deque
from heapq import heappop, heappush
from threading import Lock
import time

MOST_KEYS = 200_000


class ProcessCounts:
    """A counter per key (how many since the window began) and an event log per key (when, within the last seconds)."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._lock = Lock()
        self._counters: dict[str, tuple[int, float]] = {}
        self._logs: dict[str, tuple[deque[float], float]] = {}
        self._ends: list[tuple[float, str]] = []

    def increase(self, key: str, seconds: float, amount: int = 1) -> int:
        """Count `amount` more; the window of `seconds` begins with its first count."""
        now = time.time()
        with self._lock:
            count, end = self._counters.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + seconds
                self._remember(key, end, now)
            self._counters[key] = (count + amount, end)
            return count + amount

    def count(self, key: str) -> int:
        """The count of the window that still runs."""
        count, end = self._counters.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def end(self, key: str) -> float:
        """When the window ends, as a POSIX time; now if none runs."""
        return max(self._counters.get(key, (0, 0.0))[1], time.time())

    def log(self, key: str, most: int, seconds: float, amount: int = 1) -> bool:
        """Log `amount` events now, unless that makes more than `most` within `seconds`."""
        now = time.time()
        with self._lock:
            events, _ = self._logs.get(key, (None, 0.0))
            if events is None:
                events = deque()
                self._logs[key] = (events, seconds)
                self._remember(key, now + seconds, now)
            while events and events[0] <= now - seconds:
                events.popleft()
            if len(events) + amount > most:
                return False
            events.extend([now] * amount)
            return True

    def logged(self, key: str, seconds: float) -> tuple[float, int]:
        """The time of the oldest event that still counts (now if none does), and how many do."""
        now = time.time()
        with self._lock:
            events, _ = self._logs.get(key, ((), 0.0))
            alive = [moment for moment in events if moment > now - seconds]
        return (alive[0] if alive else now), len(alive)

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._counters.pop(key, None)
            self._logs.pop(key, None)

    def reset(self) -> int:
        """Forget everything; how many keys that were."""
        with self._lock:
            dropped = len(self)
            self._counters.clear()
            self._logs.clear()
            self._ends.clear()
        return dropped

    def __len__(self) -> int:
        return len(self._counters) + len(self._logs)

    def _remember(self, key: str, end: float, now: float) -> None:
        heappush(self._ends, (end, key))
        while self._ends and (self._ends[0][0] <= now or len(self._ends) > self._most_keys):
            self._drop(*heappop(self._ends), now)

    def _drop(self, end: float, key: str, now: float) -> None:
        """Forget what ends at `end`. A counter begun anew since then has an entry of its own; a log with later events
        gets its next one.
        """
        counter = self._counters.get(key)
        if counter is not None and counter[1] <= end:
            del self._counters[key]
        events, seconds = self._logs.get(key, ((), 0.0))
        if end <= now and events and events[-1] + seconds > now:
            heappush(self._ends, (events[-1] + seconds, key))
        else:
            self._logs.pop(key, None)
