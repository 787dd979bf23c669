"""Lines of JSON on the progress descriptor: bounded, and the newest value wins."""

from __future__ import annotations

import json
import math

from crony.model import spoken
from crony.model.spoken import Spoken
from crony.model.task import Json

#: A python task's result comes the same way, and is the longest line there is.
RESULT_BOUND = 64 << 10
_LINE = RESULT_BOUND + 1024
#: How deep a result may be, well below what the service takes of a whole body.
_DEEPEST = 100
_INT64 = range(-(1 << 63), 1 << 63)


class ProgressReader:
    """Reads one attempt's lines; what is malformed is counted, not fatal."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False
        #: The newest value that the service has not taken.
        self.newest: Spoken | None = None
        self.malformed = 0
        #: What a python task returned; ``has_result`` tells None from nothing.
        self.result: Json = None
        self.has_result = False

    def feed(self, data: bytes) -> None:
        """Take what was read from the descriptor."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._buffer += line[:_LINE]
            self._line()
        self._buffer += rest[:_LINE]
        if len(self._buffer) > _LINE:
            self._buffer.clear()
            self._skipping = True

    def _line(self) -> None:
        line, self._buffer = bytes(self._buffer), bytearray()
        skipped, self._skipping = self._skipping, False
        if skipped or not self._understood(line):
            self.malformed += 1

    def _understood(self, line: bytes) -> bool:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict):
            return False
        if "result" in value:
            if not _is_json(value["result"]):
                return False
            self.result, self.has_result = value["result"], True
            return True
        said = spoken.of_value(value)
        if said is None:
            return False
        self.newest = said
        return True

    def acknowledge(self, value: Spoken | None) -> None:
        """Forget a value, unless there is a newer one."""
        if self.newest is value:
            self.newest = None


def _is_json(value: object, *, depth: int = 0) -> bool:
    """Whether the service takes a value: JSON leaves open what Python also reads.

    One that it refuses would take the rest of its report with it.
    """
    match value:
        case str():
            return _is_text(value)
        case bool() | None:
            return True
        case int():
            return value in _INT64
        case float():
            return math.isfinite(value)
        case list() if depth < _DEEPEST:
            return all(_is_json(item, depth=depth + 1) for item in value)
        case dict() if depth < _DEEPEST:
            return all(
                _is_text(name) and _is_json(item, depth=depth + 1)
                for name, item in value.items()
            )
    return False


def _is_text(text: str) -> bool:
    """Whether a text has neither NUL nor half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
