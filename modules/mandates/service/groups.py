"""Groups of members. Being in one raises what level `group` reaches, so each change of them passes the guard."""

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import GroupNameTaken, GroupNotFound, MemberNotFound
from modules.mandates.models import Group
from modules.mandates.repository import groups as repository
from modules.mandates.repository import memberships
from modules.mandates.repository.groups import CountedGroup
from modules.mandates.schemas.groups import GroupCreate, GroupMemberRead, GroupPatch, GroupRead
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, need_of
from modules.shared.ids import GroupId, UserId, new_id
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class GroupService:
    """Makes, renames and removes groups, and says who is in them."""

    def __init__(self, guard: GrantGuard, audit: AuditLog) -> None:
        self._guard = guard
        self._audit = audit

    async def list_page(
        self, context: RequestContext, words: str | None, sort: str, paging: PageQuery
    ) -> Page[GroupRead]:
        """One page of the groups whose name contains `words`."""
        found, cursor = await repository.list_page(context, words, sort, paging)
        return Page(items=[_read(group) for group in found], next_cursor=cursor)

    async def get(self, context: RequestContext, group_id: GroupId) -> GroupRead:
        """One group. Raises GroupNotFound."""
        return _read(await self._find(context, group_id))

    async def create(self, context: RequestContext, wanted: GroupCreate) -> GroupRead:
        """A new, empty group. Raises GroupNameTaken."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            await self._require_free(context, wanted.name)
            group = Group(
                id=new_id(), mandate_id=context.mandate.id, name=wanted.name, version=1, created_at=clock.now()
            )
            context.db.add(group)
            await context.db.flush()
        self._record(context, "group_created", group, {"name": group.name})
        return _read(CountedGroup(group, 0))

    async def patch(
        self, context: RequestContext, group_id: GroupId, patch: GroupPatch, expected: ExpectedVersions = None
    ) -> GroupRead:
        """Rename a group. Raises GroupNotFound, GroupNameTaken, PreconditionFailed."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            found = await self._find(context, group_id)
            require_version(found.group.version, expected)
            if patch.name is not None and patch.name != found.group.name:
                await self._require_free(context, patch.name)
                found.group.name = patch.name
            found.group.version += 1
            await context.db.flush()
        self._record(context, "group_changed", found.group, patch.changes())
        return _read(found)

    async def delete(self, context: RequestContext, group_id: GroupId, expected: ExpectedVersions = None) -> None:
        """Remove a group; its members stay members. Raises GroupNotFound, PreconditionFailed."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            group = (await self._find(context, group_id)).group
            require_version(group.version, expected)
            await context.db.delete(group)
            await context.db.flush()
        self._record(context, "group_deleted", group, {"name": group.name})

    # ── who is in it ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def list_members(
        self, context: RequestContext, group_id: GroupId, words: str | None, sort: str, paging: PageQuery
    ) -> Page[GroupMemberRead]:
        """One page of the people in a group. Raises GroupNotFound."""
        await self._find(context, group_id)
        found, cursor = await repository.list_members(context, group_id, words, sort, paging)
        return Page(items=[GroupMemberRead.model_validate(person) for person in found], next_cursor=cursor)

    async def put_member(self, context: RequestContext, group_id: GroupId, user_id: UserId) -> None:
        """Put a member into a group; again changes nothing. Raises GroupNotFound, MemberNotFound."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            group = (await self._find(context, group_id)).group
            if await memberships.find_of(context.db, context.mandate.id, user_id) is None:
                raise MemberNotFound
            added = await repository.put_members(context.db, context.mandate.id, [group_id], user_id)
        if added:
            self._record(context, "group_member_added", group, {"user_id": str(user_id)}, user_id)

    async def remove_member(self, context: RequestContext, group_id: GroupId, user_id: UserId) -> None:
        """Take a member out of a group. Raises GroupNotFound, MemberNotFound."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            group = (await self._find(context, group_id)).group
            if not await repository.remove_member(context.db, context.mandate.id, group_id, user_id):
                raise MemberNotFound
        self._record(context, "group_member_removed", group, {"user_id": str(user_id)}, user_id)

    async def _find(self, context: RequestContext, group_id: GroupId) -> CountedGroup:
        found = await repository.find(context, group_id)
        if found is None:
            raise GroupNotFound
        return found

    async def _require_free(self, context: RequestContext, name: str) -> None:
        if await repository.is_name_taken(context, name):
            raise GroupNameTaken(pointer="/name")

    def _record(
        self,
        context: RequestContext,
        code: str,
        group: Group,
        details: dict[str, object],
        user_id: UserId | None = None,
    ) -> None:
        subject = Subject("group", group.id)
        self._audit.record(context.db, code, by=context, subject=subject, user_id=user_id, details=details)


def _read(found: CountedGroup) -> GroupRead:
    group, members = found
    return GroupRead(id=group.id, name=group.name, members=members, version=group.version, created_at=group.created_at)
