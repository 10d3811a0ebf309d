"""Tokens that are none, and two that contradict each other: 401 on every route that asks who calls."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json

import httpx
import pytest

from tests.conscience.bad_requests import (
    LONG,
    fault_of,
    good_path,
    raw,
)
from tests.conscience.operations import Operation
from tests.conscience.world import World


def _token(header: object, payload: object = None, signature: str = "x") -> str:
    parts = (json.dumps(each, separators=(",", ":")).encode() for each in (header, payload))
    return ".".join([*(urlsafe_b64encode(part).decode().rstrip("=") for part in parts), signature])


def bad_tokens(here: World) -> list[str]:
    head, payload, signature = here.omnipotent.token.split(".")
    nested = urlsafe_b64encode(b"[" * 3000).decode().rstrip("=")
    return [
        "", "x", ".", "..", "a.b", "a.b.c", "a.b.c.d", "." * 200, "x" * 5000, nested, "\xe9", "null",
        f"{nested}.{payload}.{signature}", f"{head}.{nested}.{signature}", f"{head}.{payload}.{nested}",
        f"{head}.{payload}.", f"{head}.{payload}", f"{payload}.{head}.{signature}",
        f"{head}.{payload}.{signature[:-4]}", f"{head}.{payload}.{signature}x", f"{head}.{payload}.{signature}.",
        f"{head}..{signature}",
        _token({"alg": "none"}, {"sub": str(here.omnipotent.id)}, ""), _token({"alg": "HS256", "kid": "x"}),
        _token({"alg": "HS256", "kid": ["x"]}), _token({"alg": 1}), _token([]),
        _token({"alg": "HS256", "kid": LONG[:4000]}),
        _token({"alg": "HS256", "kid": "../../etc/passwd"}), _token({"alg": "HS256", "kid": "\0"}),
        "mgk_x", "mgk_" + "x" * 5000,
    ]  # fmt: skip


@asynccontextmanager
async def nobody(here: World) -> AsyncIterator[httpx.AsyncClient]:
    async with here.gateway.client(None, here.own.mandate_id) as client:
        client.headers.update({"Sec-Fetch-Site": "same-origin", "X-Requested-With": "tests"})
        yield client


class TestTokens:
    @pytest.mark.slow
    @pytest.mark.parametrize(("place", "prefix"), [("Authorization", b"Bearer "), ("Cookie", b"auth_token=")])
    async def test_that_are_none_open_nothing(
        self, here: World, walked: list[Operation], place: str, prefix: bytes
    ) -> None:
        found = {}
        async with nobody(here) as client:
            for operation in walked:
                if operation.is_public:
                    continue
                for token in bad_tokens(here):
                    headers = raw({place: prefix + token.encode("latin-1")})
                    answer = await client.request(operation.method, good_path(here, operation), headers=headers)
                    if problem := fault_of(answer, frozenset({401}), ""):
                        found[f"{operation} {token[:30]}"] = problem
        assert found == {}
        assert await here.snapshot.changed() == []

    async def test_that_are_none_do_not_hinder_what_is_public(self, here: World, walked: list[Operation]) -> None:
        statuses = set()
        async with nobody(here) as client:
            for operation in walked:
                if operation.is_public and operation.is_safe:
                    for token in bad_tokens(here):
                        headers = raw({"Authorization": b"Bearer " + token.encode("latin-1")})
                        answer = await client.get(good_path(here, operation), headers=headers)
                        statuses.add(answer.status_code)
        assert statuses == {200, 404}  # 404: a provider that is not offered

    async def test_of_two_people_are_a_conflict(self, here: World, walked: list[Operation]) -> None:
        viewer = here.personas["viewer"]
        assert viewer is not None
        codes = set()
        async with nobody(here) as client:
            both = {"Authorization": f"Bearer {here.omnipotent.token}", "Cookie": f"auth_token={viewer.token}"}
            for operation in walked:
                if not operation.is_public:
                    answer = await client.request(operation.method, good_path(here, operation), headers=both)
                    codes.add((answer.status_code, answer.json()["code"]))
        assert codes == {(401, "credential_conflict")}
        assert await here.snapshot.changed() == []
