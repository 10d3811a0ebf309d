"""Whether a credential whose signature holds still stands: what the database says of it and of its owner, now.

Tokens and API keys end here in the same row. What concerns every caller alike (an ended session, a disabled user) is
settled here, once for both; what concerns a mandate is left to the gates.
"""

from typing import Protocol
from uuid import UUID

from modules.auth.dependencies import Credential
from modules.auth.errors import InvalidToken
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.rbac.repository.authorisation import Authorisation, AuthorisationRow, Question
from modules.shared.context import UsedKey
from modules.shared.ids import SessionId, TokenId

_MOST_VISITORS = 1_000


class Activity(Protocol):
    """Notes, outside the request, that a credential was used."""

    def note(self, session_id: SessionId, generation: int) -> None:
        """The session was used; at most once a minute, or when the token's generation is new."""
        ...

    def note_key(self, key_id: TokenId) -> None:
        """The API key was used; at most once a minute."""
        ...


class KeyReload(Protocol):
    """Loads the key ring again."""

    async def __call__(self, *, wanted: int | None) -> None:
        """Reload unless the ring in use already has the number `wanted`."""
        ...


class CredentialStanding:
    """Asks the one statement about a credential, in the mandate and instance the request names."""

    def __init__(
        self, authorisation: Authorisation, tokens: SignedTokens, reload_keys: KeyReload, activity: Activity
    ) -> None:
        self._authorisation = authorisation
        self._tokens = tokens
        self._reload_keys = reload_keys
        self._activity = activity
        self._visitors: dict[tuple[SessionId, UUID], None] = {}

    async def of_token(
        self, credential: Credential, mandate_id: UUID | None, instance_id: UUID | None
    ) -> AuthorisationRow:
        """What stands behind an access token, or behind what a ticket claims. Raises InvalidToken."""
        claims = credential.claims
        row = await self._row(claims, mandate_id, instance_id)
        if row.key_set_number != self._tokens.key_set_number:
            await self._reload_keys(wanted=row.key_set_number)
            if credential.token:
                self._tokens.verify(credential.token)
        if (
            not row.credential_stands
            or row.state == "disabled"
            or row.user_id != claims.user_id
            or row.session_id != claims.session_id
            or row.ver != claims.ver
        ):
            raise InvalidToken
        if row.touch:
            self._activity.note(claims.session_id, row.generation or 0)
        return row

    async def of_key(
        self, secret_hash: bytes, mandate_id: UUID | None, instance_id: UUID | None
    ) -> tuple[UsedKey, AuthorisationRow]:
        """What stands behind an API key. Raises InvalidToken."""
        key, row = await self._authorisation.ask_key(secret_hash, mandate_id, instance_id)
        if not row.credential_stands or row.state == "disabled":
            raise InvalidToken
        if row.touch:
            self._activity.note_key(key.id)
        return key, row

    async def _row(
        self, claims: AccessTokenClaims, mandate_id: UUID | None, instance_id: UUID | None
    ) -> AuthorisationRow:
        """One statement, in the narrowest form that will do. Who turned out to be a visitor is asked for as one from
        then on.
        """
        ask, token_id = self._authorisation.ask, claims.token_id
        if mandate_id is None:
            return await ask(Question.CALLER, token_id)
        visit = (claims.session_id, mandate_id)
        if visit not in self._visitors:
            row = await (
                ask(Question.MEMBER, token_id, mandate_id)
                if instance_id is None
                else ask(Question.INSTANCE, token_id, mandate_id, instance_id)
            )
            if row.membership_id is not None or not row.is_sysadmin:
                return row
            self._visitors[visit] = None
            if len(self._visitors) > _MOST_VISITORS:
                del self._visitors[next(iter(self._visitors))]
        return await ask(Question.VISITOR, token_id, mandate_id, instance_id)
