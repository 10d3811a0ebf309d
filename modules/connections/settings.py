"""[connections.<name>]: whose data people may connect, and what is asked for."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from modules.auth.provider_settings import Scopes
from modules.shared.settings import Section


class ConnectionSettings(Section):
    """Data of a provider that people may lend to a mandate; one section each: connections.google,
    connections.microsoft, or connections.<name> for the provider of [oidc.<name>]. It signs nobody in. The redirect URI
    to register there is <public_url>/api/v1/connections/google/callback (microsoft, oidc:<name>).
    """

    scopes: Scopes = Field(description="What is asked for; openid is needed, to know whose account it is.")
    client_id: str = Field(
        default="", description="What the provider calls this installation. Empty: the client that signs people in."
    )
    client_secret: SecretStr = Field(default=SecretStr(""), description="The secret the provider gave with client_id.")

    @model_validator(mode="after")
    def _secret_belongs_to_a_client(self) -> Self:
        if self.client_secret.get_secret_value() and not self.client_id:
            raise ValueError("client_secret is set, and client_id is missing")
        return self
