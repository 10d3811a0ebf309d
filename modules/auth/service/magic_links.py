"""Asking for a link that signs in: the same for every address, until somebody reads the mail.

Whether there is an account, whether it is blocked, whether one may come into being: the request writes the same rows in
every case, and the job that sends the mail finds out. Who asked is remembered by the browser's flow; a newer link of
the same flow ends the older one, and nobody else's.
"""

from modules.audit.service import AuditLog
from modules.auth.keys import hash_secret
from modules.auth.repository import devices, magic_links, one_time_tokens, users
from modules.auth.schemas.magic_links import MagicLinkRequest
from modules.auth.service.device_names import origin_of
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import LinkMail
from modules.auth.service.mails import send_link
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.sign_in_proof import MAGIC_LINK
from modules.auth.settings import AuthSettings
from modules.auth.sign_in_errors import MagicLinkOff
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.i18n import Language


class MagicLinkService:
    """Takes the wish for a link."""

    def __init__(self, policy: RegistrationPolicy, limits: AuthLimits, audit: AuditLog, settings: AuthSettings) -> None:
        self._policy = policy
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def ask(
        self,
        visitor: Visitor,
        wanted: MagicLinkRequest,
        language: Language,
        *,
        flow: str,
        device_secret: str | None,
    ) -> None:
        """Have a link sent, for the browser of this flow. Raises MagicLinkOff, TooManyRequests."""
        if not self._settings.magic_link:
            raise MagicLinkOff
        await self._limits.attempt_from(visitor.client)
        may_sign_up = await self._policy.admits(wanted.email, wanted.invitation)
        db, now, email = visitor.db, clock.now(), wanted.email
        known = device_secret is not None and await devices.is_known_to(db, hash_secret(device_secret), email)
        await self._limits.mail_to(email, known_browser=known)
        user_id = await users.find_id(db, email)
        await magic_links.replace_in_flow(db, flow_name(flow), now)
        token_id = one_time_tokens.add(
            db,
            magic_links.PURPOSE,
            authority=MAGIC_LINK,
            user_id=user_id,
            payload={
                "mail": LinkMail.MAGIC_LINK,
                "email": email,
                "language": language,
                "flow": flow_name(flow),
                "may_sign_up": may_sign_up,
                "origin": origin_of(visitor.client),
            },
            now=now,
            expires_at=now + self._settings.magic_link_lifetime,
        )
        self._audit.record(db, "magic_link_asked", by=visitor, user_id=user_id)
        await db.flush()
        await send_link(db, token_id)


def flow_name(secret: str) -> str:
    """What the row of a link knows of its flow."""
    return hash_secret(secret).hex()
