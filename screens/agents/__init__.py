"""The agents: how they are, what they are told to be, which model they use."""

from ccp_tui.screens.agents.screen import AgentsScreen

__all__ = ["AgentsScreen"]
