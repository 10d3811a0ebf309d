"""The sections no feature owns: the installation, its HTTP edge, database, mail, jobs, limits, logs and metrics."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from modules.shared.settings.schema import Section
from modules.shared.settings.values import (
    DatabaseUrl,
    Delay,
    Duration,
    HostNames,
    Location,
    Networks,
    Origin,
    Origins,
    RateLimit,
    Size,
    is_loopback_host,
)

_WILDCARD_HOSTS = frozenset({"0.0.0.0", "::"})  # noqa: S104  - recognised here, not bound


class InstallationSettings(Section):
    """The installation as a whole."""

    data_directory: Location = Field(
        default=Path("data"),
        description="Where the installation keeps its files: the embedded database, the master key, mails of the"
        " file backend. A relative path starts at the working directory.",
    )
    name: str = Field(
        default="Mandate Gateway",
        min_length=1,
        max_length=100,
        description="What people read in mails and page titles.",
    )
    master_key_file: Path = Field(
        default_factory=lambda given: given["data_directory"] / "master.key",
        description="The key that seals all other keys. Made at the first start, mode 0600; back it up apart from"
        " the database. Empty: master.key in the data directory.",
    )


def _local_origin(host: str, port: int) -> str:
    """The address of the server for somebody on the same machine."""
    reachable = "127.0.0.1" if host in _WILDCARD_HOSTS else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


class HttpSettings(Section):
    """How the server is reached."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address the server listens on; 0.0.0.0 for every address."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The TCP port the server listens on.")
    public_url: Origin = Field(
        default_factory=lambda given: _local_origin(given["host"], given["port"]),
        description="The address people and programs use, and the only source of absolute links: https://host,"
        " without a path. Requests for another host are refused. Plain http only for this machine itself."
        " Empty: from host and port.",
    )
    allowed_hosts: HostNames = Field(
        default=(),
        description="Further hosts requests may name, such as an address inside the network; without a port, any port"
        " of it. Links always use public_url.",
    )
    allowed_origins: Origins = Field(
        default=(),
        description="Further origins whose pages may call this installation with its cookies (CORS and CSRF),"
        " compared exactly.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks (CIDR) of the proxies in front. The client's address is the right-most hop that is"
        " not one of them.",
    )
    max_body_size: Size = Field(default=1_000_000, description="The largest request body accepted.")
    request_timeout: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a request may take before it is ended and answered with 503. Answers that have begun"
        " may last: streams are exempt.",
    )
    docs: bool = Field(default=True, description="Whether the interactive API documentation is served.")
    drain_timeout: Duration = Field(
        default=timedelta(seconds=20),
        description="How long running requests may go on after the order to stop.",
    )
    drain_notice: Delay = Field(
        default=timedelta(seconds=0),
        description="How long the server still takes new requests after the order to stop while /health/ready already"
        " says no: the time a load balancer needs to notice.",
    )
    workers: int = Field(default=1, ge=1, le=256, description="Server processes on this host.")


class DatabaseSettings(Section):
    """PostgreSQL, version 15 or later. Without a URL the embedded server runs, for this host alone."""

    url: DatabaseUrl = Field(
        default=SecretStr(""),
        description="Login mandate_app, for requests and jobs: postgresql://mandate_app:password@host:5432/name."
        " Empty: embedded.",
    )
    owner_url: DatabaseUrl = Field(
        default=SecretStr(""),
        description="Login mandate_owner, which owns the schema. Only `mandate migrate` needs it.",
    )
    auth_url: DatabaseUrl = Field(
        default=SecretStr(""),
        description="Login mandate_auth, for the one statement that authorises a request.",
    )
    system_url: DatabaseUrl = Field(
        default=SecretStr(""),
        description="Login mandate_system, for work across mandates: sweeps, administration, keys.",
    )
    pool_size: int = Field(default=10, ge=1, description="Connections for requests and jobs that each process keeps.")
    max_overflow: int = Field(default=5, ge=0, description="Connections beyond pool_size in a rush.")
    system_pool_size: int = Field(default=4, ge=1, description="Connections of mandate_system that each process keeps.")
    authorisation_connections: int = Field(
        default=4,
        ge=1,
        description="Dedicated connections of each process for the authorisation statement.",
    )
    authorisation_deadline: Duration = Field(
        default=timedelta(seconds=1),
        description="How long a request waits for its authorisation before it is answered with 503.",
    )
    authorisation_waiters: int = Field(
        default=256,
        ge=1,
        description="How many requests of a process may wait for an authorisation connection; more are answered"
        " with 503 at once.",
    )
    statement_timeout: Duration = Field(
        default=timedelta(seconds=15), description="How long one SQL statement may run."
    )

    @property
    def embedded(self) -> bool:
        """Whether the installation runs its own PostgreSQL."""
        return not self.url.get_secret_value()

    @model_validator(mode="after")
    def _urls_come_together(self) -> Self:
        urls = {"url": self.url, "auth_url": self.auth_url, "system_url": self.system_url}
        missing = [name for name, url in urls.items() if not url.get_secret_value()]
        external = len(missing) < len(urls) or self.owner_url.get_secret_value()
        if external and missing:
            raise ValueError(f"an external database needs url, auth_url and system_url; missing: {', '.join(missing)}")
        return self


class MailSettings(Section):
    """Mails to people."""

    backend: Literal["file", "smtp"] = Field(
        default="file",
        description="Where mails go: into files, for trying out and for development, or to an SMTP server.",
    )
    directory: Path = Field(
        default_factory=lambda: Path("data/mail"),
        description="The directory of the file backend. Empty: mail in the data directory.",
    )
    host: str = Field(default="", description="The SMTP server.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection is protected. A password is never sent over an unprotected connection to"
        " another machine.",
    )
    username: str = Field(default="", description="The login at the SMTP server. Empty: none.")
    password: SecretStr = Field(default=SecretStr(""), description="Its password.")
    sender: str = Field(default="", description="The From address: login@example.org, or Name <login@example.org>.")
    timeout: Duration = Field(default=timedelta(seconds=15), description="How long the SMTP server may take to answer.")

    @model_validator(mode="after")
    def _smtp_is_complete(self) -> Self:
        if self.backend == "smtp":
            missing = [name for name in ("host", "sender") if not getattr(self, name)]
            if missing:
                raise ValueError(f"backend = smtp needs {' and '.join(missing)}")
            if bool(self.username) != bool(self.password.get_secret_value()):
                raise ValueError("username and password are given together or not at all")
            if self.username and self.security == "none" and not is_loopback_host(self.host):
                raise ValueError("security = none would send the password in the clear to another machine")
        return self


class JobsSettings(Section):
    """Work that follows from committed changes: mails, sweeps, clean-up."""

    in_process: bool = Field(
        default=True,
        description="Whether the server also works on jobs. If not, run `mandate worker` beside it.",
    )
    concurrency: int = Field(default=4, ge=1, le=256, description="Jobs a process works on at the same time.")
    shutdown_timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="How long running jobs may go on after the order to stop; what is cut off runs again later.",
    )


class RateLimitsSettings(Section):
    """Limits against abuse, counted before any credential is looked at, written as 20/minute or 10/15minutes."""

    enabled: bool = Field(default=True, description="Whether limits are counted at all.")
    storage: SecretStr = Field(
        default=SecretStr("memory://"),
        description="Where counts are kept: memory:// for one process, redis://:password@host:6379/0 (or rediss://)"
        " for several. While Redis is away each process counts for itself.",
    )
    default: RateLimit = Field(default="600/minute", description="Ordinary routes, per client address.")
    login_per_address: RateLimit = Field(default="20/minute", description="Logins, per client address (IPv6: per /64).")
    login_per_account: RateLimit = Field(
        default="10/15minutes",
        description="Logins, per account. A browser known to that account is exempt.",
    )
    mail_per_recipient_hour: RateLimit = Field(
        default="3/hour", description="Mails strangers can cause, per recipient."
    )
    mail_per_recipient_day: RateLimit = Field(default="10/day", description="The same over a day.")
    code_tries: int = Field(
        default=5, ge=1, le=20, description="Tries for a code from a mail; then a new one is needed."
    )
    code_failures_per_recipient: RateLimit = Field(
        default="20/day",
        description="Wrong codes, per recipient of the mails; those of a browser known to them are counted apart.",
    )
    introspections_per_key: RateLimit = Field(
        default="3000/minute", description="Questions about tokens, per API key that asks."
    )
    refresh_per_session: RateLimit = Field(default="30/minute", description="New refresh tokens, per session.")
    refresh_replays: RateLimit = Field(
        default="120/minute", description="Repeats of a refresh that was already answered, per session."
    )

    @field_validator("storage")
    @classmethod
    def _is_a_known_storage(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text != "memory://" and not text.startswith(("redis://", "rediss://")):
            raise ValueError("a storage is memory://, redis://host:port/number or rediss://host:port/number")
        return value


class GeoipSettings(Section):
    """Where people sign in from, for the session list and the mail about a new device."""

    file: str = Field(
        default="",
        description="A database of places in MaxMind's City format (.mmdb), read at the start; needs the extra geoip."
        " Empty: places are not named.",
    )


class LoggingSettings(Section):
    """What the processes write to standard output."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least important level written."
    )
    format: Literal["json", "console"] = Field(
        default="json",
        description="One JSON object per line for programs, or lines for people.",
    )


class MetricsSettings(Section):
    """Prometheus metrics at /metrics."""

    enabled: bool = Field(default=True, description="Whether metrics are served.")
    token: SecretStr = Field(
        default=SecretStr(""),
        description="The bearer token /metrics wants. Empty: answered only to this machine itself.",
    )
