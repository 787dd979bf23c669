"""``GET /openapi.json``."""

from __future__ import annotations

from crony.api.answers import Response
from crony.api.node import Node
from crony.api.request import Request


class OpenApi:
    """The description of this API."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def openapi(self, req: Request, resp: Response) -> None:
        """``GET /openapi.json``."""
        # Imported here: the document is made when it is first asked for.
        from crony.api.openapi import document

        resp.content_type = "application/json"
        resp.set_header("Cache-Control", "max-age=300")
        resp.data = await self._node.pool.run(document)
