"""Missions: the list of them, their policies, what they cost, and their timelines."""

from ccp_tui.screens.missions.costs import CostsScreen
from ccp_tui.screens.missions.screen import MissionsScreen

__all__ = ["CostsScreen", "MissionsScreen"]
