"""What signing in with a provider refuses. None of it says which check of an answer failed: the audit does."""

from modules.shared.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable, Unprocessable
from modules.shared.i18n import Text


class ProviderNotFound(NotFound):
    """404: this installation offers no such provider."""

    code = "provider_not_found"
    title = Text(en="This way of signing in is not offered here", de="Diese Anmeldung wird hier nicht angeboten")


class ReturnPathRefused(Unprocessable):
    """422: after the sign-in one goes on to a path of this installation, nowhere else."""

    code = "return_path_refused"
    title = Text(
        en="return_to must be a path of this installation", de="return_to muss ein Pfad dieser Installation sein"
    )


class SignInFlowEnded(Unauthenticated):
    """401: this browser has no such sign-in under way: it took too long, is complete, or began elsewhere."""

    code = "sign_in_flow_ended"
    title = Text(en="Please begin the sign-in again", de="Bitte beginnen Sie die Anmeldung von vorn")


class ProviderRefused(Unauthenticated):
    """401: the provider did not sign the person in, or they changed their mind there."""

    code = "provider_refused"
    title = Text(en="The provider did not sign you in", de="Der Anbieter hat Sie nicht angemeldet")


class ProviderAnswerInvalid(Unauthenticated):
    """401: what came back from the provider does not prove who you are. Never says why."""

    code = "provider_answer_invalid"
    title = Text(
        en="The provider’s answer could not be accepted", de="Die Antwort des Anbieters konnte nicht angenommen werden"
    )


class ProviderUnavailable(Unavailable):
    """503: the provider does not answer, not in time, or not as a provider does. Other ways in still work."""

    code = "provider_unavailable"
    title = Text(en="The provider cannot be reached at the moment", de="Der Anbieter ist gerade nicht erreichbar")


class IdentityNotLinked(Forbidden):
    """403: the provider knows you and no account here does. Sign in the way you did before (or register), then connect
    the two: an account is never found by its mail address alone.
    """

    code = "identity_not_linked"
    title = Text(
        en="Sign in as before or register, then connect this sign-in with your account",
        de="Melden Sie sich wie bisher an oder registrieren Sie sich, und verbinden Sie diese Anmeldung mit dem Konto",
    )


class IdentityTaken(Conflict):
    """409: this sign-in belongs to another account already."""

    code = "identity_taken"
    title = Text(en="This sign-in belongs to another account", de="Diese Anmeldung gehört schon zu einem anderen Konto")


class IdentityNotFound(NotFound):
    """404: no such connected sign-in, or somebody else's."""

    code = "identity_not_found"
    title = Text(en="No such connected sign-in", de="Diese verbundene Anmeldung gibt es nicht")


class LinkOfferEnded(Conflict):
    """409: this browser has no sign-in that waits to be connected with an account."""

    code = "link_offer_ended"
    title = Text(en="There is nothing to connect (any more)", de="Es gibt (inzwischen) nichts mehr zu verbinden")


class LastSignInMethod(Conflict):
    """409: it is the only way into this account; set up another first."""

    code = "last_sign_in_method"
    title = Text(
        en="This is your only way to sign in; set up another one first",
        de="Dies ist Ihre einzige Anmeldung; richten Sie zuerst eine andere ein",
    )
