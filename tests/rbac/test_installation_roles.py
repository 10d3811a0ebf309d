"""Roles that answer for the installation, whatever they are called: a recent sign-in before they change or change
hands.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from modules.shared import clock
from tests.support.gateway import Person
from tests.support.house import House

READ_ACCOUNTS = {"kind": "RESOURCE", "item": "admin.users", "read": "all"}
READ_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all"}


@pytest.fixture
async def colleague(house: House) -> Person:
    """A member of the root mandate."""
    person = await house.gateway.person()
    house.memberships[person] = await house.gateway.join(person, house.root)
    return person


async def ask(house: House, method: str, path: str, json: object = None) -> httpx.Response:
    """A request of the sysadmin in the root mandate."""
    return await house.call(house.sysadmin, method, path, json=json, mandate=house.root)


async def copy_of_sysadmin(house: House) -> dict[str, Any]:
    answer = await ask(house, "POST", f"/roles/{await house.gateway.role('sysadmin')}/duplicate", {"name": "Copy"})
    assert answer.status_code == 201, answer.text
    copy: dict[str, Any] = answer.json()
    return copy


async def role_with(house: House, *rules: Mapping[str, object]) -> dict[str, Any]:
    role: dict[str, Any] = (await ask(house, "POST", "/roles", {"name": "Clerk"})).json()
    answer = await ask(house, "PUT", f"/roles/{role['id']}/rules", {"rules": rules})
    assert answer.status_code == 200, answer.text
    return role


async def grow_old(house: House) -> None:
    """The sysadmin's sign-in was eleven minutes ago."""
    await house.gateway.sql(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE id = :id",
        id=house.sysadmin.session_id,
    )


def refusal(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["code"] if answer.is_error else None


class TestACopyOfSysadmin:
    async def test_is_given_after_a_recent_sign_in_only(self, house: House, colleague: Person) -> None:
        body = {"membership_id": str(house.memberships[colleague])}
        path = f"/roles/{(await copy_of_sysadmin(house))['id']}/assignments"
        await grow_old(house)
        assert refusal(await ask(house, "POST", path, body)) == (403, "step_up_required")

    async def test_is_not_given_with_the_member_either(self, house: House, colleague: Person) -> None:
        body = {"role_ids": [(await copy_of_sysadmin(house))["id"]]}
        await grow_old(house)
        answer = await ask(house, "PATCH", f"/members/{house.memberships[colleague]}", body)
        assert refusal(answer) == (403, "step_up_required")

    async def test_is_neither_promised_nor_offered(self, house: House, colleague: Person) -> None:
        copy = await copy_of_sysadmin(house)
        later = (clock.now() + timedelta(hours=1)).isoformat()
        body = {"membership_id": str(house.memberships[colleague]), "valid_from": later}
        assert refusal(await ask(house, "POST", f"/roles/{copy['id']}/assignments", body))[0] == 422
        invitation = {"email": "new@example.test", "role_ids": [copy["id"]]}
        assert refusal(await ask(house, "POST", "/invitations", invitation)) == (422, "role_not_assignable")

    async def test_is_taken_and_deleted_after_a_recent_sign_in_only(self, house: House, colleague: Person) -> None:
        copy = await copy_of_sysadmin(house)
        body = {"membership_id": str(house.memberships[colleague])}
        held = (await ask(house, "POST", f"/roles/{copy['id']}/assignments", body)).json()
        await grow_old(house)
        for path in (f"/roles/{copy['id']}/assignments/{held['id']}", f"/roles/{copy['id']}"):
            assert refusal(await ask(house, "DELETE", path)) == (403, "step_up_required")


class TestTheRulesOfARoleOfTheRootMandate:
    @pytest.mark.parametrize("item", ["admin.users", "admin", "admin.*", "*"])
    async def test_that_begin_to_answer_for_the_installation_take_a_recent_sign_in(
        self, house: House, item: str
    ) -> None:
        role = await role_with(house, READ_MEMBERS)
        await grow_old(house)
        rule = {**READ_ACCOUNTS, "item": item}
        for method, body in (("POST", rule), ("PUT", {"rules": [rule]})):
            answer = await ask(house, method, f"/roles/{role['id']}/rules", body)
            assert refusal(answer) == (403, "step_up_required")

    async def test_that_cease_to_take_one_too(self, house: House) -> None:
        role = await role_with(house, READ_ACCOUNTS)
        (rule,) = (await ask(house, "GET", f"/roles/{role['id']}/rules")).json()["items"]
        await grow_old(house)
        path = f"/roles/{role['id']}/rules"
        assert refusal(await ask(house, "PUT", path, {"rules": []})) == (403, "step_up_required")
        assert refusal(await ask(house, "DELETE", f"{path}/{rule['id']}")) == (403, "step_up_required")

    async def test_that_speak_of_the_mandate_take_none(self, house: House, colleague: Person) -> None:
        role = await role_with(house)
        await grow_old(house)
        assert (await ask(house, "POST", f"/roles/{role['id']}/rules", READ_MEMBERS)).status_code == 201
        body = {"membership_id": str(house.memberships[colleague])}
        assert (await ask(house, "POST", f"/roles/{role['id']}/assignments", body)).status_code == 201


class TestARoleOfAnotherMandate:
    async def test_takes_no_recent_sign_in_whatever_it_speaks_of(self, house: House) -> None:
        role = await house.new_role("Wide")
        await house.gateway.sql(
            "UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE id = :id",
            id=house.administrator.session_id,
        )
        rule = {"kind": "RESOURCE", "item": "*", "read": "all"}
        answer = await house.call(house.administrator, "POST", f"/roles/{role['id']}/rules", json=rule)
        assert answer.status_code == 201
