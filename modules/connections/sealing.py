"""A provider's tokens as they stand in a row: sealed for one connection of one user in one mandate.

A sealed value copied to another row opens nothing there, whoever copied it.
"""

from dataclasses import dataclass, field
import json
from uuid import UUID

from modules.auth.sealing import SealingKey

_PURPOSE = b"data connection\0"


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """What the provider gave. Without a refresh token the connection ends when the access token does."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)


class TokenSeals:
    """Seals tokens for the database and opens them again."""

    def __init__(self, master: SealingKey) -> None:
        self._master = master

    def seal(self, whose: bytes, tokens: ProviderTokens) -> bytes:
        """`whose` is what `associated_with` says of the row."""
        plain = json.dumps([tokens.access, tokens.refresh]).encode()
        return self._master.seal(plain, _PURPOSE + whose)

    def open(self, whose: bytes, sealed: bytes) -> ProviderTokens:
        """Raises SealBroken for a value that was sealed for another row."""
        return ProviderTokens(*json.loads(self._master.open(sealed, _PURPOSE + whose)))


def associated_with(connection_id: UUID, mandate_id: UUID, user_id: UUID) -> bytes:
    """What binds a sealed value to its row; the trigger of the table writes the same of a row that goes."""
    return connection_id.bytes + mandate_id.bytes + user_id.bytes
