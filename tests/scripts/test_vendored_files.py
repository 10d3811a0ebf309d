"""The browser files that are not ours are exactly those recorded."""

from base64 import b64encode
from hashlib import sha512
from pathlib import Path
import subprocess
import sys

SCRIPT = Path(__file__).parents[2] / "scripts" / "vendor"


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)


def copied_to(folder: Path) -> Path:
    """A copy of the script with a vendor folder of its own, holding one recorded file."""
    script = folder / "scripts" / "vendor"
    script.parent.mkdir()
    script.write_bytes(SCRIPT.read_bytes())
    package = folder / "gateway" / "console" / "vendor" / "thing"
    package.mkdir(parents=True)
    (package / "thing.js").write_text("1")
    digest = f"sha512-{b64encode(sha512(b'1').digest()).decode()}"
    record = f'["thing"]\nversion = "1.0.0"\nintegrity = "x"\n["thing".files]\n"thing.js" = "{digest}"\n'
    (package.parent / "packages.toml").write_text(record)
    return script


class TestTheRepository:
    def test_holds_the_recorded_files_unchanged(self) -> None:
        result = run(SCRIPT)
        assert result.stderr == ""
        assert result.returncode == 0


class TestTheComparison:
    def test_is_content_with_what_is_recorded(self, tmp_path: Path) -> None:
        assert run(copied_to(tmp_path)).returncode == 0

    def test_reports_a_changed_a_missing_and_an_unrecorded_file(self, tmp_path: Path) -> None:
        script = copied_to(tmp_path)
        package = tmp_path / "gateway" / "console" / "vendor" / "thing"
        (package / "thing.js").write_text("2")
        (package / "other.js").write_text("")
        changed = run(script)
        (package / "thing.js").unlink()
        missing = run(script)
        assert changed.stderr.splitlines() == ["thing/other.js is not in packages.toml", "thing/thing.js was changed"]
        assert missing.stderr.splitlines() == ["thing/other.js is not in packages.toml", "thing/thing.js is missing"]
        assert changed.returncode == missing.returncode == 1
