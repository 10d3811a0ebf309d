"""What mandates refuse."""

from modules.mandates.login_policy import describe_wanted
from modules.shared.errors import Conflict, Forbidden, NotFound, Unprocessable
from modules.shared.i18n import Language, Text


class MandateNotFound(NotFound):
    """404: no such mandate, or erased already."""

    code = "mandate_not_found"
    title = Text(en="No such mandate", de="Diesen Mandanten gibt es nicht")


class MemberNotFound(NotFound):
    """404: no such member in this mandate, or beyond what the caller may see."""

    code = "member_not_found"
    title = Text(en="No such member", de="Dieses Mitglied gibt es nicht")


class UserNotFound(NotFound):
    """404: no such user."""

    code = "user_not_found"
    title = Text(en="No such user", de="Diesen Benutzer gibt es nicht")


class GroupNotFound(NotFound):
    """404: no such group in this mandate, or beyond what the caller may see."""

    code = "group_not_found"
    title = Text(en="No such group", de="Diese Gruppe gibt es nicht")


class FeatureInstanceNotFound(NotFound):
    """404: no such feature instance in this mandate, or beyond what the caller may see."""

    code = "feature_instance_not_found"
    title = Text(en="No such feature instance", de="Diese Feature-Instanz gibt es nicht")


class AccessNotFound(NotFound):
    """404: this person has no access to the instance."""

    code = "access_not_found"
    title = Text(en="This person has no access to the instance", de="Diese Person hat keinen Zugang zur Instanz")


class InvitationNotFound(NotFound):
    """404: no such invitation, or it was revoked or is too old."""

    code = "invitation_not_found"
    title = Text(en="This invitation is not valid (any more)", de="Diese Einladung gilt nicht (mehr)")
    detail = Text(
        en="It may have expired or been withdrawn. Ask for a new one.",
        de="Sie kann abgelaufen oder zurückgezogen sein. Bitte eine neue erbitten.",
    )


class InvitationForSomebodyElse(Forbidden):
    """403: the invitation went to another address than the caller's."""

    code = "invitation_for_somebody_else"
    title = Text(en="This invitation was sent to another address", de="Diese Einladung ging an eine andere Adresse")
    detail = Text(
        en="Sign in with the account of the address that received the mail.",
        de="Bitte mit dem Konto der Adresse anmelden, die die Mail erhalten hat.",
    )


class InvitationStale(Conflict):
    """409: whoever invited may not give any more what the invitation promises, or a role or group of it is gone."""

    code = "invitation_stale"
    title = Text(
        en="The invitation promises what cannot be given any more",
        de="Die Einladung verspricht, was nicht mehr vergeben werden kann",
    )
    detail = Text(en="Ask for a new invitation.", de="Bitte eine neue Einladung erbitten.")


class InvitationSettled(Conflict):
    """409: the invitation was accepted or revoked already."""

    code = "invitation_settled"
    title = Text(
        en="The invitation was accepted or withdrawn already",
        de="Die Einladung ist schon angenommen oder zurückgezogen",
    )


class AlreadyInvited(Conflict):
    """409: an invitation to this address is open; resend it instead."""

    code = "already_invited"
    title = Text(en="This address is invited already", de="Diese Adresse ist schon eingeladen")


class AlreadyAMember(Conflict):
    """409: the person is a member of this mandate already."""

    code = "already_a_member"
    title = Text(en="This person is a member already", de="Diese Person ist schon Mitglied")


class InvitationNeeded(Forbidden):
    """403: people join by invitation; only administrators of the installation add them without asking."""

    code = "invitation_needed"
    title = Text(en="Invite this person instead", de="Bitte diese Person einladen")
    detail = Text(
        en="People join a mandate by accepting an invitation; only administrators of the installation may skip it.",
        de="Man tritt durch Annehmen einer Einladung bei; nur Administratoren der Installation kommen ohne sie aus.",
    )


class GroupNameTaken(Conflict):
    """409: another group of this mandate has the name."""

    code = "group_name_taken"
    title = Text(en="Another group has this name", de="Eine andere Gruppe heißt so")


class InstanceNameTaken(Conflict):
    """409: another instance of the feature in this mandate has the name."""

    code = "instance_name_taken"
    title = Text(en="Another instance of this feature has this name", de="Eine andere Instanz dieses Features heißt so")


class SlugTaken(Conflict):
    """409: another mandate has this slug."""

    code = "mandate_slug_taken"
    title = Text(en="Another mandate has this short name", de="Ein anderer Mandant hat diesen Kurznamen")


class RootMandateStays(Conflict):
    """409: the operator's own mandate can be neither disabled nor deleted."""

    code = "root_mandate_stays"
    title = Text(
        en="The root mandate can be neither disabled nor deleted",
        de="Der Stammmandant kann weder abgeschaltet noch gelöscht werden",
    )


class MandateStillEnabled(Conflict):
    """409: a mandate is disabled first, then deleted."""

    code = "mandate_still_enabled"
    title = Text(en="Disable the mandate first", de="Den Mandanten zuerst abschalten")


class MandateBeingDeleted(Conflict):
    """409: the mandate waits for its erasure; restore it first."""

    code = "mandate_being_deleted"
    title = Text(
        en="The mandate is to be deleted; restore it first",
        de="Der Mandant soll gelöscht werden; zuerst wiederherstellen",
    )


class WrongConfirmation(Unprocessable):
    """422: deleting asks for the mandate's slug, typed by hand."""

    code = "wrong_confirmation"
    title = Text(en="Type the mandate's short name to delete it", de="Zum Löschen den Kurznamen des Mandanten eingeben")


class InvalidPeriod(Unprocessable):
    """422: the end lies not after the beginning."""

    code = "invalid_period"
    title = Text(en="The period ends before it begins", de="Der Zeitraum endet, bevor er beginnt")


class OwnPeriodStays(Forbidden):
    """403: nobody prolongs their own membership or access."""

    code = "own_period_stays"
    title = Text(
        en="Somebody else must change the period of your own rights",
        de="Den Zeitraum Ihrer eigenen Rechte muss jemand anderes ändern",
    )


class GroupUnknown(Unprocessable):
    """422: a group named in the request is not one of this mandate."""

    code = "group_unknown"
    title = Text(en="No such group in this mandate", de="Diese Gruppe gibt es in diesem Mandanten nicht")


class LoginPolicyLocksYouOut(Conflict):
    """409: the caller's own sign-in would not meet the policy."""

    code = "login_policy_locks_you_out"
    title = Text(en="Your own sign-in does not meet this policy", de="Ihre eigene Anmeldung erfüllt diese Regeln nicht")

    def describe(self, language: Language) -> str:
        """What to do first."""
        return describe_wanted(self.fields, language) or self.title.in_(language)


class LoginPolicyLocksAllOut(Conflict):
    """409: no administrator of the mandate has a sign-in that meets the policy."""

    code = "login_policy_locks_all_out"
    title = Text(
        en="No administrator could sign in under this policy",
        de="Kein Administrator könnte sich unter diesen Regeln anmelden",
    )
    detail = Text(
        en="One administrator of the mandate must be signed in the way the policy asks for.",
        de="Ein Administrator des Mandanten muss so angemeldet sein, wie die Regeln es verlangen.",
    )
