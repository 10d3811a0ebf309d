"""The table of what becomes of whoever comes back from a provider, as a document."""

from pathlib import Path

from modules.auth.identity_providers.provider import AnyOpenId, Google, Microsoft
from modules.auth.provider_settings import GoogleSettings, MicrosoftSettings, OidcSettings
from modules.auth.service.identity_decision import decide, list_situations

TABLE = Path(__file__).parents[2] / "docs" / "sign-in" / "decision-table.md"
TENANT = "11111111-2222-3333-4444-555555555555"
Claims = dict[str, object]

PROVIDERS: dict[str, Google | Microsoft | AnyOpenId] = {
    "Google": Google(GoogleSettings(client_id="gateway")),
    "Microsoft": Microsoft(MicrosoftSettings(client_id="gateway")),
    "other, `verified_email = trust`": AnyOpenId(
        "peer", OidcSettings(issuer="https://peer.test", client_id="gateway", verified_email="trust")
    ),
    "other, `verified_email = never`": AnyOpenId("peer", OidcSettings(issuer="https://peer.test", client_id="gateway")),
}
GMAIL, OTHER = {"email": "ada@gmail.com"}, {"email": "ada@example.org"}
CLAIMS: dict[str, list[Claims]] = {
    "Google": [
        {**GMAIL, "email_verified": True},
        {**OTHER, "email_verified": True, "hd": "example.org"},
        {**OTHER, "email_verified": True},
        {**OTHER, "email_verified": True, "hd": ""},
        {**GMAIL, "email_verified": False},
        {**GMAIL, "email_verified": "true"},
        {**OTHER, "hd": "example.org"},
        {"email": "ada@gmail.com.evil.test", "email_verified": True},
        {},
    ],
    "Microsoft": [
        {**OTHER, "xms_edov": True},
        {**OTHER, "xms_edov": 1},
        {**OTHER, "xms_edov": "1"},
        {**OTHER, "xms_edov": "true"},
        {**OTHER, "xms_edov": False},
        {**OTHER, "xms_edov": "0"},
        {**OTHER, "xms_edov": 2},
        {**OTHER, "xms_edov": [True]},
        {**OTHER, "email_verified": True},
        {**GMAIL},
        {},
    ],
    "other, `verified_email = trust`": [
        {**OTHER, "email_verified": True},
        {**OTHER, "email_verified": "true"},
        {**OTHER, "email_verified": 1},
        {**OTHER, "email_verified": False},
        {**OTHER},
        {"email": "no address", "email_verified": True},
    ],
    "other, `verified_email = never`": [{**OTHER, "email_verified": True}, {**OTHER}],
}

_INTRODUCTION = """# Who comes back from a provider, and what becomes of them

Written by `scripts/render_docs.py` from the code that decides; a test carries out every row on the real application.

The provider's answer is verified first: issuer, audience, nonce, signature, time. Whoever fails there is refused and
stands in no row here. Why the rows are as they are: [ADR 0009](../adr/0009-link-by-the-person-never-by-the-address.md).

## 1. Whether the mail address is proven

| provider | claims of the ID token | the address |
|---|---|---|
"""
_DECISIONS = """
## 2. What follows

*Connected with* is found by the provider's stable ids alone: `(iss, sub)`, at Microsoft `(tid, oid)`. The address is
compared with those of accounts only where it is proven.

| asked for | identity connected with | address | outcome |
|---|---|---|---|
"""


def proves(provider: str, claims: Claims) -> bool:
    """Whether the provider's word proves the address."""
    ids = {"sub": "ada", "oid": "ada", "tid": TENANT}
    return PROVIDERS[provider].identify({**ids, **claims}).proven_email is not None


def render() -> str:
    """As a document."""
    lines = [_INTRODUCTION.rstrip("\n")]
    for provider, every in CLAIMS.items():
        for claims in every:
            told = ", ".join(f"`{name}` = `{value!r}`" for name, value in claims.items()) or "no address"
            lines.append(f"| {provider} | {told} | {'**proven**' if proves(provider, claims) else 'not proven'} |")
    lines.append(_DECISIONS.rstrip("\n"))
    for situation in list_situations():
        asked = "to connect it" if situation.linking else "to sign in"
        lines.append(f"| {asked} | {situation.owner} | {situation.mail} | {decide(situation)} |")
    return "\n".join(lines) + "\n"
