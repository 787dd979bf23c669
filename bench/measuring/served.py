"""The service's application for any ASGI server: ``bench.measuring.served:app``."""

from __future__ import annotations

import gc
import os

from crony.api.app import App
from crony.config import home, load


def _app() -> App:
    # As our own program does before it serves: the garbage collector leaves alone what
    # is there by then, and what the application imports is not.
    gc.freeze()
    from crony.api.lifespan import build

    settings = load(path=None, environ=os.environ, overrides={})
    return build(settings, home=home(os.environ))


app = _app()
