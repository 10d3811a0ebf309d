"""The certified OpenID provider of npm (`tests/peers/oidc-provider`), run as Google or as Microsoft.

Its packages are installed once into the folder's `node_modules`, from the lock file, whoever comes first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import hashlib
import json
import os
from pathlib import Path
import select
import subprocess
from typing import Any, Literal

from tests.support.parts import require_part

FOLDER = Path(__file__).parents[1] / "peers" / "oidc-provider"
CLIENT_ID = "gateway-at-the-peer"
CLIENT_SECRET = "a secret that only the peer and the gateway know"
TENANT = "5d1f9a40-1c1f-4f0e-9d4a-0a3c5b6e7f80"
_PATIENCE = 60

Kind = Literal["google", "microsoft"]
Accounts = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ProviderPeer:
    """A running provider."""

    kind: Kind
    base: str

    def settings(self) -> dict[str, str]:
        """The gateway's section for it, as `section__key`."""
        place = {"google": "google__issuer", "microsoft": "microsoft__authority"}[self.kind]
        client = {f"{self.kind}__client_id": CLIENT_ID, f"{self.kind}__client_secret": CLIENT_SECRET}
        return {place: self.base, **client}

    def connection_settings(self) -> dict[str, str]:
        """The section that has people connect their data there, too."""
        return {f"connections__{self.kind}__scopes": "openid email offline_access calendar.read"}


@contextmanager
def provider_peer(kind: Kind, accounts: Accounts, gateway_url: str) -> Iterator[ProviderPeer]:
    """The provider, for a gateway at this address; ended afterwards. Ends the test where Node.js is absent."""
    node = require_part("node")
    _install()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [f"{gateway_url}/api/v1/{use}/{kind}/callback" for use in ("auth", "connections")],
    }
    told = {
        "PEER_KIND": kind,
        "PEER_TENANT": TENANT,
        "PEER_CLIENT": json.dumps(client),
        "PEER_ACCOUNTS": json.dumps(accounts),
    }
    process = subprocess.Popen(
        [node, "server.mjs"], cwd=FOLDER, env={**os.environ, **told}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield ProviderPeer(kind, _address_of(process))
    finally:
        process.terminate()
        process.wait(_PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


def _address_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
    line = process.stdout.readline() if ready else b""
    assert line, "the provider did not start; run `node server.mjs` by hand to see why"
    address: str = json.loads(line)["base"]
    return address


def _install() -> None:
    """`npm ci`, unless what the lock file names is there. Test processes take turns."""
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    modules = FOLDER / "node_modules"
    modules.mkdir(exist_ok=True)
    with (FOLDER.parent / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = modules / ".installed"
        if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, cwd=FOLDER, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        stamp.write_text(wanted, encoding="ascii")
