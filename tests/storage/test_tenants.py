"""The shared tests of ``tenants``, on every driver."""

from crony.testing.storage.tenants import *  # noqa: F403
