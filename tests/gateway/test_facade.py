"""The public face: light to import, complete, and clear about a host package that hides it."""

from pathlib import Path
import subprocess
import sys

import gateway

_REPOSITORY = Path(__file__).parents[2]


class TestTheFacade:
    def test_loads_no_heavy_library_by_itself(self) -> None:
        heavy = "{'docker', 'authlib', 'jose', 'fastapi', 'sqlalchemy'}"
        program = f"import sys, gateway; print(sorted({heavy} & set(sys.modules)))"
        answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        assert answer.stdout.strip() == "[]"

    def test_names_everything_public_in_order(self) -> None:
        assert gateway.__all__ == sorted(gateway.__all__)
        assert all(getattr(gateway, name) is not None for name in gateway.__all__)

    def test_has_no_other_names(self) -> None:
        assert not hasattr(gateway, "anything_else")

    def test_says_when_a_package_of_the_host_hides_ours(self, tmp_path: Path) -> None:
        (tmp_path / "modules").mkdir()
        (tmp_path / "modules" / "__init__.py").touch()
        answer = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(1, {str(_REPOSITORY)!r}); import gateway"],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert answer.returncode == 1
        assert "a package of that name in the host application hides it" in answer.stderr
