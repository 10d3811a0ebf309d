"""What the gates and the decision refuse."""

from modules.mandates.login_policy import describe_wanted
from modules.shared.errors import Conflict, Forbidden, MalformedRequest, NotFound, Unprocessable
from modules.shared.errors import PermissionDenied as PermissionDenied  # noqa: PLC0414 - one of these refusals, too
from modules.shared.i18n import Language, Text


class MandateRequired(MalformedRequest):
    """400: the route works in a mandate, and the request names none."""

    code = "mandate_required"
    title = Text(en="Name the mandate in X-Mandate-Id", de="Den Mandanten in X-Mandate-Id angeben")


class InstanceRequired(MalformedRequest):
    """400: the item is decided per feature instance, and the request names none."""

    code = "instance_required"
    title = Text(en="Name the feature instance in X-Instance-Id", de="Die Feature-Instanz in X-Instance-Id angeben")


class MalformedHeader(MalformedRequest):
    """400: a header is not exactly one canonical UUID."""

    code = "malformed_header"
    title = Text(en="A header is malformed", de="Ein Header ist nicht lesbar")
    detail = Text(
        en="{header} must be one UUID in canonical form.", de="{header} muss genau eine UUID in kanonischer Form sein."
    )


class NotAMember(Forbidden):
    """403: the mandate does not exist, is disabled, or is not the caller's; all the same answer."""

    code = "not_a_member"
    title = Text(en="You are not a member of this mandate", de="Sie sind kein Mitglied dieses Mandanten")


class MembershipDisabled(Forbidden):
    """403: the caller's membership is switched off or out of its dates."""

    code = "membership_disabled"
    title = Text(
        en="Your membership of this mandate is not active", de="Ihre Mitgliedschaft in diesem Mandanten ist nicht aktiv"
    )


class InstanceNotFound(NotFound):
    """404: the instance is unknown, or of another mandate."""

    code = "instance_not_found"
    title = Text(en="No such feature instance", de="Diese Feature-Instanz gibt es nicht")


class InstanceAccessDisabled(Forbidden):
    """403: the instance or the caller's access to it is switched off or out of its dates."""

    code = "instance_access_disabled"
    title = Text(
        en="You have no access to this feature instance", de="Sie haben keinen Zugang zu dieser Feature-Instanz"
    )


class LoginMethodNotAllowed(Forbidden):
    """403: the mandate's login policy does not accept how the caller signed in.

    `wanted` says what is missing (`authorities`, `microsoft_tenants`, `email_domains`, `mfa`, `recent`), `accepted`
    what would do.
    """

    code = "login_method_not_allowed"
    title = Text(
        en="This mandate asks for another way of signing in", de="Dieser Mandant verlangt eine andere Art der Anmeldung"
    )

    def describe(self, language: Language) -> str:
        """What to do about it."""
        return describe_wanted(self.fields, language) or self.title.in_(language)


class SysadminRequired(Forbidden):
    """403: only holders of the sysadmin flag may do this."""

    code = "sysadmin_required"
    title = Text(en="Only system administrators may do this", de="Das dürfen nur Systemadministratoren")


class EntryForbidden(Forbidden):
    """403: this installation lets no sysadmin into a mandate they are no member of."""

    code = "entry_forbidden"
    title = Text(
        en="Nobody may enter a mandate here without being its member",
        de="Hier darf niemand einen Mandanten betreten, ohne Mitglied zu sein",
    )


class NoEntryNeeded(Conflict):
    """409: the caller is a member of the mandate, and works there as one."""

    code = "no_entry_needed"
    title = Text(en="You are a member of this mandate", de="Sie sind Mitglied dieses Mandanten")


class ReasonRequired(Unprocessable):
    """422: entering takes a reason, which the mandate's administrators will read."""

    code = "reason_required"
    title = Text(en="Say why you enter the mandate", de="Bitte angeben, warum Sie den Mandanten betreten")


class EntryNotFound(NotFound):
    """404: this session is not visiting the mandate."""

    code = "entry_not_found"
    title = Text(en="You are not visiting this mandate", de="Sie besuchen diesen Mandanten nicht")


class EscalationRefused(Forbidden):
    """403: the change would give somebody more than the actor holds."""

    code = "escalation_refused"
    title = Text(
        en="You cannot grant what you do not have", de="Sie können nichts vergeben, was Sie nicht selbst haben"
    )
    detail = Text(
        en="This would raise “{action}” on “{item}” to “{after}”; you hold “{actor}” there.",
        de="Damit stiege „{action}“ auf „{item}“ auf „{after}“; Sie selbst haben dort „{actor}“.",
    )


class LastAdministrator(Conflict):
    """409: nobody would be left who can administer the mandate."""

    code = "last_administrator"
    title = Text(
        en="The last administrator of a mandate cannot be removed",
        de="Der letzte Administrator eines Mandanten kann nicht entfernt werden",
    )


class AdministrationLost(Conflict):
    """409: the caps would take from the caller what it needs to lift them again."""

    code = "administration_lost"
    title = Text(
        en="You could not change the global roles any more", de="Sie könnten die globalen Rollen nicht mehr ändern"
    )


class RoleNotFound(NotFound):
    """404: no such role in this mandate."""

    code = "role_not_found"
    title = Text(en="No such role", de="Diese Rolle gibt es nicht")


class RoleNotAssignable(Unprocessable):
    """422: the role does not exist here, or cannot be given this way."""

    code = "role_not_assignable"
    title = Text(en="This role cannot be given here", de="Diese Rolle kann hier nicht vergeben werden")


class RoleHeldAlready(Conflict):
    """409: the member holds the role."""

    code = "role_held_already"
    title = Text(en="The member holds this role already", de="Das Mitglied hat diese Rolle schon")


class HolderNotFound(Unprocessable):
    """422: no such membership in this mandate, or beyond what the caller may change."""

    code = "holder_not_found"
    title = Text(en="No such member", de="Dieses Mitglied gibt es nicht")


class AssignmentNotFound(NotFound):
    """404: nobody in this mandate was given the role under this id."""

    code = "assignment_not_found"
    title = Text(en="No such assignment", de="Diese Zuweisung gibt es nicht")


class InvalidTerm(Unprocessable):
    """422: a role cannot be held until a time that is over, or that comes before its beginning."""

    code = "invalid_term"
    title = Text(en="The end must come after the beginning", de="Das Ende muss nach dem Beginn liegen")


class RoleNameTaken(Conflict):
    """409: another role of this scope has the name."""

    code = "role_name_taken"
    title = Text(en="A role of this name exists already", de="Eine Rolle dieses Namens gibt es schon")


class BuiltInRole(Conflict):
    """409: built-in roles stay as they are."""

    code = "built_in_role"
    title = Text(
        en="A built-in role cannot be changed; duplicate it and change the copy",
        de="Eine eingebaute Rolle kann nicht geändert werden; duplizieren Sie sie und ändern Sie die Kopie",
    )


class UnknownItem(Unprocessable):
    """422: a rule or question names something nobody declared."""

    code = "unknown_item"
    title = Text(en="There is no such item", de="Dieses Objekt gibt es nicht")
    detail = Text(en="There is no {kind} item “{item}”.{hint}", de="Es gibt kein {kind}-Objekt „{item}“.{hint}")


class UnknownAction(Unprocessable):
    """422: the item does not have this action."""

    code = "unknown_action"
    title = Text(en="The item has no such action", de="Das Objekt hat diese Aktion nicht")
    detail = Text(en="“{item}” has no action “{action}”.", de="„{item}“ hat keine Aktion „{action}“.")


class UnknownField(Unprocessable):
    """422: the item has no such field with rules of its own."""

    code = "unknown_field"
    title = Text(en="The item has no such field", de="Das Objekt hat dieses Feld nicht")
    detail = Text(en="“{item}” has no field “{field}”.", de="„{item}“ hat kein Feld „{field}“.")


class AmbiguousItem(Unprocessable):
    """422: several kinds have an item of this path, and the question does not say which is meant."""

    code = "ambiguous_item"
    title = Text(en="Say which kind of item is meant", de="Sagen Sie, welche Art von Objekt gemeint ist")
    detail = Text(en="“{item}” exists as {kinds}.", de="„{item}“ gibt es als {kinds}.")


class RuleNotFound(NotFound):
    """404: the role has no such rule."""

    code = "rule_not_found"
    title = Text(en="No such rule", de="Diese Regel gibt es nicht")


class DuplicateRule(Conflict):
    """409: a role has one rule per kind and item."""

    code = "duplicate_rule"
    title = Text(en="The role has a rule on this item already", de="Die Rolle hat schon eine Regel zu diesem Objekt")
