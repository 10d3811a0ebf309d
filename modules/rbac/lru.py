"""Least-recently-used storage bounded by bytes, for what can be rebuilt at any time.

A value says its own `size` and may grow while it is kept: it is weighed again whenever it is fetched.
"""

from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that can estimate the bytes it occupies."""

    @property
    def size(self) -> int: ...


Key = TypeVar("Key")
Value = TypeVar("Value", bound=Sized)


class LruByBytes(Generic[Key, Value]):
    """The most recently used values, together at most `limit` bytes. For one event loop; not for threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[Key, tuple[Value, int]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes kept, as last weighed."""
        return self._size

    def find(self, key: Key) -> Value | None:
        """The value kept under `key`, which thereby becomes the most recently used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self.keep(key, entry[0])
        return entry[0]

    def keep(self, key: Key, value: Value) -> None:
        """Put `value` in the newest place and drop the oldest beyond the limit, even `value` if it alone exceeds it."""
        replaced = self._entries.pop(key, None)
        weight = value.size
        self._entries[key] = (value, weight)
        self._size += weight - (replaced[1] if replaced else 0)
        while self._size > self._limit:
            oldest = next(iter(self._entries))
            self._size -= self._entries.pop(oldest)[1]
