"""The shared tests of ``events``, on every driver."""

from crony.testing.storage.events import *  # noqa: F403
