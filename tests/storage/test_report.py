"""The shared tests of ``report``, on every driver."""

from crony.testing.storage.report import *  # noqa: F403
