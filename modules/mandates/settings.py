"""[mandates]: how long endings can be undone and invitations accepted, and who is asked about domains."""

from datetime import timedelta
from ipaddress import ip_address
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from modules.shared.settings import Duration, Section

_RESOLVER = re.compile(
    r"(?P<address>[0-9.]+|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*)|(?P<bare>[0-9.]+|\[[0-9a-f:.]+\]):(?P<port>\d{1,5})"
)


def _resolver(written: str) -> str:
    found = _RESOLVER.fullmatch(written.lower())
    if written and found is None:
        raise ValueError("a resolver is written as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353")
    if found:
        ip_address(found["address"] or found["bare"].strip("[]"))
        if found["port"] and not 0 < int(found["port"]) < 65536:
            raise ValueError("no such port")
    return written.lower()


class MandatesSettings(Section):
    """Mandates and invitations to them."""

    deletion_grace: Duration = Field(
        default=timedelta(days=30),
        description="How long a deleted mandate can be restored before it is erased.",
    )
    invitation_lifetime: Duration = Field(
        default=timedelta(days=7), description="How long an invitation can be accepted."
    )
    dns_resolver: Annotated[str, AfterValidator(_resolver)] = Field(
        default="",
        description="The DNS resolver asked whether a domain is proven (address or address:port). Empty: the system's.",
    )
    dns_timeout: Duration = Field(
        default=timedelta(seconds=6),
        ge=timedelta(milliseconds=100),
        le=timedelta(minutes=1),
        description="How long such a question may take, with all its tries.",
    )
