"""The items of this feature."""

from modules.shared.catalogue import Action, Item, ItemKind, Reach
from modules.shared.i18n import Text

ROLES = Item(
    "rbac.roles",
    ItemKind.RESOURCE,
    Reach.MANDATE,
    Text(en="Roles and rules", de="Rollen und Regeln"),
)
GLOBAL_ROLES = Item(
    "admin.roles",
    ItemKind.RESOURCE,
    Reach.INSTALLATION,
    Text(en="Global roles", de="Globale Rollen"),
)
ENTRIES = Item(
    "admin.entries",
    ItemKind.RESOURCE,
    Reach.INSTALLATION,
    Text(en="Visits of sysadmins to mandates", de="Besuche von Sysadmins in Mandanten"),
    actions=frozenset({Action.VIEW, Action.READ}),
)
ADMINISTRATION = Item(
    "administration",
    ItemKind.UI,
    Reach.MANDATE,
    Text(en="Administration pages", de="Verwaltungsseiten"),
    actions=frozenset({Action.VIEW}),
)

ITEMS = (ROLES, GLOBAL_ROLES, ENTRIES, ADMINISTRATION)
