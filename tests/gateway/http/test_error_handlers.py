"""What every exception leaves as."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.exceptions import HTTPException

from gateway.http.edge_policy import EdgePolicy
from gateway.http.error_handlers import refusal_for
from modules.shared.database import sqlalchemy_url
from modules.shared.errors import (
    Conflict,
    DatabaseUnavailable,
    DomainError,
    Forbidden,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from modules.shared.i18n import Text
from tests.gateway.http.edge_app import PUBLIC_URL, calling, edge_app, raising
from tests.support.postgres import DatabaseUrls


class Denied(Forbidden):
    """A refusal with fields, as features declare them."""

    code: ClassVar[str] = "test_denied"
    title = Text(en="Not for you", de="Nicht für Sie")
    detail = Text(en="You may not {action}.", de="Sie dürfen nicht {action}.")


class TestADomainError:
    async def test_is_a_problem_document_with_its_fields(self) -> None:
        async with calling(raising(Denied(action="read", status="fields never replace members"))) as client:
            answer = await client.get("/api/v1/raise")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": f"{PUBLIC_URL}/errors/test_denied",
            "title": "Not for you",
            "status": 403,
            "detail": "You may not read.",
            "code": "test_denied",
            "request_id": answer.headers["x-request-id"],
            "action": "read",
        }

    async def test_speaks_the_language_the_browser_asks_for(self) -> None:
        async with calling(raising(Denied(action="lesen"))) as client:
            answer = await client.get("/api/v1/raise", headers={"Accept-Language": "fr, de-CH;q=0.9, en;q=0.1"})
        assert (answer.json()["detail"], answer.headers["content-language"]) == ("Sie dürfen nicht lesen.", "de")

    async def test_speaks_the_callers_own_language_once_it_is_known_who_calls(self) -> None:
        router = APIRouter()

        @router.get("/api/v1/known")
        async def known(request: Request) -> None:
            request.state.language = "de"
            raise Denied(action="lesen")

        async with calling(edge_app(router=router)) as client:
            answer = await client.get("/api/v1/known", headers={"Accept-Language": "en"})
        assert answer.json()["title"] == "Nicht für Sie"

    async def test_names_the_place_at_fault_when_it_knows_one(self) -> None:
        async with calling(raising(Unprocessable(pointer="/end"))) as client:
            (place,) = (await client.get("/api/v1/raise")).json()["errors"]
        assert (place["pointer"], place["code"]) == ("/end", "validation_failed")

    async def test_names_fifty_places_at_most_and_counts_the_rest(self) -> None:
        router = APIRouter()

        @router.get("/api/v1/numbers")
        async def take_numbers(number: Annotated[list[int], Query()]) -> None: ...

        async with calling(edge_app(router=router)) as client:
            answers = [await client.get("/api/v1/numbers", params={"number": ["x"] * count}) for count in (50, 60)]
        assert [len(answer.json()["errors"]) for answer in answers] == [50, 50]
        assert [answer.json().get("errors_left_out") for answer in answers] == [None, 10]

    async def test_writes_ids_times_and_money_as_the_rest_of_the_api_does(self) -> None:
        error = Conflict(id=UUID(int=1), at=datetime(2026, 1, 2, tzinfo=UTC), owed=Decimal("1.50"), roles={"b", "a"})
        async with calling(raising(error)) as client:
            document = (await client.get("/api/v1/raise")).json()
        assert (document["id"], document["at"], document["owed"], document["roles"]) == (
            "00000000-0000-0000-0000-000000000001", "2026-01-02T00:00:00+00:00", "1.50", ["a", "b"],
        )  # fmt: skip

    async def test_401_names_the_scheme_to_use(self) -> None:
        async with calling(raising(Unauthenticated())) as client:
            assert (await client.get("/api/v1/raise")).headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("error", "wait"), [(TooManyRequests(retry_after=17), "17"), (Unavailable(), "2"), (DatabaseUnavailable(), "2")]
    )
    async def test_429_and_503_say_when_to_come_back(self, error: DomainError, wait: str) -> None:
        async with calling(raising(error)) as client:
            assert (await client.get("/api/v1/raise")).headers["retry-after"] == wait

    async def test_is_a_problem_document_on_host_routes_too(self) -> None:
        router = APIRouter()

        @router.get("/host/raise")
        async def fail() -> None:
            raise Denied(action="read")

        async with calling(edge_app(EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",)), router=router)) as client:
            assert (await client.get("/host/raise")).json()["code"] == "test_denied"


class TestAnInvalidRequest:
    async def test_is_422_with_a_pointer_per_place(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", json={"tags": ["a", 1], "a/b~c": 1})
        assert answer.status_code == 422
        assert {(place["pointer"], place["code"], place["in"]) for place in answer.json()["errors"]} == {
            ("/text", "missing", "body"), ("/tags/1", "string_type", "body"), ("/a~1b~0c", "extra_forbidden", "body"),
        }  # fmt: skip

    async def test_never_repeats_what_was_sent(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", json={"text": ["swordfish"], "tags": "swordfish"})
        assert (answer.status_code, "swordfish" in answer.text) == (422, False)

    async def test_names_the_parameter_of_a_path(self) -> None:
        async with calling(edge_app()) as client:
            (place,) = (await client.get("/api/v1/items/many")).json()["errors"]
        assert (place["pointer"], place["in"]) == ("item_id", "path")

    async def test_says_so_in_the_readers_language(self) -> None:
        router = APIRouter()

        @router.get("/api/v1/page")
        async def page(limit: Annotated[int, Query(le=200)]) -> int:
            return limit

        async with calling(edge_app(router=router)) as client:
            answer = await client.get("/api/v1/page?limit=201", headers={"Accept-Language": "de"})
        assert answer.json()["errors"][0]["detail"] == "Das darf höchstens 200 sein."

    @pytest.mark.parametrize("body", [b"{", b'{"text": }', b"\xff", b"[" * 100_000, b"1" * 5000, b"nul"])
    async def test_that_is_not_json_is_400(self, body: bytes) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400

    async def test_that_is_almost_json_has_a_code_of_its_own(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", content=b"{", headers={"Content-Type": "application/json"})
        assert answer.json()["code"] == "malformed_json"

    @pytest.mark.parametrize("value", ["a\\u0000b", "\\ud800", "x\\udfff"])
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ('{"text": "V"}', "/text"),
            ('{"text": "", "tags": ["", "V"]}', "/tags/1"),
            ('{"text": "", "free": {"a": {"V": 1}}}', None),
        ],
    )
    async def test_with_text_postgresql_cannot_store_is_422(self, body: str, pointer: str | None, value: str) -> None:
        async with calling(edge_app()) as client:
            content = body.replace("V", value).encode()
            answer = await client.post("/api/v1/write", content=content, headers={"Content-Type": "application/json"})
        (place,) = answer.json()["errors"]
        assert (answer.status_code, place["code"]) == (422, "unstorable_text")
        assert pointer is None or place["pointer"] == pointer

    async def test_with_an_unknown_member_of_unstorable_name_is_422(self) -> None:
        async with calling(edge_app()) as client:
            content = b'{"text": "", "\\ud800": 1}'
            answer = await client.post("/api/v1/write", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422

    async def test_on_a_host_route_keeps_the_hosts_format(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",)))) as client:
            assert "detail" in (await client.get("/host/items/many")).json()


class TestAnHttpException:
    async def test_of_an_unknown_path_is_404(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/nowhere")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_of_an_unknown_method_is_405_with_allow(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.delete("/api/v1/read")
        assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (
            405,
            "method_not_allowed",
            "GET",
        )

    async def test_with_words_and_headers_of_its_own_keeps_them(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/teapot")
        assert (answer.status_code, answer.json()["detail"], answer.headers["x-spout"]) == (
            418,
            "short and stout",
            "yes",
        )

    async def test_without_a_body_has_none(self) -> None:
        async with calling(raising(HTTPException(304))) as client:
            answer = await client.get("/api/v1/raise")
        assert (answer.status_code, answer.content) == (304, b"")

    async def test_on_a_host_route_keeps_the_hosts_format(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",)))) as client:
            assert (await client.get("/host/teapot")).json() == {"detail": "short and stout"}


class TestTheDatabase:
    """Every case is what the real server and driver really raise."""

    async def _refusal(
        self, urls: DatabaseUrls, statement: str, settings: dict[str, str] | None = None, **parameters: object
    ) -> DomainError | None:
        engine = create_async_engine(sqlalchemy_url(urls.owner), connect_args={"server_settings": settings or {}})
        try:
            async with engine.begin() as connection:
                await connection.execute(text(statement), parameters)
        except Exception as error:  # noqa: BLE001  # which one it is, is the fact under test
            return refusal_for(error)
        finally:
            await engine.dispose()
        raise AssertionError("the statement was accepted")

    @pytest.mark.parametrize("value", ["a\0b", "\ud800"])
    async def test_refusing_a_text_is_422(self, database_urls: DatabaseUrls, value: str) -> None:
        refusal = await self._refusal(database_urls, "SELECT CAST(:value AS text)", value=value)
        assert refusal is not None
        assert refusal.status == 422

    @pytest.mark.parametrize("value", [2**40, -(2**70)])
    async def test_refusing_a_number_is_422(self, database_urls: DatabaseUrls, value: int) -> None:
        refusal = await self._refusal(database_urls, "SELECT CAST(:value AS integer)", value=value)
        assert refusal is not None
        assert refusal.status == 422

    async def test_being_slower_than_the_statement_timeout_is_503(self, database_urls: DatabaseUrls) -> None:
        refusal = await self._refusal(database_urls, "SELECT pg_sleep(5)", settings={"statement_timeout": "20"})
        assert isinstance(refusal, DatabaseUnavailable)

    async def test_ending_the_connection_is_503(self, database_urls: DatabaseUrls) -> None:
        refusal = await self._refusal(database_urls, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert isinstance(refusal, DatabaseUnavailable)

    async def test_finding_the_row_taken_meanwhile_is_409(self, database_urls: DatabaseUrls) -> None:
        refusal = await self._refusal(database_urls, "DO $$ BEGIN RAISE unique_violation; END $$")
        assert isinstance(refusal, Conflict)

    async def test_calling_our_own_statement_wrong_is_a_bug(self, database_urls: DatabaseUrls) -> None:
        assert await self._refusal(database_urls, "SELECT nonsense") is None

    @pytest.mark.parametrize(
        "url", ["postgresql+asyncpg://nobody@127.0.0.1:1/none", "postgresql+asyncpg://nobody@/none?host=/nonexistent"]
    )
    async def test_not_being_there_is_503(self, url: str) -> None:
        router = APIRouter()

        @router.get("/api/v1/rows")
        async def rows() -> None:
            engine = create_async_engine(url)
            async with engine.connect():
                pass

        async with calling(edge_app(router=router)) as client:
            answer = await client.get("/api/v1/rows")
        assert (answer.status_code, answer.json()["code"], "retry-after" in answer.headers) == (
            503,
            "database_unavailable",
            True,
        )

    async def test_a_closed_connection_of_the_driver_is_503(self, database_urls: DatabaseUrls) -> None:
        connection = await asyncpg.connect(database_urls.owner)
        await connection.close()
        with pytest.raises(asyncpg.InterfaceError) as raised:
            await connection.fetch("SELECT 1")
        assert isinstance(refusal_for(raised.value), DatabaseUnavailable)


class TestAnOperatingSystemError:
    async def test_of_another_service_is_503_without_blaming_the_database(self) -> None:
        async with calling(raising(ConnectionRefusedError())) as client:
            assert (await client.get("/api/v1/raise")).json()["code"] == "unavailable"

    async def test_of_a_file_of_ours_is_a_bug(self) -> None:
        async with calling(raising(FileNotFoundError("templates/mail.txt"))) as client:
            assert (await client.get("/api/v1/raise")).status_code == 500
