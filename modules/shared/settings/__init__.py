"""Settings: sections of config.ini as frozen models, read once at start and handed to whoever needs them.

A feature derives its section from `Section`; `gateway.settings.Settings` composes them. Precedence: defaults of the
model, config.ini, environment (`MANDATE_<SECTION>__<KEY>`; `..._FILE` for secrets), command line. Whatever nobody knows
stops the start.
"""

from modules.shared.settings.composition import SectionedSettings
from modules.shared.settings.layers import CONFIG_FILE_VARIABLE, Source
from modules.shared.settings.rendering import Setting, describe, render_config, render_reference, show
from modules.shared.settings.schema import Section, SettingsError
from modules.shared.settings.sections import (
    DatabaseSettings,
    GeoipSettings,
    HttpSettings,
    InstallationSettings,
    JobsSettings,
    LoggingSettings,
    MailSettings,
    MetricsSettings,
    RateLimitsSettings,
)
from modules.shared.settings.values import (
    DatabaseUrl,
    Duration,
    HostNames,
    Location,
    Networks,
    Origin,
    Origins,
    RateLimit,
    Size,
    is_loopback_host,
    is_private_transport,
)

__all__ = [
    "CONFIG_FILE_VARIABLE",
    "DatabaseSettings",
    "DatabaseUrl",
    "Duration",
    "GeoipSettings",
    "HostNames",
    "HttpSettings",
    "InstallationSettings",
    "JobsSettings",
    "Location",
    "LoggingSettings",
    "MailSettings",
    "MetricsSettings",
    "Networks",
    "Origin",
    "Origins",
    "RateLimit",
    "RateLimitsSettings",
    "Section",
    "SectionedSettings",
    "Setting",
    "SettingsError",
    "Size",
    "Source",
    "describe",
    "is_loopback_host",
    "is_private_transport",
    "render_config",
    "render_reference",
    "show",
]
