"""One task: why it stands where it stands, its spec, its work, and the person's verdict."""

from ccp_tui.screens.task.screen import TaskScreen

__all__ = ["TaskScreen"]
