"""The design this project replaces: eight ORM queries per request, each asked when its answer is needed.

Token, session, user, mandate, membership, roles, rules, access to instances: every step is a query of its own through
a session of SQLAlchemy on a pool, and the signature is checked every time. It answers right; it is only slow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Request
from jose import jwt
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.scratch import AUDIENCE, ISSUER, Installation, key_ring
from modules.auth.keys import KeyPurpose
from modules.auth.models import AccessToken, User, UserSession
from modules.mandates.models import InstanceAccess, Mandate, Membership
from modules.rbac.models import Role, RoleAssignment, RoleRule
from modules.shared.database import sqlalchemy_url

POOL_SIZE = 10


def application(installation: Installation, _origin: str) -> FastAPI:
    """A FastAPI application in that design."""
    engine = create_async_engine(sqlalchemy_url(installation.urls.system), pool_size=POOL_SIZE)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.key = asyncio.run(key_ring(installation)).signing(KeyPurpose.ACCESS)

    @app.get("/invoices")
    async def list_invoices(_mandate: Annotated[Mandate, Depends(readable_mandate)]) -> dict[str, str]:
        return {"answer": "yes"}

    return app


async def database(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for the request."""
    async with request.app.state.sessions() as session:
        yield session


async def current_user(request: Request, db: Annotated[AsyncSession, Depends(database)]) -> User:
    """Queries 1 to 3: the token's row, its session, its user."""
    key = request.app.state.key
    claims = jwt.decode(
        request.cookies["auth_token"], key.secret, algorithms=[key.algorithm.value], audience=AUDIENCE, issuer=ISSUER
    )
    now = datetime.now(UTC)
    token = await db.scalar(select(AccessToken).where(AccessToken.id == UUID(claims["jti"])))
    if token is None or token.revoked_at is not None or token.expires_at <= now:
        raise HTTPException(401)
    session = await db.scalar(select(UserSession).where(UserSession.id == token.session_id))
    if session is None or session.revoked_at is not None or session.expires_at <= now:
        raise HTTPException(401)
    user = await db.scalar(select(User).where(User.id == session.user_id))
    if user is None or user.state != "active" or user.ver != claims["ver"]:
        raise HTTPException(401)
    return user


async def readable_mandate(
    request: Request,
    db: Annotated[AsyncSession, Depends(database)],
    user: Annotated[User, Depends(current_user)],
) -> Mandate:
    """Queries 4 to 8: the mandate, the membership, its roles, their rules, and what instances it reaches."""
    mandate = await db.scalar(select(Mandate).where(Mandate.id == UUID(request.headers["x-mandate-id"])))
    if mandate is None or not mandate.enabled:
        raise HTTPException(403)
    of_user = select(Membership).where(Membership.mandate_id == mandate.id, Membership.user_id == user.id)
    membership = await db.scalar(of_user)
    if membership is None or not membership.enabled:
        raise HTTPException(403)
    given = RoleAssignment.role_id == Role.id
    held = select(Role).join(RoleAssignment, given).where(RoleAssignment.membership_id == membership.id)
    roles = (await db.scalars(held)).all()
    answering = select(RoleRule).where(
        RoleRule.role_id.in_([role.id for role in roles]),
        RoleRule.kind == "DATA",
        or_(RoleRule.item == "invoices", RoleRule.item == "*"),
    )
    rules = (await db.scalars(answering)).all()
    reached = select(InstanceAccess).where(InstanceAccess.mandate_id == mandate.id, InstanceAccess.user_id == user.id)
    await db.scalars(reached)
    if not any(rule.may_read for rule in rules):
        raise HTTPException(403)
    return mandate
