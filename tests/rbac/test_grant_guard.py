"""Nobody grants what they do not have: not now, not for later, not by ending what held somebody down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from sqlalchemy import text

from modules.mandates.service.promises import PromisesToNewcomers
from modules.rbac.errors import EscalationRefused, LastAdministrator, PermissionDenied
from modules.rbac.evaluator import EffectiveTable
from modules.rbac.permissions import ROLES
from modules.rbac.repository.holders import compile_bound, travelling_bindings
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.shared.catalogue import Action, ItemKind
from modules.shared.database import Tenant
from modules.shared.grants import Need
from modules.shared.rules import Priority, RoleBinding
from tests.support.gateway import Person
from tests.support.house import House, changing
from tests.support.waiting import eventually

UPDATE_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all", "update": "all"}
EVERYTHING = {"kind": "RESOURCE", "item": "*", "create": "all", "read": "all", "update": "all", "delete": "all"}
READ_DATA = {"kind": "DATA", "item": "*", "read": "all"}
NO_INVITATIONS = {"kind": "RESOURCE", "item": "invitations", "create": "none"}
TOMORROW = "now() + interval '1 day'"


@pytest.fixture
async def clerk(house: House) -> Person:
    """May change the terms of members, and holds little else."""
    return await house.person_with(UPDATE_MEMBERS)


async def end_tomorrow(house: House, person: Person) -> None:
    await house.gateway.sql(
        f"UPDATE memberships SET valid_until = {TOMORROW} WHERE id = :id", id=house.memberships[person]
    )


class TestTerms:
    @pytest.mark.parametrize("end", ["NULL", "now() + interval '2 days'"])
    async def test_are_not_lengthened_for_somebody_who_holds_more(self, house: House, clerk: Person, end: str) -> None:
        await end_tomorrow(house, house.administrator)
        statement = text(f"UPDATE memberships SET valid_until = {end} WHERE id = :id")
        with pytest.raises(EscalationRefused):
            async with changing(house, clerk) as session:
                await session.execute(statement, {"id": house.memberships[house.administrator]})

    async def test_are_not_begun_earlier_for_somebody_who_holds_more(self, house: House, clerk: Person) -> None:
        membership = house.memberships[house.administrator]
        await house.gateway.sql(f"UPDATE memberships SET valid_from = {TOMORROW} WHERE id = :id", id=membership)
        with pytest.raises(EscalationRefused):
            async with changing(house, clerk) as session:
                await session.execute(
                    text("UPDATE memberships SET valid_from = NULL WHERE id = :id"), {"id": membership}
                )

    async def test_are_lengthened_for_somebody_who_holds_no_more(self, house: House, clerk: Person) -> None:
        colleague = await house.person_with(UPDATE_MEMBERS)
        await end_tomorrow(house, colleague)
        async with changing(house, clerk) as session:
            await session.execute(
                text("UPDATE memberships SET valid_until = NULL WHERE id = :id"), {"id": house.memberships[colleague]}
            )

    async def test_are_shortened_by_whoever_may(self, house: House, clerk: Person) -> None:
        second = await house.gateway.person()
        await house.gateway.join(second, house.mandate, "administrator")
        async with changing(house, clerk) as session:
            await session.execute(
                text(f"UPDATE memberships SET valid_until = {TOMORROW} WHERE id = :id"),
                {"id": house.memberships[house.administrator]},
            )

    async def test_of_a_role_that_holds_somebody_down_count_when_they_end(self, house: House) -> None:
        """The wide role raises nobody today: a narrow one forbids what the giver may not either, until tomorrow."""
        giver = await house.person_with(EVERYTHING, NO_INVITATIONS)
        narrow, wide = await house.new_role("Narrow", NO_INVITATIONS), await house.new_role("Wide", EVERYTHING)
        membership = house.memberships[house.member]
        await house.gateway.give(membership, house.mandate, narrow["id"])
        await house.gateway.sql(
            f"UPDATE role_assignments SET valid_until = {TOMORROW} WHERE role_id = :id", id=narrow["id"]
        )
        with pytest.raises(EscalationRefused):
            async with changing(house, giver) as session:
                await session.execute(
                    text(
                        "INSERT INTO role_assignments"
                        " (id, mandate_id, membership_id, role_id, role_mandate_id, role_scope)"
                        " VALUES (gen_random_uuid(), :mandate, :membership, :role, :mandate, 'mandate')"
                    ),
                    {"mandate": house.mandate, "membership": membership, "role": wide["id"]},
                )


class TestWhoeverCannotActHere:
    @pytest.mark.parametrize(
        "happening",
        [
            "UPDATE users SET state = 'disabled' WHERE id = :user",
            "UPDATE memberships SET enabled = false WHERE user_id = :user",
            "UPDATE memberships SET valid_from = now() + interval '1 day' WHERE user_id = :user",
        ],
    )
    async def test_is_denied_what_they_could_do_before(self, house: House, happening: str) -> None:
        keeper = await house.gateway.person()
        await house.gateway.join(keeper, house.mandate, "administrator")
        await house.gateway.sql(happening, user=keeper.id)
        with pytest.raises(PermissionDenied):
            async with needing_roles(house, keeper):
                pass

    async def test_may_be_a_visitor_with_flag_and_role(self, house: House) -> None:
        async with needing_roles(house, house.sysadmin):
            pass

    async def test_is_no_visitor_without_the_role(self, house: House) -> None:
        flagged = await house.gateway.person(sysadmin=True)
        with pytest.raises(PermissionDenied):
            async with needing_roles(house, flagged):
                pass


class TestAnAccessWithoutRoles:
    """What a member holds in the whole mandate answers in every instance they are let into."""

    ADMIT = (
        "INSERT INTO instance_access (id, mandate_id, instance_id, user_id, valid_from)"
        " VALUES (gen_random_uuid(), :mandate, :instance, :user, {})"
    )

    async def admit(self, house: House, actor: Person, person: Person, since: str = "NULL") -> None:
        instance = await house.gateway.instance(house.mandate, "notes")
        async with changing(house, actor) as session:
            await session.execute(
                text(self.ADMIT.format(since)),
                {"mandate": house.mandate, "instance": instance, "user": person.id},
            )

    @pytest.mark.parametrize("since", ["NULL", TOMORROW])
    async def test_is_not_given_to_somebody_who_holds_more(self, house: House, clerk: Person, since: str) -> None:
        reader = await house.person_with(READ_DATA)
        with pytest.raises(EscalationRefused):
            await self.admit(house, clerk, reader, since)

    async def test_is_given_to_somebody_who_holds_no_more(self, house: House) -> None:
        reader = await house.person_with(READ_DATA)
        await self.admit(house, await house.person_with(READ_DATA), reader)

    async def test_is_taken_by_oneself_to_use_what_one_holds(self, house: House) -> None:
        await self.admit(house, house.administrator, house.administrator)

    async def test_is_taken_away_though_a_role_in_it_held_somebody_down(self, house: House, clerk: Person) -> None:
        instance = await house.gateway.instance(house.mandate, "notes")
        path = f"/instances/{instance}/access/{house.member.id}"
        role = await house.call(
            house.administrator, "POST", "/roles", json={"name": "Narrow", "instance_id": str(instance)}
        )
        await house.call(
            house.administrator,
            "PUT",
            f"/roles/{role.json()['id']}/rules",
            json={"rules": [{"kind": "DATA", "item": "*", "read": "none"}]},
        )
        given = await house.call(house.administrator, "PUT", path, json={"role_ids": [role.json()["id"]]})
        assert given.status_code == 200, given.text
        async with changing(house, clerk) as session:
            await session.execute(text("DELETE FROM instance_access WHERE user_id = :user"), {"user": house.member.id})


class TestWhoeverIsLeaving:
    async def test_is_not_counted_among_those_who_administer(self, house: House) -> None:
        leaving = await house.gateway.person()
        await house.gateway.join(leaving, house.mandate, "administrator")
        await house.gateway.sql(f"UPDATE users SET delete_after = {TOMORROW} WHERE id = :user", user=leaving.id)
        with pytest.raises(LastAdministrator):
            async with changing(house, house.administrator) as session:
                await session.execute(
                    text("DELETE FROM memberships WHERE id = :id"), {"id": house.memberships[house.administrator]}
                )


class TestWhoseLevelShrinksWhileTheyWait:
    async def test_changes_nothing_that_lies_beyond_it_now(self, house: House) -> None:
        clerk = await house.person_with(UPDATE_MEMBERS)
        (role,) = await house.gateway.sql(
            "SELECT role_id FROM role_assignments WHERE membership_id = :id", id=house.memberships[clerk]
        )
        path = f"/api/v1/members/{house.memberships[house.member]}"
        async with house.gateway.client(clerk, house.mandate) as client:
            async with changing(house, house.administrator) as session:
                await session.execute(
                    text("UPDATE access_rules SET may_update = 1 WHERE role_id = :role_id"), dict(role)
                )
                waiting = asyncio.create_task(client.patch(path, json={"enabled": False}))
                await eventually(lambda: is_waited_for(house))
            answer = await waiting
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def is_waited_for(house: House) -> bool:
    """Whether a request stands before what another transaction holds; seen by its own login only."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with house.gateway.database.session() as session:
        return bool((await session.execute(text(waiting))).all())


class TestAFlaggedMember:
    async def test_has_here_what_their_membership_gives_and_nothing_they_would_bring_along(self, house: House) -> None:
        await house.gateway.join(house.sysadmin, house.mandate)
        with pytest.raises(PermissionDenied):
            async with needing_roles(house, house.sysadmin):
                pass


class TestAVisitorWhoBrokeTheGlass:
    @pytest.mark.parametrize(("same_sign_in", "answers"), [(True, True), (False, False), (None, False)])
    async def test_is_answered_for_data_in_that_sign_in_only(
        self, house: House, same_sign_in: bool | None, answers: bool
    ) -> None:
        other = await house.gateway.sign_in(house.sysadmin.id, house.sysadmin.email)
        await house.gateway.sql(
            "INSERT INTO sysadmin_entries (id, mandate_id, session_id, user_id, mode, valid_until)"
            " VALUES (gen_random_uuid(), :mandate, :session, :user, 'break_glass', now() + interval '1 hour')",
            mandate=house.mandate,
            session=house.sysadmin.session_id,
            user=house.sysadmin.id,
        )
        asked = {True: house.sysadmin.session_id, False: other.session_id, None: None}[same_sign_in]
        async with house.gateway.database.system_session() as session:
            bindings = await travelling_bindings(session, house.sysadmin.id, house.mandate, asked)
        assert [binding.answers_data for binding in bindings] == [answers]


class TestARoleThatChangedSinceItsVersionWasRead:
    async def test_is_compiled_as_it_is_now(self, house: House) -> None:
        role = (await house.gateway.sql("SELECT id FROM roles WHERE scope = 'global' AND key = 'administrator'"))[0]
        known = RoleBinding(role["id"], uuid4(), Priority.GLOBAL)
        async with house.gateway.database.session(Tenant(house.mandate)) as session:
            compiled = await compile_bound(session, [known], {})
        assert EffectiveTable([known], compiled).level_at(ItemKind.RESOURCE, "members", Action.UPDATE)


@asynccontextmanager
async def needing_roles(house: House, actor: Person) -> AsyncIterator[None]:
    guard = RbacGrantGuard(house.gateway.database, house.gateway.gateway.catalogue, PromisesToNewcomers())
    async with (
        house.gateway.database.session(Tenant(house.mandate, None, actor.id)) as session,
        guard.change(session, house.mandate, actor.id, needs=Need(ROLES, Action.UPDATE)),
    ):
        yield
