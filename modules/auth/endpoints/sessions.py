"""`/auth/sessions`: where I am signed in."""

from fastapi import APIRouter

from modules.auth.endpoints.signatures import Sessions, SignedInPerson
from modules.auth.schemas.sessions import RevokedCount, SessionList
from modules.shared.ids import SessionId

router = APIRouter(prefix="/auth/sessions", tags=["auth"])


@router.get("", operation_id="list_sessions", summary="List my sessions")
async def list_sessions(caller: SignedInPerson, sessions: Sessions) -> SessionList:
    """Those that stand, the newest first, this one marked."""
    return SessionList(items=await sessions.list_own(caller))


@router.delete("", operation_id="revoke_other_sessions", summary="End my other sessions")
async def revoke_other_sessions(caller: SignedInPerson, sessions: Sessions) -> RevokedCount:
    """All but this one. `POST /auth/logout-all` ends this one too."""
    return RevokedCount(revoked=await sessions.end_others(caller))


@router.delete("/{session_id}", status_code=204, operation_id="revoke_session", summary="End one of my sessions")
async def revoke_session(caller: SignedInPerson, session_id: SessionId, sessions: Sessions) -> None:
    """Effective on that session's next request."""
    await sessions.end_own(caller, session_id)
