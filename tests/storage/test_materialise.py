"""The shared tests of ``materialise``, on every driver."""

from crony.testing.storage.materialise import *  # noqa: F403
