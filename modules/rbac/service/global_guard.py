"""Who may change the global roles: a change counts as giving everything its rules speak of, to somebody in every
mandate.

Reading every mandate would tell more exactly who gains what, and would take the longer the more mandates there are. So
each rule that comes, goes or changes is taken for the widest grant on its item, and only who holds that in the root
mandate may make the change.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.errors import AdministrationLost, PermissionDenied
from modules.rbac.escalation import Actor, Holder, find_escalations
from modules.rbac.evaluator import EMPTY_TABLE, CompiledRole, EffectiveTable
from modules.rbac.models import RoleRule
from modules.rbac.permissions import GLOBAL_ROLES
from modules.rbac.repository.holders import caps_of, lock_mandate
from modules.rbac.repository.roles import list_global_rules
from modules.rbac.repository.standing import standing_of
from modules.rbac.service.grant_guard import escalation_refused
from modules.rbac.service.key_limits import within_key
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind
from modules.shared.grants import Need, rights_may_change
from modules.shared.ids import MandateId, RoleId, UserId
from modules.shared.rules import AccessRule, Priority, RoleBinding

_Opinions = tuple[bool | None, int | None, int | None, int | None, int | None]
_Rules = Mapping[tuple[UUID, str, str], _Opinions]
_NOBODYS = RoleId(UUID(int=0))


class GlobalRoleGuard:
    """Compares a change of global roles with what the actor holds in the root mandate."""

    def __init__(self, catalogue: ItemCatalogue) -> None:
        self._catalogue = catalogue

    @asynccontextmanager
    async def change(
        self, session: AsyncSession, root_mandate_id: MandateId, actor_id: UserId, *, needs: Need | None
    ) -> AsyncIterator[None]:
        """Wrap one change, as `GrantGuard.change`. Raises PermissionDenied, EscalationRefused, AdministrationLost."""
        await lock_mandate(session, root_mandate_id)
        standing = await standing_of(session, root_mandate_id, actor_id)
        if needs is not None and standing.level(needs.item, needs.action) < needs.level:
            raise PermissionDenied(context=needs.item.kind, item=needs.item.path, action=needs.action)
        # The global caps lower the actor too: who has what they take may set them, and lift them again.
        own_caps = {cap for cap in await caps_of(session, root_mandate_id) if cap.priority is not Priority.GLOBAL}
        uncapped = await standing_of(session, root_mandate_id, actor_id, caps=frozenset(own_caps))
        before = _by_place(await list_global_rules(session, root_mandate_id))
        with rights_may_change(session, "guarded"):
            yield
            await session.flush()
        after = _by_place(await list_global_rules(session, root_mandate_id))
        granted = Holder(EMPTY_TABLE, _everything_of(_changed(before, after)))
        actor = Actor({None: within_key(session, uncapped)})
        for escalation in find_escalations([granted], actor, self._catalogue):
            raise escalation_refused(escalation)
        if (await standing_of(session, root_mandate_id, actor_id)).level(GLOBAL_ROLES, Action.UPDATE) < AccessLevel.ALL:
            raise AdministrationLost


def _by_place(rules: Iterable[RoleRule]) -> _Rules:
    return {
        (rule.role_id, rule.kind, rule.item): (
            rule.may_view,
            rule.may_create,
            rule.may_read,
            rule.may_update,
            rule.may_delete,
        )
        for rule in rules
    }


def _changed(before: _Rules, after: _Rules) -> list[AccessRule]:
    """The widest rule on each item that a rule began, ceased or changed to speak of, in the columns concerned."""
    silent: _Opinions = (None, None, None, None, None)
    return [
        _widest(place, before.get(place, silent), after.get(place, silent)) for place in before.keys() | after.keys()
    ]


def _widest(place: tuple[UUID, str, str], before: _Opinions, after: _Opinions) -> AccessRule:
    view, create, read, update, delete = (
        None if old == new else AccessLevel.ALL for old, new in zip(before, after, strict=True)
    )
    return AccessRule(
        _NOBODYS, ItemKind(place[1]), place[2], None if view is None else True, create, read, update, delete
    )


def _everything_of(rules: Iterable[AccessRule]) -> EffectiveTable:
    """As the root mandate's own role, since a lifted cap of the installation is among what somebody gains."""
    role = CompiledRole(_NOBODYS, _NOBODYS, rules)
    binding = RoleBinding(_NOBODYS, _NOBODYS, Priority.MANDATE, from_root_mandate=True)
    return EffectiveTable([binding], {(_NOBODYS, _NOBODYS): role})
