"""The services of one gateway, by type. Filled once in `gateway/wiring.py`; an endpoint names the one it needs in its
signature.
"""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

STATE = "mandate_services"

Service = TypeVar("Service")


class Services:
    """At most one instance of each type."""

    def __init__(self) -> None:
        self._by_type: dict[type[Any], Any] = {}

    def add(self, service: Service, as_: type[Any] | None = None) -> Service:
        """Offer `service` under its own type, or under `as_`."""
        self._by_type[as_ or type(service)] = service
        return service

    def get(self, wanted: type[Service]) -> Service:
        """The service of exactly this type. Raises LookupError when wiring forgot it."""
        try:
            found: Service = self._by_type[wanted]
        except KeyError:
            raise LookupError(f"no {wanted.__name__} was wired") from None
        return found


def service(wanted: type[Any]) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """Depend on the service of this type; usually inside `Annotated`, under a name of its own."""

    async def provide(connection: HTTPConnection) -> Any:  # noqa: ANN401
        services: Services = getattr(connection.app.state, STATE)
        return services.get(wanted)

    return Depends(provide, scope="function")
