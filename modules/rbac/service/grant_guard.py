"""Nobody grants what they do not have: every change of rights is compared, before and after, in the transaction that
makes it.

The whole mandate is read before and after, and whoever ends up with other rights than before, or will when what is
promised is kept, is held against what the actor had. That is more reading than a check per kind of change would need,
and the reason why no kind of change can be forgotten.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.errors import EscalationRefused, LastAdministrator, PermissionDenied
from modules.rbac.escalation import Actor, Escalation, Holder, find_escalations, group_exposure
from modules.rbac.evaluator import EMPTY_TABLE, CompiledRole, EffectiveTable, RoleVersion
from modules.rbac.repository.holders import (
    Bindings,
    Holdings,
    Stretch,
    Term,
    compile_bound,
    held_at,
    lock_mandate,
    moments_of,
    read_holdings,
    stands,
    travelling_bindings,
)
from modules.rbac.repository.promises import Promises, read_promises
from modules.rbac.service.administrators import administers
from modules.rbac.service.key_limits import within_key
from modules.shared.catalogue import ItemCatalogue
from modules.shared.database import Database
from modules.shared.grants import Need, RolePromises, rights_may_change
from modules.shared.ids import GroupId, InstanceId, MandateId, UserId
from modules.shared.rules import RoleBinding


class RbacGrantGuard:
    """The `GrantGuard` of the product (see `modules.shared.grants`)."""

    def __init__(self, database: Database, catalogue: ItemCatalogue, promises: RolePromises) -> None:
        self._database = database
        self._catalogue = catalogue
        self._promises = promises

    @asynccontextmanager
    async def change(
        self, session: AsyncSession, mandate_id: MandateId, actor_id: UserId, *, needs: Need | None = None
    ) -> AsyncIterator[None]:
        """Wrap one change of rights. Whatever it raises, the caller's transaction must roll back."""
        now = await lock_mandate(session, mandate_id)
        before = await read_holdings(session, mandate_id)
        promised = await self._read_promises(session, mandate_id, before, {})
        comparison = _Comparison(before, now)
        held = await self._held_by_actor(session, comparison, mandate_id, actor_id, needs)
        comparison.demand(held[None], needs)
        with rights_may_change(session, "guarded"):
            yield
            await session.flush()
        comparison.after = await read_holdings(session, mandate_id, before.compiled)
        still = await self._read_promises(session, mandate_id, comparison.after, before.compiled)
        kept = comparison.kept(promised, still)
        actor = comparison.actor(session, actor_id, held)
        escalations = [
            *find_escalations(comparison.holders(actor_id) | kept.holders(actor_id), actor, self._catalogue),
            *self._exposures(comparison, actor),
            *self._exposures(kept, actor),
        ]
        if escalations:
            raise escalation_refused(escalations[0])
        if self._administrators(comparison, before) and not self._administrators(comparison, comparison.after):
            raise LastAdministrator

    async def require_givable(
        self, session: AsyncSession, mandate_id: MandateId, actor_id: UserId, role: RoleBinding, needs: Need
    ) -> EffectiveTable:
        """Raise what `change` would if the actor gave this role alone to a newcomer now; what the newcomer would have.

        The mandate stays locked until the transaction ends.
        """
        now = await lock_mandate(session, mandate_id)
        holdings = await read_holdings(session, mandate_id)
        comparison = _Comparison(holdings, now)
        held = await self._held_by_actor(session, comparison, mandate_id, actor_id, needs)
        comparison.demand(held[None], needs)
        holdings.compiled.update(await compile_bound(session, [role], holdings.compiled))
        given = comparison.table(holdings, frozenset({role}))
        actor = comparison.actor(session, actor_id, held)
        for escalation in find_escalations([Holder(EMPTY_TABLE, given)], actor, self._catalogue):
            raise escalation_refused(escalation)
        return given

    async def _read_promises(
        self,
        session: AsyncSession,
        mandate_id: MandateId,
        holdings: Holdings,
        known: dict[RoleVersion, CompiledRole],
    ) -> Promises:
        to_newcomers = await self._promises.of_mandate(session, mandate_id)
        return await read_promises(session, mandate_id, to_newcomers, holdings, known)

    async def _held_by_actor(
        self,
        session: AsyncSession,
        comparison: "_Comparison",
        mandate_id: MandateId,
        actor_id: UserId,
        needs: Need | None,
    ) -> dict[InstanceId | None, Bindings]:
        """What the actor held before the change: a member's roles, or everywhere what a visiting sysadmin brings along.

        Whoever cannot act here any more holds nothing: an inviter, or somebody who promised a role for later.
        """
        before = comparison.before
        if not await stands(session, mandate_id, actor_id):
            return {None: frozenset()}
        if actor_id in before.held:
            places = before.instances(actor_id)
            return {place: held_at(before.terms(actor_id, place), comparison.now) for place in places}
        async with self._database.system_session() as system:
            bindings = await travelling_bindings(system, actor_id, mandate_id, needs.session_id if needs else None)
            before.compiled.update(await compile_bound(system, bindings, before.compiled))
        return dict.fromkeys((None, *(place for own in before.held.values() for place in own)), bindings)

    def _exposures(self, comparison: "_Comparison", actor: Actor) -> Iterable[Escalation]:
        for group_id in comparison.grown_groups():
            members = [
                (place, table)
                for user in comparison.after.members_of(group_id)
                for place in comparison.after.instances(user)
                for table in comparison.tables_after(user, place)
            ]
            yield from group_exposure(members, actor, self._catalogue)

    def _administrators(self, comparison: "_Comparison", holdings: Holdings) -> bool:
        distinct = set(holdings.lasting.values())
        return any(administers(comparison.table(holdings, lasting), self._catalogue) for lasting in distinct)


class _Comparison:
    """The two readings, and tables built once per distinct set of roles, so that equal rights are one object.

    Compared is every stretch of time from now on: a longer term, or a narrow role that ends before a wide one, raises
    somebody later.
    """

    def __init__(
        self,
        before: Holdings,
        now: datetime,
        *,
        people: Collection[UserId] | None = None,
        tables: dict[tuple[Bindings, Bindings], EffectiveTable] | None = None,
    ) -> None:
        self.before = before
        self.after = before
        self.now = now
        self._people = people
        self._tables = {} if tables is None else tables

    def table(self, holdings: Holdings, bindings: Bindings) -> EffectiveTable:
        """What these roles give under the caps of that reading."""
        key = (bindings, holdings.caps)
        table = self._tables.get(key)
        if table is None:
            compiled = self.before.compiled | holdings.compiled
            table = self._tables[key] = EffectiveTable(bindings, compiled, holdings.caps)
        return table

    def kept(self, before: Promises, after: Promises) -> "_Comparison":
        """The same change as those see it to whom something was promised and still is, as if they held it already."""
        common = before.common(after)
        kept = _Comparison(
            before.kept(self.before, common), self.now, people=before.people(common), tables=self._tables
        )
        kept.after = after.kept(self.after, common)
        return kept

    def demand(self, held: Bindings, needs: Need | None) -> None:
        """Raise PermissionDenied unless who held these roles before the change was allowed what it takes."""
        if needs is not None and self.table(self.before, held).level(needs.item, needs.action) < needs.level:
            raise PermissionDenied(context=needs.item.kind, item=needs.item.path, action=needs.action)

    def actor(self, session: AsyncSession, actor_id: UserId, held: Mapping[InstanceId | None, Bindings]) -> Actor:
        """Who held these roles before the change, under the caps as they are now: to lift a lock takes the right it
        lowers, which under the lock nobody has.
        """
        tables = {place: within_key(session, self.table(self.after, bindings)) for place, bindings in held.items()}
        return Actor(tables, self.before.groups.get(actor_id, frozenset()))

    def tables_after(self, user: UserId, place: InstanceId | None) -> Iterable[EffectiveTable]:
        """What the user has there after the change, now and later."""
        terms = self.after.terms(user, place)
        return {self.table(self.after, held_at(terms, moment)) for moment in moments_of(_whens(terms), self.now)}

    def holders(self, actor_id: UserId) -> set[Holder]:
        """Everyone whose roles differ between the readings, once per distinct difference."""
        people = self.before.held.keys() | self.after.held.keys() if self._people is None else self._people
        return {
            holder
            for user in people
            for place in self._places(user)
            for holder in self._holders_of(user, place, is_actor=user == actor_id)
        }

    def _places(self, user: UserId) -> set[InstanceId | None]:
        """Where this user holds roles or is admitted, before or after; always also without an instance."""
        readings = (self.before, self.after)
        return {place for each in readings for place in (*each.instances(user), *each.admitted.get(user, ()))}

    def _holders_of(self, user: UserId, place: InstanceId | None, *, is_actor: bool) -> Iterable[Holder]:
        had, has = self.before.terms(user, place), self.after.terms(user, place)
        was_let_in, is_let_in = self.before.admission(user, place), self.after.admission(user, place)
        if had == has and was_let_in == is_let_in and self.before.caps == self.after.caps:
            return
        groups = self.after.groups.get(user, frozenset())
        for moment in moments_of((*_whens(had | has), *filter(None, (was_let_in, is_let_in))), self.now):
            held, holds = held_at(had, moment), held_at(has, moment)
            before = self.table(self.before, held) if _covers(was_let_in, moment) else EMPTY_TABLE
            after = self.table(self.after, holds) if _covers(is_let_in, moment) else EMPTY_TABLE
            if before is not after:
                # A lifted lock raises the actor like everybody else, and an access only lets them use what they hold:
                # only other roles are raising oneself.
                yield Holder(before, after, groups, place, is_actor=is_actor and held != holds)

    def grown_groups(self) -> set[GroupId]:
        """Groups somebody was put into."""
        return {
            group
            for user, groups in self.after.groups.items()
            for group in groups - self.before.groups.get(user, frozenset())
        }


def _whens(terms: Iterable[Term]) -> Iterable[Stretch]:
    return (term.when for term in terms)


def _covers(stretch: Stretch | None, moment: datetime) -> bool:
    return stretch is not None and stretch.covers(moment)


def escalation_refused(escalation: Escalation) -> EscalationRefused:
    """The refusal that tells what would rise, and how far the actor reaches there."""
    return EscalationRefused(
        context=escalation.kind,
        item=escalation.item,
        action=escalation.action,
        after=escalation.after.name.lower(),
        actor=escalation.actor.name.lower(),
    )
