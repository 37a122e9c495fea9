"""What works here: every action of the screen beneath, by group, with its keys; enter runs the one picked."""

from ccp_tui.screens.help.screen import HelpScreen

__all__ = ["HelpScreen"]
