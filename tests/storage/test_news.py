"""The shared tests of ``news``, on every driver."""

from crony.testing.storage.news import *  # noqa: F403
