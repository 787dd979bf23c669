"""Headers that make a request conditional."""


def etag(revision: int | str | None) -> str | None:
    """Return the tag of a revision; a tag is returned as it is."""
    return f'"{revision}"' if isinstance(revision, int) else revision
