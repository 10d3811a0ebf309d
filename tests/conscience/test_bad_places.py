"""Paths, queries and headers that cannot be: refused as what they are, by name, and nothing is written."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
import json
from urllib.parse import quote

import pytest

from tests.conscience.bad_requests import (
    HUGE,
    JSON,
    LONG,
    Try,
    caller,
    fault_of,
    faults,
    good_body,
    good_path,
    raw,
)
from tests.conscience.operations import Json, Operation
from tests.conscience.requests import path_values, queries
from tests.conscience.world import World

NO_IDS = [
    "x",
    "0",
    "-1",
    "null",
    "%00",
    "%FF%FE",
    "%ED%A0%80",
    "..%2F..",
    HUGE,
    LONG[:5000],
    "{}",
    "a%0Ab",
    "%F0%9F%A6%89",
]
NO_CURSORS = ["x", "=", "%00", LONG[:1999], LONG[:5000], "é", "e30", "W10", "bnVsbA", "\U0001f989"]
NO_HEADER_IDS = [
    b"",
    b"x",
    b"0" * 5000,
    b"{01890000-0000-7000-8000-000000000000}",
    b"\xff" * 36,
    b"a, b",
    b"\x00",
    b"\xc3\xa9",
]
SINGLE_HEADERS = [
    "Authorization", "Content-Type", "Host", "Idempotency-Key", "If-Match", "Origin", "X-Device-Id", "X-Instance-Id",
    "X-Mandate-Id", "X-Request-Id",
]  # fmt: skip


class TestPaths:
    async def test_with_no_id_are_refused(self, here: World, walked: list[Operation]) -> None:
        def tries() -> Iterator[Try]:
            for operation in walked:
                for name in operation.parameters("path"):
                    for value in NO_IDS:
                        values = {**path_values(operation, here.own, here, here.omnipotent), name: value}
                        body = json.dumps(good_body(here, operation)).encode() if operation.takes_json else b""
                        yield Try(
                            operation, f"{name} {value[:20]}", body, JSON if body else {}, operation.filled(values)
                        )

        assert await faults(here, tries(), {400, 404, 422}) == {}


class TestQueries:
    async def test_with_values_of_another_kind_are_refused_by_name(self, here: World, walked: list[Operation]) -> None:
        assert await faults(here, wrong_queries(walked), {400, 422}) == {}

    async def test_with_a_cursor_nobody_gave_are_refused(self, here: World, walked: list[Operation]) -> None:
        deep = urlsafe_b64encode(b"[" * 1400).decode()
        other = urlsafe_b64encode(b'["other",1,"01890000-0000-7000-8000-000000000000"]').decode().rstrip("=")

        def tries() -> Iterator[Try]:
            for operation in walked:
                if "cursor" in operation.parameters("query"):
                    for cursor in (*NO_CURSORS, deep, other):
                        wanted = {**queries(here.own).get(operation.operation_id or "", {}), "cursor": cursor}
                        yield Try(operation, cursor[:20], params=wanted, names="cursor")

        assert await faults(here, tries(), {400, 422}) == {}

    async def test_with_bytes_that_are_no_text_do_no_harm(self, here: World, walked: list[Operation]) -> None:
        statuses = set()
        async with caller(here) as client:
            for operation in walked:
                for name in operation.parameters("query"):
                    for value in ("%00", "%FF", "%ED%A0%80", "%", "%zz", quote("\U0001f989"), LONG[:8000]):
                        if operation.is_safe:
                            answer = await client.get(f"{good_path(here, operation)}?{name}={value}")
                            statuses.add(answer.status_code)
        assert statuses <= {200, 400, 404, 422}  # 404: a provider that is not offered


def wrong_queries(walked: list[Operation]) -> Iterator[Try]:
    for operation in walked:
        for name, schema in operation.parameters("query").items():
            if name == "cursor":
                continue
            for value in _wrong_values(schema):
                yield Try(operation, f"{name}={value[:20]}", params={name: value}, names=name)


def _wrong_values(described: Json) -> list[str]:
    schema = json.dumps(described)
    if '"integer"' in schema:
        return ["x", "", "0", "-1", str(described["maximum"] + 1), "1.5", "1e3", HUGE]
    if '"boolean"' in schema:
        return ["maybe", "", HUGE]
    if '"uuid"' in schema or '"date-time"' in schema:
        return ["x", "", HUGE, "0000-00-00T00:00:00Z", "99999-01-01T00:00:00Z", "2026-01-01T00:00:00"]
    if '"enum"' in schema:
        return ["nonsense", "", "name;drop table users", LONG[:5000]]
    return [LONG[:5000]]


class TestHeaders:
    @pytest.mark.parametrize("name", ["X-Mandate-Id", "X-Instance-Id"])
    async def test_with_no_id_are_refused_by_name(self, here: World, walked: list[Operation], name: str) -> None:
        def tries() -> Iterator[Try]:
            for operation in walked:
                if operation.reads_mandate_header:
                    body = json.dumps(good_body(here, operation)).encode() if operation.takes_json else b""
                    for value in NO_HEADER_IDS:
                        headers: dict[str, str | bytes] = {**(JSON if body else {}), name: value}
                        yield Try(operation, repr(value[:20]), body, headers, names=name)

        assert await faults(here, tries(), {400}) == {}

    @pytest.mark.parametrize(("name", "values"), [
        ("If-Match", [b"", b"3", b'"', b'"3" "4"', b"\xff", b'"' + b"x" * 5000 + b'"']),
        ("Idempotency-Key", [b"", b"\xff", b"a\x00b", b"x" * 201]),
    ])  # fmt: skip
    async def test_that_an_operation_reads_are_refused_by_name(
        self, here: World, walked: list[Operation], name: str, values: list[bytes]
    ) -> None:
        def tries() -> Iterator[Try]:
            for operation in walked:
                if name in operation.parameters("header"):
                    body = json.dumps(good_body(here, operation)).encode() if operation.takes_json else b""
                    for value in values:
                        yield Try(
                            operation, repr(value[:20]), body, {**(JSON if body else {}), name: value}, names=name
                        )

        assert await faults(here, tries(), {400}) == {}

    @pytest.mark.parametrize("name", SINGLE_HEADERS)
    async def test_that_come_twice_are_refused_by_name(self, here: World, walked: list[Operation], name: str) -> None:
        twice = [(name, "127.0.0.1:8000" if name == "Host" else "x")] * 2
        found = {}
        async with caller(here) as client:
            for operation in walked:
                path = good_path(here, operation)
                answer = await client.send(client.build_request(operation.method, path, headers=twice))
                if problem := fault_of(answer, frozenset({400, 421}), name if name != "Host" else ""):
                    found[str(operation)] = problem
        health = {name: each for name, each in found.items() if "/health/" in name}
        assert found.keys() - health.keys() == set()
        assert await here.snapshot.changed() == []

    async def test_of_language_and_origin_do_no_harm(self, here: World, walked: list[Operation]) -> None:
        worse = raw(
            {
                "Accept-Language": b"\xff;q=x,,;" + b"de" * 3000,
                "User-Agent": b"\xff\x00",
                "X-Forwarded-For": b"\xff, ,," * 500,
            }
        )
        statuses = set()
        async with caller(here) as client:
            for operation in walked:
                if operation.is_safe:
                    statuses.add((await client.get(good_path(here, operation), headers=worse)).status_code)
        assert statuses <= {200, 404, 422}  # 404: a provider that is not offered

    @pytest.mark.parametrize("value", [b"\xff", b"x" * 65, b"a\tb"])
    async def test_of_a_device_that_cannot_be_are_refused_by_name_where_they_count(
        self, here: World, walked: list[Operation], value: bytes
    ) -> None:
        refused = []
        async with caller(here) as client:
            for operation in walked:
                if operation.is_safe:
                    headers = raw({"X-Device-Id": value})
                    answer = await client.get(good_path(here, operation), headers=headers)
                    if answer.status_code == 400:
                        assert fault_of(answer, frozenset({400}), "X-Device-Id") is None
                        refused.append(operation)
        assert refused
