"""The installation's mandates: made, renamed, switched off and on, deleted with a grace, restored.

These acts rest on `admin.mandates` of the root mandate. They work across mandates, in a transaction of the system
login, and are recorded twice: with the installation, and in the mandate they concern.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import (
    MandateBeingDeleted,
    MandateNotFound,
    MandateStillEnabled,
    RootMandateStays,
    SlugTaken,
    WrongConfirmation,
)
from modules.mandates.models import Mandate
from modules.mandates.repository import mandates as repository
from modules.mandates.repository import people
from modules.mandates.repository.mandates import CountedMandate, MandateFilter
from modules.mandates.schemas.mandates import AdministeredMandate, AdministeredMandatePatch, MandateCreate
from modules.mandates.service.beginnings import MandateBeginnings, NewMandate
from modules.mandates.service.invitations import InvitationService
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.ids import MandateId
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class MandateAdministration:
    """What the installation's administrators do with mandates. `system` is a transaction across mandates."""

    def __init__(
        self,
        beginnings: MandateBeginnings,
        invitations: InvitationService,
        audit: AuditLog,
        *,
        deletion_grace: timedelta,
    ) -> None:
        self._beginnings = beginnings
        self._invitations = invitations
        self._audit = audit
        self._deletion_grace = deletion_grace

    async def list_page(
        self, system: AsyncSession, wanted: MandateFilter, sort: str, paging: PageQuery
    ) -> Page[AdministeredMandate]:
        """One page of the mandates that fit."""
        found, cursor = await repository.list_all(system, wanted, sort, paging)
        return Page(items=[_read(mandate) for mandate in found], next_cursor=cursor)

    async def get(self, system: AsyncSession, mandate_id: MandateId) -> AdministeredMandate:
        """One mandate. Raises MandateNotFound."""
        mandate = await repository.find(system, mandate_id)
        if mandate is None:
            raise MandateNotFound
        return await self._counted(system, mandate)

    async def create(self, context: RequestContext, system: AsyncSession, wanted: MandateCreate) -> AdministeredMandate:
        """A new mandate and, if named, its first administrator: at once if they have an account, else by invitation.

        Raises SlugTaken.
        """
        await self._require_free(system, wanted.slug)
        new = NewMandate(wanted.slug, wanted.name, wanted.language, wanted.color)
        mandate = await self._beginnings.begin(system, new)
        mandate_id = MandateId(mandate.id)
        details = wanted.model_dump(include={"slug", "name"})
        if wanted.administrator is not None:
            person = await people.find_by_email(system, wanted.administrator)
            if person is not None:
                await self._beginnings.appoint(system, mandate_id, person.id, appointed_by=context.user.id)
                details["administrator_id"] = str(person.id)
            else:
                invitation = await self._invitations.offer_administration(
                    system, mandate_id, wanted.administrator, wanted.language, context.user.id
                )
                details["invitation_id"] = str(invitation.id)
        self._record(context, system, "mandate_created", mandate, details)
        return await self._counted(system, mandate)

    async def patch(
        self,
        context: RequestContext,
        system: AsyncSession,
        mandate_id: MandateId,
        patch: AdministeredMandatePatch,
        expected: ExpectedVersions = None,
    ) -> AdministeredMandate:
        """Rename, recolour, or take the login policy away. Raises MandateNotFound, SlugTaken, PreconditionFailed."""
        mandate = await self._lock(system, mandate_id, expected)
        if patch.slug is not None and patch.slug != mandate.slug:
            await self._require_free(system, patch.slug)
        for name, value in patch.changes().items():
            setattr(mandate, name, value)
        return await self._changed(context, system, "mandate_changed", mandate, patch.changes())

    async def disable(
        self, context: RequestContext, system: AsyncSession, mandate_id: MandateId, expected: ExpectedVersions = None
    ) -> AdministeredMandate:
        """Let nobody in any more, from the next request on. Raises MandateNotFound, RootMandateStays."""
        mandate = await self._lock(system, mandate_id, expected)
        if mandate.is_root:
            raise RootMandateStays
        if not mandate.enabled:
            return await self._counted(system, mandate)
        mandate.enabled, mandate.disabled_at = False, clock.now()
        return await self._changed(context, system, "mandate_disabled", mandate, {})

    async def enable(
        self, context: RequestContext, system: AsyncSession, mandate_id: MandateId, expected: ExpectedVersions = None
    ) -> AdministeredMandate:
        """Let its people in again. Raises MandateNotFound, MandateBeingDeleted."""
        mandate = await self._lock(system, mandate_id, expected)
        if mandate.delete_after is not None:
            raise MandateBeingDeleted
        if mandate.enabled:
            return await self._counted(system, mandate)
        mandate.enabled, mandate.disabled_at = True, None
        return await self._changed(context, system, "mandate_enabled", mandate, {})

    async def delete(
        self,
        context: RequestContext,
        system: AsyncSession,
        mandate_id: MandateId,
        confirmation: str,
        expected: ExpectedVersions = None,
    ) -> AdministeredMandate:
        """Have a disabled mandate erased when its grace is over; until then it can be restored.

        Raises MandateNotFound, RootMandateStays, MandateStillEnabled, and WrongConfirmation unless the mandate's slug
        was typed. Asked again, the grace does not begin anew.
        """
        mandate = await self._lock(system, mandate_id, expected)
        if mandate.is_root:
            raise RootMandateStays
        if confirmation != mandate.slug:
            raise WrongConfirmation(pointer="slug")
        if mandate.enabled:
            raise MandateStillEnabled
        if mandate.delete_after is not None:
            return await self._counted(system, mandate)
        mandate.delete_after = clock.now() + self._deletion_grace
        details = {"delete_after": mandate.delete_after.isoformat()}
        return await self._changed(context, system, "mandate_deletion_begun", mandate, details)

    async def restore(
        self, context: RequestContext, system: AsyncSession, mandate_id: MandateId, expected: ExpectedVersions = None
    ) -> AdministeredMandate:
        """Take a deletion back; the mandate stays disabled. Raises MandateNotFound."""
        mandate = await self._lock(system, mandate_id, expected)
        if mandate.delete_after is None:
            return await self._counted(system, mandate)
        mandate.delete_after = None
        return await self._changed(context, system, "mandate_restored", mandate, {})

    async def _lock(self, system: AsyncSession, mandate_id: MandateId, expected: ExpectedVersions) -> Mandate:
        mandate = await repository.lock(system, mandate_id)
        if mandate is None:
            raise MandateNotFound
        require_version(mandate.version, expected)
        return mandate

    async def _require_free(self, system: AsyncSession, slug: str) -> None:
        if await repository.find_by_slug(system, slug) is not None:
            raise SlugTaken(pointer="/slug")

    async def _changed(
        self, context: RequestContext, system: AsyncSession, code: str, mandate: Mandate, details: dict[str, Any]
    ) -> AdministeredMandate:
        mandate.version += 1
        await system.flush()
        self._record(context, system, code, mandate, details)
        return await self._counted(system, mandate)

    async def _counted(self, system: AsyncSession, mandate: Mandate) -> AdministeredMandate:
        members = await repository.count_members(system, MandateId(mandate.id))
        return _read(CountedMandate(mandate, members))

    def _record(
        self, context: RequestContext, system: AsyncSession, code: str, mandate: Mandate, details: dict[str, Any]
    ) -> None:
        subject = Subject("mandate", mandate.id)
        for place in dict.fromkeys((self._audit.root_mandate_id, MandateId(mandate.id))):
            self._audit.record(system, code, by=context, mandate_id=place, subject=subject, details=details)


def _read(found: CountedMandate) -> AdministeredMandate:
    mandate, members = found
    return AdministeredMandate(
        id=mandate.id,
        slug=mandate.slug,
        name=mandate.name,
        color=mandate.color,
        language="de" if mandate.language == "de" else "en",
        is_root=mandate.is_root,
        enabled=mandate.enabled,
        disabled_at=mandate.disabled_at,
        delete_after=mandate.delete_after,
        members=members,
        login_policy=mandate.login_policy,
        version=mandate.version,
        created_at=mandate.created_at,
    )
