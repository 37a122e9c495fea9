"""ClawControlPanel for the terminal: mission control for OpenClaw agents."""

__version__ = "0.1.0"
