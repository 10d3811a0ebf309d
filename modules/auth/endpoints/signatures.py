"""Who may call the routes of this feature, and the services they ask, as the annotations of their signatures."""

from typing import Annotated, Any, Final

from modules.auth.cookies import CookieNames
from modules.auth.schemas.sessions import SecondFactorWanted
from modules.auth.service.accounts import AccountService
from modules.auth.service.api_keys import ApiKeyService
from modules.auth.service.backup_codes import BackupCodes
from modules.auth.service.devices import DeviceService
from modules.auth.service.email_address import EmailAddressService
from modules.auth.service.factor_administration import FactorAdministration, OwnFactors
from modules.auth.service.identities import IdentityService
from modules.auth.service.introspection import IntrospectionService
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.key_rotation import KeyRotation
from modules.auth.service.magic_link_sign_in import MagicLinkSignIn
from modules.auth.service.magic_links import MagicLinkService
from modules.auth.service.passkeys import PasskeyService, PasskeySignIn
from modules.auth.service.password import PasswordService
from modules.auth.service.profile import ProfileService
from modules.auth.service.provider_sign_in import ProviderSignIn
from modules.auth.service.refresh import RefreshService
from modules.auth.service.registration import RegistrationService
from modules.auth.service.second_factor_sign_in import SecondFactorSignIn
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in import SignInService
from modules.auth.service.sign_in_methods import SignInMethods
from modules.auth.service.sign_out import SignOutService
from modules.auth.service.step_up import StepUpService
from modules.auth.service.sysadmins import SysadminService
from modules.auth.service.tickets import TicketService
from modules.auth.service.tokens_administration import TokensAdministration
from modules.auth.service.totp import TotpService
from modules.auth.service.users_administration import UsersAdministration
from modules.auth.settings import AuthSettings
from modules.auth.signed_tokens import SignedTokens
from modules.shared.catalogue import Action
from modules.shared.context import Caller, RequestContext, Visitor
from modules.shared.guards import (
    public,
    require_key,
    require_membership,
    require_sign_in,
    require_sysadmin,
    require_sysadmin_role,
    whoever_is_here,
)
from modules.shared.key_scopes import INTROSPECT
from modules.shared.services import service
from modules.shared.settings import InstallationSettings

ProvingThemselves = Annotated[Visitor, public("whoever calls is about to prove who they are")]
HoldingASecret = Annotated[Visitor, public("the token presented is the proof")]
AskingForMail = Annotated[Visitor, public("the answer is the same for everybody; the mail tells its reader only")]
LookingAround = Annotated[Visitor, public("says how to sign in, and nothing about anybody")]
WhoeverIsHere = Annotated[Caller | None, whoever_is_here()]
SignedInPerson = Annotated[Caller, require_sign_in()]
Myself = Annotated[Caller, require_sign_in(accepts_keys=True)]
AnyMember = Annotated[RequestContext, require_membership()]
AskingService = Annotated[Caller, require_key(INTROSPECT)]
Sysadmin = Annotated[Caller, require_sysadmin()]
MayReadUsers = Annotated[RequestContext, require_sysadmin_role("admin.users", Action.READ)]
MayUpdateUsers = Annotated[RequestContext, require_sysadmin_role("admin.users", Action.UPDATE)]

ApiKeys = Annotated[ApiKeyService, service(ApiKeyService)]
Introspections = Annotated[IntrospectionService, service(IntrospectionService)]
Tickets = Annotated[TicketService, service(TicketService)]
Accounts = Annotated[AccountService, service(AccountService)]
BackupCodeLists = Annotated[BackupCodes, service(BackupCodes)]
Devices = Annotated[DeviceService, service(DeviceService)]
EmailAddresses = Annotated[EmailAddressService, service(EmailAddressService)]
FactorsOfUsers = Annotated[FactorAdministration, service(FactorAdministration)]
Factors = Annotated[OwnFactors, service(OwnFactors)]
Identities = Annotated[IdentityService, service(IdentityService)]
Issuer = Annotated[TokenIssuer, service(TokenIssuer)]
Methods = Annotated[SignInMethods, service(SignInMethods)]
MagicLinks = Annotated[MagicLinkService, service(MagicLinkService)]
MagicLinkSignIns = Annotated[MagicLinkSignIn, service(MagicLinkSignIn)]
Names = Annotated[CookieNames, service(CookieNames)]
Passkeys = Annotated[PasskeyService, service(PasskeyService)]
PasskeySignIns = Annotated[PasskeySignIn, service(PasskeySignIn)]
PasswordChanges = Annotated[PasswordService, service(PasswordService)]
Profiles = Annotated[ProfileService, service(ProfileService)]
ProviderSignIns = Annotated[ProviderSignIn, service(ProviderSignIn)]
Refreshes = Annotated[RefreshService, service(RefreshService)]
Registrations = Annotated[RegistrationService, service(RegistrationService)]
Rotation = Annotated[KeyRotation, service(KeyRotation)]
SecondFactorSignIns = Annotated[SecondFactorSignIn, service(SecondFactorSignIn)]
Sessions = Annotated[SessionService, service(SessionService)]
SettingsOfAuth = Annotated[AuthSettings, service(AuthSettings)]
SettingsOfInstallation = Annotated[InstallationSettings, service(InstallationSettings)]
SignIns = Annotated[SignInService, service(SignInService)]
SignOuts = Annotated[SignOutService, service(SignOutService)]
StepUps = Annotated[StepUpService, service(StepUpService)]
Sysadmins = Annotated[SysadminService, service(SysadminService)]
Tokens = Annotated[TokensAdministration, service(TokensAdministration)]
TotpApps = Annotated[TotpService, service(TotpService)]
Users = Annotated[UsersAdministration, service(UsersAdministration)]
Verifier = Annotated[SignedTokens, service(SignedTokens)]

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
UNPROVEN: Final[dict[int | str, dict[str, Any]]] = {401: {"description": "Unauthorized", "content": _PROBLEM}}
"""For a public route that refuses credentials: the OpenAPI document cannot know by itself."""
HALF_SIGNED_IN: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": SecondFactorWanted, "description": "One proof is shown; a second factor completes the sign-in."}
}
"""For every way in: whoever has set up a second factor gets this first."""
