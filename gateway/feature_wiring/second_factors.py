"""The services of second factors: passkeys, authenticator apps, backup codes, and showing one of them."""

from gateway.settings import Settings
from modules.audit.service import AuditLog, RefusalLog
from modules.auth.passkey_ceremonies import PasskeyCeremonies
from modules.auth.passwords import Passwords
from modules.auth.sealing import MasterKey
from modules.auth.service.backup_codes import BackupCodes
from modules.auth.service.entrance import Entrance
from modules.auth.service.factor_administration import FactorAdministration, OwnFactors
from modules.auth.service.factor_limits import FactorLimits
from modules.auth.service.limits import AuthLimits
from modules.auth.service.passkey_proof import PasskeyProof
from modules.auth.service.passkeys import PasskeyService, PasskeySignIn
from modules.auth.service.second_factor_sign_in import SecondFactorSignIn
from modules.auth.service.sessions import SessionService
from modules.auth.service.shown_factors import ShownFactors
from modules.auth.service.sign_in import SignInService
from modules.auth.service.sign_in_methods import SignInMethod, SignInMethods
from modules.auth.service.step_up import StepUpService
from modules.auth.service.totp import TotpSeeds, TotpService
from modules.shared.database import Database
from modules.shared.i18n import Text
from modules.shared.rate_limits import RateLimits
from modules.shared.services import Services


def add_second_factors(settings: Settings, services: Services) -> None:
    """Offer them; the sign-in by password stands already."""
    auth, product = settings.auth, settings.installation.name
    database, audit = services.get(Database), services.get(AuditLog)
    limits, refusals = services.get(AuthLimits), services.get(RefusalLog)
    entrance, sessions = services.get(Entrance), services.get(SessionService)
    ceremonies = PasskeyCeremonies.for_url(settings.http.public_url, product)
    passkeys = PasskeyProof(database, ceremonies, refusals)
    tries = FactorLimits(services.get(RateLimits), settings.rate_limits)
    seeds = TotpSeeds(services.get(MasterKey))
    codes = services.add(BackupCodes(database, services.get(Passwords), audit, auth))
    factors = ShownFactors(seeds, codes, passkeys, tries, refusals)
    services.add(PasskeyService(database, ceremonies, passkeys, limits, audit, auth))
    services.add(PasskeySignIn(passkeys, entrance, limits, tries, refusals))
    services.add(TotpService(seeds, limits, audit, auth, product=product))
    services.add(SecondFactorSignIn(database, entrance, factors, limits))
    services.add(StepUpService(services.get(SignInService), factors, sessions, limits, audit))
    services.add(OwnFactors())
    services.add(FactorAdministration(database, audit, auth))
    _announce(services.get(SignInMethods), passkeys_possible=ceremonies.are_possible)


def _announce(methods: SignInMethods, *, passkeys_possible: bool) -> None:
    methods.offer_second_factor("totp")
    if passkeys_possible:
        path = "/api/v1/auth/passkeys/sign-in/options"
        methods.offer(SignInMethod("passkey", "passkey", Text(en="Passkey", de="Passkey"), path))
        methods.offer_second_factor("passkey")
    methods.offer_second_factor("backup_code")
