"""Who may call the routes of this feature, and the services they ask, as the annotations of their signatures."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from modules.auth.cookies import CookieNames
from modules.connections.service.access_tokens import Connections
from modules.connections.service.connecting import Connecting
from modules.connections.service.owned import OwnedConnections
from modules.shared.catalogue import Action
from modules.shared.context import Caller, RequestContext, Visitor
from modules.shared.errors import Unauthenticated
from modules.shared.guards import authorizer, public, require
from modules.shared.services import service

MayReadConnections = Annotated[RequestContext, require("connections", Action.READ)]
MayCreateConnections = Annotated[RequestContext, require("connections", Action.CREATE)]
MayDeleteConnections = Annotated[RequestContext, require("connections", Action.DELETE)]
ComingBack = Annotated[Visitor, public("the cookie of the flow and the session that began it are the proof")]

Names = Annotated[CookieNames, service(CookieNames)]
Connectings = Annotated[Connecting, service(Connecting)]
Owned = Annotated[OwnedConnections, service(OwnedConnections)]
DataConnections = Annotated[Connections, service(Connections)]
"""For a host's handlers: `await connections.access_token(context, "google")`."""


async def _whoever_is_here(connection: HTTPConnection) -> Caller | None:
    try:
        return await authorizer(connection).caller(connection)
    except Unauthenticated:
        return None


WhoeverIsHere = Annotated[Caller | None, Depends(_whoever_is_here, scope="function")]
"""Who is signed in in this browser just now. An access token may have run out while the person was at the provider."""
