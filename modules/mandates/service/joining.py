"""Joining a mandate by a mail address: offered to whoever's sign-in itself proved an address at a domain of the
mandate, and done only when they say so.

The address of the account does not count: it may have been proven years ago. What they get is judged as if the person
who set the joining up gave it to them now.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.mandates.joining_errors import JoiningStale, MandateNotJoinable
from modules.mandates.models import Mandate, MandateDomain, Membership
from modules.mandates.permissions import DOMAINS
from modules.mandates.repository import domains, mandates, memberships, removals
from modules.mandates.schemas.domains import JoinableMandate, JoinableMandates
from modules.mandates.schemas.mandates import MandateChoice
from modules.mandates.service.mandates import choice_of
from modules.shared import clock
from modules.shared.catalogue import Action
from modules.shared.context import Caller
from modules.shared.database import Database, Tenant
from modules.shared.errors import Forbidden, Unprocessable
from modules.shared.grants import GrantGuard, Need, RoleGrants, RoleOffers
from modules.shared.ids import MandateId, MembershipId, RoleId, UserId, new_id


class JoiningService:
    """Shows people what they can join, and lets them."""

    def __init__(
        self, database: Database, guard: GrantGuard, roles: RoleGrants, offers: RoleOffers, audit: AuditLog
    ) -> None:
        self._database = database
        self._guard = guard
        self._roles = roles
        self._offers = offers
        self._audit = audit

    async def list_joinable(self, caller: Caller) -> JoinableMandates:
        """What the caller may join by the address their sign-in proved."""
        domain = _domain_of(caller)
        if domain is None:
            return JoinableMandates(items=[])
        async with self._database.system_session() as session:
            found = await domains.find_joinable(session, domain, caller.user.id)
            return JoinableMandates(items=[JoinableMandate.model_validate(mandate) for mandate in found])

    async def join(self, caller: Caller, mandate_id: MandateId) -> MandateChoice:
        """Become a member; the mandate one may enter now. Raises MandateNotJoinable, JoiningStale.

        A refusal for what the joining promises is on record in the mandate.
        """
        domain = _domain_of(caller)
        if domain is None:
            raise MandateNotJoinable
        try:
            # In a transaction of its own: the caller's is bound to no mandate and sees none of these rows.
            async with self._database.session(Tenant(mandate_id, None, caller.user.id)) as session:
                return await self._join(session, caller, mandate_id, domain)
        except JoiningStale as refusal:
            async with self._database.session(Tenant(mandate_id, None, caller.user.id)) as session:
                self._record(session, caller, mandate_id, "joining_refused", {"reason": refusal.code})
            raise

    async def _join(self, session: AsyncSession, caller: Caller, mandate_id: MandateId, domain: str) -> MandateChoice:
        mandate = await mandates.hold(session, mandate_id)
        offer = await self._open_offer(session, mandate, caller, domain) if mandate else None
        if mandate is None or offer is None:
            raise MandateNotJoinable
        try:
            membership_id = await self._admit(session, offer, caller.user.id)
        except (Forbidden, Unprocessable) as refusal:
            raise JoiningStale from refusal
        role = {"role_id": str(offer.role_id)} if offer.role_id else {}
        details = {"domain": domain, "membership_id": str(membership_id), "offered_by": str(offer.offered_by), **role}
        self._record(session, caller, mandate_id, "joined_by_domain", details)
        return choice_of(mandate, caller)

    async def _open_offer(
        self, session: AsyncSession, mandate: Mandate, caller: Caller, domain: str
    ) -> MandateDomain | None:
        mandate_id, user_id = MandateId(mandate.id), caller.user.id
        offer = await domains.lock_open(session, mandate_id, domain)
        if (
            not mandate.enabled
            or await memberships.find_of(session, mandate_id, user_id) is not None
            or await removals.includes(session, mandate_id, user_id)
        ):
            return None
        return offer

    async def _admit(self, session: AsyncSession, offer: MandateDomain, user_id: UserId) -> MembershipId:
        mandate_id, offered_by = MandateId(offer.mandate_id), UserId(offer.offered_by)
        role_ids = [RoleId(offer.role_id)] if offer.role_id else []
        still_offers = Need(DOMAINS, Action.UPDATE)
        for role_id in role_ids:
            await self._offers.require_offerable(
                session, mandate_id, role_id, offered_by=offered_by, needs=still_offers
            )
        async with self._guard.change(session, mandate_id, offered_by, needs=still_offers):
            membership = Membership(
                id=new_id(), mandate_id=mandate_id, user_id=user_id, version=1, created_at=clock.now()
            )
            session.add(membership)
            await session.flush()
            membership_id = MembershipId(membership.id)
            await self._roles.set_member_roles(session, mandate_id, membership_id, role_ids, actor_id=offered_by)
        return membership_id

    def _record(
        self, session: AsyncSession, caller: Caller, mandate_id: MandateId, code: str, details: dict[str, str]
    ) -> None:
        outcome = "refused" if "reason" in details else "done"
        subject = Subject("mandate", mandate_id)
        self._audit.record(
            session, code, by=caller, mandate_id=mandate_id, subject=subject, outcome=outcome, details=details
        )


def _domain_of(caller: Caller) -> str | None:
    """The domain of the address that this very sign-in proved."""
    proven = caller.login.itself_proved(caller.user.email)
    return proven.rpartition("@")[2] if proven else None
