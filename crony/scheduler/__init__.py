"""The use cases: what happens to schedules, runs and workers, and when.

Plain Python over the storage contract, whatever driver is behind it. ``service``
puts the parts together.
"""
