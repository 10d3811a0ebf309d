"""Reading our cookies from a raw header."""

import pytest

from modules.auth.cookies import read_cookie

NAME = "__Host-auth_token"


class TestReadCookie:
    @pytest.mark.parametrize("header", [f"{NAME}=a", f"theme=dark; {NAME}=a", f"theme=dark;\t {NAME}=a;x=y"])
    def test_finds_it_among_others(self, header: str) -> None:
        assert read_cookie(header, NAME) == "a"

    @pytest.mark.parametrize("space", ["\x85", "\xa0", "\x1c", "\x0c"])
    def test_takes_no_other_name_for_it(self, space: str) -> None:
        """Browsers let any subdomain set such a name: to them it has not the prefix `__Host-`."""
        assert read_cookie(f"{space}{NAME}=planted", NAME) is None
