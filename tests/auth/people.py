"""People with passwords, and the browsers they use."""

from email import message_from_bytes, policy
from pathlib import Path
import re
from typing import Any

import httpx

from modules.auth.passwords import Passwords
from modules.shared.ids import UserId, new_id
from tests.support.gateway import BASE_URL, RunningGateway
from tests.support.waiting import eventually

PASSWORD = "correct horse battery staple"
API = "/api/v1"
FAST_HASHES: dict[str, Any] = {"auth__argon2_memory_kib": "64", "auth__argon2_iterations": "1"}


class Browser(httpx.AsyncClient):
    """A browser on our own page: it keeps cookies and sends what a script of ours sends."""

    def __init__(self, gateway: RunningGateway, **headers: str) -> None:
        super().__init__(
            transport=httpx.ASGITransport(gateway.app, raise_app_exceptions=False),
            base_url=f"{BASE_URL}{API}",
            headers={"Origin": BASE_URL, "X-Requested-With": "test", "User-Agent": FIREFOX, **headers},
        )

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return await self.post("/auth/login", json={"email": email, "password": password})

    def cookie(self, name: str) -> str:
        return str(self.cookies[name])


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def account(
    gateway: RunningGateway,
    email: str,
    password: str = PASSWORD,
    *,
    state: str = "active",
    sysadmin: bool = False,
    language: str | None = None,
) -> UserId:
    """Somebody who can sign in."""
    user_id = UserId(new_id())
    await gateway.sql(
        "INSERT INTO users (id, slug, email, display_name, state, is_sysadmin, language)"
        " VALUES (:id, :slug, :email, :name, :state, :flag, :language)",
        id=user_id,
        slug=f"u-{user_id.hex[-8:]}",
        email=email,
        name=email.partition("@")[0],
        state=state,
        flag=sysadmin,
        language=language,
    )
    await gateway.sql(
        "INSERT INTO password_credentials (user_id, password_hash) VALUES (:id, :hash)",
        id=user_id,
        hash=await gateway.services.get(Passwords).hash(password),
    )
    return user_id


async def signed_in(
    gateway: RunningGateway,
    email: str,
    *,
    state: str = "active",
    sysadmin: bool = False,
    language: str | None = None,
) -> Browser:
    """A browser in which a new person has signed in."""
    await account(gateway, email, state=state, sysadmin=sysadmin, language=language)
    browser = Browser(gateway)
    assert (await browser.log_in(email)).status_code == 200
    return browser


class Mailbox:
    """The mails written so far, read as a person would."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._directory: Path = gateway.gateway.settings.mail.directory

    def to(self, address: str) -> list[str]:
        """The texts of the mails to an address, the oldest first."""
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in sorted(self._files())]
        return [f"{mail['Subject']}\n{mail.get_content()}" for mail in mails if mail["To"] == address]

    async def next_to(self, address: str, count: int = 1) -> str:
        """The newest mail to an address, once there are so many."""
        await eventually(lambda: len(self.to(address)) >= count)
        return self.to(address)[-1]

    async def link_to(self, address: str, count: int = 1) -> str:
        """The secret of the link in the newest mail to an address."""
        found = re.search(r"#/[a-z-]+/([\w-]{43})", await self.next_to(address, count))
        assert found is not None
        return found[1]

    def _files(self) -> list[Path]:
        return list(self._directory.glob("[!.]*.eml")) if self._directory.is_dir() else []


async def audited(gateway: RunningGateway, code: str) -> list[dict[str, Any]]:
    """The events of this code."""
    return [dict(row) for row in await gateway.sql("SELECT * FROM audit_events WHERE code = :code", code=code)]
