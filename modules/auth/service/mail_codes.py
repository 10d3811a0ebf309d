"""The codes in a mail beside its link: six digits that go with the link, and a longer one that stands alone.

Neither is stored. Both follow from the link's row by a key of the installation, so that a dump of the database, where a
code so short would be guessed in a moment, tells nothing; and a link that has no secret yet has no codes either.
"""

from dataclasses import dataclass
from enum import StrEnum
import hmac
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import KeyPurpose, SigningKey
from modules.auth.models import Token
from modules.auth.service.issuing import TokenIssuer

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U."""
_MISREAD: Final = str.maketrans("ILO", "110", " -")
_DIGITS: Final = 6
_CHARACTERS: Final = 8
_NO_SECRET: Final = bytes(32)


class CodeKind(StrEnum):
    """What a code proves, and with what."""

    WITH_LINK = "digits"
    ALONE = "code"


@dataclass(frozen=True, slots=True)
class CodesOfMail:
    """As the mail shows them."""

    digits: str
    code: str


class MailCodes:
    """Makes the codes of a link and compares them."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer

    async def make(self, session: AsyncSession, token: Token) -> CodesOfMail:
        """The codes of a link that has its secret."""
        key = (await self._issuer.ring(session)).signing(KeyPurpose.CODE)
        digits, code = (_derived(key, kind, token) for kind in CodeKind)
        return CodesOfMail(f"{digits[:3]} {digits[3:]}", f"{code[:4]}-{code[4:]}")

    async def match(self, session: AsyncSession, token: Token, kind: CodeKind, typed: str) -> bool:
        """Whether a person typed this code of the link; takes as long for a link that nobody was sent."""
        given = typed.upper().translate(_MISREAD).encode("utf-8", "surrogatepass")
        keys = (await self._issuer.ring(session)).verifying(KeyPurpose.CODE)
        # A list, so that every key is tried.
        hits = [hmac.compare_digest(_derived(key, kind, token).encode("ascii"), given) for key in keys]
        return token.secret_hash is not None and any(hits)


def _derived(key: SigningKey, kind: CodeKind, token: Token) -> str:
    message = f"mail code\0{kind}\0".encode("ascii") + token.id.bytes + (token.secret_hash or _NO_SECRET)
    number = int.from_bytes(hmac.digest(key.secret, message, "sha256"))
    if kind is CodeKind.WITH_LINK:
        return f"{number % 10**_DIGITS:0{_DIGITS}}"  # 256 bits: the bias is nothing
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_CHARACTERS))
