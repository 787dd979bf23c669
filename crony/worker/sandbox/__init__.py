"""Confine tasks: every one in a sandbox, and no level that was not proven.

``open_sandbox`` is the way in; ``contract`` says what a level offers.
"""

from crony.worker.sandbox.contract import Prepared, Sandbox
from crony.worker.sandbox.opening import open_sandbox
from crony.worker.sandbox.values import Command, Exit, Limits, Operator
from crony.worker.sandbox.watching import Watchdog

__all__ = [
    "Command",
    "Exit",
    "Limits",
    "Operator",
    "Prepared",
    "Sandbox",
    "Watchdog",
    "open_sandbox",
]
