"""The description of the API, made from the code that serves it."""

from crony.api.openapi.document import document

__all__ = ["document"]
