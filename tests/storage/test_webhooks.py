"""The shared tests of ``webhooks``, on every driver."""

from crony.testing.storage.webhooks import *  # noqa: F403
