"""Sessions: opened by whoever proved themselves, listed by their owner, ended one by one or all at once."""

from datetime import datetime

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import SessionNotFound
from modules.auth.models import Token, User, UserSession
from modules.auth.repository import one_time_tokens
from modules.auth.repository import sessions as repository
from modules.auth.repository import users as user_repository
from modules.auth.schemas.accounts import UserRead
from modules.auth.schemas.sessions import SessionRead
from modules.auth.service.device_names import device_name, shortened_address
from modules.auth.service.devices import DeviceService
from modules.auth.service.issuing import IssuedTokens, OpenedSession, TokenIssuer
from modules.auth.service.refresh_tokens import RefreshToken, first_refresh_token
from modules.auth.service.sign_in_proof import SignInProof
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.geography import Places
from modules.shared.i18n import DEFAULT_LANGUAGE, negotiate_language
from modules.shared.ids import SessionId, UserId, new_id


class SessionService:
    """Opens, lists and ends sessions."""

    def __init__(
        self, issuer: TokenIssuer, devices: DeviceService, places: Places, audit: AuditLog, settings: AuthSettings
    ) -> None:
        self._issuer = issuer
        self._devices = devices
        self._places = places
        self._audit = audit
        self._settings = settings

    async def open(
        self,
        visitor: Visitor,
        user: User,
        proof: SignInProof,
        *,
        device_secret: str | None,
        ends_by: datetime | None = None,
    ) -> OpenedSession:
        """A session for `user`, whose row the caller has locked. Ends the oldest beyond the cap.

        `device_secret` is what the browser kept from its last sign-in, or `KEEPS_NO_COOKIES`. A session that follows
        another ends when that one would have, at `ends_by`.
        """
        db, now = visitor.db, clock.now()
        user_id = UserId(user.id)
        excess = await repository.oldest_beyond(db, user_id, self._settings.sessions_per_user - 1, now)
        await repository.revoke(db, excess, "replaced", now)
        ring = await self._issuer.ring(db)
        session = self._new(visitor, user, proof, ends_by)
        db.add(session)
        await db.flush()
        refresh = first_refresh_token(ring, SessionId(session.id))
        db.add(_stored(refresh, session))
        access, access_expires_at = self._issuer.issue(db, session, user.ver, now)
        new_device = await self._devices.recognise(visitor, session, device_secret)
        self._audit.record(
            db,
            "login",
            by=visitor,
            user_id=user_id,
            email=user.email,
            subject=Subject("session", session.id),
            details={"authority": proof.authority, "amr": list(proof.amr)},
        )
        tokens = IssuedTokens(access, access_expires_at, str(refresh), session.idle_expires_at)
        return OpenedSession(UserRead.model_validate(user), read_session(session, session.id), tokens, new_device)

    async def list_own(self, caller: Caller) -> list[SessionRead]:
        """The caller's sessions that stand, this one marked."""
        found = await repository.list_open(caller.db, caller.user.id, clock.now())
        return [read_session(session, caller.login.session_id) for session in found]

    async def end_own(self, caller: Caller, session_id: SessionId) -> None:
        """End one of the caller's sessions. Raises SessionNotFound for any other."""
        found = await repository.find_open(caller.db, session_id, clock.now())
        if found is None or found.user_id != caller.user.id:
            raise SessionNotFound
        await repository.revoke(caller.db, [session_id], "revoked", clock.now())
        self._audit.record(caller.db, "session_revoked", by=caller, subject=Subject("session", session_id))

    async def end_others(self, caller: Caller) -> int:
        """End every session of the caller but this one; how many stood."""
        keep = caller.login.session_id
        ended = await repository.revoke_of_user(caller.db, caller.user.id, "revoked", clock.now(), but=keep)
        for session in ended:
            self._audit.record(caller.db, "session_revoked", by=caller, subject=Subject("session", session.id))
        return len(ended)

    async def end_all(self, caller: Caller) -> int:
        """Log out everywhere: the user's tokens name an older `ver` from now on, and every session ends; how many."""
        user = await user_repository.lock_user(caller.db, caller.user.id)
        ended = await self.end_all_of(caller, user, "logout_all") if user else 0
        self._audit.record(caller.db, "logout_all", by=caller, details={"sessions": ended})
        return ended

    async def end_all_of(self, visitor: Visitor, user: User, reason: str) -> int:
        """End every session of a locked user, at the next request everywhere, with the sign-ins that wait for a second
        factor and the changes of address nobody proved yet; how many sessions stood.
        """
        user.ver += 1
        await visitor.db.flush()
        await one_time_tokens.revoke_open(visitor.db, UserId(user.id), one_time_tokens.BEGUN, clock.now())
        return len(await repository.revoke_of_user(visitor.db, user.id, reason, clock.now()))

    def _new(self, visitor: Visitor, user: User, proof: SignInProof, ends_by: datetime | None) -> UserSession:
        now = clock.now()
        language = negotiate_language(None, user.language) if user.language else DEFAULT_LANGUAGE
        client = visitor.client
        expires_at = now + self._settings.session_lifetime
        if ends_by is not None:
            expires_at = min(expires_at, ends_by)
        return UserSession(
            id=new_id(),
            user_id=user.id,
            authority=proof.authority,
            identity_id=proof.identity_id,
            tenant=proof.tenant,
            proven_email=proof.email,
            amr=list(proof.amr),
            authenticated_at=proof.authenticated_at or now,
            proven_at=proof.proven_at,
            device_name=device_name(client.user_agent),
            device_id=client.device_id,
            user_agent=client.user_agent,
            ip=shortened_address(client.address),
            location=self._places.of(client.address, language),
            created_at=now,
            last_seen_at=now,
            idle_expires_at=min(now + self._settings.session_idle_lifetime, expires_at),
            expires_at=expires_at,
            generation=1,
            confirmed_generation=0,
            rotated_at=now,
        )


def read_session(session: UserSession, current: object) -> SessionRead:
    """A session as people see it."""
    return SessionRead.model_validate(session).model_copy(update={"current": session.id == current})


def _stored(refresh: RefreshToken, session: UserSession) -> Token:
    return Token(
        id=new_id(),
        purpose="refresh",
        user_id=session.user_id,
        session_id=session.id,
        authority=session.authority,
        secret_hash=refresh.secret_hash,
        parent_hash=None,
        payload={},
        issued_at=session.created_at,
        expires_at=session.expires_at,
    )
