"""Real servers of the stores, for tests and benchmarks.

Each is a process of its own in a directory of its own, listens on a free port of
127.0.0.1, and ends with whoever started it.
"""
