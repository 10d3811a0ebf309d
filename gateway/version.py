"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("mandate-gateway")
except PackageNotFoundError:  # running from a source tree that was never installed
    VERSION = "0.0.0"
