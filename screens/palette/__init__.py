"""The palette: everything that can be done or gone to, found by a few letters."""

from ccp_tui.screens.palette.screen import PaletteScreen

__all__ = ["PaletteScreen"]
