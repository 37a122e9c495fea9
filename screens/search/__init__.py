"""Search everywhere: tasks, specs, messages and events, each hit in its context."""

from ccp_tui.screens.search.screen import SearchScreen

__all__ = ["SearchScreen"]
