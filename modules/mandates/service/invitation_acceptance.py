"""Accepting an invitation: by the signed-in owner of the address it was sent to, and only while whoever invited may
still give what it promises.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.service.one_time_tokens import OneTimeTokens
from modules.mandates.errors import (
    AlreadyAMember,
    InvitationForSomebodyElse,
    InvitationNotFound,
    InvitationStale,
)
from modules.mandates.models import Invitation, Membership
from modules.mandates.permissions import INVITATIONS
from modules.mandates.repository import groups, invitations, mandates, memberships, removals
from modules.mandates.schemas.mandates import MandateChoice
from modules.mandates.service.invitations import INVITATION, named_in
from modules.shared import clock
from modules.shared.catalogue import Action
from modules.shared.context import Caller
from modules.shared.database import Database, Tenant
from modules.shared.errors import DomainError, Forbidden, Unprocessable
from modules.shared.grants import GrantGuard, MandateProvisioning, Need, RoleGrants
from modules.shared.ids import InvitationId, MandateId, MembershipId, RoleId, UserId, new_id


class InvitationAcceptance:
    """Makes members of invited people."""

    def __init__(
        self,
        database: Database,
        guard: GrantGuard,
        roles: RoleGrants,
        provisioning: MandateProvisioning,
        tokens: OneTimeTokens,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._guard = guard
        self._roles = roles
        self._provisioning = provisioning
        self._tokens = tokens
        self._audit = audit

    async def accept(self, caller: Caller, secret: str) -> MandateChoice:
        """Become a member; the mandate one may enter now.

        Raises InvitationNotFound, InvitationForSomebodyElse, AlreadyAMember, and InvitationStale when the inviter may
        not give the roles or groups any more; a refusal leaves the invitation as it was, and is on record.
        """
        # One transaction after the other: who holds a connection while waiting for a second can starve all others.
        async with self._database.session() as session:
            payload = await self._tokens.find(session, INVITATION, secret)
        if payload is None:
            raise InvitationNotFound(pointer="/token")
        mandate_id, invitation_id = named_in(payload)
        try:
            return await self._accept(caller, secret, mandate_id, invitation_id)
        except (InvitationForSomebodyElse, AlreadyAMember, InvitationStale) as refusal:
            await self._record_refusal(caller, mandate_id, invitation_id, refusal)
            raise

    async def _accept(
        self, caller: Caller, secret: str, mandate_id: MandateId, invitation_id: InvitationId
    ) -> MandateChoice:
        """In a transaction of its own: the caller's is bound to no mandate and sees none of these rows."""
        async with self._database.session(Tenant(mandate_id, None, caller.user.id)) as session:
            mandate = await mandates.find(session, mandate_id)
            invitation = await self._open_invitation(session, caller, mandate_id, invitation_id)
            if mandate is None or not mandate.enabled:
                raise InvitationNotFound(pointer="/token")
            if await self._tokens.consume(session, INVITATION, secret) is None:
                raise InvitationNotFound(pointer="/token")
            await self._join(session, caller, invitation)
            self._record(session, caller, invitation)
        return MandateChoice.model_validate(mandate)

    async def _open_invitation(
        self, session: AsyncSession, caller: Caller, mandate_id: MandateId, invitation_id: InvitationId
    ) -> Invitation:
        invitation = await invitations.find_open(session, mandate_id, invitation_id, clock.now(), lock=True)
        if invitation is None:
            raise InvitationNotFound(pointer="/token")
        if invitation.email not in {caller.user.email, caller.login.itself_proved(caller.user.email)}:
            raise InvitationForSomebodyElse
        if await memberships.find_of(session, mandate_id, caller.user.id) is not None:
            raise AlreadyAMember
        return invitation

    async def _join(self, session: AsyncSession, caller: Caller, invitation: Invitation) -> None:
        try:
            if invitation.first_administrator:
                await self._begin_administration(session, caller, invitation)
            else:
                await self._join_as_promised(session, caller, invitation)
        except (Forbidden, Unprocessable) as refusal:
            raise InvitationStale from refusal
        invitation.accepted_at, invitation.accepted_by = clock.now(), caller.user.id
        await removals.forget(session, MandateId(invitation.mandate_id), caller.user.id)

    async def _join_as_promised(self, session: AsyncSession, caller: Caller, invitation: Invitation) -> None:
        mandate_id, inviter = MandateId(invitation.mandate_id), UserId(invitation.invited_by)
        still_invites = Need(INVITATIONS, Action.CREATE)
        async with self._guard.change(session, mandate_id, inviter, needs=still_invites):
            membership_id = await _add_member(session, mandate_id, caller.user.id)
            role_ids = [RoleId(role_id) for role_id in invitation.role_ids]
            await self._roles.set_member_roles(session, mandate_id, membership_id, role_ids, actor_id=inviter)
            await self._put_into_groups(session, mandate_id, invitation.group_ids, caller.user.id)

    async def _put_into_groups(
        self, session: AsyncSession, mandate_id: MandateId, group_ids: list[UUID], user_id: UserId
    ) -> None:
        if await groups.existing(session, mandate_id, group_ids) != set(group_ids):
            raise InvitationStale
        await groups.put_members(session, mandate_id, group_ids, user_id)

    async def _begin_administration(self, session: AsyncSession, caller: Caller, invitation: Invitation) -> None:
        """The inviter holds nothing in this mandate; what counts is that they may (still) create mandates."""
        mandate_id, inviter = MandateId(invitation.mandate_id), UserId(invitation.invited_by)
        async with self._database.system_session() as system:
            if not await self._provisioning.may_create_mandates(system, inviter):
                raise InvitationStale
        async with self._guard.change(session, mandate_id, inviter):
            membership_id = await _add_member(session, mandate_id, caller.user.id)
        await self._provisioning.appoint_administrator(session, mandate_id, membership_id, appointed_by=inviter)

    async def _record_refusal(
        self, caller: Caller, mandate_id: MandateId, invitation_id: InvitationId, refusal: DomainError
    ) -> None:
        """In a transaction of its own: the one that tried is rolled back."""
        async with self._database.session(Tenant(mandate_id, None, caller.user.id)) as session:
            self._audit.record(
                session,
                "invitation_acceptance_refused",
                by=caller,
                mandate_id=mandate_id,
                subject=Subject("invitation", invitation_id),
                outcome="refused",
                details={"reason": refusal.code},
            )

    def _record(self, session: AsyncSession, caller: Caller, invitation: Invitation) -> None:
        self._audit.record(
            session,
            "invitation_accepted",
            by=caller,
            mandate_id=MandateId(invitation.mandate_id),
            subject=Subject("invitation", invitation.id),
            details={
                "invited_by": str(invitation.invited_by),
                "role_ids": [str(role_id) for role_id in invitation.role_ids],
                "first_administrator": invitation.first_administrator,
            },
        )


async def _add_member(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> MembershipId:
    membership = Membership(id=new_id(), mandate_id=mandate_id, user_id=user_id, version=1, created_at=clock.now())
    session.add(membership)
    await session.flush()
    return MembershipId(membership.id)
