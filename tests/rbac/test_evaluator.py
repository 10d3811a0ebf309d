"""The decision by example: one fact of the policy language per test."""

import pytest

from modules.rbac.evaluator import EMPTY_TABLE
from modules.shared.catalogue import Action, ItemKind, Reach
from modules.shared.rules import InvalidPattern, Pattern, Priority, parse_pattern
from tests.rbac.policies import ALL, GROUP, MY, NONE, globally, held, in_instance, in_mandate, item, rule, table

INVOICES = item("invoices")
LINES = item("invoices.lines")
AMOUNTS = item("invoices", fields=("amount", "note"))
DOCUMENTS = item("documents", Reach.INSTANCE)
QUOTAS = item("quotas", Reach.INSTALLATION, ItemKind.RESOURCE)


class TestParsePattern:
    @pytest.mark.parametrize(
        ("text", "pattern"),
        [
            ("invoices", Pattern("invoices", only_below=False)),
            ("invoices.lines", Pattern("invoices.lines", only_below=False)),
            ("invoices.*", Pattern("invoices", only_below=True)),
            ("*", Pattern("", only_below=True)),
        ],
    )
    def test_reads_a_path_what_is_below_it_and_everything(self, text: str, pattern: Pattern) -> None:
        assert parse_pattern(text) == pattern

    @pytest.mark.parametrize(
        "text",
        ["", ".", ".*", "*.a", "a.*.b", "a*", "a.", "a..b", "A", "a b", "**", "a.*.*", "a\n", "1a", "a" * 121, "ä"],
    )
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(InvalidPattern):
            parse_pattern(text)

    @pytest.mark.parametrize("text", ["any-future-item", "a.any-future-item", "a.any-future-item.*"])
    def test_refuses_the_name_that_stands_for_future_items(self, text: str) -> None:
        with pytest.raises(InvalidPattern):
            parse_pattern(text)

    def test_names_the_item_in_the_refusal(self) -> None:
        with pytest.raises(InvalidPattern) as refusal:
            parse_pattern("a.*.b")
        assert "a.*.b" in refusal.value.describe("en")
        assert "a.*.b" in refusal.value.describe("de")


class TestMatching:
    def test_a_path_answers_itself(self) -> None:
        assert table(in_mandate(rule("invoices", read=ALL))).can(INVOICES, Action.READ)

    def test_a_path_answers_what_is_below_it(self) -> None:
        assert table(in_mandate(rule("invoices", read=ALL))).can(LINES, Action.READ)

    def test_a_path_does_not_answer_what_is_above_it(self) -> None:
        assert not table(in_mandate(rule("invoices.lines", read=ALL))).can(INVOICES, Action.READ)

    def test_a_path_does_not_answer_a_name_it_only_begins(self) -> None:
        assert not table(in_mandate(rule("invoice", read=ALL))).can(INVOICES, Action.READ)

    def test_a_trailing_wildcard_answers_what_is_below(self) -> None:
        assert table(in_mandate(rule("invoices.*", read=ALL))).can(LINES, Action.READ)

    def test_a_trailing_wildcard_does_not_answer_its_own_path(self) -> None:
        assert not table(in_mandate(rule("invoices.*", read=ALL))).can(INVOICES, Action.READ)

    def test_a_star_answers_everything_of_its_kind(self) -> None:
        assert table(in_mandate(rule("*", read=ALL))).can(LINES, Action.READ)

    def test_a_rule_of_another_kind_never_answers(self) -> None:
        assert not table(in_mandate(rule("*", kind=ItemKind.RESOURCE, read=ALL))).can(INVOICES, Action.READ)

    def test_a_column_answers_only_its_action(self) -> None:
        assert not table(in_mandate(rule("invoices", read=ALL))).can(INVOICES, Action.UPDATE)


class TestDecision:
    def test_is_none_without_any_role(self) -> None:
        assert EMPTY_TABLE.level(INVOICES, Action.READ) is NONE

    def test_takes_the_instance_over_the_mandate(self) -> None:
        effective = table(in_mandate(rule("documents", read=ALL)), in_instance(rule("*", read=MY)))
        assert effective.level(DOCUMENTS, Action.READ) is MY

    def test_takes_the_mandate_over_the_installation(self) -> None:
        effective = table(globally(rule("invoices", read=ALL)), in_mandate(rule("*", read=NONE)))
        assert effective.level(INVOICES, Action.READ) is NONE

    def test_takes_the_longer_item_inside_a_scope(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL)), in_mandate(rule("invoices.lines", read=MY)))
        assert effective.level(LINES, Action.READ) is MY

    def test_takes_what_is_below_a_path_over_the_path(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.*", read=MY)))
        assert effective.level(LINES, Action.READ) is MY

    def test_takes_any_path_over_a_star(self) -> None:
        effective = table(in_mandate(rule("*", read=ALL), rule("invoices", read=MY)))
        assert effective.level(INVOICES, Action.READ) is MY

    def test_takes_the_maximum_over_roles_in_the_same_place(self) -> None:
        effective = table(in_mandate(rule("invoices", read=MY)), in_mandate(rule("invoices", read=GROUP)))
        assert effective.level(INVOICES, Action.READ) is GROUP

    def test_takes_the_maximum_over_rows_of_one_role_in_the_same_place(self) -> None:
        effective = table(in_mandate(rule("invoices", read=GROUP), rule("invoices", read=MY)))
        assert effective.level(INVOICES, Action.READ) is GROUP

    def test_keeps_looking_past_null_to_a_shorter_item(self) -> None:
        effective = table(in_mandate(rule("invoices", update=ALL), rule("*", read=MY)))
        assert effective.level(INVOICES, Action.READ) is MY

    def test_keeps_looking_past_null_to_a_lower_scope(self) -> None:
        effective = table(globally(rule("invoices", read=MY)), in_mandate(rule("invoices", update=ALL)))
        assert effective.level(INVOICES, Action.READ) is MY

    def test_tells_a_yes_to_view_as_all(self) -> None:
        assert table(in_mandate(rule("invoices", view=True))).level(INVOICES, Action.VIEW) is ALL

    def test_tells_a_no_to_view_as_none(self) -> None:
        effective = table(globally(rule("invoices", view=True)), in_mandate(rule("invoices", view=False)))
        assert effective.level(INVOICES, Action.VIEW) is NONE

    def test_of_an_undeclared_path_follows_the_same_rules(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.*", read=MY)))
        assert effective.level_at(ItemKind.DATA, "invoices.never.heard.of", Action.READ) is MY


class TestFields:
    def test_without_a_rule_of_its_own_has_the_level_of_the_table(self) -> None:
        assert table(in_mandate(rule("invoices", read=GROUP))).level(AMOUNTS, Action.READ, "amount") is GROUP

    def test_is_lowered_by_its_own_rule(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.amount", read=MY)))
        assert effective.level(AMOUNTS, Action.READ, "amount") is MY

    def test_is_never_more_than_the_table(self) -> None:
        effective = table(in_mandate(rule("invoices", read=MY), rule("invoices.amount", read=ALL)))
        assert effective.level(AMOUNTS, Action.READ, "amount") is MY

    def test_is_answered_by_a_wildcard_below_the_table(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.*", read=NONE)))
        assert effective.level(AMOUNTS, Action.READ, "note") is NONE

    def test_exact_rule_beats_the_wildcard_below_the_table(self) -> None:
        effective = table(
            in_mandate(rule("invoices", read=ALL), rule("invoices.*", read=NONE), rule("invoices.note", read=MY))
        )
        assert effective.level(AMOUNTS, Action.READ, "note") is MY

    def test_rule_of_a_lower_scope_stands_though_the_table_is_answered_higher(self) -> None:
        effective = table(globally(rule("invoices.amount", read=NONE)), in_mandate(rule("invoices", read=ALL)))
        assert effective.level(AMOUNTS, Action.READ, "amount") is NONE

    def test_rule_does_not_touch_the_table(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.amount", read=NONE)))
        assert effective.level(AMOUNTS, Action.READ) is ALL


class TestReach:
    def test_installation_is_answered_by_roles_of_the_root_mandate(self) -> None:
        effective = table(in_mandate(rule("quotas", kind=ItemKind.RESOURCE, update=ALL), from_root_mandate=True))
        assert effective.can(QUOTAS, Action.UPDATE)

    def test_installation_is_never_answered_by_another_mandates_star(self) -> None:
        assert not table(in_mandate(rule("*", kind=ItemKind.RESOURCE, update=ALL))).can(QUOTAS, Action.UPDATE)

    def test_installation_is_never_answered_by_a_global_role_assigned_elsewhere(self) -> None:
        assert not table(globally(rule("*", kind=ItemKind.RESOURCE, update=ALL))).can(QUOTAS, Action.UPDATE)

    def test_installation_is_not_lowered_by_another_mandates_role(self) -> None:
        root = globally(rule("quotas", kind=ItemKind.RESOURCE, update=ALL), from_root_mandate=True)
        assert table(root, in_mandate(rule("*", kind=ItemKind.RESOURCE, update=NONE))).can(QUOTAS, Action.UPDATE)

    def test_installation_ignores_roles_of_the_root_mandates_instances(self) -> None:
        held_in_instance = held(
            Priority.INSTANCE, rule("*", kind=ItemKind.RESOURCE, update=ALL), from_root_mandate=True
        )
        assert not table(held_in_instance).can(QUOTAS, Action.UPDATE)

    def test_mandate_ignores_roles_of_an_instance(self) -> None:
        effective = table(in_mandate(rule("invoices", read=MY)), in_instance(rule("invoices", read=ALL)))
        assert effective.level(INVOICES, Action.READ) is MY

    def test_instance_listens_to_every_scope(self) -> None:
        assert table(globally(rule("documents", read=ALL))).can(DOCUMENTS, Action.READ)


class TestCaps:
    def test_of_the_installation_lower_the_result(self) -> None:
        everyone = globally(rule("invoices", read=MY, locked=True))
        assert table(in_mandate(rule("*", read=ALL)), caps=[everyone]).level(INVOICES, Action.READ) is MY

    def test_of_the_mandate_lower_the_result(self) -> None:
        everyone = in_mandate(rule("invoices", read=NONE, locked=True))
        assert not table(in_mandate(rule("*", read=ALL)), caps=[everyone]).can(INVOICES, Action.READ)

    def test_of_the_installation_and_the_mandate_both_count(self) -> None:
        installation = globally(rule("invoices", read=MY, locked=True))
        mandate = in_mandate(rule("invoices", read=GROUP, locked=True))
        assert table(in_mandate(rule("*", read=ALL)), caps=[installation, mandate]).level(INVOICES, Action.READ) is MY

    def test_lower_what_an_instance_role_gives(self) -> None:
        everyone = globally(rule("*", read=NONE, locked=True))
        assert not table(in_instance(rule("documents", read=ALL)), caps=[everyone]).can(DOCUMENTS, Action.READ)

    def test_never_grant(self) -> None:
        assert not table(caps=[globally(rule("*", read=ALL, locked=True))]).can(INVOICES, Action.READ)

    def test_without_an_opinion_change_nothing(self) -> None:
        everyone = globally(rule("invoices", update=NONE, locked=True))
        assert table(in_mandate(rule("*", read=ALL)), caps=[everyone]).level(INVOICES, Action.READ) is ALL

    def test_resolve_among_themselves_by_the_longest_item(self) -> None:
        everyone = globally(rule("*", read=NONE, locked=True), rule("invoices", read=GROUP, locked=True))
        assert table(in_mandate(rule("*", read=ALL)), caps=[everyone]).level(INVOICES, Action.READ) is GROUP

    def test_lower_a_single_field(self) -> None:
        everyone = globally(rule("invoices.amount", read=NONE, locked=True))
        effective = table(in_mandate(rule("invoices", read=ALL)), caps=[everyone])
        assert (effective.level(AMOUNTS, Action.READ), effective.level(AMOUNTS, Action.READ, "amount")) == (ALL, NONE)

    def test_bind_a_visiting_sysadmin(self) -> None:
        settings = item("settings", kind=ItemKind.RESOURCE)
        visitor = globally(rule("*", kind=ItemKind.RESOURCE, update=ALL), answers_data=False)
        everyone = in_mandate(rule("settings", kind=ItemKind.RESOURCE, update=NONE, locked=True))
        assert not table(visitor, caps=[everyone]).can(settings, Action.UPDATE)

    def test_of_another_mandate_leave_the_installation_alone(self) -> None:
        root = globally(rule("quotas", kind=ItemKind.RESOURCE, update=ALL), from_root_mandate=True)
        everyone = in_mandate(rule("*", kind=ItemKind.RESOURCE, update=NONE, locked=True))
        assert table(root, caps=[everyone]).can(QUOTAS, Action.UPDATE)

    def test_ignore_rules_that_are_not_locked(self) -> None:
        everyone = globally(rule("*", read=NONE))
        assert table(in_mandate(rule("*", read=ALL)), caps=[everyone]).can(INVOICES, Action.READ)

    def test_outside_everyone_neither_grant_nor_lower(self) -> None:
        effective = table(in_mandate(rule("*", read=ALL), rule("invoices", read=NONE, locked=True)))
        assert effective.level(INVOICES, Action.READ) is ALL


class TestEntry:
    def test_never_answers_data(self) -> None:
        assert not table(globally(rule("*", read=ALL), answers_data=False)).can(INVOICES, Action.READ)

    def test_answers_other_kinds(self) -> None:
        page = item("settings", kind=ItemKind.UI)
        visitor = globally(rule("*", kind=ItemKind.UI, view=True), answers_data=False)
        assert table(visitor).can(page, Action.VIEW)


class TestRules:
    def test_come_with_the_scope_they_are_held_at_the_highest_first(self) -> None:
        effective = table(
            globally(rule("a", read=ALL)), in_instance(rule("b", view=False)), in_mandate(rule("c", delete=MY))
        )
        assert [(priority, each.item) for priority, each in effective.rules()] == [(3, "b"), (2, "c"), (1, "a")]

    def test_come_back_as_they_were(self) -> None:
        role = in_mandate(rule("a", view=True, create=MY, read=ALL, update=GROUP, delete=NONE))
        assert table(role).rules() == [(Priority.MANDATE, role.rules[0])]

    def test_leave_out_what_is_locked(self) -> None:
        everyone = globally(rule("a", read=NONE, locked=True))
        assert table(everyone, caps=[everyone]).rules() == []
