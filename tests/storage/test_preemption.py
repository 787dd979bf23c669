"""The shared tests of ``preemption``, on every driver."""

from crony.testing.storage.preemption import *  # noqa: F403
