"""The database. Nothing else opens it."""

from ccp_tui.store.core import Committed, Store
from ccp_tui.store.errors import Conflict, NotFound, StoreError

__all__ = ["Committed", "Conflict", "NotFound", "Store", "StoreError"]
