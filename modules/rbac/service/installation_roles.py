"""Roles that answer for the installation: they change, and change hands, only before the eyes of somebody who has just
proved who they are.

What counts is what a role's rules speak of, not its name: a copy of the role `sysadmin` is as delicate as the original.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.service.recent import demand_recent_login
from modules.rbac.models import Role, RoleRule
from modules.rbac.repository.roles import list_rules
from modules.shared.catalogue import Item, ItemCatalogue, Reach
from modules.shared.context import Login
from modules.shared.ids import MandateId
from modules.shared.rules import parse_pattern


class InstallationRoles:
    """Knows them. `recent_login` is how old a sign-in may be to change, give or take one."""

    def __init__(self, catalogue: ItemCatalogue, root_mandate_id: MandateId, recent_login: timedelta) -> None:
        self._catalogue = catalogue
        self._root_mandate_id = root_mandate_id
        self._recent_login = recent_login

    async def are_among(self, session: AsyncSession, roles: Iterable[Role], coming: Iterable[RoleRule] = ()) -> bool:
        """Whether a rule of one of these roles, or one that is coming to it, speaks of an item of the installation.

        Only the root mandate's own roles answer there, whatever the rules of others say.
        """
        own = [role.id for role in roles if role.mandate_id == self._root_mandate_id and role.scope == "mandate"]
        if not own:
            return False
        return any(map(self._speaks_of_one, [*coming, *await list_rules(session, own)]))

    async def demand_recent(
        self, session: AsyncSession, roles: Iterable[Role], login: Login | None, coming: Iterable[RoleRule] = ()
    ) -> None:
        """Raise StepUpRequired if one of them is such a role, unless `login` is recent."""
        if await self.are_among(session, roles, coming):
            await demand_recent_login(session, login, self._recent_login)

    def _speaks_of_one(self, rule: RoleRule) -> bool:
        return any(
            item.reach is Reach.INSTALLATION and item.kind == rule.kind and _touches(rule.item, item)
            for item in self._catalogue
        )


def _touches(pattern: str, item: Item) -> bool:
    """Whether a rule on `pattern` is about the item, something above it, or a part of it."""
    base = parse_pattern(pattern).base
    return not base or f"{item.path}.".startswith(f"{base}.") or base.startswith(f"{item.path}.")
