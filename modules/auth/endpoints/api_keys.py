"""`/users/me/api-keys`: keys with which programs act for me."""

from fastapi import APIRouter, Response

from modules.auth.endpoints.signatures import ApiKeys, SignedInPerson
from modules.auth.schemas.api_keys import ApiKeyCreate, ApiKeyList, ApiKeyMade
from modules.shared.ids import TokenId

router = APIRouter(prefix="/users/me/api-keys", tags=["me"])


@router.get("", operation_id="list_api_keys", summary="List my API keys")
async def list_api_keys(caller: SignedInPerson, keys: ApiKeys) -> ApiKeyList:
    """With their scopes and when each was last used; never a secret."""
    return ApiKeyList(items=await keys.list_own(caller))


@router.post("", status_code=201, operation_id="create_api_key", summary="Make an API key")
async def create_api_key(caller: SignedInPerson, wanted: ApiKeyCreate, keys: ApiKeys, response: Response) -> ApiKeyMade:
    """Needs a recent sign-in. The answer is the only place where the key ever stands: sent again, this makes another
    key, so `Idempotency-Key` is not kept for it.
    """
    made = await keys.make(caller, wanted)
    response.headers["Location"] = f"/api/v1/users/me/api-keys/{made.id}"
    return made


@router.delete("/{key_id}", status_code=204, operation_id="delete_api_key", summary="End an API key")
async def delete_api_key(caller: SignedInPerson, key_id: TokenId, keys: ApiKeys) -> None:
    """Needs a recent sign-in. Effective on the key's next request."""
    await keys.end(caller, key_id)
