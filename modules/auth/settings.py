"""[auth]: who may register, and how long a sign-in is worth something."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from modules.shared.settings import Duration, Section


class AuthSettings(Section):
    """Accounts, passwords, sessions and tokens."""

    mode: Literal["multi", "single"] = Field(
        default="multi",
        description="multi: people have accounts and sign in. single: whoever can connect is the one local user, who"
        " administers everything; for this machine only. `mandate upgrade-to-multi` ends single for good.",
    )
    single_user_on_network: bool = Field(
        default=False,
        description="Serve mode = single to other machines too: everybody who can connect then administers everything.",
    )
    registration: Literal["open", "invitation", "closed"] = Field(
        default="open",
        description="Who may create an account: anybody with a mailbox, only the invited, nobody.",
    )
    registration_home: str = Field(
        default="none",
        pattern=r"^(none|personal|mandate:[a-z0-9][a-z0-9-]*)$",
        description="Where a new account finds itself: none (in no mandate), mandate:<slug> (in that one, with the"
        " role member), personal (administrator of a mandate of its own).",
    )
    set_up_code_required: Literal["auto", "yes", "no"] = Field(
        default="auto",
        description="Whether the first account, which becomes sysadmin, must enter the set-up code that"
        " `mandate serve` prints. auto: unless host and public_url are this machine alone.",
    )
    issuer: str = Field(default="", description="The iss claim of tokens. Empty: the public URL.")
    audience: str = Field(default="mandate-gateway", min_length=1, description="The aud claim of tokens.")
    algorithm: Literal["HS256", "RS256", "ES256"] = Field(
        default="HS256",
        description="How access tokens are signed. RS256 and ES256 when other services verify them"
        " with the published keys.",
    )
    access_token_lifetime: Duration = Field(
        default=timedelta(minutes=10),
        description="How long an access token is accepted; every one is also looked up and can be revoked at once.",
    )
    session_lifetime: Duration = Field(default=timedelta(days=30), description="How long a sign-in lasts at most.")
    session_idle_lifetime: Duration = Field(default=timedelta(days=7), description="How long it lasts unused.")
    sessions_per_user: int = Field(
        default=50, ge=1, le=1000, description="Sessions per account; a new one ends the oldest."
    )
    recent_login: Duration = Field(
        default=timedelta(minutes=10),
        description="How long a sign-in counts as recent, which delicate changes ask for.",
    )
    api_keys_per_user: int = Field(default=20, ge=0, le=1000, description="API keys per account; 0: none can be made.")
    api_key_maximum_lifetime: Duration = Field(
        default=timedelta(days=365),
        description="How long an API key lasts at most, and if its owner names no end.",
    )
    refresh_grace: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a used refresh token still gives the same answer: two tabs refresh at once.",
    )
    refresh_lost_answer_grace: Duration = Field(
        default=timedelta(minutes=15),
        description="The same while the answer was never used: it may have been lost on the way.",
    )
    password_minimum_length: int = Field(
        default=12, ge=8, le=256, description="The fewest characters of a password; the most are 256."
    )
    registration_lifetime: Duration = Field(
        default=timedelta(hours=24),
        description="How long the link of a registration works.",
    )
    reset_lifetime: Duration = Field(
        default=timedelta(hours=1), description="How long the link of a password reset works."
    )
    magic_link: bool = Field(
        default=True,
        description="Whether people can sign in, and register if they may, by a link or a code sent to their address.",
    )
    magic_link_lifetime: Duration = Field(
        default=timedelta(minutes=10), description="How long such a link and its codes work."
    )
    email_change_take_back: Duration = Field(
        default=timedelta(hours=72),
        description="How long the old address can take back a change of address.",
    )
    account_deletion_grace: Duration = Field(
        default=timedelta(days=14),
        description="How long a deleted account can be restored before it is erased.",
    )
    argon2_memory_kib: int = Field(
        default=19456,
        ge=8,
        description="Memory of one password hash (argon2id) in KiB. Passwords are re-hashed at the next sign-in"
        " after a change.",
    )
    argon2_iterations: int = Field(default=2, ge=1, description="Passes of one password hash.")
    argon2_parallelism: int = Field(default=1, ge=1, description="Lanes of one password hash.")
    hashing_threads: int = Field(default=4, ge=1, le=256, description="Passwords a process hashes at the same time.")

    @model_validator(mode="after")
    def _lifetimes_fit_into_each_other(self) -> Self:
        if not self.access_token_lifetime < self.session_idle_lifetime <= self.session_lifetime:
            raise ValueError(
                "access_token_lifetime must be below session_idle_lifetime, and that not above session_lifetime"
            )
        if self.refresh_grace > self.refresh_lost_answer_grace:
            raise ValueError("refresh_grace must not be above refresh_lost_answer_grace")
        if self.argon2_memory_kib < 8 * self.argon2_parallelism:  # RFC 9106, section 3.1
            raise ValueError("argon2_memory_kib must be at least 8 per lane (argon2_parallelism)")
        return self
