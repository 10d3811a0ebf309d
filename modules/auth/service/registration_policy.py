"""Who may create an account: anybody with a mailbox, only the invited, nobody. The same for every way of signing up."""

from typing import Protocol

from modules.auth.account_errors import InvitationRequired, RegistrationClosed
from modules.auth.settings import AuthSettings


class Invitations(Protocol):
    """Knows who was invited."""

    async def is_open(self, secret: str, email: str) -> bool:
        """Whether this secret belongs to an invitation of that address which can still be accepted."""
        ...


class RegistrationPolicy:
    """`[auth] registration`, asked before an account may come into being."""

    def __init__(self, invitations: Invitations, settings: AuthSettings) -> None:
        self._invitations = invitations
        self._settings = settings

    async def admit(self, email: str, invitation: str | None) -> None:
        """Let this address sign up, with the secret of an invitation's link if it has one.

        Raises RegistrationClosed, InvitationRequired.
        """
        match self._settings.registration:
            case "closed":
                raise RegistrationClosed
            case "invitation":
                if not (invitation and await self._invitations.is_open(invitation, email)):
                    raise InvitationRequired(pointer="/invitation")

    async def admits(self, email: str, invitation: str | None) -> bool:
        """Whether `admit` would let them, for ways in that must not tell."""
        try:
            await self.admit(email, invitation)
        except (RegistrationClosed, InvitationRequired):
            return False
        return True
