"""Who may call the routes of this feature, and the services they ask, as the annotations of their signatures."""

from typing import Annotated

from modules.auth.cookies import CookieNames
from modules.connections.service.access_tokens import Connections
from modules.connections.service.connecting import Connecting
from modules.connections.service.owned import OwnedConnections
from modules.shared.catalogue import Action
from modules.shared.context import Caller, RequestContext, Visitor
from modules.shared.guards import public, require, whoever_is_here
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


WhoeverIsHere = Annotated[Caller | None, whoever_is_here()]
"""Who is signed in in this browser just now. An access token may have run out while the person was at the provider."""
