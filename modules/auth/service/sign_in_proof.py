"""What a sign-in showed, whatever the way in."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

LOCAL: Final = "local"
"""The authority of sessions opened by a password or a passkey of this installation."""
MAGIC_LINK: Final = "magic_link"
"""The authority of sessions opened by whoever read a mail of ours."""
ONE_TIME: Final = "otp"
"""RFC 8176: a secret that counts once; the registry has no name of its own for one that came by mail."""
PASSWORD: Final = "pwd"  # noqa: S105  # the method's name in RFC 8176
MULTIPLE_FACTORS: Final = "mfa"
"""RFC 8176: more than one factor was shown."""


@dataclass(frozen=True, slots=True)
class SignInProof:
    """Who vouched for the person, and how they showed it.

    `authority` is `local`, `magic_link`, `google`, `microsoft` or `oidc:<name>`; `amr` as in RFC 8176. `tenant` is the
    directory of a Microsoft identity. `email` is an address that this very sign-in proved; None when it proved none.
    `authenticated_at` is when the person last proved themselves, None for just now; `proven_at` when the authority
    vouched for them, None for the same moment.
    """

    authority: str
    amr: tuple[str, ...]
    identity_id: UUID | None = None
    tenant: str | None = None
    email: str | None = None
    authenticated_at: datetime | None = None
    proven_at: datetime | None = None

    @property
    def has_second_factor(self) -> bool:
        """Whether two factors were shown."""
        return MULTIPLE_FACTORS in self.amr

    def strengthened(self, *methods: str) -> Self:
        """The same proof with a second factor's methods shown as well."""
        amr = dict.fromkeys((*self.amr, *methods, MULTIPLE_FACTORS))
        proven_at = self.proven_at or self.authenticated_at
        return replace(self, amr=tuple(amr), authenticated_at=None, proven_at=proven_at)

    def to_payload(self) -> dict[str, Any]:
        """For keeping it in a token's row; holds no secret."""
        return {
            "authority": self.authority,
            "amr": list(self.amr),
            "identity_id": str(self.identity_id) if self.identity_id else None,
            "tenant": self.tenant,
            "email": self.email,
            "authenticated_at": _written(self.authenticated_at),
            "proven_at": _written(self.proven_at),
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Self:
        """As `to_payload` wrote it."""
        identity_id = payload["identity_id"]
        return cls(
            payload["authority"],
            tuple(payload["amr"]),
            UUID(identity_id) if identity_id else None,
            payload["tenant"],
            payload["email"],
            _read(payload["authenticated_at"]),
            _read(payload["proven_at"]),
        )


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _read(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
