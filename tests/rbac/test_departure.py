"""Deleting one's account never leaves a mandate without an administrator."""

import asyncio

import httpx
from sqlalchemy import delete

from modules.mandates.models import Membership
from modules.mandates.service.promises import PromisesToNewcomers
from modules.rbac.service.administrators import MandateAdministrators
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.shared.database import Tenant
from modules.shared.ids import UserId
from tests.support.gateway import RunningGateway
from tests.support.house import House
from tests.support.waiting import eventually


class TestDeletingAnAccount:
    async def test_is_refused_to_the_last_administrator_of_a_mandate(self, running: RunningGateway) -> None:
        ada, here = await running.person(), await running.mandate("here")
        await running.join(ada, here, "administrator")
        async with running.client(ada) as client:
            answer = await client.delete("/api/v1/users/me")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")

    async def test_is_possible_when_another_administrator_stays(self, running: RunningGateway) -> None:
        ada, eve, here = await running.person(), await running.person(), await running.mandate("here")
        for administrator in (ada, eve):
            await running.join(administrator, here, "administrator")
        async with running.client(ada) as client:
            assert (await client.delete("/api/v1/users/me")).status_code in {200, 202}


class TestDeletingAnAccountBesideAChangeOfRights:
    """The mandate is locked for both, so that each decides on what the other has done."""

    async def test_waits_for_the_change_and_is_refused_when_nobody_else_stays(self, house: House) -> None:
        ada, eve = house.administrator, await house.gateway.person()
        eves = await house.gateway.join(eve, house.mandate, "administrator")
        async with house.gateway.client(ada) as client:
            async with house.gateway.database.session(Tenant(house.mandate, None, ada.id)) as session:
                async with guard_of(house).change(session, house.mandate, ada.id):
                    await session.execute(delete(Membership).where(Membership.id == eves))
                leaving = asyncio.create_task(client.delete("/api/v1/users/me"))
                await eventually(lambda: done_or_waiting(house, leaving))
            answer = await leaving
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
        assert await administrators(house) == {ada.id}

    async def test_is_not_done_together_with_the_other_administrators_removal(self, house: House) -> None:
        ada, eve = house.administrator, await house.gateway.person()
        eves = await house.gateway.join(eve, house.mandate, "administrator")
        async with house.gateway.client(ada) as first, house.gateway.client(eve, house.mandate) as second:
            left, removed = await asyncio.gather(
                first.delete("/api/v1/users/me"), second.delete(f"/api/v1/members/{eves}")
            )
        assert sorted((left.is_success, removed.is_success)) == [False, True]
        assert len(await administrators(house)) == 1


def guard_of(house: House) -> RbacGrantGuard:
    return RbacGrantGuard(house.gateway.database, house.gateway.gateway.catalogue, PromisesToNewcomers())


async def administrators(house: House) -> set[UserId]:
    """Who can put the mandate right again."""
    async with house.gateway.database.system_session() as session:
        return set(await MandateAdministrators(house.gateway.gateway.catalogue).of_mandate(session, house.mandate))


async def done_or_waiting(house: House, task: "asyncio.Task[httpx.Response]") -> bool:
    """Whether the request has been answered, or stands in the database before what somebody else holds."""
    waiting = await house.gateway.sql(
        "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE NOT l.granted AND d.datname = current_database()"
        " UNION ALL SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return task.done() or bool(waiting)
