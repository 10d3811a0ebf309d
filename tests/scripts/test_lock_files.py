"""The lock files are what pyproject.toml asks for, with hashes and without places."""

from pathlib import Path
import re
import tomllib

from packaging.requirements import Requirement
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def pins(lock: str) -> dict[str, str]:
    """The locked version of every distribution."""
    return dict(
        re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    )


def requirements(*, development: bool) -> list[Requirement]:
    """What pyproject.toml asks for to run, or to run and to develop."""
    groups = PROJECT["dependency-groups"]
    names = [
        *PROJECT["project"]["dependencies"],
        *(name for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra),
        *groups["build"],
        *(name for name in groups["dev"] if development and isinstance(name, str)),
    ]
    return [Requirement(name) for name in names]


class TestLockFiles:
    @pytest.mark.parametrize("lock", LOCKS)
    def test_hold_every_requirement_in_its_range(self, lock: str) -> None:
        locked = pins(lock)
        missing = [
            str(requirement)
            for requirement in requirements(development=lock == "requirements-dev.lock")
            if not requirement.specifier.contains(locked.get(requirement.name, "0"))
        ]
        assert missing == [], "run `make lock`"

    @pytest.mark.parametrize("lock", LOCKS)
    def test_have_a_hash_for_every_pin(self, lock: str) -> None:
        text = (ROOT / lock).read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []

    @pytest.mark.parametrize("lock", LOCKS)
    def test_name_no_host(self, lock: str) -> None:
        assert "://" not in (ROOT / lock).read_text(encoding="utf-8")

    def test_agree_with_each_other(self) -> None:
        development = pins("requirements-dev.lock")
        assert {name: development.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")

    def test_bound_every_requirement_on_both_sides(self) -> None:
        unbounded = [
            str(requirement)
            for requirement in requirements(development=True)
            if {specifier.operator for specifier in requirement.specifier} != {">=", "<"}
        ]
        assert unbounded == []
