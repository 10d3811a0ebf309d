"""Mandate Gateway as a library: mount it on a FastAPI application, declare items, require permissions.

app = FastAPI()
gateway = Gateway.from_config("config.ini")
gateway.mount(app)
gateway.declare_item("invoices", label={"en": "Invoices", "de": "Rechnungen"})

@app.get("/invoices")
async def list_invoices(context: RequestContext = require("invoices", "read")): ...
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import modules

if not any(Path(place).joinpath("rbac", "evaluator.py").is_file() for place in modules.__path__):
    raise ImportError(
        f"the package 'modules' found at {list(modules.__path__)} is not Mandate Gateway's: a package of that name in "
        "the host application hides it. Rename the host's package, or put it behind another name on sys.path."
    )

if TYPE_CHECKING:
    from gateway.app import Gateway, create_app
    from gateway.settings import Settings
    from modules.auth.dependencies import CookieAuth
    from modules.connections.dependencies import DataConnections
    from modules.shared import errors
    from modules.shared.catalogue import AccessLevel, Action, ItemKind, Reach
    from modules.shared.context import Caller, RequestContext
    from modules.shared.guards import (
        public,
        require,
        require_membership,
        require_sign_in,
        require_sysadmin,
        require_sysadmin_role,
    )
    from modules.shared.i18n import Text
    from modules.shared.ownership import InstanceOwned, MandateOwned, UnscopedStatement, owned_reference
    from modules.shared.row_level_security import protect_table

_HOME = {
    "AccessLevel": "modules.shared.catalogue",
    "Action": "modules.shared.catalogue",
    "Caller": "modules.shared.context",
    "CookieAuth": "modules.auth.dependencies",
    "DataConnections": "modules.connections.dependencies",
    "Gateway": "gateway.app",
    "InstanceOwned": "modules.shared.ownership",
    "ItemKind": "modules.shared.catalogue",
    "MandateOwned": "modules.shared.ownership",
    "Reach": "modules.shared.catalogue",
    "RequestContext": "modules.shared.context",
    "Settings": "gateway.settings",
    "Text": "modules.shared.i18n",
    "UnscopedStatement": "modules.shared.ownership",
    "create_app": "gateway.app",
    "errors": "modules.shared.errors",
    "owned_reference": "modules.shared.ownership",
    "protect_table": "modules.shared.row_level_security",
    "public": "modules.shared.guards",
    "require": "modules.shared.guards",
    "require_membership": "modules.shared.guards",
    "require_sign_in": "modules.shared.guards",
    "require_sysadmin": "modules.shared.guards",
    "require_sysadmin_role": "modules.shared.guards",
}

__all__ = [
    "AccessLevel",
    "Action",
    "Caller",
    "CookieAuth",
    "DataConnections",
    "Gateway",
    "InstanceOwned",
    "ItemKind",
    "MandateOwned",
    "Reach",
    "RequestContext",
    "Settings",
    "Text",
    "UnscopedStatement",
    "create_app",
    "errors",
    "owned_reference",
    "protect_table",
    "public",
    "require",
    "require_membership",
    "require_sign_in",
    "require_sysadmin",
    "require_sysadmin_role",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Load a public name when first used: `import gateway` itself stays light."""
    from importlib import import_module

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'gateway' has no attribute {name!r}")
    module = import_module(home)
    return module if home.rpartition(".")[2] == name else getattr(module, name)
