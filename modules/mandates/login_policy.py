"""How a mandate wants its people to sign in; judged on the session that opened the context, on every request."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.context import Login
from modules.shared.email_address import EmailDomain
from modules.shared.i18n import Language, Text

Authority = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}(:[a-z0-9-]{1,32})?$")]
MicrosoftTenant = Annotated[
    str, StringConstraints(to_lower=True, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
]
What = Literal["authorities", "microsoft_tenants", "email_domains", "mfa", "recent", "sign_in"]

_LOCAL: Final = "local"
_MICROSOFT: Final = "microsoft"

_WANTED: Final[dict[What, Text]] = {
    "authorities": Text(
        en="Sign in by one of these ways: {accepted}.", de="Bitte auf einem dieser Wege anmelden: {accepted}."
    ),
    "microsoft_tenants": Text(
        en="Sign in with a Microsoft account of one of these directories: {accepted}.",
        de="Bitte mit einem Microsoft-Konto eines dieser Verzeichnisse anmelden: {accepted}.",
    ),
    "email_domains": Text(
        en="Sign in in a way that proves an address at one of these domains: {accepted}.",
        de="Bitte so anmelden, dass eine Adresse bei einer dieser Domains nachgewiesen ist: {accepted}.",
    ),
    "mfa": Text(en="Confirm your sign-in with a second factor.", de="Bitte mit einem zweiten Faktor bestätigen."),
    "recent": Text(
        en="Your sign-in is too long ago: confirm it, or sign in again.",
        de="Ihre Anmeldung liegt zu lange zurück: bitte bestätigen oder neu anmelden.",
    ),
    "sign_in": Text(
        en="Your sign-in is too long ago: sign in again.",
        de="Ihre Anmeldung liegt zu lange zurück: bitte neu anmelden.",
    ),
}
"""What to do, by what is wanted."""


class Wanted(NamedTuple):
    """What a sign-in lacks, as a word for programs, and what would do if there is a choice."""

    what: What
    accepted: tuple[str, ...] = ()


class LoginPolicy(BaseModel):
    """All parts are optional and must hold together. Ages are in minutes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authorities: frozenset[Authority] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Accepted authorities: local, magic_link, google, microsoft, oidc:<name>, api_key.",
    )
    microsoft_tenants: frozenset[MicrosoftTenant] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="Accepted directories of Microsoft, by id. Sign-ins without a directory are then accepted only if"
        " `authorities` names theirs.",
    )
    email_domains: frozenset[EmailDomain] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="Accepted domains of the address that the sign-in proved; subdomains are others.",
    )
    second_factor: bool = Field(default=False, description="Whether two factors must have been shown (RFC 8176: mfa).")
    maximum_session_age: int | None = Field(
        default=None, ge=1, le=60 * 24 * 365, description="Minutes since the authority vouched for the person."
    )

    @classmethod
    def parse(cls, document: str) -> Self:
        """Read the stored form."""
        return cls.model_validate_json(document)

    def unmet(self, login: Login, own_address: str, now: datetime | None = None) -> Wanted | None:
        """The first part this sign-in does not meet; None when all hold. `own_address` is the account's.

        Who vouches comes first: a second factor shown in the wrong session would be shown in vain.
        """
        if self.authorities is not None and login.authority not in self.authorities:
            return _one_of("authorities", self.authorities)
        if self.microsoft_tenants is not None and not self._is_of_a_tenant(login, self.microsoft_tenants):
            return _one_of("microsoft_tenants", self.microsoft_tenants)
        if self.email_domains is not None:
            proven = login.proven_address(own_address)
            if proven is None or proven.rpartition("@")[2] not in self.email_domains:
                return _one_of("email_domains", self.email_domains)
        too_old = self._is_too_old(login, now or datetime.now(UTC))
        if too_old and login.authority != _LOCAL:  # a step-up renews nobody else's word
            return Wanted("sign_in", (login.authority,))
        if self.second_factor and "mfa" not in login.amr:
            return Wanted("mfa")
        return Wanted("recent") if too_old else None

    def _is_too_old(self, login: Login, now: datetime) -> bool:
        within = self.maximum_session_age
        return within is not None and now - login.vouched_at > timedelta(minutes=within)

    def _is_of_a_tenant(self, login: Login, tenants: frozenset[str]) -> bool:
        """An API key brings the directory of the sign-in that made it, and is judged by it as that one was."""
        if login.authority == _MICROSOFT or login.tenant is not None:
            return login.tenant in tenants
        return self.authorities is not None  # which names this sign-in's authority, or it had been refused


def _one_of(what: What, accepted: frozenset[str]) -> Wanted:
    return Wanted(what, tuple(sorted(accepted)))


@lru_cache(maxsize=2048)
def parse_login_policy(document: str) -> LoginPolicy:
    """The policy stored as `document`; parsing is remembered by its very text."""
    return LoginPolicy.parse(document)


def describe_wanted(fields: Mapping[str, object], language: Language) -> str | None:
    """What to do about an error with these `fields`; None if they do not say what is wanted."""
    for what, text in _WANTED.items():
        if fields.get("wanted") == what:
            accepted = fields.get("accepted")
            return text.in_(language, accepted=", ".join(accepted) if isinstance(accepted, list) else "")
    return None
