"""Time arithmetic: a trigger and an instant in, the occurrences after it out.

Pure: nothing here reads a clock, and the same question has the same answer on every
node. What a trigger means is told in docs/explanation/triggers.md.
"""

from crony.triggers.bounds import Bounded, bounded
from crony.triggers.compiler import compile_trigger
from crony.triggers.jitter import jittered
from crony.triggers.occurrences import Occurrences, Upcoming
from crony.triggers.release import rules_of, zone_release

__all__ = [
    "Bounded",
    "Occurrences",
    "Upcoming",
    "bounded",
    "compile_trigger",
    "jittered",
    "rules_of",
    "zone_release",
]
