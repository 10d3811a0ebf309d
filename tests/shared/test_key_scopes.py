"""Scopes of API keys: which may be chosen, and what is said of one that may not."""

import pytest

from modules.shared.catalogue import Action, Item, ItemCatalogue, ItemKind, Reach
from modules.shared.i18n import Text
from modules.shared.key_scopes import UnknownScope, checked_scopes, includes

_TEXT = Text(en="x", de="x")
MEMBERS = Item("members", ItemKind.RESOURCE, Reach.MANDATE, _TEXT)
AUDIT = Item("audit", ItemKind.RESOURCE, Reach.MANDATE, _TEXT, frozenset({Action.VIEW, Action.READ}))
ROLES = Item("rbac.roles", ItemKind.RESOURCE, Reach.MANDATE, _TEXT)
USERS = Item("admin.users", ItemKind.RESOURCE, Reach.INSTALLATION, _TEXT)
CATALOGUE = ItemCatalogue([MEMBERS, AUDIT, ROLES, USERS])


class TestChosenScopes:
    @pytest.mark.parametrize(
        "scope",
        ["*", "*:*", "*:read", "*:read:my", "members:read", "members:*", "members:update:group", "rbac:read",
         "rbac.*:read", "rbac.roles:*:my", "audit:read:all", "admin.users:read", "admin.*:read", "introspect"],
    )  # fmt: skip
    def test_are_taken_as_written(self, scope: str) -> None:
        assert checked_scopes([scope], CATALOGUE) == (scope,)

    def test_are_kept_once_and_in_order(self) -> None:
        assert checked_scopes(["members:read", "audit:read", "members:read"], CATALOGUE) == (
            "audit:read",
            "members:read",
        )

    @pytest.mark.parametrize(
        "scope",
        ["", ":", "members", "members:", ":read", "members:write", "members:read:none", "members:read:my:my",
         "membrs:read", "audit:update", "members.*:read", "**:read", "members:view:my", "MEMBERS:read",
         " members:read", "members:read ", "members:read\n", "introspect:read",
         "*:introspect", "admin", "rbac..roles:read", "é:read", "٣:read",
         "x" * 200 + ":read", "members:read\0"],
    )  # fmt: skip
    def test_that_name_nothing_are_refused(self, scope: str) -> None:
        with pytest.raises(UnknownScope) as refusal:
            checked_scopes(["audit:read", scope], CATALOGUE)
        assert refusal.value.pointer == "/scopes/1"
        assert refusal.value.fields["scope"] == scope[:140]

    def test_that_are_misspelt_are_told_the_nearest(self) -> None:
        with pytest.raises(UnknownScope) as refusal:
            checked_scopes(["membrs:read"], CATALOGUE)
        assert "members" in refusal.value.describe("en")
        assert "members" in refusal.value.describe("de")


class TestSpeakingOf:
    @pytest.mark.parametrize(
        ("scope", "item", "spoken_of"),
        [
            ("members:read", MEMBERS, True), ("members:update", MEMBERS, False), ("*", MEMBERS, True),
            ("*:read:my", MEMBERS, True), ("rbac:read", ROLES, True), ("rbac.*:read", ROLES, True),
            ("*", USERS, False), ("admin.*:read", USERS, True), ("admin.users:read", USERS, True),
            ("introspect", MEMBERS, False), ("gone.since:read", MEMBERS, False),
        ],
    )  # fmt: skip
    def test_reading(self, scope: str, item: Item, spoken_of: bool) -> None:
        assert includes([scope], item, Action.READ) is spoken_of
