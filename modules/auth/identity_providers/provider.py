"""What is believed of each kind of provider: which issuer, who the person is, whether their mail address is proven.

A person is who the provider's stable ids say: Google and others `(iss, sub)`, Microsoft `(tid, oid)`, whose `sub`
differs from client to client and whose mail addresses anybody can write into a directory of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import re
from types import MappingProxyType
from typing import Any, Final, Protocol

from modules.auth.provider_settings import GoogleSettings, MicrosoftSettings, OidcSettings
from modules.shared.mail import MailRefused, canonical_address
from modules.shared.wire import is_storable

GOOGLE: Final = "google"
MICROSOFT: Final = "microsoft"

_LONGEST_ID: Final = 255
_LONGEST_NAME: Final = 120
_ANEW: Final = MappingProxyType({"prompt": "login", "max_age": "0"})
"""OpenID Connect Core 1.0, section 3.1.2.1. To `max_age` the answer is a token that has `auth_time`."""
_ANEW_AT_GOOGLE: Final = MappingProxyType({"prompt": "select_account", "max_age": "0"})
"""Google knows no `prompt=login`; this is the most it can be asked for."""
_ANEW_AT_MICROSOFT: Final = MappingProxyType({"prompt": "login"})
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TENANT_PLACE: Final = "{tenantid}"
_PERSONAL_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The directory of Microsoft's personal accounts."""

Claims = Mapping[str, Any]


class UnbelievableClaims(Exception):
    """The claims do not say who the person is; the message says which."""


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """Who a provider says somebody is. `email` is what it claims, `proven_email` the same if its word counts.

    `authenticated_at` is when they proved themselves there, which may be long ago; None if the provider does not say.
    """

    authority: str
    issuer: str
    subject: str
    tenant: str | None = None
    email: str | None = None
    proven_email: str | None = None
    display_name: str = ""
    authenticated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Our installation as one provider knows it. `confirming` asks it to have a person prove themselves anew."""

    authority: str
    client_id: str
    client_secret: str = field(repr=False)
    token_auth: str
    scopes: str
    algorithms: tuple[str, ...]
    timeout: timedelta
    metadata_url: str
    confirming: Mapping[str, str]


class Provider(Protocol):
    """One configured provider."""

    client: Client
    label: str

    def names_itself(self, issuer: object) -> bool:
        """Whether the provider's metadata may say this issuer."""
        ...

    def issuer_of(self, claims: Claims) -> str:
        """The issuer an ID token with these claims must have. Raises UnbelievableClaims."""
        ...

    def may_answer_as(self, issuer: str) -> bool:
        """Whether an authorization response may carry this `iss` (RFC 9207)."""
        ...

    def identify(self, claims: Claims) -> ProvenIdentity:
        """Who the person is; the claims are verified. Raises UnbelievableClaims."""
        ...


class OneIssuer:
    """A provider with one issuer: Google, and whatever `[oidc.<name>]` names."""

    def __init__(self, client: Client, label: str, issuer: str) -> None:
        self.client = client
        self.label = label
        self._issuer = issuer

    def names_itself(self, issuer: object) -> bool:
        """It is the configured one."""
        return issuer == self._issuer

    def may_answer_as(self, issuer: str) -> bool:
        """It is the configured one."""
        return issuer == self._issuer

    def issuer_of(self, claims: Claims) -> str:  # noqa: ARG002  # one method of all kinds
        """The configured one, whatever the claims say."""
        return self._issuer

    def identify(self, claims: Claims) -> ProvenIdentity:
        """By `(iss, sub)`."""
        return _identity(self, claims, issuer=self._issuer, subject=_id(claims, "sub"))

    def proves_mail(self, claims: Claims, email: str) -> bool:
        """Whether the address is proven."""
        raise NotImplementedError


class Google(OneIssuer):
    """Google is the authority for its own mailboxes and for those of a Workspace domain (`hd`); for any other address
    it once sent a mail, and the mailbox may have changed hands since.
    """

    def __init__(self, settings: GoogleSettings) -> None:
        secret = settings.client_secret.get_secret_value()
        client = Client(
            GOOGLE, settings.client_id, secret, "client_secret_post" if secret else "none", settings.scopes, ("RS256",),
            settings.timeout, _metadata_url(settings.issuer), _ANEW_AT_GOOGLE,
        )  # fmt: skip
        super().__init__(client, "Google", settings.issuer)

    def proves_mail(self, claims: Claims, email: str) -> bool:
        """`email_verified`, and gmail.com or `hd`."""
        hosted = claims.get("hd")
        own = email.endswith("@gmail.com") or (isinstance(hosted, str) and bool(hosted))
        return claims.get("email_verified") is True and own


class AnyOpenId(OneIssuer):
    """A provider of `[oidc.<name>]`: its word about mail counts if the operator says so."""

    def __init__(self, name: str, settings: OidcSettings) -> None:
        secret = settings.client_secret.get_secret_value()
        client = Client(
            f"oidc:{name}", settings.client_id, secret, settings.token_auth if secret else "none", settings.scopes,
            settings.algorithms, settings.timeout, _metadata_url(settings.issuer), _ANEW,
        )  # fmt: skip
        super().__init__(client, settings.display_name or name, settings.issuer)
        self._trusted = settings.verified_email == "trust"

    def proves_mail(self, claims: Claims, email: str) -> bool:  # noqa: ARG002  # one method of all kinds
        """`email_verified`, if trusted. Some write the boolean as a word."""
        verified = claims.get("email_verified")
        return self._trusted and (verified is True or verified == "true")


class Microsoft:
    """Every directory is an issuer of its own, named by `tid`; metadata for several says `{tenantid}` in its place."""

    def __init__(self, settings: MicrosoftSettings) -> None:
        self._authority = settings.authority.rstrip("/")
        self._tenant = settings.tenant
        secret = settings.client_secret.get_secret_value()
        self.label = "Microsoft"
        self.client = Client(
            MICROSOFT, settings.client_id, secret, "client_secret_post" if secret else "none", settings.scopes,
            ("RS256",), settings.timeout, _metadata_url(self._issuer(self._tenant)), _ANEW_AT_MICROSOFT,
        )  # fmt: skip

    def names_itself(self, issuer: object) -> bool:
        """The template, or the issuer of a directory that may sign people in."""
        return issuer == self._issuer(_TENANT_PLACE) or (isinstance(issuer, str) and self.may_answer_as(issuer))

    def may_answer_as(self, issuer: str) -> bool:
        """The issuer of a directory that may sign people in."""
        before, after = self._issuer("\0").split("\0")
        tenant = issuer[len(before) : len(issuer) - len(after)]
        return issuer == self._issuer(tenant) and self._admits(tenant)

    def issuer_of(self, claims: Claims) -> str:
        """The one of `tid`."""
        tenant = claims.get("tid")
        if not (isinstance(tenant, str) and self._admits(tenant)):
            raise UnbelievableClaims("tid")
        return self._issuer(tenant)

    def identify(self, claims: Claims) -> ProvenIdentity:
        """By `(tid, oid)`."""
        issuer = self.issuer_of(claims)
        return _identity(self, claims, issuer=issuer, subject=_id(claims, "oid"), tenant=_id(claims, "tid"))

    def proves_mail(self, claims: Claims, email: str) -> bool:  # noqa: ARG002  # one method of all kinds
        """Whether the directory has proven the address's domain; the claim's type depends on how it was asked for."""
        proven = claims.get("xms_edov")
        return proven is True or proven in ("1", "true") or (type(proven) is int and proven == 1)

    def _admits(self, tenant: str) -> bool:
        if not _GUID.fullmatch(tenant):
            return False
        match self._tenant:
            case "common":
                return True
            case "organizations":
                return tenant != _PERSONAL_TENANT
            case "consumers":
                return tenant == _PERSONAL_TENANT
            case one:
                return tenant == one

    def _issuer(self, tenant: str) -> str:
        return f"{self._authority}/{tenant}/v2.0"


class _ProvesMail(Provider, Protocol):
    def proves_mail(self, claims: Claims, email: str) -> bool: ...


def _identity(
    provider: _ProvesMail, claims: Claims, *, issuer: str, subject: str, tenant: str | None = None
) -> ProvenIdentity:
    email = _email(claims)
    proven = email if email is not None and provider.proves_mail(claims, email) else None
    authority = provider.client.authority
    return ProvenIdentity(authority, issuer, subject, tenant, email, proven, _name(claims))


def _id(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not (isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable() and is_storable(value)):
        raise UnbelievableClaims(name)
    return value


def _email(claims: Claims) -> str | None:
    value = claims.get("email")
    if not isinstance(value, str):
        return None
    try:
        return canonical_address(value)
    except MailRefused:
        return None


def _name(claims: Claims) -> str:
    value = claims.get("name")
    return (
        value.strip()[:_LONGEST_NAME] if isinstance(value, str) and value.isprintable() and is_storable(value) else ""
    )


def _metadata_url(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"
