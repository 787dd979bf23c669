"""The shared tests of ``run_events``, on every driver."""

from crony.testing.storage.run_events import *  # noqa: F403
