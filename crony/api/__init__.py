"""The HTTP API: Falcon at the edge, the use cases below it."""
