"""The services of identity: how people prove who they are, and what is kept about that."""

from gateway.feature_wiring.second_factors import add_second_factors
from gateway.settings import Settings
from modules.audit.service import AuditLog, RefusalLog
from modules.auth.passwords import Passwords
from modules.auth.service.accounts import AccountService
from modules.auth.service.clean_up import CleanUp
from modules.auth.service.devices import DeviceService
from modules.auth.service.email_address import EmailAddressService
from modules.auth.service.entrance import Entrance
from modules.auth.service.factor_administration import OwnFactors
from modules.auth.service.identities import IdentityRecords
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.key_rotation import KeyRotation
from modules.auth.service.keys import KeyStore
from modules.auth.service.limits import AuthLimits
from modules.auth.service.magic_link_sign_in import MagicLinkSignIn
from modules.auth.service.magic_links import MagicLinkService
from modules.auth.service.mail_codes import MailCodes
from modules.auth.service.mails import AuthMails
from modules.auth.service.new_device import NewDeviceMails
from modules.auth.service.password import PasswordService
from modules.auth.service.profile import ProfileService
from modules.auth.service.refresh import RefreshService
from modules.auth.service.registration import RegistrationService
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.second_factors import ChosenFactors
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in import SignInService
from modules.auth.service.sign_in_methods import SignInMethod, SignInMethods
from modules.auth.service.sign_out import SignOutService
from modules.auth.service.sysadmins import SysadminService
from modules.auth.service.tokens_administration import TokensAdministration
from modules.auth.service.users_administration import UsersAdministration
from modules.auth.signed_tokens import SignedTokens
from modules.connections.service.owned import ConnectionRecords
from modules.mandates.service.beginnings import MandateBeginnings, RegistrationHome
from modules.mandates.service.invitations import InvitationService
from modules.rbac.service.administrators import MandateAdministrators
from modules.rbac.service.departure import AdministratorDeparture
from modules.shared.catalogue import ItemCatalogue
from modules.shared.database import Database
from modules.shared.geography import Places
from modules.shared.i18n import Text
from modules.shared.mail import Mailer
from modules.shared.services import Services


def add_identity(settings: Settings, services: Services) -> None:
    """Offer them."""
    database, audit = services.get(Database), services.get(AuditLog)
    auth, tokens, passwords = services.add(settings.auth), services.get(SignedTokens), services.get(Passwords)
    limits = services.get(AuthLimits)
    issuer = services.add(TokenIssuer(services.get(KeyStore), tokens, auth))
    devices = services.add(DeviceService(audit))
    sessions = services.add(SessionService(issuer, devices, services.get(Places), audit, auth))
    entrance = services.add(Entrance(sessions, ChosenFactors(), audit))
    beginnings = services.get(MandateBeginnings)
    accounts = services.add(
        AccountService(
            database,
            passwords,
            audit,
            beginnings,
            RegistrationHome(beginnings, auth.registration_home),
            needs_set_up_code=settings.needs_set_up_code,
        )
    )
    policy = services.add(RegistrationPolicy(services.get(InvitationService), auth))
    refusals = services.get(RefusalLog)
    services.add(RefreshService(database, issuer, limits, audit, auth))
    services.add(SignOutService(issuer, tokens, audit))
    services.add(SignInService(database, passwords, entrance, limits, refusals))
    methods = services.get(SignInMethods)
    methods.offer(SignInMethod("password", "password", Text(en="Password", de="Passwort"), "/api/v1/auth/login"))
    add_second_factors(settings, services)
    services.add(RegistrationService(database, passwords, accounts, entrance, limits, policy, auth))
    changes = services.add(PasswordService(database, passwords, sessions, limits, audit, auth))
    services.add(EmailAddressService(database, issuer, tokens, sessions, changes, limits, audit, auth))
    departure = AdministratorDeparture(MandateAdministrators(services.get(ItemCatalogue)))
    services.add(
        ProfileService(
            database,
            audit,
            auth,
            records=(services.get(OwnFactors), IdentityRecords(), ConnectionRecords(database)),
            departures=(departure,),
        )
    )
    services.add(UsersAdministration(sessions, changes, limits, audit, auth))
    services.add(SysadminService(database, audit, auth))
    services.add(TokensAdministration(audit, auth))
    services.add(KeyRotation(database, services.get(KeyStore), audit, auth))
    services.add(CleanUp(database, audit, auth))
    mailer: Mailer = services.get(Mailer)  # type: ignore[type-abstract]  # offered under the protocol
    codes = services.add(MailCodes(issuer))
    product, public_url = settings.installation.name, settings.http.public_url
    services.add(AuthMails(mailer, codes, product=product, public_url=public_url))
    services.add(NewDeviceMails(mailer, product=product, public_url=public_url))
    _add_magic_links(settings, services)


def _add_magic_links(settings: Settings, services: Services) -> None:
    auth, limits, audit = settings.auth, services.get(AuthLimits), services.get(AuditLog)
    services.add(MagicLinkService(services.get(RegistrationPolicy), limits, audit, auth))
    services.add(
        MagicLinkSignIn(
            services.get(Database),
            services.get(MailCodes),
            services.get(AccountService),
            services.get(Entrance),
            limits,
            audit,
            services.get(RefusalLog),
            auth,
            tries=settings.rate_limits.code_tries,
        )
    )
    if auth.magic_link:
        name = Text(en="Link by mail", de="Link per Mail")
        services.get(SignInMethods).offer(SignInMethod("magic_link", "magic_link", name, "/api/v1/auth/magic-link"))
