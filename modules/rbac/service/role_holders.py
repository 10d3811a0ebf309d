"""Who holds a role of the mandate: listed, given for a time, promised for later, taken again."""

from contextlib import AbstractAsyncContextManager
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.api_key_errors import ApiKeyNotAccepted
from modules.rbac import errors
from modules.rbac.models import Role, RoleAssignment, ScheduledGrant
from modules.rbac.repository import assignments as repository
from modules.rbac.repository.roles import find_role
from modules.rbac.schemas.assignments import AssignmentCreate, AssignmentRead
from modules.rbac.service.assignments import Given, RoleAssignments
from modules.rbac.service.installation_roles import InstallationRoles
from modules.shared import clock
from modules.shared.catalogue import AccessLevel, Action, ItemKind
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, Need, need_of
from modules.shared.ids import InstanceId, MembershipId, RoleId, UserId, new_id


class RoleHolders:
    """Works as far as the caller's level on `members` reaches: on themselves, their groups' members, or all."""

    def __init__(
        self, guard: GrantGuard, assignments: RoleAssignments, installation: InstallationRoles, audit: AuditLog
    ) -> None:
        self._guard = guard
        self._installation = installation
        self._assignments = assignments
        self._audit = audit

    async def list_of_role(self, context: RequestContext, role_id: RoleId) -> list[AssignmentRead]:
        """Everybody the caller may see who holds the role or will. Raises RoleNotFound."""
        await self._role(context, role_id)
        db, mandate_id = context.db, context.mandate.id
        found = [
            AssignmentRead.model_validate({**row, "state": "held"})
            for row in await repository.holders(db, mandate_id, role_id)
        ]
        for grant in await repository.scheduled(db, mandate_id, role_id):
            user_id = await repository.find_member(db, mandate_id, MembershipId(grant.membership_id))
            found += [_promised(grant, user_id)] if user_id else []
        reached = await self._reached(context, {UserId(each.user_id) for each in found}, Action.READ)
        return [each for each in found if each.user_id in reached]

    async def give(self, context: RequestContext, role_id: RoleId, wanted: AssignmentCreate) -> AssignmentRead:
        """Give the role now, or promise it. Raises RoleNotFound, MemberNotFound, InvalidTerm, RoleHeldAlready,
        RoleNotAssignable, StepUpRequired, ApiKeyNotAccepted for a promise by an API key, and what the guard refuses.
        """
        role = await self._role(context, role_id)
        user_id = await self._member(context, wanted.membership_id)
        now = clock.now()
        if wanted.valid_until is not None and wanted.valid_until <= max(now, wanted.valid_from or now):
            raise errors.InvalidTerm(pointer="/valid_until")
        if wanted.valid_from is not None and wanted.valid_from > now:
            return _promised(await self._promise(context, role, wanted), user_id)
        async with self._changing(context, need_of(context)):
            assignment = await self._give(context, role, wanted)
        self._record(context, "role_given", role, user_id, {"valid_until": _told(assignment)})
        return AssignmentRead(
            id=assignment.id,
            state="held",
            membership_id=wanted.membership_id,
            user_id=user_id,
            instance_id=None,
            valid_from=None,
            valid_until=assignment.valid_until,
            granted_by=assignment.granted_by,
            created_at=assignment.created_at,
        )

    async def take(self, context: RequestContext, role_id: RoleId, assignment_id: UUID) -> None:
        """Take the role again, or withdraw the promise of it. Raises AssignmentNotFound, and PermissionDenied for a
        role of an instance unless the caller may change instances, by which such a role is given.
        """
        role = await self._role(context, role_id)
        for each in await self.list_of_role(context, role_id):
            if each.id == assignment_id and each.user_id in await self._reached(
                context, {UserId(each.user_id)}, Action.UPDATE
            ):
                await (self._take(context, role, each) if each.state == "held" else self._withdraw(context, each))
                code = "role_taken" if each.state == "held" else "scheduled_grant_withdrawn"
                self._record(context, code, role, UserId(each.user_id), {})
                return
        raise errors.AssignmentNotFound

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _give(self, context: RequestContext, role: Role, wanted: AssignmentCreate) -> RoleAssignment:
        return await self._assignments.give(
            context.db,
            context.mandate.id,
            wanted.membership_id,
            RoleId(role.id),
            Given(context.user.id, wanted.valid_until),
            context.login,
        )

    async def _promise(self, context: RequestContext, role: Role, wanted: AssignmentCreate) -> ScheduledGrant:
        """Try the gift, as if its time had come, and keep the promise of it instead."""
        if context.login.key is not None:
            # Judged again when its time has come, by all the giver may do: more than the key's scopes leave of it.
            raise ApiKeyNotAccepted
        if wanted.valid_from is None or await self._installation.are_among(context.db, [role]):
            raise errors.RoleNotAssignable(pointer="/valid_from")  # it changes hands only after a recent sign-in
        trial = await context.db.begin_nested()
        async with self._changing(context, need_of(context)):
            await self._give(context, role, wanted)
        await trial.rollback()
        grant = ScheduledGrant(
            id=new_id(),
            mandate_id=context.mandate.id,
            membership_id=wanted.membership_id,
            role_id=role.id,
            valid_from=wanted.valid_from,
            valid_until=wanted.valid_until,
            granted_by=context.user.id,
            created_at=clock.now(),
            settled_at=None,
            outcome=None,
        )
        context.db.add(grant)
        await context.db.flush()
        subject = Subject("scheduled_grant", grant.id)
        details = {"role_id": str(grant.role_id), "valid_from": grant.valid_from.isoformat()}
        self._audit.record(context.db, "scheduled_grant_made", by=context, subject=subject, details=details)
        return grant

    async def _take(self, context: RequestContext, role: Role, held: AssignmentRead) -> None:
        needs = need_of(context)
        if held.instance_id is not None:
            needs = await self._to_change(context, held.instance_id)
        async with self._changing(context, needs):
            found = await repository.find_assignment(context.db, context.mandate.id, RoleId(role.id), held.id)
            if found is None:
                raise errors.AssignmentNotFound
            await self._assignments.take(context.db, found, role, context.login)

    async def _to_change(self, context: RequestContext, instance_id: UUID) -> Need:
        """What giving a role of an instance takes; below level `all` that is an access to it of one's own."""
        item = context.catalogue.resolve("instances", ItemKind.RESOURCE)
        level = context.permissions.level(item, Action.UPDATE)
        needs = Need(item, Action.UPDATE, max(level, AccessLevel.MY), context.login.session_id)
        mandate_id, inside = context.mandate.id, InstanceId(instance_id)
        if level < needs.level or (
            level < AccessLevel.ALL
            and await repository.find_access(context.db, mandate_id, inside, context.user.id) is None
        ):
            raise errors.PermissionDenied(context=item.kind, item=item.path, action=Action.UPDATE)
        return needs

    async def _withdraw(self, context: RequestContext, promised: AssignmentRead) -> None:
        grant = await repository.find_scheduled(context.db, context.mandate.id, promised.id)
        if grant is None:
            raise errors.AssignmentNotFound
        grant.settled_at, grant.outcome = clock.now(), "withdrawn"

    async def _role(self, context: RequestContext, role_id: RoleId) -> Role:
        role = await find_role(context.db, context.mandate.id, role_id)
        if role is None or role.key == "everyone":
            raise errors.RoleNotFound
        return role

    async def _member(self, context: RequestContext, membership_id: MembershipId) -> UserId:
        user_id = await repository.find_member(context.db, context.mandate.id, membership_id)
        if user_id is None or user_id not in await self._reached(context, {user_id}, Action.UPDATE):
            raise errors.HolderNotFound(pointer="/membership_id")
        return user_id

    async def _reached(self, context: RequestContext, user_ids: set[UserId], action: Action) -> set[UserId]:
        """Those the caller's level on `members` reaches."""
        match context.level("members", action):
            case AccessLevel.ALL:
                return user_ids
            case AccessLevel.GROUP:
                near = await repository.members_within(context.db, context.mandate.id, context.groups, user_ids)
                return near | (user_ids & {context.user.id})
            case AccessLevel.MY:
                return user_ids & {context.user.id}
            case AccessLevel.NONE:
                return set()

    def _changing(self, context: RequestContext, needs: Need | None) -> AbstractAsyncContextManager[None]:
        return self._guard.change(context.db, context.mandate.id, context.user.id, needs=needs)

    def _record(
        self, context: RequestContext, code: str, role: Role, user_id: UserId, details: dict[str, object]
    ) -> None:
        told = {"user_id": str(user_id), **details}
        self._audit.record(context.db, code, by=context, subject=Subject("role", role.id), details=told)


def _promised(grant: ScheduledGrant, user_id: UserId) -> AssignmentRead:
    return AssignmentRead(
        id=grant.id,
        state="scheduled",
        membership_id=grant.membership_id,
        user_id=user_id,
        instance_id=None,
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        granted_by=grant.granted_by,
        created_at=grant.created_at,
    )


def _told(assignment: RoleAssignment) -> str | None:
    return assignment.valid_until.isoformat() if assignment.valid_until else None
