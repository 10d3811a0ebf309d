"""Roughly where an address is, from a file on this machine (MaxMind's City format); nobody is asked over the network.

The package that reads it is the extra `geoip`, loaded only when `[geoip] file` names one.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, Self, cast

from modules.shared.i18n import DEFAULT_LANGUAGE, Language
from modules.shared.settings import SettingsError


class PlaceReader(Protocol):
    """What is needed of `maxminddb.Reader`."""

    def get(self, ip_address: str) -> object:
        """The record of an address, or None."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Places:
    """Names of places. Without a file it knows none."""

    def __init__(self, reader: PlaceReader | None = None) -> None:
        self._reader = reader

    @classmethod
    def open(cls, file: str) -> Self:
        """Read `file` into memory; an empty name is none.

        Raises SettingsError when it, or the package that reads it, is not there.
        """
        if not file:
            return cls()
        try:
            maxminddb = import_module("maxminddb")
        except ImportError as error:
            problem = "[geoip] file needs the package maxminddb: install mandate-gateway[geoip]"
            raise SettingsError([problem]) from error
        try:
            reader = maxminddb.open_database(file, maxminddb.MODE_MEMORY)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise SettingsError([f"[geoip] file: {file} cannot be read as a database of places ({error})"]) from error
        return cls(cast("PlaceReader", reader))

    def of(self, address: str, language: Language) -> str:
        """City and country of an address, as far as the file knows them; empty for an address it does not know."""
        if self._reader is None:
            return ""
        try:
            found = self._reader.get(address)
        except ValueError:  # no address, or one the file has no tree for
            return ""
        if not isinstance(found, Mapping):
            return ""
        names = (_name(found.get(part), language) for part in ("city", "country"))
        return ", ".join(name for name in names if name)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()


def _name(place: object, language: Language) -> str:
    names = place.get("names") if isinstance(place, Mapping) else None
    found = (names.get(language) or names.get(DEFAULT_LANGUAGE)) if isinstance(names, Mapping) else None
    return found if isinstance(found, str) else ""
