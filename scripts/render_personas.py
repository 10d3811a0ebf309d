"""Writes `docs/route-personas.md` from what the application does. Run after a change of who may call what; a test
compares.
"""

import asyncio
from contextlib import closing
from pathlib import Path
import sys
import tempfile

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.conscience.route_personas import TABLE, observe, render  # noqa: E402  # found through the line above
from tests.conscience.world import world  # noqa: E402
from tests.support.postgres import (  # noqa: E402
    DatabaseUrls,
    FreshDatabases,
    ensure_template,
    new_directory,
    remove_server,
    server_in,
)


async def observed(urls: DatabaseUrls, directory: Path) -> str:
    """The document as it would be written now."""
    async with world(urls, directory) as here:
        return render(await observe(here))


def main() -> None:
    """Start a server, try everything, write the document."""
    directory = new_directory()
    try:
        with server_in(directory) as server, tempfile.TemporaryDirectory() as data:
            ensure_template(server)
            with closing(FreshDatabases(server, "personas")) as databases, databases.copy() as urls:
                TABLE.write_text(asyncio.run(observed(urls, Path(data))), encoding="utf-8")
    finally:
        remove_server(directory)


if __name__ == "__main__":
    main()
