"""The reference driver: plain values in dicts, one lock around every verb.

It is meant to be obviously right rather than fast: lists are walked, nothing is
indexed. It keeps nothing beyond its process.
"""

from __future__ import annotations

from crony.storage.memory.store import MemoryStore

__all__ = ["MemoryStore"]
