"""The settings of Incus that every deployment has, whatever else is different about it."""

from __future__ import annotations


def protections() -> dict[str, str]:
    """What keeps a deployment apart from the host and from its neighbours."""
    return {
        # Another range of users on the host for each deployment; without it all containers share one.
        "security.idmap.isolated": "true",
        "security.nesting": "false",
        "security.privileged": "false",
        # Inside nobody can ask Incus about the instance's settings.
        "security.guestapi": "false",
    }
