"""Log events with fields: one event a line on stderr, never a secret.

::

    log = log.get(__name__)
    log.info("run finished", run=run.id, state="succeeded", duration=took)

What a whole request or run has in common is bound once and travels with the context::

    with log.bound(request=request_id, tenant=tenant):
        ...

The text of an event is fixed and short; whatever varies is a field, and ids are
logged rather than objects.
"""

import contextvars
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TextIO

from crony import wire

#: The order in which fields are written; others follow as they came.
ORDER = (
    "ts",
    "level",
    "event",
    "request",
    "tenant",
    "schedule",
    "run",
    "attempt",
    "worker",
    "duration",
)

# SECURITY: a secret that is handed over by mistake still must not be written.
_SECRET = frozenset({"key", "token", "authorization", "env", "password", "secret"})
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31"}

_context: contextvars.ContextVar[Mapping[str, object]] = contextvars.ContextVar(
    "crony_log_fields", default=MappingProxyType({})
)


class Logger:
    """One module's voice; made by ``get``."""

    def __init__(self, inner: logging.Logger) -> None:
        self._inner = inner

    def debug(self, event: str, **fields: object) -> None:
        """Log what helps to follow one run through the code."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what an operator wants to find again."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what works, but not as it should."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what failed and needs somebody."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log an error together with the exception that is being handled."""
        self._log(logging.ERROR, event, fields, with_exception=True)

    def _log(
        self,
        level: int,
        event: str,
        fields: Mapping[str, object],
        *,
        with_exception: bool = False,
    ) -> None:
        if self._inner.isEnabledFor(level):
            said = {"fields": {**_context.get(), **fields}}
            # No arguments follow, so a percent sign in an event stays one.
            self._inner.log(level, event, exc_info=with_exception, extra=said)


def get(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(logging.getLogger(name))


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add fields to every event of this context, until the block is left."""
    before = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(before)


def setup(
    *, level: str = "info", form: str = "auto", stream: TextIO | None = None
) -> None:
    """Send all events, those of libraries too, to one stream.

    ``form`` is ``text``, ``json`` or ``auto``; on a terminal ``auto`` is coloured
    text with the time of day alone.
    """
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(form, out))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Libraries speak at info about each request; ours say that already.
    for name in ("urllib3", "alembic", "sqlalchemy", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def _formatter(form: str, out: TextIO) -> logging.Formatter:
    if form == "json":
        return _Json()
    if form == "auto" and out.isatty():
        return _Terminal()
    return _Text()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return all of an event's fields in their order, secrets left out."""
    given: Mapping[str, object] = getattr(record, "fields", {})
    instant = datetime.fromtimestamp(record.created, UTC)
    said: dict[str, object] = {
        **given,
        "ts": wire.format_instant(instant),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    if record.exc_info:
        said["exception"] = logging.Formatter().formatException(record.exc_info)
    ordered = {name: said.pop(name) for name in ORDER if name in said}
    ordered.update(said)
    return {
        name: _plain(value)
        for name, value in ordered.items()
        if name.lower() not in _SECRET and value is not None
    }


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, datetime):
        return wire.format_instant(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _pair(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    text = str(value)
    # One event is one line, and a value with a blank must not look like two fields.
    plain = text.isprintable() and text and not set(text) & set(' "=\\')
    return f"{name}={text if plain else json.dumps(text)}"


class _Text(logging.Formatter):
    """``ts=… level=info event="run finished" run=run_…``."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(_pair(name, value) for name, value in _fields(record).items())


class _Json(logging.Formatter):
    """One JSON object a line, with the same names."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record))


class _Terminal(logging.Formatter):
    """``14:02:11.250 info  run finished  run=run_…``, the level in colour."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        local = datetime.fromtimestamp(record.created)  # noqa: DTZ006  # for eyes here
        level = str(fields["level"])
        time = local.strftime("%H:%M:%S.") + f"{local.microsecond // 1000:03}"
        coloured = f"\x1b[{_COLOURS.get(level, '35')}m{level:<7}\x1b[0m"
        trace = fields.pop("exception", None)
        rest = [_pair(name, fields[name]) for name in list(fields)[3:]]
        event = str(fields["event"]).translate(_CONTROLS)
        line = f"{time} {coloured} " + "  ".join([event, *rest])
        return line if trace is None else f"{line}\n{trace}"


# What comes from outside must not move the cursor or ring the bell.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
