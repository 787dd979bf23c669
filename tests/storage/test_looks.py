"""The shared tests of ``looks``, on every driver."""

from crony.testing.storage.looks import *  # noqa: F403
