"""How a mandate wants its people to sign in; judged on the session that opened the context, on every request."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.context import Login

Authority = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}(:[a-z0-9-]{1,32})?$")]
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$", max_length=253)]


class LoginPolicy(BaseModel):
    """All parts are optional and must hold together. Ages are in minutes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authorities: frozenset[Authority] | None = Field(
        default=None, min_length=1, max_length=20, description="Accepted authorities, e.g. local, google, oidc:corp."
    )
    second_factor: bool = Field(default=False, description="Whether two factors must have been shown (RFC 8176: mfa).")
    email_domains: frozenset[Domain] | None = Field(
        default=None, min_length=1, max_length=50, description="Accepted domains of the user's address."
    )
    maximum_session_age: int | None = Field(
        default=None, ge=1, le=60 * 24 * 365, description="Minutes since the sign-in."
    )

    @classmethod
    def parse(cls, document: str) -> Self:
        """Read the stored form."""
        return cls.model_validate_json(document)

    def unmet(self, login: Login, email: str, now: datetime | None = None) -> str | None:
        """The first part this sign-in does not meet, in words for the refusal; None when all hold."""
        if self.authorities is not None and login.authority not in self.authorities:
            return ", ".join(sorted(self.authorities))
        if self.second_factor and "mfa" not in login.amr:
            return "mfa"
        if self.email_domains is not None and email.rpartition("@")[2] not in self.email_domains:
            return ", ".join(sorted(self.email_domains))
        if self.maximum_session_age is not None:
            age = (now or datetime.now(UTC)) - login.authenticated_at
            if age > timedelta(minutes=self.maximum_session_age):
                return "recent"
        return None


@lru_cache(maxsize=2048)
def parse_login_policy(document: str) -> LoginPolicy:
    """The policy stored as `document`; parsing is remembered by its very text."""
    return LoginPolicy.parse(document)
