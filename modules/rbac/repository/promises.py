"""What people and newcomers of one mandate would hold if every promise of a role were kept, as a transaction sees it.

A promise is kept on the word of whoever made it, and by all they may do then. So what others change meanwhile about a
promised role, or about who is promised it, is compared as if it were held already.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.evaluator import CompiledRole, RoleVersion
from modules.rbac.repository.holders import Holdings, Stretch, Term, Terms, binding_of, compile_bound
from modules.shared.grants import RolePromise
from modules.shared.ids import GroupId, InstanceId, MandateId, UserId
from modules.shared.rules import RoleBinding

# A grant to a membership that is off gives nothing, but stands: switching the membership on raises somebody later.
_SCHEDULED = text("""
SELECT g.id, ms.user_id, ms.enabled, r.id AS role_id, r.version, r.scope, m.is_root,
    greatest(ms.valid_from, g.valid_from) AS since, least(ms.valid_until, g.valid_until) AS until
FROM scheduled_grants g JOIN mandates m ON m.id = g.mandate_id
JOIN memberships ms ON ms.mandate_id = g.mandate_id AND ms.id = g.membership_id
JOIN roles r ON r.id = g.role_id AND (r.mandate_id = g.mandate_id OR r.scope = 'global')
WHERE g.mandate_id = :mandate AND g.settled_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > now())
""")

_ROLES = text("""
SELECT r.id AS role_id, r.version, r.scope, m.is_root
FROM mandates m JOIN roles r ON r.mandate_id = m.id OR r.scope = 'global'
WHERE m.id = :mandate AND r.id = ANY(CAST(:roles AS uuid[]))
""")


class _Promised(NamedTuple):
    """Who will hold what, and when. `groups` are a newcomer's, who has none yet; None are those the person has."""

    user_id: UserId
    terms: Terms
    groups: frozenset[GroupId] | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """Every promise that waits in a mandate, by its id."""

    waiting: Mapping[UUID, _Promised]

    def common(self, other: "Promises") -> frozenset[UUID]:
        """Those that wait in both readings: what is made or settled in between is judged by itself."""
        return frozenset(self.waiting.keys() & other.waiting.keys())

    def people(self, which: Collection[UUID]) -> set[UserId]:
        """To whom these were made."""
        return {self.waiting[each].user_id for each in which}

    def kept(self, holdings: Holdings, which: Collection[UUID]) -> Holdings:
        """The holdings as they would be with these promises kept, each from its time on."""
        promised: defaultdict[UserId, set[Term]] = defaultdict(set)
        groups = dict(holdings.groups)
        for each in (self.waiting[promise_id] for promise_id in which):
            promised[each.user_id] |= each.terms
            if each.groups is not None:
                groups[each.user_id] = each.groups
        held: dict[UserId, dict[InstanceId | None, Terms]] = dict(holdings.held)
        for user_id, terms in promised.items():
            own = held.get(user_id, {})
            held[user_id] = {**own, None: own.get(None, frozenset()) | terms}
        return replace(holdings, held=held, groups=groups)


async def read_promises(
    session: AsyncSession,
    mandate_id: MandateId,
    to_newcomers: Iterable[RolePromise],
    holdings: Holdings,
    known: dict[RoleVersion, CompiledRole],
) -> Promises:
    """What is promised in the mandate: to members by scheduled grants, and to newcomers. The roles are compiled into
    `holdings`; `known` saves reading the rules of unchanged ones again.
    """
    waiting: dict[UUID, _Promised] = {}
    for row in await session.execute(_SCHEDULED, {"mandate": mandate_id}):
        binding = binding_of(row.role_id, row.version, row.scope, is_root=row.is_root)
        terms = frozenset({Term(binding, Stretch(row.since, row.until))}) if row.enabled else frozenset()
        waiting[row.id] = _Promised(UserId(row.user_id), terms)
    newcomers = list(to_newcomers)
    bound = await _bound(session, mandate_id, {role_id for promise in newcomers for role_id in promise.role_ids})
    for promise in newcomers:
        terms = frozenset(Term(bound[role], Stretch(None, None)) for role in promise.role_ids if role in bound)
        waiting[promise.id] = _Promised(UserId(promise.id), terms, promise.group_ids)
    bindings = {term.binding for each in waiting.values() for term in each.terms}
    holdings.compiled.update(await compile_bound(session, bindings, known | holdings.compiled))
    return Promises(waiting)


async def _bound(session: AsyncSession, mandate_id: MandateId, role_ids: Iterable[UUID]) -> dict[UUID, RoleBinding]:
    wanted = list(role_ids)
    if not wanted:
        return {}
    rows = await session.execute(_ROLES, {"mandate": mandate_id, "roles": wanted})
    return {row.role_id: binding_of(row.role_id, row.version, row.scope, is_root=row.is_root) for row in rows}
