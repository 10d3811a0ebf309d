"""Places of addresses, from a real file of the format that MaxMind's City databases have."""

from pathlib import Path
import subprocess
import sys

import pytest

from modules.shared.geography import Places
from modules.shared.settings import SettingsError
from tests.support.commands import REPOSITORY
from tests.support.places import write_places


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_places(tmp_path_factory.mktemp("places") / "City.mmdb")


class TestPlaces:
    @pytest.mark.parametrize(
        ("address", "place"),
        [
            ("192.0.2.77", "Zürich, Schweiz"),
            ("198.51.100.1", "Lyon, Frankreich"),  # a city nobody translated
            ("2001:db8:1::5", "Lyon, Frankreich"),
            ("203.0.113.9", "Japan"),
            ("127.0.0.1", ""),
            ("2001:db8:2::1", ""),
            ("testclient", ""),
            ("", ""),
        ],
    )
    def test_are_named_in_the_language_of_the_reader(self, file: Path, address: str, place: str) -> None:
        places = Places.open(str(file))
        assert places.of(address, "de") == place
        places.close()

    def test_are_not_named_without_a_file(self) -> None:
        assert Places.open("").of("192.0.2.77", "en") == ""

    def test_stay_named_when_the_file_is_replaced_or_gone(self, tmp_path: Path) -> None:
        file = write_places(tmp_path / "City.mmdb")
        places = Places.open(str(file))
        file.unlink()
        assert places.of("192.0.2.77", "en") == "Zurich, Switzerland"

    @pytest.mark.parametrize("content", [None, b"", b"no database of places"])
    def test_refuse_a_file_that_is_none(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "City.mmdb"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SettingsError, match=r"\[geoip\] file: .*City\.mmdb cannot be read as a database of places"):
            Places.open(str(file))

    def test_name_the_package_that_is_missing(self, file: Path) -> None:
        """In a process of its own, in which nothing called maxminddb can be found."""
        script = (
            "import sys; sys.modules['maxminddb'] = None\n"
            "from modules.shared.geography import Places\n"
            "assert Places.open('').of('192.0.2.1', 'en') == ''\n"
            f"Places.open({str(file)!r})"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert "SettingsError" in ended.stderr
        assert "install mandate-gateway[geoip]" in ended.stderr
