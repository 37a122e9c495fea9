"""The settings of Incus that every deployment has, whatever else is different about it."""

from __future__ import annotations

from collections.abc import Iterable

# Beginnings of settings that give a container more of the host than every container has.
LOOSER = ("raw.", "linux.kernel_modules", "nvidia.", "security.bpffs.", "security.syscalls.")


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


def looser(config: Iterable[str]) -> list[str]:
    """The settings of a profile with which a deployment would not be kept apart."""
    return sorted(key for key in config if key.startswith(LOOSER))
