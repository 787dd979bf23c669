"""The programs: `crony`, `crony-api` and `crony-worker`."""
