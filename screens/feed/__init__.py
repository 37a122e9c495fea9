"""The feed: what happens anywhere, as it happens."""

from ccp_tui.screens.feed.screen import FeedScreen

__all__ = ["FeedScreen"]
