"""What an API key may do: for any scopes and any rules never more than its owner, and never more than its scopes."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.rbac.explanation import Question, explain
from modules.rbac.scoped_table import KEY_ROLE, ScopedTable
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind, Reach
from modules.shared.rules import AccessRule, Priority, RoleBinding
from tests.rbac.policies import (
    HeldRole,
    actions,
    caps,
    globally,
    in_mandate,
    item,
    items_of,
    level,
    patterns,
    policies,
    questions,
    rule,
    table,
)

Roles = Sequence[HeldRole]

_written = st.builds(
    lambda place, action, far: f"{place}:{action}" + (f":{far}" if far and action != "view" else ""),
    patterns,
    st.sampled_from(["*", *Action]),
    st.sampled_from([None, "my", "group", "all"]),
)
scopes = st.lists(_written | st.sampled_from(["*", "introspect"]), min_size=1, max_size=5)


def scoped(roles: Roles, everyone: Roles, chosen: Sequence[str], question: Question) -> ScopedTable:
    return ScopedTable(table(*roles, caps=everyone), chosen, ItemCatalogue([question.item]))


def plainly(chosen: Sequence[str], question: Question) -> AccessLevel:
    """How far the scopes go, read one by one as the documentation tells it."""
    furthest = AccessLevel.NONE
    for scope in chosen:
        if scope == "introspect":
            continue
        place, action, far, *_ = [*("*:*" if scope == "*" else scope).split(":"), "all"]
        inside = (
            question.item.path.startswith(place[:-1])
            if place.endswith(".*")
            else place in {"*", question.item.path} or question.item.path.startswith(f"{place}.")
        )
        named = place != "*" or question.item.reach is not Reach.INSTALLATION
        if inside and named and action in {"*", question.action}:
            furthest = max(furthest, AccessLevel[far.upper()])
    return AccessLevel.ALL if furthest and question.action is Action.VIEW else furthest


class TestAnyKey:
    @given(policies, caps, scopes, questions)
    @settings(max_examples=400, deadline=None)
    def test_reaches_as_far_as_its_owner_and_its_scopes_both_do(
        self, roles: Roles, everyone: Roles, chosen: list[str], question: Question
    ) -> None:
        owner = level(table(*roles, caps=everyone), question)
        assert level(scoped(roles, everyone, chosen, question), question) is min(owner, plainly(chosen, question))

    @given(policies, caps, scopes, questions)
    @settings(max_examples=200, deadline=None)
    def test_is_never_more_than_its_owner_on_what_nobody_declared(
        self, roles: Roles, everyone: Roles, chosen: list[str], question: Question
    ) -> None:
        owner, key = table(*roles, caps=everyone), ScopedTable(table(*roles, caps=everyone), chosen, ItemCatalogue())
        for path in ("a", "a.b.future", "future"):
            asked = (question.item.kind, path, question.action, question.item.reach, question.field)
            assert key.level_at(*asked) <= owner.level_at(*asked)

    @given(policies, caps, scopes, questions)
    @settings(max_examples=200, deadline=None)
    def test_is_explained_as_it_decides(
        self, roles: Roles, everyone: Roles, chosen: list[str], question: Question
    ) -> None:
        key = scoped(roles, everyone, chosen, question)
        explanation = key.explain(question.item, question.action, question.field)
        assert explanation.level is level(key, question)

    @given(policies, scopes, items_of(Reach.MANDATE, Reach.INSTANCE), actions)
    @settings(max_examples=200, deadline=None)
    def test_gives_rules_that_decide_alike(
        self, roles: Roles, chosen: list[str], asked: object, action: Action
    ) -> None:
        question = Question(asked, action)  # type: ignore[arg-type]
        answering = [role for role in roles if role.binding.answers_data]
        key = scoped(answering, [], chosen, question)
        told = [(RoleBinding(KEY_ROLE, KEY_ROLE, priority), each) for priority, each in key.rules()]
        assert explain(question, told).level is level(key, question)

    @given(policies, caps, scopes, scopes, questions)
    @settings(max_examples=150, deadline=None)
    def test_only_gains_by_more_scopes(
        self, roles: Roles, everyone: Roles, chosen: list[str], more: list[str], question: Question
    ) -> None:
        fewer = level(scoped(roles, everyone, chosen, question), question)
        assert fewer <= level(scoped(roles, everyone, [*chosen, *more], question), question)


class TestAKey:
    def test_tells_why_its_scopes_lower_an_answer(self) -> None:
        members = item("members", kind=ItemKind.RESOURCE)
        whole = table(globally(rule("*", kind=ItemKind.RESOURCE, read=AccessLevel.ALL, update=AccessLevel.ALL)))
        key = ScopedTable(whole, ["members:read"], ItemCatalogue([members]))
        explanation = key.explain(members, Action.UPDATE)
        assert not explanation.allowed
        assert {each.role_id for _, each in explanation.caps} == {KEY_ROLE}
        assert explanation.missing is None

    def test_cuts_other_tables_of_its_owner_alike(self) -> None:
        members = item("members", kind=ItemKind.RESOURCE)
        key = ScopedTable(table(), ["members:read:my"], ItemCatalogue([members]))
        other = table(in_mandate(rule("*", kind=ItemKind.RESOURCE, read=AccessLevel.ALL, update=AccessLevel.ALL)))
        assert key.cut(other).level(members, Action.READ) is AccessLevel.MY
        assert key.cut(other).level(members, Action.UPDATE) is AccessLevel.NONE

    def test_gives_no_rule_of_what_its_owner_has_no_rule_for(self) -> None:
        assert ScopedTable(table(), ["*"], ItemCatalogue()).rules() == []

    def test_gives_no_rule_on_the_installation_that_no_scope_names(self) -> None:
        users = item("admin.users", Reach.INSTALLATION, ItemKind.RESOURCE)
        everything = rule("*", kind=ItemKind.RESOURCE, view=True, read=AccessLevel.ALL)
        whole = table(in_mandate(everything, from_root_mandate=True))
        for scopes, expected in ((["*"], AccessLevel.NONE), (["*", "admin.users:read:my"], AccessLevel.MY)):
            key = ScopedTable(whole, scopes, ItemCatalogue([users]))
            assert {each.item: each.read for _, each in key.rules()} == {
                "*": AccessLevel.ALL,
                "admin.users": expected,
            }
            assert key.level(users, Action.READ) is expected

    def test_gives_rules_lowered_to_its_scopes(self) -> None:
        members = item("members", kind=ItemKind.RESOURCE)
        whole = table(globally(rule("*", kind=ItemKind.RESOURCE, view=True, read=AccessLevel.ALL)))
        rules = {
            each.item: each for _, each in ScopedTable(whole, ["members:read:my"], ItemCatalogue([members])).rules()
        }
        nothing, my = AccessLevel.NONE, AccessLevel.MY
        assert rules == {
            "*": AccessRule(KEY_ROLE, ItemKind.RESOURCE, "*", view=False, read=nothing),
            "members": AccessRule(KEY_ROLE, ItemKind.RESOURCE, "members", view=False, read=my),
        }
        assert {priority for priority, _ in ScopedTable(whole, ["*"], ItemCatalogue()).rules()} == {Priority.GLOBAL}
