"""What is promised grows by nobody who could not give it: promises are compared as if they were kept already."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from modules.rbac.service.scheduled_grants import settle_scheduled_grants
from modules.shared import clock
from tests.support.gateway import Person
from tests.support.house import House, Rule

ALL = {"create": "all", "read": "all", "update": "all", "delete": "all"}
EVERYTHING = {"kind": "RESOURCE", "item": "*", "view": True, **ALL}
EDIT_ROLES = {"kind": "RESOURCE", "item": "rbac.roles", "view": True, "create": "all", "read": "all", "update": "all"}
READ_INVITATIONS = {"kind": "RESOURCE", "item": "invitations", "read": "all"}
READ_AUDIT = {"kind": "RESOURCE", "item": "audit", "read": "all"}
UPDATE_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all", "update": "all"}
ADDRESS = "eve@corp.example"
WAYS = ["later", "by_invitation", "by_domain"]


async def later(house: House, role_id: str, to: Person | None = None) -> dict[str, Any]:
    wanted = {
        "membership_id": str(house.memberships[to or house.member]),
        "valid_from": (clock.now() + timedelta(hours=1)).isoformat(),
    }
    return await made(house, f"/roles/{role_id}/assignments", wanted)


async def by_invitation(house: House, *role_ids: str) -> dict[str, Any]:
    return await made(house, "/invitations", {"email": ADDRESS, "role_ids": role_ids})


async def by_domain(house: House, role_id: str) -> dict[str, Any]:
    return await made(house, "/mandate/domains", {"domain": "corp.example", "role_id": role_id})


async def made(house: House, path: str, document: object) -> dict[str, Any]:
    answer = await house.call(house.administrator, "POST", path, json=document)
    assert answer.status_code == 201, answer.text
    promise: dict[str, Any] = answer.json()
    return promise


async def promised(house: House, way: str, role_id: str) -> None:
    match way:
        case "later":
            await later(house, role_id)
        case "by_invitation":
            await by_invitation(house, role_id)
        case _:
            await by_domain(house, role_id)


async def grow(house: House, by: Person, role_id: str, *rules: Rule) -> httpx.Response:
    return await house.call(by, "PUT", f"/roles/{role_id}/rules", json={"rules": rules})


def is_refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("code")) == (403, "escalation_refused")


async def time_comes(house: House) -> str:
    """What became of the promise."""
    await house.gateway.sql("UPDATE scheduled_grants SET valid_from = now() - interval '1 second'")
    await house.perform(settle_scheduled_grants)
    (row,) = await house.gateway.sql("SELECT outcome FROM scheduled_grants")
    outcome: str = row["outcome"]
    return outcome


@pytest.fixture
async def editor(house: House) -> Person:
    """May change roles, and holds nothing else."""
    return await house.person_with(EDIT_ROLES)


class TestAPromisedRole:
    @pytest.mark.parametrize("way", WAYS)
    async def test_grows_by_nobody_who_has_less(self, house: House, editor: Person, way: str) -> None:
        role = (await house.new_role("Clerk", READ_INVITATIONS))["id"]
        await promised(house, way, role)
        assert is_refused(await grow(house, editor, role, EVERYTHING))
        answer = await house.call(editor, "POST", f"/roles/{role}/rules", json=READ_AUDIT)
        assert is_refused(answer)

    @pytest.mark.parametrize("way", WAYS)
    async def test_that_others_hold_who_have_it_all_anyway_grows_no_more(
        self, house: House, editor: Person, way: str
    ) -> None:
        role = (await house.new_role("Clerk", READ_INVITATIONS))["id"]
        await house.gateway.give(house.memberships[house.administrator], house.mandate, role)
        await promised(house, way, role)
        assert is_refused(await grow(house, editor, role, EVERYTHING))

    @pytest.mark.parametrize("way", WAYS)
    async def test_grows_by_what_one_has(self, house: House, editor: Person, way: str) -> None:
        role = (await house.new_role("Clerk", READ_INVITATIONS))["id"]
        await promised(house, way, role)
        if way == "by_domain":  # or nobody would join any more
            assert (await grow(house, editor, role, {**EDIT_ROLES, "create": None, "update": None})).status_code == 200
        else:
            assert (await grow(house, editor, role, EDIT_ROLES)).status_code == 200
        assert (await grow(house, house.administrator, role, EVERYTHING)).status_code == 200

    @pytest.mark.parametrize("way", WAYS)
    async def test_shrinks_by_whoever_changes_roles(self, house: House, editor: Person, way: str) -> None:
        role = (await house.new_role("Clerk", READ_INVITATIONS))["id"]
        await promised(house, way, role)
        assert (await grow(house, editor, role)).status_code == 200

    async def test_gives_what_it_was_when_its_time_has_come(self, house: House, editor: Person) -> None:
        role = (await house.new_role("Clerk", READ_INVITATIONS))["id"]
        await later(house, role, editor)
        assert is_refused(await grow(house, editor, role, EVERYTHING))
        assert await time_comes(house) == "granted"
        assert await house.may(editor, "invitations", "read") == "all"
        assert await house.may(editor, "audit", "read") == await house.may(editor, "mandate", "update") == "none"

    async def test_grows_to_a_group_level_by_whoever_reaches_all(self, house: House) -> None:
        """Those whom the promised one shares a group with are not those of whoever changes the role."""
        near = await house.person_with(EDIT_ROLES, {**READ_INVITATIONS, "read": "group"})
        far = await house.person_with(EDIT_ROLES, READ_INVITATIONS)
        group = await made(house, "/groups", {"name": "Field"})
        moved = await house.call(house.administrator, "PUT", f"/groups/{group['id']}/members/{house.member.id}")
        assert moved.is_success, moved.text
        role = (await house.new_role("Clerk"))["id"]
        await later(house, role)
        wider = {**READ_INVITATIONS, "read": "group"}
        assert is_refused(await grow(house, near, role, wider))
        assert (await grow(house, far, role, wider)).status_code == 200


class TestAnInvitation:
    async def test_that_has_expired_still_counts_since_it_can_be_sent_again(self, house: House, editor: Person) -> None:
        role = (await house.new_role("Clerk"))["id"]
        await by_invitation(house, role)
        await house.gateway.sql("UPDATE invitations SET expires_at = now() - interval '1 day'")
        assert is_refused(await grow(house, editor, role, READ_AUDIT))

    async def test_counts_with_all_its_roles_together(self, house: House, editor: Person) -> None:
        """What one of them forbids goes up when that falls silent, though no role by itself gives more."""
        narrow = (await house.new_role("No audit", {**READ_AUDIT, "read": "none"}))["id"]
        wide = (await house.new_role("Everything", {"kind": "RESOURCE", "item": "*", "read": "all"}))["id"]
        await by_invitation(house, narrow, wide)
        assert is_refused(await grow(house, editor, narrow))


class TestAPromiseThatIsOver:
    async def test_because_it_was_withdrawn_holds_back_nothing(self, house: House, editor: Person) -> None:
        role = (await house.new_role("Clerk"))["id"]
        promises = [
            f"/roles/{role}/assignments/{(await later(house, role))['id']}",
            f"/invitations/{(await by_invitation(house, role))['id']}",
            f"/mandate/domains/{(await by_domain(house, role))['id']}",
        ]
        for path in promises:
            assert is_refused(await grow(house, editor, role, READ_AUDIT))
            assert (await house.call(house.administrator, "DELETE", path)).is_success
        assert (await grow(house, editor, role, READ_AUDIT)).status_code == 200


class TestWhoIsPromisedMore:
    """The terms of a member are a change of what they will hold, too."""

    @pytest.fixture
    async def clerk(self, house: House) -> Person:
        return await house.person_with(UPDATE_MEMBERS)

    async def change(self, house: House, by: Person, **terms: object) -> httpx.Response:
        return await house.call(by, "PATCH", f"/members/{house.memberships[house.member]}", json=terms)

    async def test_is_not_switched_on_by_whoever_has_less(self, house: House, clerk: Person) -> None:
        await house.gateway.sql("DELETE FROM role_assignments WHERE membership_id = :m",
                                m=house.memberships[house.member])  # fmt: skip
        await later(house, (await house.new_role("Clerk", READ_AUDIT))["id"])
        assert (await self.change(house, clerk, enabled=False)).status_code == 200
        assert is_refused(await self.change(house, clerk, enabled=True))
        assert (await self.change(house, house.administrator, enabled=True)).status_code == 200

    async def test_loses_nothing_that_holds_them_down(self, house: House, clerk: Person) -> None:
        narrow = (await house.new_role("No audit", {**READ_AUDIT, "read": "none"}))["id"]
        answer = await self.change(house, house.administrator, role_ids=[narrow])
        assert answer.status_code == 200, answer.text
        await later(house, (await house.new_role("All", {"kind": "RESOURCE", "item": "*", "read": "all"}))["id"])
        assert is_refused(await self.change(house, clerk, role_ids=[]))
        assert (await self.change(house, house.administrator, role_ids=[])).status_code == 200
