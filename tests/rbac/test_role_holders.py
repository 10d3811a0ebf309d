"""Who holds a role: given now, promised for later, taken again; and promises kept or refused when their time comes."""

from datetime import timedelta
from uuid import uuid4

import asyncpg
import httpx
import pytest

from modules.rbac.service import scheduled_grants
from modules.rbac.service.scheduled_grants import ScheduledGrants, settle_scheduled_grants
from modules.shared import clock
from tests.support.gateway import Person
from tests.support.house import House
from tests.support.postgres import DatabaseUrls

READ_INVITATIONS = {"kind": "RESOURCE", "item": "invitations", "read": "all"}
UPDATE_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all", "update": "all"}


async def give(house: House, role_id: str, to: Person, *, by: Person | None = None, **term: str) -> httpx.Response:
    body = {"membership_id": str(house.memberships[to]), **term}
    return await house.call(by or house.administrator, "POST", f"/roles/{role_id}/assignments", json=body)


async def break_giving(urls: DatabaseUrls, role_id: str) -> None:
    """From now on the database fails, for no reason of ours, when this role is given."""
    connection = await asyncpg.connect(urls.owner)
    try:
        await connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;"
            " CREATE TRIGGER broken BEFORE INSERT ON role_assignments FOR EACH ROW"
            f" WHEN (NEW.role_id = '{role_id}') EXECUTE FUNCTION fail()"
        )
    finally:
        await connection.close()


def later(**ahead: float) -> str:
    return (clock.now() + timedelta(**ahead)).isoformat()


class TestGiveARole:
    async def test_works_with_the_next_request(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        assert (await give(house, role["id"], house.member)).status_code == 201
        assert await house.may(house.member, "invitations", "read") == "all"

    async def test_ends_by_itself(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        assert (await give(house, role["id"], house.member, valid_until=later(seconds=0.4))).status_code == 201
        await house.gateway.sql("SELECT pg_sleep(0.5)")
        assert await house.may(house.member, "invitations", "read") == "none"

    async def test_twice_is_refused(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member)
        answer = await give(house, role["id"], house.member)
        assert (answer.status_code, answer.json()["code"]) == (409, "role_held_already")

    async def test_beyond_what_the_giver_holds_is_refused(self, house: House) -> None:
        giver = await house.person_with(UPDATE_MEMBERS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.member, by=giver)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        assert await house.may(house.member, "invitations", "read") == "none"

    async def test_to_a_member_beyond_the_givers_level_is_refused(self, house: House) -> None:
        giver = await house.person_with({**UPDATE_MEMBERS, "update": "my"}, READ_INVITATIONS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.member, by=giver)
        assert (answer.status_code, answer.json()["code"]) == (422, "holder_not_found")

    async def test_to_a_member_of_another_mandate_is_refused(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.stranger)
        assert (answer.status_code, answer.json()["code"]) == (422, "holder_not_found")

    async def test_of_another_mandate_is_not_found(self, house: House) -> None:
        role = await house.new_role("Foreign", by=house.stranger)
        assert (await give(house, role["id"], house.member)).status_code == 404

    async def test_of_an_instance_is_refused(self, house: House) -> None:
        instance = str(await house.gateway.instance(house.mandate, "invoices"))
        body = {"name": "Clerk", "instance_id": instance}
        role = (await house.call(house.administrator, "POST", "/roles", json=body)).json()
        answer = await give(house, role["id"], house.member)
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")

    async def test_until_a_time_that_is_over_is_refused(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.member, valid_until=later(hours=-1))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_term")


class TestTheRoleSysadmin:
    @pytest.fixture
    async def colleague(self, house: House) -> Person:
        person = await house.gateway.person()
        house.memberships[person] = await house.gateway.join(person, house.root)
        return person

    async def _give(self, house: House, to: Person) -> httpx.Response:
        body = {"membership_id": str(house.memberships[to])}
        path = f"/roles/{await house.gateway.role('sysadmin')}/assignments"
        return await house.call(house.sysadmin, "POST", path, json=body, mandate=house.root)

    async def test_is_given_after_a_recent_sign_in(self, house: House, colleague: Person) -> None:
        assert (await self._give(house, colleague)).status_code == 201

    async def test_is_not_given_after_an_old_one(self, house: House, colleague: Person) -> None:
        await house.gateway.sql(
            "UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE id = :id",
            id=house.sysadmin.session_id,
        )
        answer = await self._give(house, colleague)
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")

    async def test_is_never_promised(self, house: House, colleague: Person) -> None:
        body = {"membership_id": str(house.memberships[colleague]), "valid_from": later(hours=1)}
        path = f"/roles/{await house.gateway.role('sysadmin')}/assignments"
        answer = await house.call(house.sysadmin, "POST", path, json=body, mandate=house.root)
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")


class TestTakeARole:
    async def test_works_with_the_next_request(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        held = (await give(house, role["id"], house.member)).json()
        path = f"/roles/{role['id']}/assignments/{held['id']}"
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        assert await house.may(house.member, "invitations", "read") == "none"

    async def test_spares_the_last_administrator(self, house: House) -> None:
        administrator = await house.gateway.role("administrator")
        listed = (await house.call(house.administrator, "GET", f"/roles/{administrator}/assignments")).json()["items"]
        path = f"/roles/{administrator}/assignments/{listed[0]['id']}"
        answer = await house.call(house.administrator, "DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")

    @pytest.mark.parametrize(
        ("level", "outcome"), [(None, 403), ("my", 403), ("all", 204)], ids=["none", "elsewhere", "all"]
    )
    async def test_of_an_instance_takes_what_giving_it_takes(
        self, house: House, level: str | None, outcome: int
    ) -> None:
        instance = await house.gateway.instance(house.mandate, "invoices")
        body = {"name": "Clerk", "instance_id": str(instance)}
        role = (await house.call(house.administrator, "POST", "/roles", json=body)).json()
        access = f"/instances/{instance}/access/{house.member.id}"
        put = await house.call(house.administrator, "PUT", access, json={"role_ids": [role["id"]]})
        assert put.is_success, put.text
        rules = [{"kind": "RESOURCE", "item": "instances", "update": level}] if level else []
        taker = await house.person_with(UPDATE_MEMBERS, *rules)
        path = f"/roles/{role['id']}/assignments"
        (held,) = (await house.call(taker, "GET", path)).json()["items"]
        assert (await house.call(taker, "DELETE", f"{path}/{held['id']}")).status_code == outcome

    async def test_unknown_is_not_found(self, house: House) -> None:
        role = await house.new_role("Clerk")
        answer = await house.call(house.administrator, "DELETE", f"/roles/{role['id']}/assignments/{uuid4()}")
        assert (answer.status_code, answer.json()["code"]) == (404, "assignment_not_found")


class TestListHolders:
    async def test_tells_who_holds_it_and_who_will(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member)
        await give(house, role["id"], house.administrator, valid_from=later(hours=1))
        listed = (await house.call(house.administrator, "GET", f"/roles/{role['id']}/assignments")).json()["items"]
        assert [(each["user_id"], each["state"]) for each in listed] == [
            (str(house.member.id), "held"),
            (str(house.administrator.id), "scheduled"),
        ]

    async def test_shows_no_more_people_than_the_level_reaches(self, house: House) -> None:
        reader = await house.person_with({**UPDATE_MEMBERS, "read": "my"})
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member)
        await give(house, role["id"], reader)
        listed = (await house.call(reader, "GET", f"/roles/{role['id']}/assignments")).json()["items"]
        assert [each["user_id"] for each in listed] == [str(reader.id)]


class TestAPromise:
    async def test_gives_nothing_before_its_time(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.member, valid_from=later(hours=1))
        assert (answer.status_code, answer.json()["state"]) == (201, "scheduled")
        await house.perform(settle_scheduled_grants)
        assert await house.may(house.member, "invitations", "read") == "none"

    async def test_is_kept_when_its_time_has_come(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member, valid_from=later(hours=1))
        await self._come(house)
        assert await house.may(house.member, "invitations", "read") == "all"
        assert await self._outcome(house) == "granted"
        assert len(await house.events("scheduled_grant_kept")) == 1

    async def test_is_kept_once(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member, valid_from=later(hours=1))
        await self._come(house)
        assert await house.gateway.services.get(ScheduledGrants).settle_due() == (0, 0)

    async def test_takes_what_the_promiser_has_now(self, house: House) -> None:
        giver = await house.person_with(UPDATE_MEMBERS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        answer = await give(house, role["id"], house.member, by=giver, valid_from=later(hours=1))
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    @pytest.mark.parametrize(
        ("since_then", "reason"),
        [
            ("DELETE FROM role_assignments WHERE membership_id = :membership", "permission_denied"),
            ("UPDATE memberships SET enabled = false WHERE id = :membership", "permission_denied"),
            (
                (
                    "UPDATE users SET state = 'disabled' FROM memberships m"
                    " WHERE m.user_id = users.id AND m.id = :membership"
                ),
                "permission_denied",
            ),
        ],
    )
    async def test_is_refused_when_the_promiser_may_not_keep_it(
        self, house: House, since_then: str, reason: str
    ) -> None:
        giver = await house.person_with(UPDATE_MEMBERS, READ_INVITATIONS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        assert (await give(house, role["id"], house.member, by=giver, valid_from=later(hours=1))).status_code == 201
        await house.gateway.sql(since_then, membership=house.memberships[giver])
        await self._come(house)
        assert await house.may(house.member, "invitations", "read") == "none"
        assert await self._outcome(house) == "refused"
        (event,) = await house.events("scheduled_grant_refused")
        assert (event["mandate_id"], event["outcome"], event["details"]["reason"]) == (house.mandate, "refused", reason)

    async def test_is_refused_when_the_role_is_gone(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member, valid_from=later(hours=1))
        await house.call(house.administrator, "DELETE", f"/roles/{role['id']}")
        await self._come(house)
        assert await self._outcome(house) == "refused"

    async def test_can_be_withdrawn(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_INVITATIONS)
        promised = (await give(house, role["id"], house.member, valid_from=later(hours=1))).json()
        path = f"/roles/{role['id']}/assignments/{promised['id']}"
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        await self._come(house)
        assert await self._outcome(house) == "withdrawn"

    async def test_that_cannot_be_settled_holds_up_no_other(self, house: House, database_urls: DatabaseUrls) -> None:
        bad, good = await house.new_role("Bad", READ_INVITATIONS), await house.new_role("Good", READ_INVITATIONS)
        for hours, role in enumerate((bad, good), start=1):
            await give(house, role["id"], house.member, valid_from=later(hours=hours))
        await break_giving(database_urls, bad["id"])
        await house.gateway.sql("UPDATE scheduled_grants SET valid_from = valid_from - interval '1 day'")
        grants = house.gateway.services.get(ScheduledGrants)
        assert await grants.settle_due() == (1, 1)
        assert await house.may(house.member, "invitations", "read") == "all"
        assert await grants.settle_due() == (0, 1)
        waiting = await house.gateway.sql("SELECT role_id FROM scheduled_grants WHERE settled_at IS NULL")
        assert [str(grant["role_id"]) for grant in waiting] == [bad["id"]]

    async def test_of_more_than_are_read_at_once_are_all_settled(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scheduled_grants, "_AT_ONCE", 2)
        for number in range(5):
            role = await house.new_role(f"Clerk {number}")
            await give(house, role["id"], house.member, valid_from=later(hours=1))
        await house.gateway.sql("UPDATE scheduled_grants SET valid_from = now() - interval '1 second'")
        assert await house.gateway.services.get(ScheduledGrants).settle_due() == (5, 0)

    async def test_is_refused_when_the_promisers_level_no_longer_reaches_the_member(self, house: House) -> None:
        giver = await house.person_with(UPDATE_MEMBERS, READ_INVITATIONS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member, by=giver, valid_from=later(hours=1))
        await house.gateway.sql(
            "UPDATE access_rules SET may_update = 1 WHERE item = 'members' AND role_id IN"
            " (SELECT role_id FROM role_assignments WHERE membership_id = :membership)",
            membership=house.memberships[giver],
        )
        await self._come(house)
        assert await self._outcome(house) == "refused"

    @pytest.mark.parametrize("may_still_give", [True, False])
    async def test_whose_time_is_over_is_recorded_as_never_kept(self, house: House, may_still_give: bool) -> None:
        giver = await house.person_with(UPDATE_MEMBERS, READ_INVITATIONS)
        role = await house.new_role("Clerk", READ_INVITATIONS)
        await give(house, role["id"], house.member, by=giver, valid_from=later(hours=1), valid_until=later(hours=2))
        if not may_still_give:
            await house.gateway.sql("DELETE FROM role_assignments WHERE granted_by IS NULL")
        await house.gateway.sql(
            "UPDATE scheduled_grants SET valid_from = now() - interval '2 hours', valid_until = now()"
        )
        await house.perform(settle_scheduled_grants)
        assert await self._outcome(house) == "expired"
        (event,) = await house.events("scheduled_grant_expired")
        assert (event["mandate_id"], event["outcome"]) == (house.mandate, "refused")
        assert await house.events("scheduled_grant_kept") == []
        assert await house.gateway.sql("SELECT 1 FROM role_assignments WHERE role_id = :role", role=role["id"]) == []

    async def _come(self, house: House) -> None:
        await house.gateway.sql("UPDATE scheduled_grants SET valid_from = now() - interval '1 second'")
        await house.perform(settle_scheduled_grants)

    async def _outcome(self, house: House) -> str:
        (grant,) = await house.gateway.sql("SELECT outcome FROM scheduled_grants")
        outcome: str = grant["outcome"]
        return outcome
