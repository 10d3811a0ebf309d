"""`/.well-known/jwks.json`: the public keys with which other services verify our access tokens."""

from fastapi import APIRouter, Response

from modules.auth.endpoints.signatures import Issuer, LookingAround
from modules.auth.keys import public_key_set

router = APIRouter(prefix="/.well-known", tags=["auth"])


@router.get("/jwks.json", operation_id="get_public_keys", summary="Read the public keys")
async def get_public_keys(
    visitor: LookingAround, issuer: Issuer, response: Response
) -> dict[str, list[dict[str, str]]]:
    """A JSON Web Key Set (RFC 7517); empty while tokens are signed with a shared secret."""
    response.headers["Cache-Control"] = "public, max-age=60"
    return public_key_set(await issuer.ring(visitor.db))
