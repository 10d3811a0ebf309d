"""The guard of routes that answer anybody, also while the database is away or the installation is still starting.

`modules.shared.guards.public` is for routes of features: it tells the handler who visits. This one asks nobody.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import Depends


@dataclass(frozen=True, slots=True)
class Open:
    """Anyone may call; `reason` says why this is right."""

    reason: str

    async def __call__(self) -> None:
        """Nothing to ask."""

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return f"public: {self.reason}"


def open_to_all(reason: str) -> Any:  # noqa: ANN401  # as FastAPI's own Depends()
    """A dependency for `dependencies=[…]` that declares routes open, and why."""
    return Depends(Open(reason))
