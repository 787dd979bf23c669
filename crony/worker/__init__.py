"""The worker: leases runs over HTTP and executes them, each in a sandbox."""
