"""Requests of good will with a single thing wrong, and what is wrong with how they were refused.

They are sent by somebody who may do everything, so a refusal is about that thing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from modules.shared.guards import KeyRequirement
from tests.conscience.operations import Operation
from tests.conscience.requests import bodies, path_values, queries
from tests.conscience.world import World

JSON = {"Content-Type": "application/json"}
HUGE = "9" * 400
LONG = "x" * 20_000
NESTED = "[" * 30_000


@dataclass
class Try:
    """One request with one thing wrong."""

    operation: Operation
    wrong: str
    content: bytes = b""
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    path: str = ""
    params: Mapping[str, str] | None = None
    names: str = ""
    """What the refusal must point at; empty: nothing."""

    def __str__(self) -> str:
        return f"{self.operation}: {self.wrong}"


def caller(here: World) -> httpx.AsyncClient:
    return here.gateway.client(here.omnipotent, here.own.mandate_id)


def credential(here: World, operation: Operation) -> dict[str, str]:
    """What opens an operation that no person may call, only a program's key; else nothing beside the caller's token."""
    key = here.personas["API key"]
    return {"Authorization": f"Bearer {key.token}"} if key and isinstance(operation.guard, KeyRequirement) else {}


def good_path(here: World, operation: Operation) -> str:
    return operation.filled(path_values(operation, here.own, here, here.omnipotent))


def good_body(here: World, operation: Operation) -> dict[str, Any]:
    return bodies(here.own, here).get(operation.operation_id or "", {})


def raw(headers: Mapping[str, str | bytes]) -> list[tuple[bytes, bytes]]:
    """As they travel: bytes need not be text."""
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers.items()
    ]


async def faults(here: World, tries: Iterable[Try], statuses: Iterable[int] = range(400, 500)) -> dict[str, str]:
    """Those that were not refused as they should be, with what happened instead."""
    found, count = {}, 0
    async with caller(here) as client:
        for each in tries:
            count += 1
            answer = await client.request(
                each.operation.method,
                each.path or good_path(here, each.operation),
                params=each.params or queries(here.own).get(each.operation.operation_id or ""),
                content=each.content,
                headers=raw({**credential(here, each.operation), **each.headers}),
            )
            client.cookies.clear()
            problem = fault_of(answer, frozenset(statuses), each.names)
            if changed := await here.snapshot.changed() if answer.is_success or count % 50 == 0 else []:
                problem = f"{answer.status_code}, and changed {changed}"
                await here.snapshot.restore()
            if problem:
                found[str(each)] = problem
    assert count > 0
    assert await here.snapshot.changed() == []
    return found


def fault_of(answer: httpx.Response, statuses: frozenset[int], names: str) -> str | None:
    """What is wrong with a refusal; None when nothing is."""
    if answer.status_code not in statuses:
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.headers.get("content-type") != "application/problem+json":
        return f"{answer.status_code} as {answer.headers.get('content-type')}"
    problem = answer.json()
    if problem["status"] != answer.status_code or not problem["code"] or not problem["request_id"]:
        return f"an incomplete problem: {answer.text[:200]}"
    places = [str(place["pointer"]) for place in problem.get("errors", [])]
    if names and not any(place.lower().startswith(names.lower()) for place in places):
        return f"{answer.status_code} {problem['code']} points at {places}, not at {names}"
    return None
