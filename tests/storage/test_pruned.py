"""The shared tests of ``pruned``, on every driver."""

from crony.testing.storage.pruned import *  # noqa: F403
