"""Invitations: offered to a mail address, withdrawn, sent again. Nothing is said about whether the address has an
account, and nobody becomes a member before its proven owner accepts.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.api_key_errors import ApiKeyNotAccepted
from modules.auth.service.limits import AuthLimits
from modules.auth.service.one_time_tokens import OneTimeTokens, Payload
from modules.mandates.errors import (
    AlreadyAMember,
    AlreadyInvited,
    GroupUnknown,
    InvitationNotFound,
    InvitationSettled,
)
from modules.mandates.models import Invitation
from modules.mandates.repository import groups, mandates, memberships
from modules.mandates.repository import invitations as repository
from modules.mandates.schemas.invitations import InvitationCreate, InvitationRead
from modules.mandates.service.invitation_mails import send_invitation
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.database import Database, Tenant
from modules.shared.grants import RoleGrants
from modules.shared.i18n import Language
from modules.shared.ids import InvitationId, MandateId, RoleId, UserId, new_id
from modules.shared.pagination import Page, PageQuery

INVITATION: Final = "invitation"
"""The purpose of the tokens in invitations' mails."""


class InvitationService:
    """What a mandate does with its invitations."""

    def __init__(
        self,
        database: Database,
        roles: RoleGrants,
        tokens: OneTimeTokens,
        limits: AuthLimits,
        audit: AuditLog,
        *,
        lifetime: timedelta,
    ) -> None:
        self._database = database
        self._roles = roles
        self._tokens = tokens
        self._limits = limits
        self._audit = audit
        self._lifetime = lifetime

    async def list_page(
        self, context: RequestContext, words: str | None, state: str | None, sort: str, paging: PageQuery
    ) -> Page[InvitationRead]:
        """One page of the invitations that fit."""
        found, cursor = await repository.list_page(context, words, state, sort, clock.now(), paging)
        return Page(items=[_read(invitation) for invitation in found], next_cursor=cursor)

    async def create(self, context: RequestContext, wanted: InvitationCreate) -> InvitationRead:
        """Invite an address. Whether the inviter may give what is promised is asked when it is accepted.

        Raises RoleNotAssignable, GroupUnknown, AlreadyAMember, AlreadyInvited, TooManyRequests, and ApiKeyNotAccepted
        for promises made by an API key.
        """
        _require_person(context, [*wanted.role_ids, *wanted.group_ids])
        await self._limits.mail_to(wanted.email)
        role_ids = [RoleId(role_id) for role_id in dict.fromkeys(wanted.role_ids)]
        group_ids = list(dict.fromkeys(wanted.group_ids))
        await self._roles.require_assignable(context.db, context.mandate.id, role_ids)
        if await groups.existing(context.db, context.mandate.id, group_ids) != set(group_ids):
            raise GroupUnknown(pointer="/group_ids")
        if await memberships.has_address(context.db, context.mandate.id, wanted.email):
            raise AlreadyAMember(pointer="/email")
        if await repository.is_open_for(context.db, context.mandate.id, wanted.email, clock.now()):
            raise AlreadyInvited(pointer="/email")
        invitation = self._new(
            context.mandate.id, wanted.email, wanted.language or context.mandate.language, context.user.id
        )
        invitation.role_ids, invitation.group_ids = [*role_ids], group_ids
        await self._offer(context.db, invitation)
        details = wanted.model_dump(mode="json", include={"role_ids", "group_ids"})
        self._record(context, "invitation_created", invitation, details)
        return _read(invitation)

    async def offer_administration(
        self, session: AsyncSession, mandate_id: MandateId, email: str, language: Language, invited_by: UserId
    ) -> Invitation:
        """Invite the first administrator of a new mandate; `session` works across mandates. Audited by who makes it."""
        invitation = self._new(mandate_id, email, language, invited_by)
        invitation.first_administrator = True
        await self._offer(session, invitation)
        return invitation

    async def resend(self, context: RequestContext, invitation_id: InvitationId) -> InvitationRead:
        """Send a mail with a new link and give it the full time again.

        Raises InvitationNotFound, InvitationSettled, and ApiKeyNotAccepted for promises renewed by an API key.
        """
        invitation = await self._lock_unsettled(context, invitation_id)
        _require_person(context, [*invitation.role_ids, *invitation.group_ids])
        await self._limits.mail_to(invitation.email)
        invitation.expires_at = clock.now() + self._lifetime
        await self._offer(context.db, invitation)
        self._record(context, "invitation_resent", invitation, {})
        return _read(invitation)

    async def revoke(self, context: RequestContext, invitation_id: InvitationId) -> None:
        """Withdraw an invitation: every link of it stops working. Raises InvitationNotFound, InvitationSettled."""
        invitation = await self._lock_unsettled(context, invitation_id)
        invitation.revoked_at = clock.now()
        self._record(context, "invitation_revoked", invitation, {})

    async def is_open(self, secret: str, email: str) -> bool:
        """Whether this secret belongs to an invitation of that address which can still be accepted; for registration
        by invitation only.
        """
        async with self._database.session() as session:
            payload = await self._tokens.find(session, INVITATION, secret)
        if payload is None:
            return False
        mandate_id, invitation_id = named_in(payload)
        async with self._database.session(Tenant(mandate_id)) as session:
            invitation = await repository.find_open(session, mandate_id, invitation_id, clock.now())
            mandate = await mandates.find(session, mandate_id)
        return invitation is not None and invitation.email == email and mandate is not None and mandate.enabled

    def _new(self, mandate_id: MandateId, email: str, language: str, invited_by: UserId) -> Invitation:
        now = clock.now()
        return Invitation(
            id=new_id(),
            mandate_id=mandate_id,
            email=email,
            language=language,
            role_ids=[],
            group_ids=[],
            first_administrator=False,
            invited_by=invited_by,
            created_at=now,
            expires_at=now + self._lifetime,
        )

    async def _offer(self, session: AsyncSession, invitation: Invitation) -> None:
        """Keep the invitation, and have its mail sent once this transaction commits."""
        session.add(invitation)
        mandate_id, invitation_id = MandateId(invitation.mandate_id), InvitationId(invitation.id)
        payload = {"mandate_id": str(mandate_id), "invitation_id": str(invitation_id)}
        token_id = await self._tokens.prepare(session, INVITATION, payload, invitation.expires_at)
        await send_invitation(session, mandate_id, invitation_id, token_id)

    async def _lock_unsettled(self, context: RequestContext, invitation_id: InvitationId) -> Invitation:
        invitation = await repository.lock(context, invitation_id)
        if invitation is None:
            raise InvitationNotFound
        if invitation.accepted_at is not None or invitation.revoked_at is not None:
            raise InvitationSettled
        return invitation

    def _record(self, context: RequestContext, code: str, invitation: Invitation, details: dict[str, object]) -> None:
        subject = Subject("invitation", invitation.id)
        self._audit.record(context.db, code, by=context, subject=subject, email=invitation.email, details=details)


def named_in(payload: Payload) -> tuple[MandateId, InvitationId]:
    """The invitation a token's payload names."""
    return MandateId(UUID(payload["mandate_id"])), InvitationId(UUID(payload["invitation_id"]))


def _require_person(context: RequestContext, promised: Collection[UUID]) -> None:
    """A promise is judged when it is accepted, by all the inviter may do: more than a key's scopes leave of it."""
    if context.login.key is not None and promised:
        raise ApiKeyNotAccepted


def _read(invitation: Invitation) -> InvitationRead:
    return InvitationRead(
        id=invitation.id,
        email=invitation.email,
        language="de" if invitation.language == "de" else "en",
        role_ids=invitation.role_ids,
        group_ids=invitation.group_ids,
        state=repository.state_of(invitation, clock.now()),
        invited_by=invitation.invited_by,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        accepted_at=invitation.accepted_at,
        accepted_by=invitation.accepted_by,
        revoked_at=invitation.revoked_at,
    )
