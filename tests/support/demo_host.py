"""The demo on a database that a test gives it, so that no server has to be made: `-m tests.support.demo_host`."""

import os

from gateway.commands.demo import build_demo, prepare_demo
from gateway.commands.serving import run_server
from gateway.settings import Settings

if __name__ == "__main__":
    settings = Settings.load(None, environment=os.environ, overrides={})
    run_server(settings, build=build_demo, prepare=prepare_demo)
