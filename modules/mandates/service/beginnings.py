"""How mandates begin, and how people come into one without anybody there to let them in.

`session` always works across mandates: no request's login makes a mandate. Nobody holds a right to compare with yet, so
the guard is not asked; each act rests on a permission of the installation, or on its settings.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit.service import AuditLog, Subject
from modules.mandates.models import Mandate, Membership
from modules.mandates.repository import mandates, memberships
from modules.shared import clock
from modules.shared.grants import MandateProvisioning, rights_may_change
from modules.shared.i18n import Language
from modules.shared.ids import MandateId, MembershipId, UserId, new_id

_PERSONAL: Final = "personal"
_IN_MANDATE: Final = "mandate:"
_COLOR: Final = "#3b6ea5"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewMandate:
    """What a mandate begins with."""

    slug: str
    name: str
    language: Language = "en"
    color: str = _COLOR


class InstallationRoles(MandateProvisioning, Protocol):
    """What this feature needs of the roles at beginnings, the installation's own included."""

    async def appoint_sysadmin(
        self, session: AsyncSession, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the role `sysadmin` to this member of the root mandate, without end."""
        ...

    async def appoint_member(
        self, session: AsyncSession, mandate_id: MandateId, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the global role `member` to this member, without end."""
        ...


class MandateBeginnings:
    """Makes mandates and their first members."""

    def __init__(self, roles: InstallationRoles, audit: AuditLog) -> None:
        self._roles = roles
        self._audit = audit

    async def begin(self, session: AsyncSession, new: NewMandate) -> Mandate:
        """A mandate with its own caps and nobody in it; the slug must be free."""
        mandate = Mandate(
            id=new_id(),
            slug=new.slug,
            name=new.name,
            color=new.color,
            language=new.language,
            is_root=False,
            enabled=True,
            login_policy=None,
            version=1,
            created_at=clock.now(),
        )
        session.add(mandate)
        await session.flush()
        await self._roles.provision(session, MandateId(mandate.id))
        return mandate

    async def appoint(
        self, session: AsyncSession, mandate_id: MandateId, user_id: UserId, *, appointed_by: UserId
    ) -> None:
        """Make a user a member and administrator of a mandate that has nobody yet."""
        membership_id = await self._add_member(session, mandate_id, user_id, appointed_by)
        await self._roles.appoint_administrator(session, mandate_id, membership_id, appointed_by=appointed_by)

    async def welcome(self, session: AsyncSession, user_id: UserId) -> None:
        """Make a user a member of the root mandate with the role `sysadmin`."""
        membership_id = await self._add_member(session, self._audit.root_mandate_id, user_id, user_id)
        await self._roles.appoint_sysadmin(session, membership_id, appointed_by=user_id)

    async def admit(self, session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> None:
        """Make a user an ordinary member; nothing happens to one who is a member already."""
        if await memberships.find_of(session, mandate_id, user_id) is None:
            membership_id = await self._add_member(session, mandate_id, user_id, user_id)
            await self._roles.appoint_member(session, mandate_id, membership_id, appointed_by=user_id)

    async def _add_member(
        self, session: AsyncSession, mandate_id: MandateId, user_id: UserId, added_by: UserId
    ) -> MembershipId:
        membership = Membership(
            id=new_id(), mandate_id=mandate_id, user_id=user_id, enabled=True, version=1, created_at=clock.now()
        )
        with rights_may_change(session, "a first member has nobody to be compared with"):
            session.add(membership)
            await session.flush()
        self._audit.record(
            session,
            "member_added",
            by=None,
            mandate_id=mandate_id,
            user_id=user_id,
            subject=Subject("membership", membership.id),
            details={"added_by": str(added_by)},
        )
        return MembershipId(membership.id)


class RegistrationHome:
    """Gives every new account the place that `[auth] registration_home` names."""

    def __init__(self, beginnings: MandateBeginnings, registration_home: str) -> None:
        self._beginnings = beginnings
        self._home = registration_home

    async def settle(self, session: AsyncSession, user_id: UserId, display_name: str) -> MandateId | None:
        """Make the user a member of that mandate, or the administrator of one of their own.

        A mandate that is not there (any more) or closed keeps nobody from registering: they are then in none.
        """
        if self._home == _PERSONAL:
            return await self._settle_in_own(session, user_id, display_name)
        if not self._home.startswith(_IN_MANDATE):
            return None
        slug = self._home.removeprefix(_IN_MANDATE)
        mandate = await mandates.find_by_slug(session, slug)
        if mandate is None or not mandate.enabled:
            _log.warning("registration_home_missing", slug=slug)
            return None
        await self._beginnings.admit(session, MandateId(mandate.id), user_id)
        return MandateId(mandate.id)

    async def _settle_in_own(self, session: AsyncSession, user_id: UserId, display_name: str) -> MandateId:
        slug = f"m-{new_id().hex[-12:]}"
        mandate = await self._beginnings.begin(session, NewMandate(slug, display_name or slug))
        mandate_id = MandateId(mandate.id)
        await self._beginnings.appoint(session, mandate_id, user_id, appointed_by=user_id)
        return mandate_id
