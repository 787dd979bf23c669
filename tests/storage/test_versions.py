"""The shared tests of ``versions``, on every driver."""

from crony.testing.storage.versions import *  # noqa: F403
