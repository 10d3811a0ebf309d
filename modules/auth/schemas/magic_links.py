"""Links that sign in, on the wire."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from modules.auth.schemas.accounts import Secret
from modules.shared.email_address import EmailAddress
from modules.shared.i18n import Language
from modules.shared.wire import WireModel

MailCode = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z][0-9A-Za-z -]{4,18}$")]
"""A code as people type it, in any case, with blanks and hyphens where they like."""


class MagicLinkRequest(WireModel):
    """An address to send a link to."""

    email: EmailAddress
    language: Language | None = Field(default=None, description="Of the mail; without it the one of the request.")
    invitation: Secret | None = Field(
        default=None, description="The secret of an invitation's link, for whoever has no account yet."
    )


class MagicLinkProof(WireModel):
    """The secret of the link, or a code of its mail."""

    token: Secret | None = None
    code: MailCode | None = Field(
        default=None,
        description="With the token the six digits of the mail, needed in another browser than the asking one. Without"
        " it the eight characters, which count in the asking browser only.",
    )
    set_up_code: Secret | None = Field(default=None, description="Needed for the very first account.")

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        if self.token is None and self.code is None:
            raise ValueError("token or code is needed")
        return self
