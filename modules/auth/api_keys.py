"""The form of API keys: `mgk_`, 256 random bits, and a checksum, all in letters and digits.

The prefix and the checksum let a scanner tell a leaked key from noise, and let us refuse a mistyped one without asking
the database. The checksum is the CRC-32 (as in ISO 3309) of everything before it and proves nothing: a key holds by
the SHA-256 of its whole text, which stands in the database.
"""

import re
import secrets
from typing import Final
from zlib import crc32

from modules.auth.keys import hash_secret

PREFIX: Final = "mgk_"

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BITS: Final = 256
_SECRET_DIGITS: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_DIGITS: Final = 6  # 62 ** 6 > 2 ** 32
_FORM: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_DIGITS + _CHECKSUM_DIGITS}}}", re.ASCII)


def new_api_key() -> str:
    """A new random key."""
    secret = PREFIX + _base62(secrets.randbits(_SECRET_BITS), _SECRET_DIGITS)
    return secret + _checksum(secret)


def read_api_key(presented: str) -> bytes | None:
    """The hash under which the database knows a key; None for what is none by its form or its checksum."""
    if not _FORM.fullmatch(presented) or _checksum(presented[:-_CHECKSUM_DIGITS]) != presented[-_CHECKSUM_DIGITS:]:
        return None
    return hash_secret(presented)


def _checksum(secret: str) -> str:
    return _base62(crc32(secret.encode("ascii")), _CHECKSUM_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
