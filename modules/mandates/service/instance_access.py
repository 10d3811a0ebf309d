"""Who may enter a feature instance, on which terms and with which roles. Each change of rights passes the guard."""

from collections.abc import Sequence
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import AccessNotFound, MemberNotFound
from modules.mandates.models import InstanceAccess
from modules.mandates.repository import instances as repository
from modules.mandates.repository import memberships
from modules.mandates.repository.instances import PersonWithAccess
from modules.mandates.schemas.instances import AccessPatch, AccessPut, AccessRead
from modules.mandates.service.instances import find_instance
from modules.mandates.service.periods import refuse_own_period, require_period
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, RoleGrants, need_of
from modules.shared.ids import InstanceId, RoleId, UserId, new_id
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class InstanceAccessService:
    """Lists, gives, changes and takes accesses to an instance that the caller's level reaches."""

    def __init__(self, guard: GrantGuard, roles: RoleGrants, audit: AuditLog) -> None:
        self._guard = guard
        self._roles = roles
        self._audit = audit

    async def list_page(
        self, context: RequestContext, instance_id: InstanceId, words: str | None, sort: str, paging: PageQuery
    ) -> Page[AccessRead]:
        """One page of the people with access. Raises FeatureInstanceNotFound."""
        await find_instance(context, instance_id)
        found, cursor = await repository.list_access(context, instance_id, words, sort, paging)
        return Page(items=await self._read(context, instance_id, found), next_cursor=cursor)

    async def put(
        self,
        context: RequestContext,
        instance_id: InstanceId,
        user_id: UserId,
        wanted: AccessPut,
        expected: ExpectedVersions = None,
    ) -> AccessRead:
        """Make this exactly the member's access. Raises FeatureInstanceNotFound, MemberNotFound, InvalidPeriod."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            await find_instance(context, instance_id)
            access = await self._present_or_new(context, instance_id, user_id, expected)
            period = access.valid_from, access.valid_until
            access.enabled = wanted.enabled
            access.valid_from, access.valid_until = wanted.valid_from, wanted.valid_until
            refuse_own_period(context, access, before=period)
            await self._save(context, access, wanted.role_ids)
        self._record(context, "instance_access_put", access, wanted.model_dump(mode="json"))
        return await self._get(context, instance_id, user_id)

    async def patch(
        self,
        context: RequestContext,
        instance_id: InstanceId,
        user_id: UserId,
        patch: AccessPatch,
        expected: ExpectedVersions = None,
    ) -> AccessRead:
        """Change the terms of an access. Raises FeatureInstanceNotFound, AccessNotFound, PreconditionFailed."""
        changes = patch.changes()
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            await find_instance(context, instance_id)
            access = (await self._find(context, instance_id, user_id)).access
            require_version(access.version, expected)
            period = access.valid_from, access.valid_until
            role_ids = changes.pop("role_ids", None)
            for name, value in changes.items():
                setattr(access, name, value)
            refuse_own_period(context, access, before=period)
            access.version += 1
            await self._save(context, access, role_ids)
        self._record(context, "instance_access_changed", access, patch.model_dump(mode="json", exclude_unset=True))
        return await self._get(context, instance_id, user_id)

    async def remove(
        self, context: RequestContext, instance_id: InstanceId, user_id: UserId, expected: ExpectedVersions = None
    ) -> None:
        """Take an access away, its roles included. Raises FeatureInstanceNotFound, AccessNotFound."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            await find_instance(context, instance_id)
            access = (await self._find(context, instance_id, user_id)).access
            require_version(access.version, expected)
            await context.db.delete(access)
            await context.db.flush()
        self._record(context, "instance_access_removed", access, {})

    async def _present_or_new(
        self, context: RequestContext, instance_id: InstanceId, user_id: UserId, expected: ExpectedVersions
    ) -> InstanceAccess:
        present = await repository.find_access(context, instance_id, user_id)
        if present is not None:
            require_version(present.access.version, expected)
            present.access.version += 1
            return present.access
        if await memberships.find_of(context.db, context.mandate.id, user_id) is None:
            raise MemberNotFound
        access = InstanceAccess(
            id=new_id(),
            mandate_id=context.mandate.id,
            instance_id=instance_id,
            user_id=user_id,
            version=1,
            created_at=clock.now(),
        )
        context.db.add(access)
        return access

    async def _save(self, context: RequestContext, access: InstanceAccess, role_ids: Sequence[UUID] | None) -> None:
        require_period(access)
        await context.db.flush()
        if role_ids is not None:
            await self._roles.set_access_roles(
                context.db,
                context.mandate.id,
                InstanceId(access.instance_id),
                UserId(access.user_id),
                [RoleId(role_id) for role_id in role_ids],
                actor_id=context.user.id,
            )

    async def _find(self, context: RequestContext, instance_id: InstanceId, user_id: UserId) -> PersonWithAccess:
        found = await repository.find_access(context, instance_id, user_id)
        if found is None:
            raise AccessNotFound
        return found

    async def _get(self, context: RequestContext, instance_id: InstanceId, user_id: UserId) -> AccessRead:
        return (await self._read(context, instance_id, [await self._find(context, instance_id, user_id)]))[0]

    async def _read(
        self, context: RequestContext, instance_id: InstanceId, found: Sequence[PersonWithAccess]
    ) -> list[AccessRead]:
        users = [UserId(row.access.user_id) for row in found]
        roles = await self._roles.roles_of_access(context.db, context.mandate.id, instance_id, users)
        return [
            AccessRead(
                user_id=access.user_id,
                email=email,
                display_name=display_name,
                enabled=access.enabled,
                valid_from=access.valid_from,
                valid_until=access.valid_until,
                role_ids=list(roles.get(UserId(access.user_id), ())),
                version=access.version,
                created_at=access.created_at,
            )
            for access, email, display_name in found
        ]

    def _record(self, context: RequestContext, code: str, access: InstanceAccess, details: dict[str, object]) -> None:
        self._audit.record(
            context.db,
            code,
            by=context,
            subject=Subject("feature_instance", access.instance_id),
            user_id=UserId(access.user_id),
            details=details,
        )
