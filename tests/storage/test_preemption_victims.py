"""The shared tests of ``preemption_victims``, on every driver."""

from crony.testing.storage.preemption_victims import *  # noqa: F403
