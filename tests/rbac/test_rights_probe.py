"""The probe sees every way of writing who may do what."""

from uuid import uuid4

import pytest
from sqlalchemy import delete, text, update

from modules.rbac.models import Role, RoleAssignment
from modules.shared import clock
from modules.shared.grants import rights_may_change
from tests.support.house import House
from tests.support.rights_probe import UnguardedChange


class TestAWriteOutsideTheGuard:
    async def test_of_a_new_object_is_refused(self, house: House) -> None:
        async with house.gateway.database.system_session() as session:
            session.add(_role(house))
            with pytest.raises(UnguardedChange, match="roles"):
                await session.flush()
            session.expunge_all()

    async def test_by_a_statement_is_refused(self, house: House) -> None:
        async with house.gateway.database.system_session() as session:
            for statement in (delete(RoleAssignment), update(Role).values(name="x")):
                with pytest.raises(UnguardedChange):
                    await session.execute(statement)

    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM group_members", "UPDATE memberships SET enabled = true", "insert into access_rules VALUES (1)"],
    )
    async def test_by_text_is_refused(self, house: House, statement: str) -> None:
        async with house.gateway.database.system_session() as session:
            with pytest.raises(UnguardedChange):
                await session.execute(text(statement))

    async def test_is_possible_where_it_is_marked(self, house: House) -> None:
        async with house.gateway.database.system_session() as session:
            with rights_may_change(session, "a test"):
                session.add(_role(house))
                await session.flush()
        assert len(await house.gateway.sql("SELECT id FROM roles WHERE name = 'probe'")) == 1


def _role(house: House) -> Role:
    return Role(
        id=uuid4(),
        mandate_id=house.mandate,
        scope="mandate",
        instance_id=None,
        key=None,
        name="probe",
        description="",
        travels=False,
        version=uuid4(),
        created_at=clock.now(),
    )
