"""A mail address as the product stores and compares it."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from modules.shared.mail import MailRefused, canonical_address, canonical_domain


def _canonical(address: str) -> str:
    """One spelling per mailbox, so that nobody registers twice. What mails can go to is an address, `.local` too."""
    try:
        return canonical_address(address)
    except MailRefused as error:
        raise ValueError("this is not a mail address") from error


def _canonical_domain(domain: str) -> str:
    try:
        found = canonical_domain(domain)
    except MailRefused as error:
        raise ValueError("this is not a domain") from error
    if "." not in found or found.rpartition(".")[2].isdecimal():
        raise ValueError("this is not a domain")
    return found


EmailAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=254),
    AfterValidator(_canonical),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
"""A mail address in its one spelling: lower case, the domain in ASCII."""

EmailDomain = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=253),
    AfterValidator(_canonical_domain),
]
"""The part of such an address after the `@`, in the same one spelling."""
