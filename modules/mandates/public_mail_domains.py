"""Domains at which anybody can get a mail address, so that an address there says nothing about where one works.

A list of our own, of the mailboxes people really come with: longer collections name domains of companies, too, and
whoever runs a provider that is missing here still has to publish the record that proves a domain.
"""

from functools import cache
from importlib.resources import files


@cache
def public_mail_domains() -> frozenset[str]:
    """All of them, in the one spelling of domains: lower case, ASCII."""
    listed = files("modules.mandates").joinpath("public_mail_domains.txt").read_text(encoding="ascii")
    return frozenset(listed.split())


def is_public_mail_domain(domain: str) -> bool:
    """Whether anybody can get an address at `domain`, or at a domain above it."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in public_mail_domains() for start in range(len(labels)))
