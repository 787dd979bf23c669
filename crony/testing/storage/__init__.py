"""What every store must do: the contract's sentences as tests.

A driver's own test module imports the classes of these modules, or those of all of
them from ``suite``, and gives them a fixture ``store``: a store of that driver,
migrated, open and empty.
"""
