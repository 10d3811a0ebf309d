"""What becomes of a person whom a provider vouches for: one table, and no row of it links by a mail address.

`docs/sign-in/decision-table.md` is written from it, and a test carries every row out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Owner(StrEnum):
    """Whose the identity is, at its stable ids."""

    NOBODY = "nobody"
    SOMEBODY = "an account"
    DISABLED = "a disabled account"
    CALLER = "the caller"
    ANOTHER = "another account"


class Mail(StrEnum):
    """The address the provider claims, and whose it is here."""

    NONE = "none"
    UNPROVEN_FREE = "unproven, of nobody"
    UNPROVEN_TAKEN = "unproven, of an account"
    PROVEN_FREE = "proven, of nobody"
    PROVEN_TAKEN = "proven, of an account"


class Outcome(StrEnum):
    """What is done."""

    SIGN_IN = "sign in"
    CREATE = "create the account if registration admits it, and sign in"
    OFFER_LINK = "refuse; offer to connect after a sign-in by another way"
    LINK = "connect"
    KEEP = "nothing: connected already"
    REFUSE_TAKEN = "refuse: it is another account’s"
    REFUSE_DISABLED = "refuse: the account is disabled"


@dataclass(frozen=True, slots=True)
class Situation:
    """A verified answer of a provider, before a database. `linking`: a signed-in person asked to connect it."""

    linking: bool
    owner: Owner
    mail: Mail


_SIGNING_IN: Final = {
    Owner.SOMEBODY: Outcome.SIGN_IN,
    Owner.DISABLED: Outcome.REFUSE_DISABLED,
}
_LINKING: Final = {
    Owner.NOBODY: Outcome.LINK,
    Owner.CALLER: Outcome.KEEP,
    Owner.ANOTHER: Outcome.REFUSE_TAKEN,
}


def decide(situation: Situation) -> Outcome:
    """The outcome. Once an identity is known its mail means nothing; of an unknown one a proven mail can make a new
    account, and nothing can make it somebody's who has one.
    """
    if situation.linking:
        return _LINKING[situation.owner]
    if situation.owner is Owner.NOBODY:
        return Outcome.CREATE if situation.mail is Mail.PROVEN_FREE else Outcome.OFFER_LINK
    return _SIGNING_IN[situation.owner]


def list_situations() -> list[Situation]:
    """Every situation there is."""
    owners = ((False, (Owner.NOBODY, *_SIGNING_IN)), (True, tuple(_LINKING)))
    return [Situation(linking, owner, mail) for linking, group in owners for owner in group for mail in Mail]
