"""`Idempotency-Key`: a POST that may have reached us is sent again, and happens once.

After draft-ietf-httpapi-idempotency-key-header.

The answer is kept in the very transaction that does the work, so it exists exactly when the work is done. A key belongs
to one user and one operation; the same key with another request is refused. A request that fails keeps nothing: it may
be sent again with the same key. Answers are forgotten after a day.

An endpoint that answers a secret must not use this: the answer is kept as it is.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Header
from pydantic import BaseModel
from sqlalchemy import DateTime, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from starlette.requests import Request
from starlette.responses import Response

from modules.shared import clock
from modules.shared.context import Caller, RequestContext
from modules.shared.database import Base
from modules.shared.errors import Conflict, MalformedRequest, Unprocessable
from modules.shared.i18n import Text
from modules.shared.jobs import JobContext, Retry, TaskRegistry

REMEMBERED_FOR: Final = timedelta(days=1)
_LONGEST_KEY: Final = 200

idempotency_tasks = TaskRegistry()


class MalformedIdempotencyKey(MalformedRequest):
    """400: the key is empty, too long, or not printable ASCII."""

    code = "malformed_idempotency_key"
    title = Text(en="Idempotency-Key is malformed", de="Idempotency-Key ist nicht lesbar")
    detail = Text(
        en="Use 1 to 200 printable ASCII characters, for example a UUID.",
        de="1 bis 200 druckbare ASCII-Zeichen verwenden, zum Beispiel eine UUID.",
    )


class IdempotencyKeyReused(Unprocessable):
    """422: the key was used for another request."""

    code = "idempotency_key_reused"
    title = Text(
        en="This Idempotency-Key belongs to another request",
        de="Dieser Idempotency-Key gehört zu einer anderen Anfrage",
    )


class RequestInProgress(Conflict):
    """409: the first request with this key is still being worked on; ask again in a moment."""

    code = "request_in_progress"
    title = Text(en="The same request is still being worked on", de="Dieselbe Anfrage wird noch bearbeitet")


class GivenAnswer(Base):
    """An answer already given under a key."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int | None]
    location: Mapped[str | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Creation:
    """The answer to one POST that creates: 201 with `Location`, once per key."""

    def __init__(self, request: Request, key: str | None) -> None:
        self._key = key
        self._path = request.url.path
        self._operation = str(request.scope["route"].operation_id or request.scope["route"].name)

    async def answer(
        self,
        caller: Caller,
        document: BaseModel,
        create: Callable[[], Awaitable[BaseModel]],
        *,
        session: AsyncSession | None = None,
        status: int = 201,
        collection: str | None = None,
    ) -> Response:
        """Do `create` and answer with what it returns, or repeat the answer already given under the request's key.

        `document` is the body, `session` the transaction the work is done in (the request's own by default). What is
        created is found at `collection` (the request's path by default), followed by its `id`. Raises
        RequestInProgress, IdempotencyKeyReused.
        """
        db = session or caller.db
        if self._key is None:
            return _response(*await self._made(create, status, collection or self._path))
        request_hash = self._hash(caller, document)
        identity = (caller.user.id, self._operation, self._key)
        if not await db.scalar(select(func.pg_try_advisory_xact_lock(_lock_number(*identity)))):
            raise RequestInProgress(retry_after=1)
        given = await db.get(GivenAnswer, identity)
        if given is None:
            answer = await self._made(create, status, collection or self._path)
            user_id, operation, key = identity
            kept = dict(zip(("status", "location", "body"), answer, strict=True))
            db.add(
                GivenAnswer(
                    user_id=user_id,
                    operation=operation,
                    key=key,
                    request_hash=request_hash,
                    created_at=clock.now(),
                    **kept,
                )
            )
            return _response(*answer)
        if given.request_hash != request_hash:
            raise IdempotencyKeyReused(pointer="Idempotency-Key")
        return _response(given.status or status, given.location, given.body or b"", repeated=True)

    async def _made(
        self, create: Callable[[], Awaitable[BaseModel]], status: int, collection: str
    ) -> tuple[int, str | None, bytes]:
        created = await create()
        created_id = getattr(created, "id", None)
        location = f"{collection}/{created_id}" if created_id else None
        return status, location, created.model_dump_json().encode()

    def _hash(self, caller: Caller, document: BaseModel) -> bytes:
        """What makes two requests the same: the place they work in, and what they say."""
        mandate = caller.mandate.id if isinstance(caller, RequestContext) else ""
        instance = caller.instance.id if isinstance(caller, RequestContext) and caller.instance else ""
        return sha256(f"{self._path}\n{mandate}\n{instance}\n{document.model_dump_json()}".encode()).digest()


async def _creation(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="Makes sending the same request again safe: it happens once."),
    ] = None,
) -> Creation:
    key = idempotency_key
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise MalformedIdempotencyKey(pointer="Idempotency-Key")
    return Creation(request, key)


Once = Annotated[Creation, Depends(_creation, scope="function")]
"""For the signature of a POST that creates: `return await once.answer(context, document, create)`."""


@idempotency_tasks.periodic("idempotency.forget", cron="17 * * * *", retry=Retry(attempts=1))
async def forget(job: JobContext) -> None:
    """Forget the answers given more than a day ago."""
    async with job.session() as session:
        await session.execute(delete(GivenAnswer).where(GivenAnswer.created_at < clock.now() - REMEMBERED_FOR))


def _response(status: int, location: str | None, body: bytes, *, repeated: bool = False) -> Response:
    headers = {"Location": location} if location else {}
    if repeated:
        headers["Idempotent-Replayed"] = "true"
    return Response(body, status, headers, media_type="application/json")


def _lock_number(*identity: object) -> int:
    """A 64-bit number for PostgreSQL's advisory lock; two keys sharing one would only wait for each other."""
    digest = sha256("\n".join(str(part) for part in identity).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
