"""Where a role may be given, who administers, how it all begins: what other features ask of roles."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from modules.auth.sign_in_errors import StepUpRequired
from modules.rbac.errors import EscalationRefused, LastAdministrator, RoleNotAssignable
from modules.rbac.service.administrators import MandateAdministrators
from modules.rbac.service.beginnings import RoleBeginnings
from modules.shared import clock
from modules.shared.context import Login
from modules.shared.database import Tenant
from modules.shared.grants import RoleGrants
from modules.shared.ids import InstanceId, MandateId, MembershipId, RoleId, TokenId
from tests.support.gateway import Person
from tests.support.house import House, changing


def grants(house: House) -> RoleGrants:
    """The seam other features use."""
    found: RoleGrants = house.gateway.services.get(RoleGrants)  # type: ignore[type-abstract]  # offered under it
    return found


async def roles_of(house: House, person: Person) -> set[UUID]:
    rows = await house.gateway.sql(
        "SELECT role_id FROM role_assignments WHERE membership_id = :id", id=house.memberships[person]
    )
    return {row["role_id"] for row in rows}


async def set_roles(
    house: House, person: Person, *role_ids: RoleId, actor: Person | None = None, **more: object
) -> None:
    giver = actor or house.administrator
    async with changing(house, giver) as session:
        membership = MembershipId(house.memberships[person])
        await grants(house).set_member_roles(session, house.mandate, membership, role_ids, actor_id=giver.id, **more)  # type: ignore[arg-type] # as the caller says


class TestSetMemberRoles:
    async def test_makes_them_exactly_these(self, house: House) -> None:
        viewer, own = await house.gateway.role("viewer"), RoleId(UUID((await house.new_role("Clerk"))["id"]))
        await set_roles(house, house.member, viewer, own)
        assert await roles_of(house, house.member) == {viewer, own}

    async def test_can_give_them_an_end(self, house: House) -> None:
        viewer, end = await house.gateway.role("viewer"), clock.now() + timedelta(days=1)
        await set_roles(house, house.member, viewer, valid_until=end)
        rows = await house.gateway.sql("SELECT valid_until FROM role_assignments WHERE role_id = :id", id=viewer)
        assert [row["valid_until"] for row in rows] == [end]

    async def test_gives_one_whose_time_is_over_anew(self, house: House) -> None:
        member = await house.gateway.role("member")
        await house.gateway.sql(
            "UPDATE role_assignments SET valid_until = now() - interval '1 day' WHERE role_id = :id", id=member
        )
        await set_roles(house, house.member, member)
        assert await house.may(house.member, "members", "read") == "all"

    async def test_gives_no_role_of_another_mandate(self, house: House) -> None:
        foreign = RoleId(UUID((await house.new_role("Foreign", by=house.stranger))["id"]))
        with pytest.raises(RoleNotAssignable):
            await set_roles(house, house.member, foreign)

    async def test_gives_no_role_of_an_instance(self, house: House) -> None:
        role, _ = await instance_role(house)
        with pytest.raises(RoleNotAssignable):
            await set_roles(house, house.member, role)

    @pytest.mark.parametrize("scope", ["global", "mandate"])
    async def test_gives_nobody_the_role_everyone(self, house: House, scope: str) -> None:
        (role,) = await house.gateway.sql(
            "SELECT id FROM roles"
            " WHERE key = 'everyone' AND scope = :scope AND (scope = 'global' OR mandate_id = :mandate)",
            scope=scope,
            mandate=house.mandate,
        )
        with pytest.raises(RoleNotAssignable):
            await set_roles(house, house.member, role["id"])

    async def test_gives_nothing_unknown(self, house: House) -> None:
        with pytest.raises(RoleNotAssignable) as refusal:
            await set_roles(house, house.member, RoleId(uuid4()))
        assert refusal.value.pointer == "/role_ids"

    async def test_raises_nobody_beyond_the_giver(self, house: House) -> None:
        with pytest.raises(EscalationRefused):
            await set_roles(house, house.member, await house.gateway.role("administrator"), actor=house.member)

    async def test_leaves_somebody_to_administer(self, house: House) -> None:
        with pytest.raises(LastAdministrator):
            await set_roles(house, house.administrator)


class TestTheRoleSysadmin:
    @pytest.mark.parametrize(("age", "given"), [(1, True), (11, False), (None, False)])
    async def test_changes_hands_after_a_recent_sign_in_only(self, house: House, age: int | None, given: bool) -> None:
        sysadmin, person = await house.gateway.role("sysadmin"), await house.gateway.person()
        membership = MembershipId(await house.gateway.join(person, house.root))
        login = None if age is None else _login(house, age)
        try:
            async with changing(house, house.sysadmin, house.root) as session:
                await grants(house).set_member_roles(
                    session, house.root, membership, [sysadmin], actor_id=house.sysadmin.id, login=login
                )
        except StepUpRequired:
            assert not given
        else:
            assert given

    async def test_is_not_taken_after_an_old_one(self, house: House) -> None:
        membership = MembershipId(house.memberships[house.sysadmin])
        with pytest.raises(StepUpRequired):
            async with changing(house, house.sysadmin, house.root) as session:
                await grants(house).set_member_roles(session, house.root, membership, [], actor_id=house.sysadmin.id)

    async def test_belongs_to_the_root_mandate_alone(self, house: House) -> None:
        with pytest.raises(RoleNotAssignable):
            await set_roles(house, house.member, await house.gateway.role("sysadmin"), login=_login(house, 1))


class TestSetAccessRoles:
    async def test_gives_a_role_of_this_instance(self, house: House) -> None:
        role, instance = await instance_role(house)
        await give_access(house, instance)
        await self._set(house, instance, role)
        async with house.gateway.database.session(Tenant(house.mandate)) as session:
            held = await grants(house).roles_of_access(session, house.mandate, instance, [house.member.id])
        assert held == {house.member.id: [role]}

    async def test_takes_it_again(self, house: House) -> None:
        role, instance = await instance_role(house)
        await give_access(house, instance)
        await self._set(house, instance, role)
        await self._set(house, instance)
        assert await house.gateway.sql("SELECT id FROM role_assignments WHERE role_id = :id", id=role) == []

    async def test_gives_no_role_of_another_instance(self, house: House) -> None:
        role, _ = await instance_role(house)
        other = await house.gateway.instance(house.mandate, "invoices", "second")
        await give_access(house, other)
        with pytest.raises(RoleNotAssignable):
            await self._set(house, other, role)

    async def test_gives_no_role_of_the_mandate(self, house: House) -> None:
        _, instance = await instance_role(house)
        await give_access(house, instance)
        with pytest.raises(RoleNotAssignable):
            await self._set(house, instance, await house.gateway.role("viewer"))

    async def test_takes_an_access_to_the_instance(self, house: House) -> None:
        role, instance = await instance_role(house)
        with pytest.raises(RoleNotAssignable):
            await self._set(house, instance, role)

    async def _set(self, house: House, instance: InstanceId, *roles: RoleId) -> None:
        async with changing(house, house.administrator) as session:
            await grants(house).set_access_roles(
                session, house.mandate, instance, house.member.id, roles, actor_id=house.administrator.id
            )


class TestRolesForDisplay:
    async def test_are_those_held_now(self, house: House) -> None:
        membership = MembershipId(house.memberships[house.member])
        async with house.gateway.database.session(Tenant(house.mandate)) as session:
            held = await grants(house).roles_of_members(session, house.mandate, [membership])
        assert held == {membership: [await house.gateway.role("member")]}

    async def test_leave_out_what_is_over(self, house: House) -> None:
        membership = MembershipId(house.memberships[house.member])
        await house.gateway.sql(
            "UPDATE role_assignments SET valid_until = now() WHERE membership_id = :id", id=membership
        )
        async with house.gateway.database.session(Tenant(house.mandate)) as session:
            assert await grants(house).roles_of_members(session, house.mandate, [membership]) == {}


class TestAdministrators:
    async def test_are_those_who_can_put_it_right_without_end(self, house: House) -> None:
        assert await self._of(house) == {house.administrator.id}

    @pytest.mark.parametrize(
        "happening",
        [
            "UPDATE memberships SET enabled = false WHERE user_id = :id",
            "UPDATE memberships SET valid_until = now() + interval '1 day' WHERE user_id = :id",
            "UPDATE users SET state = 'disabled' WHERE id = :id",
        ],
    )
    async def test_are_not_those_whose_time_ends(self, house: House, happening: str) -> None:
        await house.gateway.sql(happening, id=house.administrator.id)
        assert await self._of(house) == set()

    async def _of(self, house: House) -> frozenset[UUID]:
        administrators = MandateAdministrators(house.gateway.gateway.catalogue)
        async with house.gateway.database.session(Tenant(house.mandate)) as session:
            return await administrators.of_mandate(session, house.mandate)


class TestBeginnings:
    async def test_of_a_mandate_are_its_own_empty_caps(self, house: House) -> None:
        mandate = MandateId(uuid4())
        await house.gateway.sql("INSERT INTO mandates (id, slug, name) VALUES (:id, 'new', 'New')", id=mandate)
        async with house.gateway.database.system_session() as session:
            await self._beginnings(house).provision(session, mandate)
        (role,) = await house.gateway.sql("SELECT key, scope FROM roles WHERE mandate_id = :id", id=mandate)
        assert (role["key"], role["scope"]) == ("everyone", "mandate")

    async def test_of_administration_are_one_member_without_end(self, house: House) -> None:
        mandate, person = await house.gateway.mandate("new"), await house.gateway.person()
        membership = MembershipId(await house.gateway.join(person, mandate))
        async with house.gateway.database.system_session() as session:
            await self._beginnings(house).appoint_administrator(
                session, mandate, membership, appointed_by=house.sysadmin.id
            )
        async with house.gateway.client(person, mandate) as client:
            assert (await client.get("/api/v1/roles")).status_code == 200

    async def test_of_the_installation_are_a_sysadmin(self, house: House) -> None:
        person = await house.gateway.person()
        membership = MembershipId(await house.gateway.join(person, house.root))
        async with house.gateway.database.system_session() as session:
            await self._beginnings(house).appoint_sysadmin(session, membership, appointed_by=person.id)
        async with house.gateway.client(person) as client:
            assert (await client.get("/api/v1/admin/roles")).status_code == 200

    async def test_of_mandates_rest_on_a_role_of_the_root_mandate(self, house: House) -> None:
        async with house.gateway.database.system_session() as session:
            may = self._beginnings(house).may_create_mandates
            assert await may(session, house.sysadmin.id)
            assert not await may(session, house.administrator.id)

    def _beginnings(self, house: House) -> RoleBeginnings:
        return house.gateway.services.get(RoleBeginnings)


async def instance_role(house: House) -> tuple[RoleId, InstanceId]:
    instance = await house.gateway.instance(house.mandate, "invoices")
    body = {"name": "Bookkeeper", "instance_id": str(instance)}
    role = await house.call(house.administrator, "POST", "/roles", json=body)
    return RoleId(UUID(role.json()["id"])), instance


async def give_access(house: House, instance: InstanceId) -> None:
    await house.gateway.sql(
        "INSERT INTO instance_access (id, mandate_id, instance_id, user_id)"
        " VALUES (gen_random_uuid(), :mandate, :instance, :user)",
        mandate=house.mandate,
        instance=instance,
        user=house.member.id,
    )


def _login(house: House, minutes: int) -> Login:
    at = clock.now() - timedelta(minutes=minutes)
    return Login(house.sysadmin.session_id, TokenId(uuid4()), "local", ("pwd",), at)
