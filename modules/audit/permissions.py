"""The items of this feature."""

from modules.shared.catalogue import Action, Item, ItemKind, Reach
from modules.shared.i18n import Text

_ACTIONS = frozenset({Action.VIEW, Action.READ})

AUDIT = Item(
    "audit",
    ItemKind.RESOURCE,
    Reach.MANDATE,
    Text(en="Audit trail", de="Protokoll"),
    _ACTIONS,
)
INSTALLATION_AUDIT = Item(
    "admin.audit",
    ItemKind.RESOURCE,
    Reach.INSTALLATION,
    Text(en="Audit trail of the installation", de="Protokoll der Installation"),
    _ACTIONS,
)

ITEMS = (AUDIT, INSTALLATION_AUDIT)
