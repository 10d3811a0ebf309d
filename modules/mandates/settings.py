"""[mandates]: how long endings can be undone and invitations accepted."""

from datetime import timedelta

from pydantic import Field

from modules.shared.settings import Duration, Section


class MandatesSettings(Section):
    """Mandates and invitations to them."""

    deletion_grace: Duration = Field(
        default=timedelta(days=30),
        description="How long a deleted mandate can be restored before it is erased.",
    )
    invitation_lifetime: Duration = Field(
        default=timedelta(days=7), description="How long an invitation can be accepted."
    )
