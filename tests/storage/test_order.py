"""The shared tests of ``order``, on every driver."""

from crony.testing.storage.order import *  # noqa: F403
