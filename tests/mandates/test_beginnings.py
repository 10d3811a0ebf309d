"""Where new accounts find themselves, and the first one's place among the operators."""

import pytest

from modules.mandates.service.beginnings import MandateBeginnings, RegistrationHome
from modules.shared.ids import MandateId
from tests.mandates.conftest import House
from tests.support.gateway import Person


async def settle(house: House, person: Person, home: str, name: str = "Nia") -> MandateId | None:
    settling = RegistrationHome(house.gateway.services.get(MandateBeginnings), home)
    async with house.gateway.database.system_session() as session:
        return await settling.settle(session, person.id, name)


class TestRegistrationHome:
    async def test_none_is_nowhere(self, house: House) -> None:
        person = await house.gateway.person()
        assert await settle(house, person, "none") is None
        assert await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=person.id) == []

    async def test_personal_is_a_mandate_of_ones_own(self, house: House) -> None:
        person = await house.gateway.person()
        home = await settle(house, person, "personal")
        assert home is not None
        answer = await house.call(person, "GET", "/mandate", home)
        assert answer.json()["name"] == "Nia"
        members = (await house.call(person, "GET", "/members", home)).json()["items"]
        assert [member["role_ids"] for member in members] == [[await house.role("administrator")]]

    async def test_of_a_mandate_is_as_a_member(self, house: House) -> None:
        person = await house.gateway.person()
        assert await settle(house, person, "mandate:acme") == house.mandate
        members = (await house.call(person, "GET", "/members", params={"q": person.email})).json()["items"]
        assert [member["role_ids"] for member in members] == [[await house.role("member")]]

    async def test_leaves_the_rights_of_a_member_as_they_are(self, house: House) -> None:
        await settle(house, house.administrator, "mandate:acme")
        path = f"/members/{await house.membership_of(house.administrator)}"
        member = (await house.call(house.administrator, "GET", path)).json()
        assert member["role_ids"] == [await house.role("administrator")]

    @pytest.mark.parametrize("home", ["mandate:nowhere", "mandate:other"])
    async def test_that_is_not_there_or_closed_keeps_nobody_from_registering(self, house: House, home: str) -> None:
        await house.gateway.sql("UPDATE mandates SET enabled = false WHERE slug = 'other'")
        assert await settle(house, await house.gateway.person(), home) is None


class TestFirstAccount:
    async def test_becomes_sysadmin_of_the_root_mandate(self, house: House) -> None:
        person = await house.gateway.person(sysadmin=True)
        async with house.gateway.database.system_session() as session:
            await house.gateway.services.get(MandateBeginnings).welcome(session, person.id)
        async with house.gateway.client(person) as client:
            assert (await client.get("/api/v1/admin/mandates")).status_code == 200
