"""What can be permitted in a mandate, and of mandates as a whole."""

from modules.shared.catalogue import CRUD, Action, Item, ItemKind, Reach
from modules.shared.i18n import Text

_RESOURCE = ItemKind.RESOURCE

MANDATE = Item(
    "mandate",
    _RESOURCE,
    Reach.MANDATE,
    Text(
        en="The mandate itself: name, colour, language, login policy",
        de="Der Mandant selbst: Name, Farbe, Sprache, Anmelderegeln",
    ),
    frozenset({Action.VIEW, Action.READ, Action.UPDATE}),
)
MEMBERS = Item("members", _RESOURCE, Reach.MANDATE, Text(en="Members", de="Mitglieder"), CRUD)
INVITATIONS = Item("invitations", _RESOURCE, Reach.MANDATE, Text(en="Invitations", de="Einladungen"), CRUD)
DOMAINS = Item("domains", _RESOURCE, Reach.MANDATE, Text(en="Mail domains", de="Mail-Domains"), CRUD)
GROUPS = Item("groups", _RESOURCE, Reach.MANDATE, Text(en="Groups", de="Gruppen"), CRUD)
INSTANCES = Item("instances", _RESOURCE, Reach.MANDATE, Text(en="Feature instances", de="Feature-Instanzen"), CRUD)
ALL_MANDATES = Item(
    "admin.mandates",
    _RESOURCE,
    Reach.INSTALLATION,
    Text(en="Mandates of the installation", de="Mandanten der Installation"),
    CRUD,
)

ITEMS = (MANDATE, MEMBERS, INVITATIONS, DOMAINS, GROUPS, INSTANCES, ALL_MANDATES)
