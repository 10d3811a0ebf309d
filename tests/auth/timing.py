"""Measuring whether answers tell kinds of addresses apart by how long they take.

The kinds take turns in random order, so that whatever else the machine does falls on all of them alike. What is
compared is how often one kind takes longer than the other (the statistic of Mann and Whitney, as a share): one half
when time tells nothing, whatever the distribution and its outliers. Both clocks are read: the one on the wall sees
waiting for the database, the one of the processor sees work even while other programs use the machine.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
import gc
from itertools import combinations
from random import Random
import time

import httpx

from tests.auth.people import Browser

Ask = Callable[[Browser, str], Awaitable[httpx.Response]]
Times = dict[str, list[float]]
WARM_UP = 10


class Measured:
    """What a route answered to each kind of address, and how long it took by either clock."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.wall: Times = {kind: [] for kind in kinds}
        self.processor: Times = {kind: [] for kind in kinds}
        self.answers: dict[str, set[tuple[object, ...]]] = {kind: set() for kind in kinds}

    def differences(self) -> dict[str, float]:
        """By pair of kinds and clock: how far from one half the share is in which one takes longer."""
        return {
            f"{one}/{other} ({clock})": abs(share_longer(times[one], times[other]) - 0.5)
            for clock, times in (("wall", self.wall), ("processor", self.processor))
            for one, other in combinations(times, 2)
        }


def share_longer(one: Sequence[float], other: Sequence[float]) -> float:
    """In what share of all pairs the first takes longer; ties count half."""
    ordered = sorted(other)
    longer = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in one)
    return longer / (2 * len(one) * len(other))


async def measure(browser: Browser, ask: Ask, addresses: Mapping[str, Sequence[str]], rounds: int) -> Measured:
    """Ask about every kind of address in turn, so many times each."""
    measured, order = Measured(list(addresses)), Random(1)
    gc.collect()
    gc.disable()
    try:
        for number in range(-WARM_UP, rounds):
            for kind in order.sample(list(addresses), len(addresses)):
                email = addresses[kind][number % len(addresses[kind])]
                browser.cookies.clear()
                wall, processor = time.perf_counter(), time.process_time()
                answer = await ask(browser, email)
                wall, processor = time.perf_counter() - wall, time.process_time() - processor
                if number >= 0:
                    measured.wall[kind].append(wall)
                    measured.processor[kind].append(processor)
                    measured.answers[kind].add(told_by(answer))
    finally:
        gc.enable()
    return measured


def told_by(answer: httpx.Response) -> tuple[object, ...]:
    """All that an answer tells; what is random in every answer is left out."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
    cookies = "; ".join(sorted(part for part in headers.pop("set-cookie", "").split("; ") if "=" not in part))
    headers.pop("content-length", None)  # follows from the body
    return answer.status_code, repr(body), repr(sorted(headers.items())), repr(sorted(answer.cookies)), cookies
