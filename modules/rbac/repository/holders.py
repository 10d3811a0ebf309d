"""Everybody's rights in one mandate as a transaction sees them, uncommitted changes included; for comparing before and
after.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.evaluator import CompiledRole, RoleVersion
from modules.rbac.repository.authorisation import RULES, compiled_roles
from modules.shared import clock
from modules.shared.ids import GroupId, InstanceId, MandateId, RoleId, SessionId, UserId
from modules.shared.rules import Priority, RoleBinding

_LOCK = text("SELECT now() FROM mandates WHERE id = :mandate FOR NO KEY UPDATE")
_LOCK_PERSON = text("SELECT FROM users WHERE id = :user FOR UPDATE")

# What is held later is read too: it is compared for the time when it will be held. LEAST and GREATEST pass over NULLs.
_HELD = text("""
SELECT ms.user_id, NULL::uuid AS instance_id, r.id AS role_id, r.version, a.role_scope, m.is_root,
    greatest(ms.valid_from, a.valid_from) AS since, least(ms.valid_until, a.valid_until) AS until,
    u.state <> 'disabled' AND u.delete_after IS NULL AS able, now() AS at
FROM memberships ms JOIN mandates m ON m.id = ms.mandate_id JOIN users u ON u.id = ms.user_id
JOIN role_assignments a ON a.membership_id = ms.id AND a.mandate_id = ms.mandate_id JOIN roles r ON r.id = a.role_id
WHERE ms.mandate_id = :mandate AND ms.enabled AND (ms.valid_until IS NULL OR ms.valid_until > now())
    AND (a.valid_until IS NULL OR a.valid_until > now())
UNION ALL
SELECT x.user_id, x.instance_id, r.id, r.version, a.role_scope, m.is_root,
    greatest(ms.valid_from, x.valid_from, a.valid_from), least(ms.valid_until, x.valid_until, a.valid_until),
    false, now()
FROM instance_access x JOIN mandates m ON m.id = x.mandate_id
JOIN memberships ms ON ms.mandate_id = x.mandate_id AND ms.user_id = x.user_id AND ms.enabled
JOIN role_assignments a ON a.instance_access_id = x.id AND a.mandate_id = x.mandate_id JOIN roles r ON r.id = a.role_id
WHERE x.mandate_id = :mandate AND x.enabled AND (x.valid_until IS NULL OR x.valid_until > now())
    AND (ms.valid_until IS NULL OR ms.valid_until > now()) AND (a.valid_until IS NULL OR a.valid_until > now())
""")

# An access admits even without a role: then what is held outside the instance answers in it.
_ADMITTED = text("""
SELECT x.user_id, x.instance_id, greatest(ms.valid_from, x.valid_from) AS since,
    least(ms.valid_until, x.valid_until) AS until
FROM instance_access x JOIN memberships ms ON ms.mandate_id = x.mandate_id AND ms.user_id = x.user_id AND ms.enabled
WHERE x.mandate_id = :mandate AND x.enabled AND (x.valid_until IS NULL OR x.valid_until > now())
    AND (ms.valid_until IS NULL OR ms.valid_until > now())
""")

_STANDS = text("""
SELECT u.state <> 'disabled' AND CASE WHEN ms.id IS NULL THEN u.is_sysadmin ELSE ms.enabled
    AND (ms.valid_from IS NULL OR ms.valid_from <= now()) AND (ms.valid_until IS NULL OR ms.valid_until > now()) END
FROM users u LEFT JOIN memberships ms ON ms.mandate_id = :mandate AND ms.user_id = u.id WHERE u.id = :user
""")

_GROUPS = text("SELECT user_id, group_id FROM group_members WHERE mandate_id = :mandate")

_CAPS = text("""
SELECT r.id, r.version, r.scope, m.is_root FROM roles r, mandates m
WHERE m.id = :mandate AND r.key = 'everyone' AND (r.scope = 'global' OR r.mandate_id = m.id)
""")

_MANDATES = text("""
SELECT m.id FROM memberships ms JOIN mandates m ON m.id = ms.mandate_id
WHERE ms.user_id = :user AND m.enabled ORDER BY m.id
""")

_TRAVELLING = text("""
SELECT r.id, r.version, EXISTS (SELECT FROM sysadmin_entries e WHERE e.user_id = u.id AND e.mandate_id = :mandate
    AND e.session_id = CAST(:session AS uuid) AND e.mode = 'break_glass' AND e.ended_at IS NULL
    AND e.valid_until > now()) AS answers_data
FROM users u JOIN installation i ON true JOIN memberships ms ON ms.mandate_id = i.root_mandate_id AND ms.user_id = u.id
JOIN role_assignments a ON a.membership_id = ms.id JOIN roles r ON r.id = a.role_id AND r.travels
WHERE u.id = :user AND u.is_sysadmin AND u.state <> 'disabled' AND ms.enabled
    AND NOT EXISTS (SELECT FROM memberships own WHERE own.mandate_id = :mandate AND own.user_id = u.id)
    AND (ms.valid_from IS NULL OR ms.valid_from <= now()) AND (ms.valid_until IS NULL OR ms.valid_until > now())
    AND (a.valid_from IS NULL OR a.valid_from <= now()) AND (a.valid_until IS NULL OR a.valid_until > now())
""")

Bindings = frozenset[RoleBinding]


class Stretch(NamedTuple):
    """From `since` until just before `until`; None is without that bound."""

    since: datetime | None
    until: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies in it."""
        return (self.since is None or self.since <= moment) and (self.until is None or self.until > moment)


class Term(NamedTuple):
    """A role, and when it is held."""

    binding: RoleBinding
    when: Stretch


Terms = frozenset[Term]
_ALWAYS: Final = Stretch(None, None)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Who holds what in a mandate, and when: roles by user and instance (None: the membership's), who may enter which
    instance, the roles held now without end by people able to sign in and to stay, groups, caps, and the roles
    compiled.
    """

    held: dict[UserId, dict[InstanceId | None, Terms]]
    admitted: dict[UserId, dict[InstanceId, Stretch]]
    lasting: dict[UserId, Bindings]
    groups: dict[UserId, frozenset[GroupId]]
    caps: Bindings
    compiled: dict[RoleVersion, CompiledRole] = field(repr=False)

    def terms(self, user_id: UserId, instance_id: InstanceId | None) -> Terms:
        """Everything that ever answers for this user in this instance, or (None) without one."""
        own = self.held.get(user_id, {})
        return own.get(None, frozenset()) | (own.get(instance_id, frozenset()) if instance_id else frozenset())

    def instances(self, user_id: UserId) -> set[InstanceId | None]:
        """Where this user holds roles; always also without an instance."""
        return {None, *self.held.get(user_id, {})}

    def admission(self, user_id: UserId, instance_id: InstanceId | None) -> Stretch | None:
        """When this user may enter the instance; None is never. Nothing keeps anybody from working outside of all."""
        return _ALWAYS if instance_id is None else self.admitted.get(user_id, {}).get(instance_id)

    def members_of(self, group_id: GroupId) -> set[UserId]:
        """Who is in the group."""
        return {user_id for user_id, groups in self.groups.items() if group_id in groups}


def held_at(terms: Terms, moment: datetime) -> Bindings:
    """What is held at `moment`."""
    return frozenset(term.binding for term in terms if term.when.covers(moment))


def moments_of(stretches: Iterable[Stretch], now: datetime) -> set[datetime]:
    """Now and every later moment at which something begins or ends: between two of them nothing changes by itself."""
    bounds = (bound for stretch in stretches for bound in stretch)
    return {now, *(bound for bound in bounds if bound is not None and bound > now)}


async def lock_mandate(session: AsyncSession, mandate_id: MandateId) -> datetime:
    """Let one change of rights at a time happen in a mandate; answers the time this transaction goes by."""
    now: datetime | None = await session.scalar(_LOCK, {"mandate": mandate_id})
    return now or clock.now()


async def lock_person(session: AsyncSession, user_id: UserId) -> None:
    """Let nothing new refer to this person, such as a membership, until the transaction ends. Needs a system
    session.
    """
    await session.execute(_LOCK_PERSON, {"user": user_id})


async def stands(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> bool:
    """Whether this person can act here now: an account in use, and an active membership or else the sysadmin flag."""
    return bool(await session.scalar(_STANDS, {"mandate": mandate_id, "user": user_id}))


async def read_holdings(
    session: AsyncSession, mandate_id: MandateId, known: dict[RoleVersion, CompiledRole] | None = None
) -> Holdings:
    """Everybody's rights in the mandate as this transaction sees them. `known` saves reading the rules of unchanged
    roles again.
    """
    held: defaultdict[UserId, defaultdict[InstanceId | None, set[Term]]] = defaultdict(lambda: defaultdict(set))
    lasting: defaultdict[UserId, set[RoleBinding]] = defaultdict(set)
    for row in await session.execute(_HELD, {"mandate": mandate_id}):
        binding = binding_of(row.role_id, row.version, row.role_scope, is_root=row.is_root)
        held[UserId(row.user_id)][row.instance_id].add(Term(binding, Stretch(row.since, row.until)))
        if row.able and row.until is None and (row.since is None or row.since <= row.at):
            lasting[UserId(row.user_id)].add(binding)
    admitted: defaultdict[UserId, dict[InstanceId, Stretch]] = defaultdict(dict)
    for row in await session.execute(_ADMITTED, {"mandate": mandate_id}):
        admitted[UserId(row.user_id)][InstanceId(row.instance_id)] = Stretch(row.since, row.until)
    groups: defaultdict[UserId, set[GroupId]] = defaultdict(set)
    for row in await session.execute(_GROUPS, {"mandate": mandate_id}):
        groups[UserId(row.user_id)].add(GroupId(row.group_id))
    caps = await caps_of(session, mandate_id)
    bindings = {term.binding for places in held.values() for terms in places.values() for term in terms} | caps
    return Holdings(
        held={user: {place: frozenset(terms) for place, terms in places.items()} for user, places in held.items()},
        admitted=dict(admitted),
        lasting={user: frozenset(bound) for user, bound in lasting.items()},
        groups={user: frozenset(own) for user, own in groups.items()},
        caps=caps,
        compiled=await compile_bound(session, bindings, known or {}),
    )


async def caps_of(session: AsyncSession, mandate_id: MandateId) -> Bindings:
    """The two roles `everyone` that bind every context of the mandate."""
    rows = await session.execute(_CAPS, {"mandate": mandate_id})
    return frozenset(binding_of(row.id, row.version, row.scope, is_root=row.is_root) for row in rows)


async def travelling_bindings(
    session: AsyncSession, user_id: UserId, mandate_id: MandateId, sign_in: SessionId | None
) -> Bindings:
    """What a visiting sysadmin brings along. Needs a system session: the roles are held in another mandate.

    They answer for data only to the sign-in by which the visitor broke the glass.
    """
    wanted: dict[str, object] = {"user": user_id, "mandate": mandate_id, "session": sign_in}
    rows = await session.execute(_TRAVELLING, wanted)
    return frozenset(RoleBinding(row.id, row.version, Priority.GLOBAL, answers_data=row.answers_data) for row in rows)


async def compile_bound(
    session: AsyncSession, bindings: Iterable[RoleBinding], known: dict[RoleVersion, CompiledRole]
) -> dict[RoleVersion, CompiledRole]:
    """The bound roles compiled, as this transaction sees their rules.

    A global role may have changed since its version was read: nothing here locks it. What its rules are now decides.
    """
    wanted = {(binding.role_id, binding.version) for binding in bindings}
    compiled = {key: known[key] for key in wanted & known.keys()}
    missing = wanted - compiled.keys()
    if missing:
        roles: list[UUID] = [role_id for role_id, _ in missing]
        rows = await session.execute(text(RULES.replace("$1::uuid[]", "CAST(:roles AS uuid[])")), {"roles": roles})
        newest = {role.role_id: role for role in compiled_roles(rows.mappings()).values()}
        compiled |= {key: newest.get(key[0]) or CompiledRole(*key, ()) for key in missing}
    return compiled


def binding_of(role_id: UUID, version: UUID, scope: str, *, is_root: bool) -> RoleBinding:
    """A role as held in a mandate: only the root mandate's own roles answer for the installation."""
    priority = {"global": Priority.GLOBAL, "mandate": Priority.MANDATE, "instance": Priority.INSTANCE}[scope]
    return RoleBinding(RoleId(role_id), version, priority, from_root_mandate=is_root and scope == "mandate")


async def mandates_of(session: AsyncSession, user_id: UserId) -> Sequence[MandateId]:
    """The mandates a person is a member of, by id. Needs a system session."""
    return (await session.scalars(_MANDATES, {"user": user_id})).all()
