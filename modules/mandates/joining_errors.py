"""What mail domains of mandates, and joining by one, refuse."""

from modules.shared.errors import Conflict, NotFound, Unprocessable
from modules.shared.i18n import Text


class DomainNotFound(NotFound):
    """404: no such domain in this mandate, or beyond what the caller may see."""

    code = "domain_not_found"
    title = Text(en="No such domain", de="Diese Domain gibt es nicht")


class PublicMailDomain(Unprocessable):
    """422: anybody can get a mail address there."""

    code = "public_mail_domain"
    title = Text(
        en="Anybody can get an address at this domain", de="Eine Adresse bei dieser Domain kann jeder bekommen"
    )
    detail = Text(
        en="Name a domain of your own, whose addresses only your people have.",
        de="Bitte eine eigene Domain angeben, deren Adressen nur Ihre Leute haben.",
    )


class DomainListedAlready(Conflict):
    """409: the mandate has this domain already."""

    code = "domain_listed_already"
    title = Text(en="This domain is listed already", de="Diese Domain ist schon eingetragen")


class TooManyDomains(Conflict):
    """409: the mandate has as many domains as it may."""

    code = "too_many_domains"
    title = Text(en="A mandate has {maximum} domains at most", de="Ein Mandant hat höchstens {maximum} Domains")


class DomainTaken(Conflict):
    """409: another mandate of this installation has proven the domain as its own."""

    code = "domain_taken"
    title = Text(en="Another mandate has this domain", de="Diese Domain gehört schon einem anderen Mandanten")
    detail = Text(
        en="It becomes free when that mandate removes it, or publishes its record no more.",
        de="Sie wird frei, wenn jener Mandant sie entfernt oder seinen Eintrag nicht mehr veröffentlicht.",
    )


class DomainNotProven(Conflict):
    """409: the record that proves the domain was not found; `finding` is `missing` or `unanswered`."""

    code = "domain_not_proven"
    title = Text(en="The record was not found", de="Der Eintrag wurde nicht gefunden")
    detail = Text(
        en="Publish it as a TXT record at {record}, wait until it is visible, and try again ({finding}).",
        de="Bitte als TXT-Eintrag unter {record} veröffentlichen, warten, bis er sichtbar ist, und erneut versuchen "
        "({finding}).",
    )


class RoleNotOfferable(Unprocessable):
    """422: whoever has this role could change who may do what; nobody gets that unasked."""

    code = "role_not_offerable"
    title = Text(
        en="This role administers the mandate; people of a domain do not get it by themselves",
        de="Diese Rolle verwaltet den Mandanten; wer über eine Domain beitritt, bekommt sie nicht von selbst",
    )


class MandateNotJoinable(NotFound):
    """404: the caller cannot join this mandate by the address their sign-in proved; whether it exists is not said."""

    code = "mandate_not_joinable"
    title = Text(en="You cannot join this mandate by yourself", de="Diesem Mandanten können Sie nicht selbst beitreten")
    detail = Text(
        en="Sign in in a way that proves your address at its domain, or ask for an invitation.",
        de="Bitte so anmelden, dass Ihre Adresse bei dessen Domain nachgewiesen ist, oder eine Einladung erbitten.",
    )


class JoiningStale(Conflict):
    """409: whoever set up the joining may not give any more what it promises, or the role is gone."""

    code = "joining_stale"
    title = Text(
        en="Joining promises what cannot be given any more",
        de="Der Beitritt verspricht, was nicht mehr vergeben werden kann",
    )
    detail = Text(
        en="Ask an administrator of the mandate for an invitation.",
        de="Bitte einen Administrator des Mandanten um eine Einladung bitten.",
    )
