"""`crony up`: the service and one worker on this machine, ended together."""

from crony.cli.up.command import up

__all__ = ["up"]
