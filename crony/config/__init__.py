"""Settings: one table, from which loading, sample file and reference are made."""

from crony.config.home import ADMIN_KEY, ensure_home, home
from crony.config.loading import load
from crony.config.setting import Setting
from crony.config.table import Api, Client, Settings, Storage, Worker, rows

__all__ = [
    "ADMIN_KEY",
    "Api",
    "Client",
    "Setting",
    "Settings",
    "Storage",
    "Worker",
    "ensure_home",
    "home",
    "load",
    "rows",
]
