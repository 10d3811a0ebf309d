"""[google], [microsoft], [oidc.<name>]: who else may say who somebody is."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, model_validator

from modules.shared.settings import Duration, Section, is_private_transport


def _check_url(value: str) -> str:
    try:
        url = urlsplit(value)
        hostname, _ = url.hostname, url.port
    except ValueError:
        hostname = None
    if not hostname or url.scheme not in {"https", "http"} or url.query or url.fragment or url.username is not None:
        raise ValueError(
            "an issuer is written as https://host or https://host/path, exactly as the provider names itself"
        )
    if not is_private_transport(value):
        raise ValueError("an issuer must begin with https://; plain http is for this machine itself")
    return value


def _check_scopes(value: str) -> str:
    words = value.split()
    if "openid" not in words:
        raise ValueError("openid must be among the scopes: without it there is no ID token")
    return " ".join(words)


def _read_words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Issuer = Annotated[str, AfterValidator(_check_url)]
Scopes = Annotated[str, AfterValidator(_check_scopes)]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Algorithms = Annotated[
    tuple[Algorithm, ...],
    Field(min_length=1),
    BeforeValidator(_read_words),
    PlainSerializer(", ".join, when_used="json"),
]


class ProviderSection(Section):
    """A provider that signs people in (OpenID Connect)."""

    client_id: str = Field(default="", description="What the provider calls this installation. Empty: not offered.")
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret the provider gave with it. Empty: a public client (PKCE alone)."
    )
    scopes: Scopes = Field(default="openid email profile", description="What is asked for; openid is needed.")
    timeout: Duration = Field(
        default=timedelta(seconds=8), description="How long one answer of the provider may take as a whole."
    )

    @model_validator(mode="after")
    def _secret_belongs_to_a_client(self) -> Self:
        if self.client_secret.get_secret_value() and not self.client_id:
            raise ValueError("client_secret is set, and client_id is missing")
        return self


class GoogleSettings(ProviderSection):
    """Signing in with Google. Offered when client_id is set; the redirect URI to register there is
    <public_url>/api/v1/auth/google/callback.
    """

    issuer: Issuer = Field(default="https://accounts.google.com", description="Who signs the ID tokens.")


class MicrosoftSettings(ProviderSection):
    """Signing in with Microsoft Entra ID. Offered when client_id is set; the redirect URI to register there is
    <public_url>/api/v1/auth/microsoft/callback.
    """

    tenant: str = Field(
        default="common",
        pattern=r"^(common|organizations|consumers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
        description="Whose accounts: common (work, school and personal), organizations (work and school), consumers"
        " (personal), or the id of one directory in lower case. A mandate's login policy may accept fewer.",
    )
    authority: Issuer = Field(
        default="https://login.microsoftonline.com", description="The address in front of tenant and /v2.0."
    )


class OidcSettings(ProviderSection):
    """Signing in with any other OpenID Connect provider; one section each, called oidc:<name> everywhere else. The
    redirect URI to register there is <public_url>/api/v1/auth/oidc:<name>/callback.
    """

    issuer: Issuer = Field(description="Who signs the ID tokens, exactly as the provider's metadata says it.")
    client_id: str = Field(min_length=1, description="What the provider calls this installation.")
    display_name: str = Field(
        default="", max_length=100, description="What people read on the button. Empty: the section's name."
    )
    verified_email: Literal["trust", "never"] = Field(
        default="never",
        description="trust: a mail address counts as proven when the provider says email_verified. Only for a provider"
        " that really asks the mailbox: whoever runs it can open accounts under any address. never: it never does.",
    )
    algorithms: Algorithms = Field(
        default=("RS256",),
        description="How ID tokens may be signed; what the provider's metadata says decides nothing.",
    )
    token_auth: Literal["client_secret_basic", "client_secret_post"] = Field(
        default="client_secret_basic", description="How the secret is shown to the provider."
    )
