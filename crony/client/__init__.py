"""The Python binding of the HTTP API: one method for each operation."""

from crony.client.client import Client

__all__ = ["Client"]
