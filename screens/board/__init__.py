"""The board: seven columns of tasks, live."""

from ccp_tui.screens.board.screen import BoardScreen

__all__ = ["BoardScreen"]
