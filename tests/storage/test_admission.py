"""The shared tests of ``admission``, on every driver."""

from crony.testing.storage.admission import *  # noqa: F403
