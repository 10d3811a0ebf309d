"""Why an answer is what it is, by example."""

from modules.rbac.evaluator import EMPTY_TABLE
from modules.rbac.explanation import Grant
from modules.shared.catalogue import Action, ItemKind, Reach
from modules.shared.rules import Priority, Reason
from tests.rbac.policies import ALL, MY, NONE, globally, in_mandate, item, rule, table

INVOICES = item("invoices")
AMOUNTS = item("invoices", fields=("amount", "note"))
DOCUMENTS = item("documents", Reach.INSTANCE)


class TestExplain:
    def test_names_the_rule_that_won_and_the_one_it_shadowed(self) -> None:
        role = in_mandate(rule("invoices", read=MY), rule("*", read=ALL))
        explanation = table(role).explain(INVOICES, Action.READ)
        assert [each.item for _, each in explanation.winning] == ["invoices"]
        assert [each.item for _, each in explanation.shadowed] == ["*"]
        assert (explanation.allowed, explanation.reason) == (True, Reason.GRANTED)

    def test_names_the_cap_that_lowered_the_result(self) -> None:
        everyone = globally(rule("invoices", read=MY, locked=True))
        explanation = table(in_mandate(rule("*", read=ALL)), caps=[everyone]).explain(INVOICES, Action.READ)
        assert explanation.caps == ((everyone.binding, everyone.rules[0]),)

    def test_says_that_no_rule_speaks_about_the_item(self) -> None:
        assert EMPTY_TABLE.explain(INVOICES, Action.READ).reason is Reason.NO_RULE

    def test_says_that_a_rule_denies(self) -> None:
        assert table(in_mandate(rule("*", read=NONE))).explain(INVOICES, Action.READ).reason is Reason.DENIED_BY_RULE

    def test_says_that_a_field_rule_denies(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.amount", read=NONE)))
        assert effective.explain(AMOUNTS, Action.READ, "amount").reason is Reason.DENIED_BY_FIELD_RULE

    def test_says_that_a_lock_denies(self) -> None:
        everyone = globally(rule("invoices", read=NONE, locked=True))
        effective = table(in_mandate(rule("*", read=ALL)), caps=[everyone])
        assert effective.explain(INVOICES, Action.READ).reason is Reason.LOCKED

    def test_offers_the_smallest_grant_for_a_denial(self) -> None:
        missing = EMPTY_TABLE.explain(INVOICES, Action.READ).missing
        assert missing == Grant(Priority.MANDATE, ItemKind.DATA, "invoices", Action.READ, MY)

    def test_offers_a_grant_in_the_instance_for_an_item_decided_there(self) -> None:
        missing = EMPTY_TABLE.explain(DOCUMENTS, Action.VIEW).missing
        assert missing == Grant(Priority.INSTANCE, ItemKind.DATA, "documents", Action.VIEW, ALL)

    def test_offers_only_the_field_when_the_table_is_readable(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL), rule("invoices.*", read=NONE)))
        missing = effective.explain(AMOUNTS, Action.READ, "amount").missing
        assert missing == Grant(Priority.MANDATE, ItemKind.DATA, "invoices.amount", Action.READ, MY)

    def test_offers_no_grant_against_a_lock(self) -> None:
        everyone = globally(rule("*", read=NONE, locked=True))
        assert table(caps=[everyone]).explain(INVOICES, Action.READ).missing is None

    def test_offers_no_grant_for_what_is_allowed(self) -> None:
        assert table(in_mandate(rule("*", read=MY))).explain(INVOICES, Action.READ).missing is None
