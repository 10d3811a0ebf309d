"""What can be permitted about data connections."""

from modules.shared.catalogue import Action, Item, ItemKind, Reach
from modules.shared.i18n import Text

CONNECTIONS = Item(
    "connections",
    ItemKind.RESOURCE,
    Reach.MANDATE,
    Text(en="Data connections: accounts at providers", de="Datenverbindungen: Konten bei Anbietern"),
    frozenset({Action.VIEW, Action.CREATE, Action.READ, Action.DELETE}),
)

ITEMS = (CONNECTIONS,)
