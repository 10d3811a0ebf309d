"""A small database of places, in the format of the real ones."""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

_PLACES = {
    ("192.0.2.0/24",): ({"en": "Zurich", "de": "Zürich"}, {"en": "Switzerland", "de": "Schweiz"}),
    ("198.51.100.0/24", "2001:db8:1::/48"): ({"en": "Lyon"}, {"en": "France", "de": "Frankreich"}),
    ("203.0.113.0/24",): ({}, {"en": "Japan"}),
}


def write_places(file: Path) -> Path:
    """Documentation networks (RFC 5737, RFC 3849), and where they would be."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City", languages=["en", "de"])
    for networks, (city, country) in _PLACES.items():
        writer.insert_network(IPSet(networks), {"city": {"names": city}, "country": {"names": country}})
    writer.to_db_file(str(file))
    return file
