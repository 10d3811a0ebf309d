"""Counting in one process: exact, bounded, and cheap however many keys there are."""

from concurrent.futures import ThreadPoolExecutor
import time

import pytest

from modules.shared import process_counts
from modules.shared.process_counts import ProcessCounts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(process_counts, "time", clock)
    return clock


class TestACounter:
    def test_counts_from_its_first_hit_to_the_end_of_its_window(self, clock: Clock) -> None:
        counts = ProcessCounts()
        assert [counts.increase("a", 10), counts.increase("a", 10)] == [1, 2]
        assert counts.end("a") == 1010.0
        clock.now += 10
        assert (counts.count("a"), counts.increase("a", 10)) == (0, 1)

    def test_begun_anew_survives_the_end_of_the_one_before(self, clock: Clock) -> None:
        counts = ProcessCounts()
        counts.increase("a", 10)
        clock.now += 9
        counts.clear("a")
        counts.increase("a", 10)
        clock.now += 2
        counts.increase("b", 10)  # drops what ended
        assert counts.count("a") == 1


class TestALog:
    def test_frees_a_place_when_the_oldest_event_is_old_enough(self, clock: Clock) -> None:
        counts = ProcessCounts()
        assert counts.log("a", 2, 10)
        clock.now += 4
        assert counts.log("a", 2, 10)
        assert not counts.log("a", 2, 10)
        assert counts.logged("a", 10) == (1000.0, 2)
        clock.now += 6
        assert counts.log("a", 2, 10)

    def test_with_later_events_survives_the_end_of_the_first(self, clock: Clock) -> None:
        counts = ProcessCounts()
        counts.log("a", 5, 10)
        clock.now += 9
        counts.log("a", 5, 10)
        clock.now += 2
        counts.log("b", 5, 10)  # drops what ended
        assert counts.logged("a", 10) == (1009.0, 1)


class TestMemory:
    def test_holds_nothing_that_has_ended(self, clock: Clock) -> None:
        counts = ProcessCounts()
        for number in range(1000):
            counts.increase(f"counter {number}", 10)
            counts.log(f"log {number}", 5, 10)
        clock.now += 11
        counts.increase("last", 10)
        assert len(counts) == 1

    def test_is_bounded_and_keeps_what_ends_last(self, clock: Clock) -> None:
        counts = ProcessCounts(most_keys=100)
        counts.increase("the long one", 10_000)
        for number in range(1000):
            counts.increase(str(number), 10)
        assert len(counts) == 100
        assert counts.count("the long one") == 1

    def test_is_given_back_by_a_reset(self, clock: Clock) -> None:
        counts = ProcessCounts()
        counts.increase("a", 10)
        assert (counts.reset(), len(counts)) == (1, 0)


class TestCost:
    def test_does_not_grow_with_the_number_of_keys(self) -> None:
        counts = ProcessCounts()
        few = self._seconds(counts)
        for number in range(100_000):
            counts.log(f"other {number}", 5, 3600)
        assert self._seconds(counts) < few * 10

    def _seconds(self, counts: ProcessCounts) -> float:
        best = 1.0
        for round_ in range(5):
            began = time.perf_counter()
            for number in range(1000):
                counts.log(f"{len(counts)} {round_} {number}", 5, 3600)
            best = min(best, time.perf_counter() - began)
        return best


class TestThreads:
    def test_lose_no_count(self) -> None:
        counts = ProcessCounts()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: counts.increase("a", 60), range(2000)))
        assert counts.count("a") == 2000
