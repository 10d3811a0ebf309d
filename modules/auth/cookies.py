"""The names and attributes of our cookies (RFC 6265bis), and reading them from a raw header."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

_OFFER: Final = "link"


@dataclass(frozen=True, slots=True)
class CookieNames:
    """`__Host-` names everywhere; the plain ones only on a plain-http loopback address, where browsers refuse the
    prefix.
    """

    access: str
    refresh: str
    device: str
    flow: str
    pending: str
    secure: bool

    @classmethod
    def for_url(cls, public_url: str) -> Self:
        """The names in force under `[http] public_url`."""
        secure = urlsplit(public_url).scheme == "https"
        prefix = "__Host-" if secure else ""
        return cls(
            f"{prefix}auth_token",
            f"{prefix}refresh_token",
            f"{prefix}device",
            f"{prefix}flow",
            f"{prefix}pending",
            secure,
        )

    @property
    def offer(self) -> str:
        """The name of the cookie of a sign-in at a provider that waits to be connected."""
        return self.flow_of(_OFFER)

    def flow_of(self, public_id: str) -> str:
        """The name of the cookie of one sign-in with a provider: each has its own, so they never meet."""
        return f"{self.flow}_{public_id}"


def read_cookie(header: str, name: str) -> str | None:
    """The first cookie called `name` in a `Cookie` header; None when absent or empty."""
    wanted = f"{name}="
    if wanted not in header:
        return None
    for part in header.split(";"):
        pair = part.strip(" \t")  # other white space is part of a name, which needs no prefix then
        if pair.startswith(wanted):
            return pair[len(wanted) :].strip('"') or None
    return None
