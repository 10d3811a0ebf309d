"""The settings of the gateway: every section, what they derive from each other, and what must agree between them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from modules.auth.provider_settings import GoogleSettings, MicrosoftSettings, OidcSettings
from modules.auth.settings import AuthSettings
from modules.connections.settings import ConnectionSettings
from modules.mandates.settings import MandatesSettings
from modules.rbac.settings import RbacSettings
from modules.shared.settings import (
    DatabaseSettings,
    GeoipSettings,
    HttpSettings,
    InstallationSettings,
    JobsSettings,
    LoggingSettings,
    MailSettings,
    MetricsSettings,
    RateLimitsSettings,
    SectionedSettings,
    SettingsError,
    is_loopback_host,
    is_private_transport,
    render_config,
    show,
)

__all__ = ["Settings", "initial_config", "show", "validate"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Settings(SectionedSettings):
    """All settings of an installation. `Settings()` are the defaults; `Settings.load` reads what was set."""

    installation: InstallationSettings = Field(default_factory=InstallationSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    google: GoogleSettings = Field(default_factory=GoogleSettings)
    microsoft: MicrosoftSettings = Field(default_factory=MicrosoftSettings)
    oidc: dict[str, OidcSettings] = Field(default_factory=dict)
    connections: dict[str, ConnectionSettings] = Field(default_factory=dict)
    mandates: MandatesSettings = Field(default_factory=MandatesSettings)
    rbac: RbacSettings = Field(default_factory=RbacSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    jobs: JobsSettings = Field(default_factory=JobsSettings)
    rate_limits: RateLimitsSettings = Field(default_factory=RateLimitsSettings)
    geoip: GeoipSettings = Field(default_factory=GeoipSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

    @field_validator("auth")
    @classmethod
    def _issuer_is_the_public_url(cls, auth: AuthSettings, info: ValidationInfo) -> AuthSettings:
        return auth if auth.issuer else auth.model_copy(update={"issuer": info.data["http"].public_url})

    @field_validator("mail")
    @classmethod
    def _mail_stands_with_the_data(cls, mail: MailSettings, info: ValidationInfo) -> MailSettings:
        if "directory" in mail.model_fields_set:
            return mail
        return mail.model_copy(update={"directory": info.data["installation"].data_directory / "mail"})

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if problems := tuple(self._disagreements()):
            raise SettingsError(problems)
        return self

    def _disagreements(self) -> Iterator[str]:
        if not is_private_transport(self.http.public_url):
            yield f"[http] public_url: {self.http.public_url} would send passwords in the clear; it must begin with https://"
        for origin in self.http.allowed_origins:
            if not is_private_transport(origin):
                yield f"[http] allowed_origins: {origin} could be anybody on the way; it must begin with https://"
        yield from self._unknown_connections()
        yield from self._exposures()

    def _unknown_connections(self) -> Iterator[str]:
        """Connections of providers nobody has said anything about."""
        clients = {"google": self.google.client_id, "microsoft": self.microsoft.client_id}
        for name, section in self.connections.items():
            if name not in clients and name not in self.oidc:
                yield f"[connections.{name}] is neither google nor microsoft, and there is no [oidc.{name}]"
            elif name in clients and not (section.client_id or clients[name]):
                yield f"[connections.{name}] client_id is missing, here and in [{name}]"

    def _exposures(self) -> Iterator[str]:
        """Where single-user mode would be reached from other machines: by the bind, by name, or through a proxy."""
        if self.auth.mode != "single" or self.auth.single_user_on_network:
            return
        http = self.http
        reached = [
            *([f"[http] host: {http.host}"] if not is_loopback_host(http.host) else []),
            *([f"[http] public_url: {http.public_url}"] if not is_loopback_host(_name_in(http.public_url)) else []),
            *(
                f"[http] allowed_hosts: {host}"
                for host in http.allowed_hosts
                if not is_loopback_host(_name_in(f"//{host}"))
            ),
            *(f"[http] allowed_origins: {url}" for url in http.allowed_origins if not is_loopback_host(_name_in(url))),
            *(f"[http] trusted_proxies: {network}" for network in http.trusted_proxies),
        ]
        for each in reached:
            yield (
                f"{each} would let other machines in, and [auth] mode = single gives everything to whoever can connect;"
                " use this machine's own address (127.0.0.1), or say [auth] single_user_on_network = yes"
            )

    @property
    def needs_set_up_code(self) -> bool:
        """Whether the first account must enter the set-up code: whoever comes first becomes sysadmin.

        A server that listens on this machine alone is still everybody's when a proxy serves it at another address.
        """
        choice = self.auth.set_up_code_required
        local = is_loopback_host(self.http.host) and is_loopback_host(_name_in(self.http.public_url))
        return choice == "yes" or (choice == "auto" and not local)


def _name_in(url: str) -> str:
    """The host name or address of a URL, without port and brackets."""
    return urlsplit(url).hostname or ""


def initial_config() -> str:
    """The complete, commented config.ini of a new installation: changes nothing until edited."""
    return render_config(Settings)


def validate(
    path: Path, *, environment: Mapping[str, str] = _NOTHING, overrides: Mapping[str, str] = _NOTHING
) -> list[str]:
    """What is wrong with config.ini, as sentences; an empty list if the gateway would start with it."""
    try:
        Settings.load(path, environment=environment, overrides=overrides)
    except SettingsError as error:
        return list(error.problems)
    return []
