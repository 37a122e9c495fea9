"""Names the fleet gives and the keys by which it knows its own: instances, images, devices, addresses inside."""

from __future__ import annotations

import re

from ccp_tui.incus.errors import FleetError

LONGEST_NAME = 40

# Instance configuration. Guests of other tools may read these, so none holds a secret.
DEPLOYMENT = "user.ccp.deployment"
IMAGE = "user.ccp.image"
PORT = "user.ccp.port"
CREATED = "user.ccp.created"
MAKER = "user.ccp.maker"  # who made it, of several that asked for one name at once
VERSION = "user.ccp.version"
EGRESS = "user.ccp.egress"
# From the beginning of an upgrade to its end: BEGUN, or, while the disk is neither the old nor the new, the snapshot to
# go back to.
UPGRADING = "user.ccp.upgrading"
BEGUN = "-"  # no snapshot is called so
# Image properties.
IMAGE_MARK = "user.ccp.image"
BASE_MARK = "user.ccp.base"
IMAGE_VERSION = "ccp.version"
IMAGE_OPENCLAW = "openclaw.version"
IMAGE_CREATED = "ccp.created"
# What an image holds: "full" is the gateway and the service; in any other nothing is waited for and nobody is asked.
CONTAINS = "ccp.contains"
FULL = "full"
# Incus copies an image's properties into the instance under this prefix.
FROM_IMAGE = "image."

IMAGE_PREFIX = "ccp/"
BASE_PREFIX = "ccp-base/"
LATEST = "ccp/latest"

LOCAL = "local"
NETWORK = "ccpbr0"
ACL = "ccp"
SSH_DEVICE = "ssh"
ROOT_DEVICE = "root"
PORTS = range(2201, 2300)

# Who is who inside (the image makes these users).
OPENCLAW_UID = 1001
OPENCLAW_HOME = "/home/openclaw"
CCP_UID = 1000
CCP_HOME = "/var/lib/ccp"
AGENTS_GID = 2000
UNITS = {"gateway": "openclaw-gateway.service", "service": "ccp.service"}

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def check_name(name: str) -> str:
    """The name, when a deployment may have it: 1–40 of a–z, 0–9 and '-', a letter first, no '-' last, no '--'.

    Stricter than Incus (which makes a name up for "", and reads "a--b" differently in places). Raises FleetError USAGE
    that says what to mend.
    """
    if not name:
        raise FleetError("USAGE", "A deployment needs a name.", "Use letters a–z, digits and '-'.")
    if len(name) > LONGEST_NAME:
        raise FleetError("USAGE", f"The name has {len(name)} characters; {LONGEST_NAME} are the most.")
    if not _NAME.fullmatch(name):
        if not re.match(r"[a-z]", name):
            raise FleetError("USAGE", f"{name!r} must start with a letter a–z.")
        wrong = "".join(sorted(set(re.sub(r"[a-z0-9-]", "", name))))
        raise FleetError("USAGE", f"{name!r} has {wrong!r} in it.", "Use letters a–z, digits and '-'.")
    if name.endswith("-"):
        raise FleetError("USAGE", f"{name!r} ends with '-'.", "Take the last '-' away.")
    if "--" in name:
        raise FleetError("USAGE", f"{name!r} has '--' in it.", "One '-' between words is enough.")
    return name


def split_ref(ref: str) -> tuple[str, str]:
    """``remote:name`` or ``name`` as (remote, name); without a remote it is the local one."""
    remote, colon, name = ref.rpartition(":")
    return (remote, name) if colon and remote else (LOCAL, name)


def join_ref(remote: str, name: str) -> str:
    """How a person names a deployment: its name, with the remote in front where it is not the local one."""
    return name if remote in ("", LOCAL) else f"{remote}:{name}"
