"""For a server of your own: `uvicorn examples.invoices.main:app`, with config.ini beside it."""

from examples.invoices.application import create_app
from gateway import Gateway

app = create_app(Gateway.from_config("config.ini"))
