"""The last lines a process logged, kept in memory for those who cannot reach its output.

Lines come after the redaction and are cut where they are long, so what is kept is as harmless as the log and bounded
in size. Warnings have places of their own: a thousand quick requests do not push out the error before them.
"""

from collections import deque
from collections.abc import Mapping
from itertools import count
from threading import Lock
from typing import Final

from structlog.typing import EventDict, WrappedLogger

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""The least important first."""
MOST_LINES: Final = 1000
_PLACES_FOR_WARNINGS: Final = 200
_LONGEST_VALUE: Final = 8000
_IMPORTANCE: Final = {level: number for number, level in enumerate(LEVELS)}
_WARNING: Final = _IMPORTANCE["warning"]

Value = str | int | float | bool | None
Line = Mapping[str, Value]


class RecentLines:
    """A structlog processor that remembers and changes nothing. May be used from any thread."""

    def __init__(self, most_lines: int = MOST_LINES, places_for_warnings: int = _PLACES_FOR_WARNINGS) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._ordinary: deque[tuple[int, Line]] = deque(maxlen=most_lines - places_for_warnings)
        self._warnings: deque[tuple[int, Line]] = deque(maxlen=places_for_warnings)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Remember a line on its way out."""
        self.keep({key: _kept(value) for key, value in event.items()})
        return event

    def keep(self, line: Line) -> None:
        """Remember a line that is short and harmless already."""
        with self._lock:
            places = self._warnings if _importance(line) >= _WARNING else self._ordinary
            places.append((next(self._numbers), line))

    def find(
        self, *, least_level: str = LEVELS[0], event: str | None = None, request_id: str | None = None, most: int
    ) -> list[Line]:
        """At most `most` lines, the newest first, as important as `least_level` and of the event and request named."""
        with self._lock:
            lines = [*self._ordinary, *self._warnings]
        wanted = [
            line
            for _, line in sorted(lines, key=lambda numbered: numbered[0], reverse=True)
            if _importance(line) >= _IMPORTANCE[least_level]
            and event in {None, line.get("event")}
            and request_id in {None, line.get("request_id")}
        ]
        return wanted[:most]


def _kept(value: object) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_LONGEST_VALUE]


def _importance(line: Line) -> int:
    return _IMPORTANCE.get(str(line.get("level")), 0)
