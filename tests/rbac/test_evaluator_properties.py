"""The decision by property: what holds for every policy, against a plain second implementation and another library."""

from collections.abc import Sequence
from dataclasses import replace
import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modules.rbac.explanation import Question, explain
from modules.shared.catalogue import AccessLevel, Action, Item, Reach
from modules.shared.rules import AccessRule, Priority, Reason
from tests.rbac.casbin_oracle import CasbinOracle
from tests.rbac.policies import (
    ALL,
    EVERY_QUESTION,
    NOBODY,
    HeldRole,
    actions,
    bound,
    caps,
    held,
    items,
    items_of,
    level,
    patterns,
    policies,
    questions,
    table,
)

Roles = Sequence[HeldRole]


class TestSecondImplementation:
    @given(policies, caps)
    @settings(max_examples=60, deadline=None)
    def test_gives_the_same_level(self, roles: Roles, everyone: Roles) -> None:
        rules, locked = bound(roles), bound(everyone)
        # One table per reach: a catalogue declares a path once.
        effective = {reach: table(*roles, caps=everyone) for reach in Reach}
        for question in EVERY_QUESTION:
            ours = level(effective[question.item.reach], question)
            assert ours is explain(question, rules, locked).level, question

    @given(policies, caps, questions)
    @settings(max_examples=80, deadline=None)
    def test_gives_the_same_level_from_the_rules_a_table_gives_back(
        self, roles: Roles, everyone: Roles, question: Question
    ) -> None:
        effective = table(*roles, caps=everyone)
        explanation = effective.explain(question.item, question.action, question.field)
        assert explanation.level is level(effective, question)

    @given(policies, caps, questions)
    @settings(max_examples=80, deadline=None)
    def test_is_a_yes_exactly_when_it_says_granted(self, roles: Roles, everyone: Roles, question: Question) -> None:
        explanation = explain(question, bound(roles), bound(everyone))
        assert explanation.allowed is (explanation.reason is Reason.GRANTED)

    @given(policies, caps, questions)
    @settings(max_examples=80, deadline=None)
    def test_needs_only_the_winning_rules_and_the_caps_it_names(
        self, roles: Roles, everyone: Roles, question: Question
    ) -> None:
        whole = explain(question, bound(roles), bound(everyone))
        assert explain(question, whole.winning, whole.caps).level is whole.level


class TestSmallestGrant:
    @given(policies, caps, questions)
    @settings(max_examples=120, deadline=None)
    def test_turns_the_denial_when_given(self, roles: Roles, everyone: Roles, question: Question) -> None:
        missing = explain(question, bound(roles), bound(everyone)).missing
        assume(missing)
        assert missing
        granted = _role_giving(missing.level, missing.item, missing.priority, question)
        assert level(table(*roles, granted, caps=everyone), question)

    @given(policies, caps, questions, st.sampled_from(Priority), patterns)
    @settings(max_examples=80, deadline=None)
    def test_is_found_whenever_some_grant_turns_the_denial(
        self, roles: Roles, everyone: Roles, question: Question, priority: Priority, pattern: str
    ) -> None:
        explanation = explain(question, bound(roles), bound(everyone))
        more = table(*roles, _role_giving(ALL, pattern, priority, question), caps=everyone)
        assert explanation.allowed or explanation.missing or not level(more, question)


class TestCasbin:
    @given(policies, caps, items)
    @settings(max_examples=60, deadline=None)
    def test_decides_the_same(self, roles: Roles, everyone: Roles, item: Item) -> None:
        oracle = CasbinOracle(bound(roles), bound(everyone))
        effective = table(*roles, caps=everyone)
        ours = {action: effective.level(item, action) for action in Action}
        assert ours == {action: oracle.level(item, action) for action in Action}


class TestEveryPolicy:
    @given(policies, caps, questions, st.randoms(use_true_random=False))
    @settings(deadline=None)
    def test_answers_the_same_with_rules_and_roles_in_any_order(
        self, roles: Roles, everyone: Roles, question: Question, order: random.Random
    ) -> None:
        shuffled = table(*_shuffled(roles, order), caps=_shuffled(everyone, order))
        assert level(shuffled, question) is level(table(*roles, caps=everyone), question)

    @given(policies, caps, questions, patterns)
    @settings(deadline=None)
    def test_answers_the_same_with_more_rules_that_have_no_opinion(
        self, roles: Roles, everyone: Roles, question: Question, pattern: str
    ) -> None:
        silent = AccessRule(NOBODY, question.item.kind, pattern)
        more = [replace(role, rules=[silent, *role.rules]) for role in roles]
        locked = [replace(role, rules=[*role.rules, replace(silent, locked=True)]) for role in everyone]
        assert level(table(*more, caps=locked), question) is level(table(*roles, caps=everyone), question)

    @given(policies, caps, questions)
    @settings(max_examples=80, deadline=None)
    def test_is_only_ever_lowered_by_caps(self, roles: Roles, everyone: Roles, question: Question) -> None:
        assert level(table(*roles, caps=everyone), question) <= level(table(*roles), question)

    @given(policies, caps, items_of(Reach.MANDATE, Reach.INSTALLATION), actions)
    @settings(max_examples=80, deadline=None)
    def test_answers_the_same_without_the_instance_header_on_what_no_instance_decides(
        self, roles: Roles, everyone: Roles, item: Item, action: Action
    ) -> None:
        without = [role for role in roles if role.binding.priority is not Priority.INSTANCE]
        with_header = table(*roles, caps=everyone).level(item, action)
        assert table(*without, caps=everyone).level(item, action) is with_header

    @given(policies, caps, items_of(Reach.INSTALLATION), actions)
    @settings(max_examples=80, deadline=None)
    def test_decides_the_installations_items_by_the_root_mandates_roles_alone(
        self, roles: Roles, everyone: Roles, item: Item, action: Action
    ) -> None:
        root = [role for role in roles if role.binding.from_root_mandate]
        everybody = table(*roles, caps=everyone).level(item, action)
        assert table(*root, caps=everyone).level(item, action) is everybody

    @given(policies, caps, items_of(Reach.INSTALLATION), actions)
    @settings(max_examples=80, deadline=None)
    def test_never_allows_anything_on_the_installation_without_a_role_of_the_root_mandate(
        self, roles: Roles, everyone: Roles, item: Item, action: Action
    ) -> None:
        others = [role for role in roles if not role.binding.from_root_mandate]
        assert not table(*others, caps=everyone).can(item, action)

    @given(policies, caps, items, actions)
    @settings(max_examples=80, deadline=None)
    def test_never_gives_a_field_more_than_its_table(
        self, roles: Roles, everyone: Roles, item: Item, action: Action
    ) -> None:
        effective = table(*roles, caps=everyone)
        assert effective.level(item, action, "b") <= effective.level(item, action)

    @given(policies, caps, st.lists(questions, min_size=2, max_size=8))
    @settings(deadline=None)
    def test_remembers_each_answer_under_its_own_question(
        self, roles: Roles, everyone: Roles, asked: list[Question]
    ) -> None:
        one_catalogue = list({(question.item.kind, question.item.path): question for question in asked}.values())
        effective = table(*roles, caps=everyone)
        for question in [*one_catalogue, *one_catalogue]:
            assert level(effective, question) is level(table(*roles, caps=everyone), question)


def _role_giving(grant: AccessLevel, pattern: str, priority: Priority, question: Question) -> HeldRole:
    rule = AccessRule(NOBODY, question.item.kind, pattern, True, grant, grant, grant, grant)
    return held(priority, rule, from_root_mandate=True)


def _shuffled(roles: Roles, order: random.Random) -> list[HeldRole]:
    mixed = [replace(role, rules=order.sample(role.rules, len(role.rules))) for role in roles]
    return order.sample(mixed, len(mixed))
