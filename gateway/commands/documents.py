"""What the installation says about itself on paper: its OpenAPI document and a config.ini to begin with."""

import json
from pathlib import Path

from gateway.app import create_app
from gateway.commands.refusals import Refused
from gateway.settings import Settings, initial_config


def openapi_document(settings: Settings) -> str:
    """The OpenAPI document of the gateway alone, as indented JSON."""
    return json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False)


def write_initial_config(path: Path) -> None:
    """Write the commented defaults. Raises Refused when `path` exists or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(initial_config())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
