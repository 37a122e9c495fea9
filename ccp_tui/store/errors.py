"""What can go wrong with the database, in words for the person."""

from __future__ import annotations


class StoreError(Exception):
    """The database can't be used; it is left as it was. The text says why and what to do."""


class NotFound(Exception):
    """Something that was named does not exist."""


class Conflict(Exception):
    """A change that the stored facts do not allow: a name that is taken, an agent with work."""
