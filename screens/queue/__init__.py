"""Everything that waits for the person, the most urgent first, and the way to settle each."""

from ccp_tui.screens.queue.screen import QueueScreen

__all__ = ["QueueScreen"]
