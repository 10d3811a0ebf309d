"""Members of a mandate: who they are, on which terms, with which roles. Each change of rights passes the guard."""

from collections.abc import Sequence

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import AlreadyAMember, InvitationNeeded, MemberNotFound, UserNotFound
from modules.mandates.models import Membership
from modules.mandates.repository import memberships as repository
from modules.mandates.repository import people, removals
from modules.mandates.repository.memberships import Member, MemberFilter
from modules.mandates.schemas.members import MemberCreate, MemberPatch, MemberRead
from modules.mandates.service.periods import refuse_own_period, require_period
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, RoleGrants, need_of
from modules.shared.ids import MembershipId, RoleId, UserId, new_id
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class MemberService:
    """Lists, adds, changes and removes members, as far as the caller's level reaches."""

    def __init__(self, guard: GrantGuard, roles: RoleGrants, audit: AuditLog) -> None:
        self._guard = guard
        self._roles = roles
        self._audit = audit

    async def list_page(
        self, context: RequestContext, wanted: MemberFilter, sort: str, paging: PageQuery
    ) -> Page[MemberRead]:
        """One page of the members who fit."""
        found, cursor = await repository.list_page(context, wanted, sort, paging)
        return Page(items=await self._read(context, found), next_cursor=cursor)

    async def get(self, context: RequestContext, membership_id: MembershipId) -> MemberRead:
        """One member. Raises MemberNotFound."""
        return (await self._read(context, [await self._find(context, membership_id)]))[0]

    async def add(self, context: RequestContext, wanted: MemberCreate) -> MemberRead:
        """Make a user a member without asking them; for holders of the role `sysadmin`, who see all users anyway.

        Everybody else invites: being added would show a stranger's name and address to whoever guessed their id.
        Raises InvitationNeeded, UserNotFound, AlreadyAMember, InvalidPeriod.
        """
        if not context.has_sysadmin_role:
            raise InvitationNeeded
        person = await people.find(context.db, UserId(wanted.user_id))
        if person is None:
            raise UserNotFound(pointer="/user_id")
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            if await repository.find_of(context.db, context.mandate.id, person.id) is not None:
                raise AlreadyAMember(pointer="/user_id")
            membership = Membership(
                id=new_id(),
                mandate_id=context.mandate.id,
                user_id=person.id,
                enabled=wanted.enabled,
                valid_from=wanted.valid_from,
                valid_until=wanted.valid_until,
                version=1,
                created_at=clock.now(),
            )
            require_period(membership)
            context.db.add(membership)
            await context.db.flush()
            await removals.forget(context.db, context.mandate.id, person.id)
            await self._set_roles(context, membership, [RoleId(role_id) for role_id in wanted.role_ids])
        self._record(context, "member_added", membership, wanted.model_dump(mode="json", exclude={"user_id"}))
        return (await self._read(context, [Member(membership, person.email, person.display_name, person.avatar_url)]))[
            0
        ]

    async def patch(
        self,
        context: RequestContext,
        membership_id: MembershipId,
        patch: MemberPatch,
        expected: ExpectedVersions = None,
    ) -> MemberRead:
        """Change the terms of a membership, its roles included. Raises MemberNotFound, PreconditionFailed."""
        changes = patch.changes()
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            found = await self._find(context, membership_id)
            membership = found.membership
            require_version(membership.version, expected)
            period = membership.valid_from, membership.valid_until
            role_ids = changes.pop("role_ids", None)
            for name, value in changes.items():
                setattr(membership, name, value)
            require_period(membership)
            refuse_own_period(context, membership, before=period)
            membership.version += 1
            await context.db.flush()
            if role_ids is not None:
                await self._set_roles(context, membership, role_ids)
        self._record(context, "member_changed", membership, patch.model_dump(mode="json", exclude_unset=True))
        return (await self._read(context, [found]))[0]

    async def remove(
        self, context: RequestContext, membership_id: MembershipId, expected: ExpectedVersions = None
    ) -> None:
        """End a membership: roles, groups and accesses go with it. Raises MemberNotFound, PreconditionFailed."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            membership = (await self._find(context, membership_id)).membership
            require_version(membership.version, expected)
            await context.db.delete(membership)
            await context.db.flush()
        if membership.user_id != context.user.id:
            await removals.remember(context.db, context.mandate.id, UserId(membership.user_id), clock.now())
        self._record(context, "member_removed", membership, {})

    async def _find(self, context: RequestContext, membership_id: MembershipId) -> Member:
        found = await repository.find(context, membership_id)
        if found is None:
            raise MemberNotFound
        return found

    async def _set_roles(self, context: RequestContext, membership: Membership, role_ids: Sequence[RoleId]) -> None:
        await self._roles.set_member_roles(
            context.db,
            context.mandate.id,
            MembershipId(membership.id),
            role_ids,
            actor_id=context.user.id,
            login=context.login,
        )

    async def _read(self, context: RequestContext, members: Sequence[Member]) -> list[MemberRead]:
        ids = [MembershipId(member.membership.id) for member in members]
        roles = await self._roles.roles_of_members(context.db, context.mandate.id, ids)
        return [
            MemberRead(
                id=membership.id,
                user_id=membership.user_id,
                email=email,
                display_name=display_name,
                avatar_url=avatar_url,
                enabled=membership.enabled,
                valid_from=membership.valid_from,
                valid_until=membership.valid_until,
                role_ids=list(roles.get(MembershipId(membership.id), ())),
                group_ids=membership.group_ids,
                version=membership.version,
                created_at=membership.created_at,
            )
            for membership, email, display_name, avatar_url in members
        ]

    def _record(self, context: RequestContext, code: str, membership: Membership, details: dict[str, object]) -> None:
        self._audit.record(
            context.db,
            code,
            by=context,
            subject=Subject("membership", membership.id),
            user_id=UserId(membership.user_id),
            details=details,
        )
