"""Tickets: they open one path, once, within a minute, for what a browser loads without headers of ours.

A ticket is worth what the access token that asked for it is worth at the moment of use: whoever is signed out, blocked
or no longer a member in between opens nothing.
"""

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from modules.auth.errors import InvalidToken, TicketNotValid
from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Token
from modules.auth.repository import one_time_tokens, standing
from modules.auth.schemas.api_keys import TicketRead, TicketRequest
from modules.auth.signed_tokens import AccessTokenClaims
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.database import Database
from modules.shared.ids import SessionId, TokenId, UserId, new_id

TICKET: Final = "ticket"
LIFETIME: Final = timedelta(seconds=60)


class RedeemedTicket(NamedTuple):
    """For whom and where the ticket stands."""

    claims: AccessTokenClaims
    mandate_id: UUID
    instance_id: UUID | None


class TicketService:
    """Gives tickets out, and takes each back once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, context: RequestContext, wanted: TicketRequest) -> TicketRead:
        """A ticket of this session and mandate. What it may open is judged when it is used. Raises InvalidToken."""
        now = clock.now()
        token = await standing.find_access_token(context.db, context.login.token_id, now)
        found = await standing.find_session(context.db, context.login.session_id, now)
        if token is None or found is None:
            raise InvalidToken  # ended since this request began
        secret, expires_at = new_secret(), min(now + LIFETIME, token.expires_at)
        payload = {
            "token_id": str(token.id),
            "ver": str(found.user.ver),
            "method": wanted.method,
            "path": wanted.path,
            "mandate_id": str(context.mandate.id),
            "instance_id": str(context.instance.id) if context.instance else "",
        }
        context.db.add(
            Token(
                id=new_id(),
                purpose=TICKET,
                user_id=context.user.id,
                session_id=context.login.session_id,
                authority=context.login.authority,
                secret_hash=hash_secret(secret),
                parent_hash=None,
                payload=payload,
                issued_at=now,
                expires_at=expires_at,
            )
        )
        return TicketRead(ticket=secret, expires_at=expires_at)

    async def redeem(self, secret: str, method: str, path: str) -> RedeemedTicket:
        """Use a ticket up, whatever becomes of the request: even for the wrong path it works but once. Raises
        TicketNotValid.
        """
        async with self._database.session() as session:
            ticket = await one_time_tokens.consume(session, TICKET, hash_secret(secret), clock.now())
        if ticket is None or ticket.user_id is None or ticket.session_id is None:
            raise TicketNotValid
        told = ticket.payload
        if (told["method"], told["path"]) != (method, path):
            raise TicketNotValid
        claims = AccessTokenClaims(
            user_id=UserId(ticket.user_id),
            session_id=SessionId(ticket.session_id),
            token_id=TokenId(UUID(told["token_id"])),
            issued_at=int(ticket.issued_at.timestamp()),
            expires_at=int(ticket.expires_at.timestamp()),
            auth_time=0,
            amr=(),
            ver=int(told["ver"]),
        )
        instance_id = UUID(told["instance_id"]) if told["instance_id"] else None
        return RedeemedTicket(claims, UUID(told["mandate_id"]), instance_id)
