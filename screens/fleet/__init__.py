"""The fleet: every deployment in one table, a wizard that makes one, its stages, and its logs."""

from ccp_tui.screens.fleet.screen import FleetScreen

__all__ = ["FleetScreen"]
