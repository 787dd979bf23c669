"""What every store must do: the contract's sentences as tests.

A driver's own test module imports the classes of these modules, or those of all of
them from ``suite``, and gives them two fixtures. ``store`` is a store of that driver,
migrated, open and empty; ``shared`` the URL of such a store that other processes may
open too, or it skips where the driver has no such thing.
"""
