"""Features installed in a mandate. Removing one takes its roles and accesses along, so changes pass the guard."""

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import FeatureInstanceNotFound, InstanceNameTaken
from modules.mandates.models import FeatureInstance
from modules.mandates.repository import instances as repository
from modules.mandates.schemas.instances import InstanceCreate, InstancePatch, InstanceRead
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, need_of
from modules.shared.ids import InstanceId, new_id
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class InstanceService:
    """Installs, renames, switches and removes feature instances."""

    def __init__(self, guard: GrantGuard, audit: AuditLog) -> None:
        self._guard = guard
        self._audit = audit

    async def list_page(
        self, context: RequestContext, words: str | None, feature: str | None, sort: str, paging: PageQuery
    ) -> Page[InstanceRead]:
        """One page of the instances that fit."""
        found, cursor = await repository.list_page(context, words, feature, sort, paging)
        return Page(items=[InstanceRead.model_validate(instance) for instance in found], next_cursor=cursor)

    async def get(self, context: RequestContext, instance_id: InstanceId) -> InstanceRead:
        """One instance. Raises FeatureInstanceNotFound."""
        return InstanceRead.model_validate(await find_instance(context, instance_id))

    async def create(self, context: RequestContext, wanted: InstanceCreate) -> InstanceRead:
        """Install a feature. Raises InstanceNameTaken."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            await self._require_free(context, wanted.feature, wanted.name)
            instance = FeatureInstance(
                id=new_id(),
                mandate_id=context.mandate.id,
                feature=wanted.feature,
                name=wanted.name,
                enabled=wanted.enabled,
                version=1,
                created_at=clock.now(),
            )
            context.db.add(instance)
            await context.db.flush()
        self._record(context, "instance_created", instance, wanted.model_dump())
        return InstanceRead.model_validate(instance)

    async def patch(
        self, context: RequestContext, instance_id: InstanceId, patch: InstancePatch, expected: ExpectedVersions = None
    ) -> InstanceRead:
        """Rename or switch an instance; a disabled one lets nobody in. Raises FeatureInstanceNotFound,
        InstanceNameTaken, PreconditionFailed.
        """
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            instance = await find_instance(context, instance_id)
            require_version(instance.version, expected)
            if patch.name is not None and patch.name != instance.name:
                await self._require_free(context, instance.feature, patch.name)
            for name, value in patch.changes().items():
                setattr(instance, name, value)
            instance.version += 1
            await context.db.flush()
        self._record(context, "instance_changed", instance, patch.changes())
        return InstanceRead.model_validate(instance)

    async def delete(self, context: RequestContext, instance_id: InstanceId, expected: ExpectedVersions = None) -> None:
        """Remove an instance with its roles and accesses. Raises FeatureInstanceNotFound, PreconditionFailed."""
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            instance = await find_instance(context, instance_id)
            require_version(instance.version, expected)
            await context.db.delete(instance)
            await context.db.flush()
        self._record(context, "instance_deleted", instance, {"feature": instance.feature, "name": instance.name})

    async def _require_free(self, context: RequestContext, feature: str, name: str) -> None:
        if await repository.is_name_taken(context, feature, name):
            raise InstanceNameTaken(pointer="/name")

    def _record(
        self, context: RequestContext, code: str, instance: FeatureInstance, details: dict[str, object]
    ) -> None:
        subject = Subject("feature_instance", instance.id)
        self._audit.record(context.db, code, by=context, subject=subject, details=details)


async def find_instance(context: RequestContext, instance_id: InstanceId) -> FeatureInstance:
    """The instance if the caller's level reaches it. Raises FeatureInstanceNotFound."""
    instance = await repository.find(context, instance_id)
    if instance is None:
        raise FeatureInstanceNotFound
    return instance
