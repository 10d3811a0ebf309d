"""docs/performance.md: each measurement owns the section under its heading and leaves the others alone."""

import os
from pathlib import Path
import platform
import re

_DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
_INTRODUCTION = """# Performance

Figures of one machine at one time: what carries over are the ratios, each taken from interleaved rounds of one run.
Every section names the command that measures it again and writes it here (`--write`); `--quick` gives a first idea.
"""


def write(heading: str, text: str) -> None:
    """Put `text` under `## heading`, in place of what stood there."""
    document = _DOCUMENT.read_text("utf-8") if _DOCUMENT.exists() else _INTRODUCTION
    section = f"## {heading}\n\n{text.strip()}\n"
    old = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if old.search(document):
        document = old.sub(lambda _: f"{section}\n", document)
    else:
        document = f"{document.rstrip()}\n\n{section}"
    _DOCUMENT.write_text(f"{document.rstrip()}\n", "utf-8")


def machine() -> str:
    """The class of this machine, without anything that names it."""
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{os.cpu_count()} × {processor}, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
