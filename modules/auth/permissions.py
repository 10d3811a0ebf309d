"""The items of this feature."""

from modules.shared.catalogue import Action, Item, ItemKind, Reach
from modules.shared.i18n import Text

USERS = Item(
    "admin.users",
    ItemKind.RESOURCE,
    Reach.INSTALLATION,
    Text(en="Accounts of the installation", de="Konten der Installation"),
    actions=frozenset({Action.VIEW, Action.READ, Action.UPDATE}),
)

ITEMS: tuple[Item, ...] = (USERS,)
