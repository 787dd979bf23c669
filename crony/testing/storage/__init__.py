"""What every store must do: the contract's sentences as tests.

A driver's own test module imports the classes of these modules and gives them a
fixture ``store``: a store of that driver, migrated, open and empty. Another,
``another``, opens the same store once more, as a second process would, or skips
where the driver has no such thing.
"""
