"""The service's application for any ASGI server: ``bench.measuring.served:app``."""

from __future__ import annotations

import os

from crony.api.lifespan import build
from crony.config import home, load

app = build(load(path=None, environ=os.environ, overrides={}), home=home(os.environ))
