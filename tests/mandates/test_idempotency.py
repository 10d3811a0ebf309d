"""`Idempotency-Key`: sent again, a POST happens once, and gives the same answer."""

import asyncio

import httpx

from modules.shared.idempotency import forget
from modules.shared.ids import MandateId
from tests.mandates.conftest import House
from tests.support.gateway import Person


async def make(
    house: House, key: str, name: str = "Team", by: Person | None = None, mandate: MandateId | None = None
) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await house.call(
        by or house.administrator, "POST", "/groups", json={"name": name}, headers=headers, mandate=mandate
    )


class TestIdempotencyKey:
    async def test_repeats_the_first_answer(self, house: House) -> None:
        first, second = await make(house, "k1"), await make(house, "k1")
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert first.headers["Location"] == second.headers["Location"] == f"/api/v1/groups/{first.json()['id']}"
        assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
        assert await house.audited() == ["group_created"]

    async def test_refuses_another_request_under_the_same_key(self, house: House) -> None:
        await make(house, "k1")
        answer = await make(house, "k1", "Crew")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    async def test_refuses_the_same_request_in_another_mandate(self, house: House) -> None:
        await make(house, "k1")
        await house.gateway.join(house.administrator, house.foreign, "administrator")
        answer = await make(house, "k1", mandate=house.foreign)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    async def test_of_another_person_is_another_key(self, house: House) -> None:
        await make(house, "k1")
        assert (await make(house, "k1", by=house.stranger)).status_code == 201

    async def test_keeps_nothing_of_a_request_that_failed(self, house: House) -> None:
        first = await make(house, "k0")
        assert (await make(house, "k1")).json()["code"] == "group_name_taken"
        await house.call(house.administrator, "DELETE", f"/groups/{first.json()['id']}")
        assert (await make(house, "k1")).status_code == 201

    async def test_lets_one_of_several_at_once_through(self, house: House) -> None:
        answers = await asyncio.gather(*(make(house, "k1") for _ in range(5)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        refusals = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert refusals <= {"request_in_progress"}
        assert await house.audited() == ["group_created"]

    async def test_refuses_a_key_it_cannot_read(self, house: House) -> None:
        for key in ("", "x" * 201, "a\tb"):
            answer = await make(house, key)
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_idempotency_key"), key

    async def test_is_asked_only_after_the_permission(self, house: House) -> None:
        await make(house, "k1")
        assert (await make(house, "k1", by=house.member)).status_code == 403

    async def test_serves_the_administration_too(self, house: House) -> None:
        document, headers = {"slug": "new", "name": "New"}, {"Idempotency-Key": "k1"}
        async with house.gateway.client(house.operator) as client:
            answers = [await client.post("/api/v1/admin/mandates", json=document, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()

    async def test_is_forgotten_after_a_day(self, house: House) -> None:
        await make(house, "old")
        await house.gateway.sql("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
        await make(house, "new", "Crew")
        await forget.handler(house.system_job())
        rows = await house.gateway.sql("SELECT key FROM idempotency_keys")
        assert [row["key"] for row in rows] == ["new"]
