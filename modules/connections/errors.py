"""What data connections refuse."""

from modules.shared.errors import Conflict, Forbidden, NotFound
from modules.shared.i18n import Text


class ConnectionProviderNotFound(NotFound):
    """404: this installation connects no data of such a provider."""

    code = "connection_provider_not_found"
    title = Text(
        en="Data of this provider cannot be connected here", de="Daten dieses Anbieters sind hier nicht verfügbar"
    )


class ConnectionNotFound(NotFound):
    """404: no such data connection, or one beyond the caller's reach. Of tokens: the caller has none there."""

    code = "connection_not_found"
    title = Text(en="No such data connection", de="Diese Datenverbindung gibt es nicht")


class ConnectionNeedsMembership(Forbidden):
    """403: only members connect their accounts; a visiting sysadmin does not."""

    code = "connection_needs_membership"
    title = Text(
        en="Only members of the mandate connect accounts to it",
        de="Nur Mitglieder des Mandanten verbinden Konten mit ihm",
    )


class ConnectionSuspended(Forbidden):
    """403: the owner cannot work in the mandate at present, so nobody gets their tokens."""

    code = "connection_suspended"
    title = Text(
        en="The data connection is suspended: its owner cannot work in this mandate at present",
        de="Die Datenverbindung ruht: Ihr Inhaber kann in diesem Mandanten derzeit nicht arbeiten",
    )


class OfflineConsentMissing(Forbidden):
    """403: the owner has not agreed to use in their absence."""

    code = "offline_consent_missing"
    title = Text(
        en="The owner has not agreed to use in their absence",
        de="Der Inhaber hat der Nutzung in seiner Abwesenheit nicht zugestimmt",
    )


class ConnectionBroken(Conflict):
    """409: the provider no longer accepts it; its owner has to connect again."""

    code = "connection_broken"
    title = Text(
        en="The provider has ended this data connection; connect it again",
        de="Der Anbieter hat diese Datenverbindung beendet; bitte neu verbinden",
    )
