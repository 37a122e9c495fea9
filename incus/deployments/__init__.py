"""Deployments: what the fleet makes of containers, one concern per file."""
