"""Nobody grants what they do not have: by example, and for paths the comparison never looked at."""

from collections.abc import Sequence
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.rbac.escalation import Actor, Escalation, Holder, find_escalations, group_exposure
from modules.rbac.evaluator import EMPTY_TABLE, EffectiveTable
from modules.shared.catalogue import Action, ItemCatalogue, ItemKind, Reach
from modules.shared.ids import GroupId, InstanceId
from tests.rbac.policies import (
    ALL,
    GROUP,
    MY,
    NONE,
    HeldRole,
    caps,
    globally,
    held_roles,
    in_instance,
    in_mandate,
    item,
    items,
    rule,
    table,
)

INVOICES = item("invoices", fields=("amount",))
DOCUMENTS = item("documents", Reach.INSTANCE)
QUOTAS = item("quotas", Reach.INSTALLATION, ItemKind.RESOURCE)
PAGE = item("invoices", kind=ItemKind.UI)
CATALOGUE = ItemCatalogue([INVOICES, DOCUMENTS, QUOTAS, PAGE])
SALES, SUPPORT = GroupId(uuid4()), GroupId(uuid4())
FIRST, SECOND = InstanceId(uuid4()), InstanceId(uuid4())


def someone(effective: EffectiveTable, *groups: GroupId) -> Actor:
    return Actor({None: effective}, frozenset(groups))


def rises(after: EffectiveTable, actor: Actor, before: EffectiveTable = EMPTY_TABLE) -> set[tuple[str, Action]]:
    return {(each.item, each.action) for each in find_escalations([Holder(before, after)], actor, CATALOGUE)}


class TestRaise:
    def test_to_my_takes_my(self) -> None:
        grant = table(in_mandate(rule("invoices", read=MY)))
        assert not rises(grant, someone(grant))

    def test_to_my_is_refused_without_it(self) -> None:
        assert ("invoices", Action.READ) in rises(table(in_mandate(rule("invoices", read=MY))), someone(EMPTY_TABLE))

    def test_to_all_takes_all(self) -> None:
        grant = table(in_mandate(rule("invoices", read=ALL)))
        assert not rises(grant, someone(grant))

    def test_to_all_is_refused_with_group(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", read=GROUP))), SALES)
        assert ("invoices", Action.READ) in rises(table(in_mandate(rule("invoices", read=ALL))), actor)

    def test_to_view_takes_view(self) -> None:
        grant = table(in_mandate(rule("invoices", kind=ItemKind.UI, view=True)))
        assert ("invoices", Action.VIEW) in rises(grant, someone(EMPTY_TABLE))
        assert not rises(grant, someone(grant))

    def test_of_one_action_is_not_covered_by_another(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", read=ALL))))
        assert ("invoices", Action.UPDATE) in rises(table(in_mandate(rule("invoices", update=MY))), actor)

    def test_is_nobodys_to_give_to_themselves(self) -> None:
        grant = table(in_mandate(rule("invoices", read=MY)))
        visiting_sysadmin = someone(table(globally(rule("*", read=ALL))))
        assert find_escalations([Holder(EMPTY_TABLE, grant, is_actor=True)], visiting_sysadmin, CATALOGUE)

    def test_of_what_the_holder_had_already_is_no_rise(self) -> None:
        before = table(in_mandate(rule("invoices", read=ALL)))
        after = table(in_mandate(rule("invoices", read=ALL)), in_mandate(rule("invoices", read=MY)))
        assert not rises(after, someone(EMPTY_TABLE), before)

    def test_downwards_is_free(self) -> None:
        assert not rises(EMPTY_TABLE, someone(EMPTY_TABLE), table(in_mandate(rule("*", read=ALL))))

    def test_tells_the_levels_it_compared(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", delete=MY))))
        holder = Holder(table(in_mandate(rule("invoices", delete=MY))), table(in_mandate(rule("invoices", delete=ALL))))
        assert find_escalations([holder], actor, CATALOGUE)[0] == Escalation(
            ItemKind.DATA, "invoices", Action.DELETE, MY, ALL, MY
        )

    def test_finds_each_cell_once_for_holders_alike(self) -> None:
        holder = Holder(EMPTY_TABLE, table(in_mandate(rule("invoices", read=ALL))))
        once = find_escalations([holder], someone(EMPTY_TABLE), CATALOGUE)
        assert find_escalations([holder, holder], someone(EMPTY_TABLE), CATALOGUE) == once


class TestRaiseToGroup:
    GRANT = table(in_mandate(rule("invoices", read=GROUP)))

    def test_takes_group_when_the_target_is_only_in_groups_of_the_actor(self) -> None:
        holder = Holder(EMPTY_TABLE, self.GRANT, frozenset({SALES}))
        assert not find_escalations([holder], someone(self.GRANT, SALES, SUPPORT), CATALOGUE)

    def test_is_refused_with_group_when_the_target_is_in_another_group(self) -> None:
        holder = Holder(EMPTY_TABLE, self.GRANT, frozenset({SALES, SUPPORT}))
        assert find_escalations([holder], someone(self.GRANT, SALES), CATALOGUE)

    def test_takes_all_when_the_target_is_in_another_group(self) -> None:
        holder = Holder(EMPTY_TABLE, self.GRANT, frozenset({SUPPORT}))
        actor = someone(table(in_mandate(rule("invoices", read=ALL))), SALES)
        assert not find_escalations([holder], actor, CATALOGUE)

    def test_is_refused_with_my(self) -> None:
        holder = Holder(EMPTY_TABLE, self.GRANT)
        assert find_escalations([holder], someone(table(in_mandate(rule("invoices", read=MY)))), CATALOGUE)


class TestRemoval:
    def test_of_a_narrow_rule_can_raise(self) -> None:
        before = table(in_mandate(rule("*", read=ALL), rule("invoices", read=NONE)))
        actor = someone(table(in_mandate(rule("invoices", read=MY))))
        assert ("invoices", Action.READ) in rises(table(in_mandate(rule("*", read=ALL))), actor, before)

    def test_of_a_field_rule_can_raise(self) -> None:
        before = table(in_mandate(rule("invoices", read=ALL), rule("invoices.amount", read=NONE)))
        after = table(in_mandate(rule("invoices", read=ALL)))
        assert rises(after, someone(before), before) >= {("invoices.amount", Action.READ)}

    def test_of_a_rule_over_fields_nobody_has_declared_yet_can_raise(self) -> None:
        before = table(in_mandate(rule("documents.*", read=NONE)), in_instance(rule("*", read=ALL)))
        after = table(in_instance(rule("*", read=ALL)))
        assert rises(after, someone(before), before) == {
            ("documents.any-future-item", Action.READ),
        }

    def test_of_a_lock_can_raise(self) -> None:
        role = in_mandate(rule("*", read=ALL))
        before = table(role, caps=[in_mandate(rule("invoices", read=NONE, locked=True))])
        assert ("invoices", Action.READ) in rises(table(role), someone(before), before)

    def test_of_a_role_in_a_higher_scope_can_raise(self) -> None:
        mandate = in_mandate(rule("documents", read=ALL))
        before = table(mandate, in_instance(rule("documents", read=NONE)))
        assert ("documents", Action.READ) in rises(table(mandate), someone(EMPTY_TABLE), before)


class TestWildcard:
    def test_is_refused_to_someone_who_holds_every_item_of_today_by_name(self) -> None:
        by_name = table(in_mandate(rule("invoices", read=ALL), rule("documents", read=ALL)))
        assert rises(table(in_mandate(rule("*", read=ALL))), someone(by_name)) == {("any-future-item", Action.READ)}

    def test_is_given_by_someone_who_holds_a_wider_one(self) -> None:
        assert not rises(
            table(in_mandate(rule("invoices.*", read=ALL))), someone(table(in_mandate(rule("*", read=ALL))))
        )

    def test_is_refused_to_someone_who_holds_a_narrower_one(self) -> None:
        narrow = someone(table(in_mandate(rule("invoices.lines", read=ALL))))
        assert ("invoices.any-future-item", Action.READ) in rises(table(in_mandate(rule("invoices", read=ALL))), narrow)

    def test_is_refused_to_someone_with_an_exception_inside(self) -> None:
        actor = someone(table(in_mandate(rule("*", read=ALL), rule("invoices.secret", read=NONE))))
        assert ("invoices.secret.any-future-item", Action.READ) in rises(table(in_mandate(rule("*", read=ALL))), actor)

    def test_covers_an_undeclared_path_apart_from_what_is_below_it(self) -> None:
        grant = table(in_mandate(rule("orders", read=ALL), rule("orders.*", read=NONE)))
        assert rises(grant, someone(EMPTY_TABLE)) == {("orders", Action.READ)}

    def test_of_the_ui_concerns_only_view(self) -> None:
        assert rises(table(in_mandate(rule("*", kind=ItemKind.UI, view=True))), someone(EMPTY_TABLE)) == {
            ("any-future-item", Action.VIEW),
            ("invoices", Action.VIEW),
        }


class TestInstallation:
    GRANT = table(globally(rule("quotas", kind=ItemKind.RESOURCE, update=ALL), from_root_mandate=True))

    def test_is_refused_to_an_administrator_of_another_mandate(self) -> None:
        actor = someone(table(in_mandate(rule("*", kind=ItemKind.RESOURCE, update=ALL))))
        assert ("quotas", Action.UPDATE) in rises(self.GRANT, actor)

    def test_is_given_by_someone_of_the_root_mandate_who_holds_it(self) -> None:
        assert not rises(self.GRANT, someone(self.GRANT))


class TestInstance:
    GRANT = table(in_instance(rule("documents", read=ALL)))

    def test_is_compared_with_what_the_actor_has_in_the_same_instance(self) -> None:
        actor = Actor({None: EMPTY_TABLE, FIRST: self.GRANT})
        assert not find_escalations([Holder(EMPTY_TABLE, self.GRANT, instance=FIRST)], actor, CATALOGUE)

    def test_is_refused_to_someone_who_has_it_in_another_instance(self) -> None:
        actor = Actor({None: EMPTY_TABLE, SECOND: self.GRANT})
        found = find_escalations([Holder(EMPTY_TABLE, self.GRANT, instance=FIRST)], actor, CATALOGUE)
        assert {each.instance for each in found} == {FIRST}

    def test_role_held_for_the_whole_mandate_is_refused_to_someone_of_one_instance(self) -> None:
        actor = Actor({None: EMPTY_TABLE, FIRST: self.GRANT})
        assert rises(table(in_mandate(rule("documents", read=ALL))), actor)

    def test_does_not_lend_its_roles_to_items_of_the_mandate(self) -> None:
        actor = Actor({None: EMPTY_TABLE, FIRST: table(in_instance(rule("*", read=ALL)))})
        after = table(in_mandate(rule("invoices", read=MY)))
        holders = [Holder(EMPTY_TABLE, after, instance=place) for place in (None, FIRST)]
        assert {each.instance for each in find_escalations(holders, actor, CATALOGUE)} == {None}

    def test_is_opened_by_someone_without_access_who_holds_it_for_the_whole_mandate(self) -> None:
        actor = someone(table(in_mandate(rule("documents", read=ALL))))
        assert not find_escalations([Holder(EMPTY_TABLE, self.GRANT, instance=FIRST)], actor, CATALOGUE)

    def test_restriction_of_the_actor_counts_only_there(self) -> None:
        role = in_mandate(rule("*", read=ALL))
        actor = Actor({None: table(role), FIRST: table(role, in_instance(rule("*", read=NONE)))})
        found = find_escalations([Holder(EMPTY_TABLE, table(role), instance=FIRST)], actor, CATALOGUE)
        assert "documents" in {each.item for each in found}
        assert "invoices" not in {each.item for each in found}


class TestGroupExposure:
    MEMBER = table(in_mandate(rule("invoices", read=GROUP)))

    def test_is_refused_without_all_where_a_member_holds_group(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", read=GROUP))), SALES)
        found = group_exposure([(None, self.MEMBER)], actor, CATALOGUE)
        assert Escalation(ItemKind.DATA, "invoices", Action.READ, GROUP, GROUP, GROUP) in found

    def test_takes_all_where_a_member_holds_group(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", read=ALL))))
        assert not group_exposure([(None, self.MEMBER)], actor, CATALOGUE)

    def test_needs_nothing_where_members_reach_only_their_own_or_everything(self) -> None:
        members = [(None, table(in_mandate(rule("invoices", read=MY)))), (None, table(in_mandate(rule("*", read=ALL))))]
        assert not group_exposure(members, someone(EMPTY_TABLE), CATALOGUE)

    def test_counts_a_wildcard_that_gives_group(self) -> None:
        actor = someone(table(in_mandate(rule("invoices", read=ALL), rule("documents", read=ALL))))
        found = group_exposure([(None, table(in_mandate(rule("*", read=GROUP))))], actor, CATALOGUE)
        assert {each.item for each in found} == {"any-future-item"}

    def test_is_compared_in_the_members_instance(self) -> None:
        member = table(in_instance(rule("documents", read=GROUP)))
        actor = Actor({None: EMPTY_TABLE, FIRST: table(in_instance(rule("documents", read=ALL)))})
        assert not group_exposure([(FIRST, member)], actor, CATALOGUE)
        assert group_exposure([(SECOND, member)], actor, CATALOGUE)


# Named by a rule, or deeper than, beside and above all of them.
FUTURE_PATHS = ("a", "a.b", "a.b.b", "a.c", "a.d", "a.b.d", "a.b.b.d", "a.c.d", "b", "b.d", "d")
FUTURE_PLACES = [
    (kind, path, action, reach, field)
    for kind in (ItemKind.DATA, ItemKind.RESOURCE)
    for path in FUTURE_PATHS
    for action in (Action.VIEW, Action.READ)
    for reach in Reach
    for field in (None, "b", "c", "d")
]
catalogues = st.lists(items, max_size=3, unique_by=lambda declared: (declared.kind, declared.path)).map(ItemCatalogue)
# Of the same few roles some are held before, some after, and some by the actor.
parts = st.lists(st.tuples(held_roles, st.booleans(), st.booleans(), st.booleans()), max_size=6)


class TestEveryFutureItem:
    @given(parts, caps, catalogues)
    @settings(max_examples=150, deadline=None)
    def test_and_field_that_rises_beyond_the_actor_is_found_by_a_cell_with_the_same_levels(
        self,
        roles: Sequence[tuple[HeldRole, bool, bool, bool]],
        everyone: Sequence[HeldRole],
        catalogue: ItemCatalogue,
    ) -> None:
        before, after, own = (
            table(*(entry[0] for entry in roles if entry[column]), caps=everyone) for column in (1, 2, 3)
        )
        found = {
            (each.kind, each.action, each.before, each.after, each.actor)
            for each in find_escalations([Holder(before, after)], someone(own), catalogue)
        }
        for kind, path, action, reach, field in FUTURE_PLACES:
            declared = catalogue.find(kind, path)
            if declared and declared.reach is not reach:
                continue
            was, becomes, has = (held.level_at(kind, path, action, reach, field) for held in (before, after, own))
            assert becomes <= max(was, has) or (kind, action, was, becomes, has) in found

    @given(held_roles, caps, catalogues)
    @settings(max_examples=100, deadline=None)
    def test_may_be_given_by_someone_who_holds_the_same(
        self, role: HeldRole, everyone: Sequence[HeldRole], catalogue: ItemCatalogue
    ) -> None:
        held = table(role, caps=everyone)
        assert not find_escalations([Holder(EMPTY_TABLE, held)], someone(held), catalogue)
