"""Moving house: a tenant leaves line by line, and arrives piece by piece."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from crony import errors
from crony.client.transport import Answer, Transport

if TYPE_CHECKING:
    from crony.client.connection import Answered

MEDIA_TYPE = "application/x-ndjson"

#: An export that says nothing for so long is dead; a piece may take its time.
_SILENCE, _PATIENCE = timedelta(seconds=60), timedelta(minutes=10)

#: An export that breaks off is taken up again after these waits, each if not one more
#: line has come since.
_PAUSES = tuple(timedelta(seconds=number) for number in (0, 1, 2, 5, 10, 15))

#: The last line of an export.
_COMPLETE = "complete"


class Moving(Transport):
    """An export is lines of JSON; an import is pieces of them."""

    def export_records(
        self,
        *,
        everything: bool = False,
        secrets: bool = False,
        behind: str | None = None,
    ) -> Iterator[bytes]:
        """Yield the lines of an export, of all tenants where ``everything`` is true.

        One that breaks off is taken up behind the last line that was yielded, or at
        first behind the place ``behind``.
        """
        params = {"all": everything or None, "secrets": secrets or None}
        begun = behind is not None
        pauses = iter(_PAUSES)
        while True:
            try:
                with self._exported({**params, "behind": behind}) as response:
                    for line in self._lines(response):
                        said = json.loads(line)
                        if not (begun and said["kind"] == "header"):
                            yield line
                        begun, pauses = True, iter(_PAUSES)
                        behind = said["place"] or behind
                        if said["kind"] == _COMPLETE:
                            return
            except errors.ServiceUnreachable:
                if not begun:
                    raise
            pause = next(pauses, None)
            if pause is None:
                raise errors.ServiceUnreachable(
                    f"the export of {self._url} breaks off again and again; look at "
                    "the service's log, and go on later"
                )
            time.sleep(pause.total_seconds())

    def _exported(self, params: dict[str, bool | str | None]) -> Answered:
        return self._respond(
            "GET",
            "export",
            params=params,
            headers={"Accept": f"{MEDIA_TYPE}, application/problem+json"},
            stream=True,
            timeout=_SILENCE,
        )

    def _lines(self, response: Answered) -> Iterator[bytes]:
        """Yield whole lines; what is cut off comes again when it is taken up."""
        rest = bytearray()
        with self._unreachable():
            for chunk in response.pieces():
                # Only what is new is searched: a line may take many chunks.
                *whole, last = chunk.split(b"\n")
                for line in whole:
                    yield bytes(rest + line + b"\n")
                    rest.clear()
                rest += last

    def import_records(self, piece: bytes) -> Answer:
        """Send a piece: the header of its export, and some lines, 16 MiB at most."""
        return self._call(
            "POST",
            "import",
            raw=piece,
            headers={"Content-Type": MEDIA_TYPE},
            repeatable=True,
            timeout=_PATIENCE,
        )

    def hold_tenant(self, tenant: str | None = None) -> Answer:
        """Let nothing of the tenant, or of another one (admins), come due or start."""
        return self._call(
            "POST",
            "export",
            "hold",
            headers={"X-Crony-Tenant": tenant},
            repeatable=True,
        )

    def activate_tenant(self, tenant: str | None = None) -> Answer:
        """Let it go on."""
        return self._call(
            "POST",
            "import",
            "activate",
            headers={"X-Crony-Tenant": tenant},
            repeatable=True,
            timeout=_PATIENCE,
        )
