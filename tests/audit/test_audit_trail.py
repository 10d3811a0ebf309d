"""Reading the audit trail, of one mandate and of the installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House, house_in
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(database_urls, tmp_path) as house:
        for name in ("A", "B", "C"):
            await house.new_role(name)
        await house.new_role("Foreign", by=house.stranger)
        yield house


class TestTheTrailOfAMandate:
    async def test_tells_its_own_events_the_newest_first(self, house: House) -> None:
        trail = (await house.call(house.administrator, "GET", "/audit")).json()["items"]
        assert [event["details"]["name"] for event in trail] == ["C", "B", "A"]

    async def test_names_people_beside_the_event(self, house: House) -> None:
        event = (await house.call(house.administrator, "GET", "/audit?limit=1")).json()["items"][0]
        assert event["actor_id"] == event["person"]["user_id"] == str(house.administrator.id)
        assert event["person"]["ip"] == "127.0.0.1"

    async def test_keeps_the_event_of_an_erased_person(self, house: House) -> None:
        await house.gateway.sql("DELETE FROM audit_subjects")
        event = (await house.call(house.administrator, "GET", "/audit?limit=1")).json()["items"][0]
        assert (event["code"], event["person"]) == ("role_created", None)

    async def test_comes_in_pages_without_repeating(self, house: House) -> None:
        names, cursor = [], ""
        for _ in range(3):
            page = (await house.call(house.administrator, "GET", f"/audit?limit=1{cursor}")).json()
            names += [event["details"]["name"] for event in page["items"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert (names, cursor) == (["C", "B", "A"], "&cursor=None")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("code=role_created", 3),
            ("code=role_deleted", 0),
            ("outcome=done", 3),
            ("outcome=refused", 0),
            ("from=2020-01-01T00:00:00Z", 3),
            ("to=2020-01-01T00:00:00Z", 0),
            ("actor=0189c4a0-0000-7000-8000-000000000000", 0),
        ],
    )
    async def test_is_narrowed_by_filters(self, house: House, query: str, found: int) -> None:
        answer = await house.call(house.administrator, "GET", f"/audit?{query}")
        assert len(answer.json()["items"]) == found

    @pytest.mark.parametrize("query", ["from=yesterday", "outcome=perhaps", "actor=me", "limit=0", f"code={'x' * 81}"])
    async def test_refuses_filters_it_cannot_read(self, house: House, query: str) -> None:
        assert (await house.call(house.administrator, "GET", f"/audit?{query}")).status_code == 422

    async def test_refuses_a_cursor_of_somebody_elses_making(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/audit?cursor=WzFd")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_cursor")

    async def test_is_not_for_members(self, house: House) -> None:
        assert (await house.call(house.member, "GET", "/audit")).status_code == 403

    @pytest.mark.parametrize(("level", "names"), [("my", ["D"]), ("group", ["D", "C", "B", "A"]), ("all", 4)])
    async def test_reaches_as_far_as_the_level(self, house: House, level: str, names: object) -> None:
        roles = {"kind": "RESOURCE", "item": "rbac.roles", "create": "all"}
        person = await house.person_with({"kind": "RESOURCE", "item": "audit", "read": level}, roles)
        await house.gateway.sql(
            "WITH g AS (INSERT INTO groups (id, mandate_id, name)"
            " VALUES (gen_random_uuid(), :mandate, 'G') RETURNING id)"
            " INSERT INTO group_members (mandate_id, group_id, user_id)"
            " SELECT :mandate, g.id, u FROM g, unnest(CAST(:users AS uuid[])) u",
            mandate=house.mandate,
            users=[person.id, house.administrator.id],
        )
        await house.call(person, "POST", "/roles", json={"name": "D"})
        trail = (await house.call(person, "GET", "/audit?code=role_created")).json()["items"]
        told = [event["details"]["name"] for event in trail if not event["details"]["name"].startswith("of ")]
        assert (len(told) if isinstance(names, int) else told) == names


class TestTheTrailOfTheInstallation:
    async def test_tells_the_events_of_every_mandate(self, house: House) -> None:
        trail = (await house.as_sysadmin("GET", "/admin/audit?code=role_created")).json()["items"]
        assert {event["mandate_id"] for event in trail} == {str(house.mandate), str(house.foreign)}

    async def test_is_not_for_the_administrators_of_a_mandate(self, house: House) -> None:
        assert (await house.call(house.administrator, "GET", "/admin/audit")).status_code == 403
