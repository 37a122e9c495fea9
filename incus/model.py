"""What the fleet tells and is told: deployments, snapshots, limits, requests, stages, remotes. Values only."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.names import LATEST, check_name, join_ref

STAGES = ("check", "image", "instance", "start", "system", "gateway", "service")
UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
LEAST_MEMORY = 2**30
LEAST_DISK = 2 * 2**30
# The kinds of public key that sshd takes without being told.
KEY_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def bytes_of(size: str) -> int:
    """A size with its unit ("2GiB") in bytes. Raises FleetError USAGE; Incus would read a bare number as bytes."""
    found = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]*)\s*", size)
    unit = found[2] if found else ""
    if found is None or unit not in UNITS:
        said = f"{size!r} has no unit" if found and not unit else f"{size!r} is not a size"
        raise FleetError("USAGE", f"{said}.", "Write it like 2GiB or 512MiB.")
    return int(found[1]) * UNITS[unit]


@dataclass(frozen=True)
class Limits:
    """What a deployment may use: whole CPU cores, memory and disk with their units, processes."""

    cpu: str = "2"
    memory: str = "2GiB"
    disk: str = "10GiB"
    processes: int = 2000

    def check(self) -> Limits:
        """These limits, when OpenClaw can live within them. Raises FleetError USAGE that names the wrong one."""
        if not re.fullmatch(r"[1-9]\d{0,2}", self.cpu):
            raise FleetError("USAGE", f"cpu {self.cpu!r} is not a whole number of cores from 1 on.")
        if bytes_of(self.memory) < LEAST_MEMORY:
            raise FleetError(
                "USAGE", f"memory {self.memory} is too little: the gateway is killed again and again.",
                "Give it 1GiB or more.",
            )  # fmt: skip
        if bytes_of(self.disk) < LEAST_DISK:
            raise FleetError("USAGE", f"disk {self.disk} is too little.", "Give it 2GiB or more.")
        if not 100 <= self.processes <= 1_000_000:
            raise FleetError("USAGE", f"processes {self.processes} is not between 100 and 1000000.")
        return self

    def changed(self, changes: Mapping[str, str | int]) -> Limits:
        """These limits with some of them changed. Raises FleetError USAGE for an unknown one or a bad value."""
        known = {"cpu", "memory", "disk", "processes"}
        if unknown := set(changes) - known:
            raise FleetError("USAGE", f"There is no limit named {', '.join(sorted(unknown))}.")
        values = {name: str(value) for name, value in changes.items() if name != "processes"}
        try:
            processes = int(changes.get("processes", self.processes))
        except ValueError:
            raise FleetError("USAGE", f"processes {changes['processes']!r} is not a number.") from None
        return replace(self, **values, processes=processes).check()


@dataclass(frozen=True)
class CreateRequest:
    """What a new deployment is made of.

    ``ssh_key`` is the text of a PUBLIC key ("" for none: no one can log in by SSH); ``port`` None takes a free one.
    ``api_key`` is the provider's; it appears in no representation of this object. ``egress`` are addresses or networks
    that are allowed although they lie on the host's side of the bridge.
    """

    name: str
    limits: Limits = field(default_factory=Limits)
    image: str = LATEST
    pool: str = ""
    profile: str = "default"
    remote: str = ""
    target: str = ""
    ssh_key: str = ""
    port: int | None = None
    provider: str = ""
    provider_url: str = ""
    model: str = ""
    api_key: str = field(default="", repr=False)
    egress: tuple[str, ...] = ()

    def check(self) -> CreateRequest:
        """This request, when nothing about it is wrong by itself. Raises FleetError USAGE before anything is made."""
        check_name(self.name)
        self.limits.check()
        if self.ssh_key:
            check_public_key(self.ssh_key)
        if self.port is not None and not 1 <= self.port <= 65535:
            raise FleetError("USAGE", f"port {self.port} is not between 1 and 65535.")
        if self.provider and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", self.provider):
            raise FleetError("USAGE", f"{self.provider!r} is not the name of a provider.")
        if self.provider_url and not re.fullmatch(r"https?://[^\s\"'\\]+", self.provider_url):
            raise FleetError(
                "USAGE", f"{self.provider_url!r} is not an address of a provider (http or https)."
            )
        if self.api_key and not self.api_key.strip():
            raise FleetError("USAGE", "The provider's key is empty.")
        if self.api_key and not re.fullmatch(r"[\x21-\x7e]+", self.api_key):
            raise FleetError("USAGE", "The provider's key has blanks or characters in it that no key has.")
        if self.api_key and not self.provider:
            raise FleetError("USAGE", "A key needs a provider.", "Say which provider the key is for.")
        return self


def check_public_key(text: str) -> str:
    """One public SSH key as a line, without options in front. Raises FleetError USAGE; says so of a private key."""
    if "PRIVATE KEY" in text:
        raise FleetError("USAGE", "This is a private key.", "Give the file that ends with .pub.")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) != 1:
        raise FleetError("USAGE", f"This is not one public SSH key but {len(lines)} lines.")
    words = lines[0].split()
    if len(words) < 2 or words[0] not in KEY_KINDS:
        raise FleetError(
            "USAGE", "This is not a public SSH key.", f"It starts with {KEY_KINDS[0]} or the like."
        )
    try:
        blob = base64.b64decode(words[1], validate=True)
    except ValueError:
        raise FleetError("USAGE", "The public SSH key is cut off or damaged.") from None
    kind = words[0].encode()
    if blob[:4] != len(kind).to_bytes(4, "big") or blob[4 : 4 + len(kind)] != kind or len(blob) < 32:
        raise FleetError("USAGE", "The public SSH key is cut off or damaged.")
    return lines[0]


@dataclass(frozen=True)
class Stage:
    """One step of making a deployment. ``seconds`` is None while it runs; ``words`` say what it found or waits for."""

    name: str
    started_at: str
    seconds: float | None = None
    words: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A deployment as it was; ``size`` in bytes where the pool tells."""

    name: str
    created_at: str
    size: int | None = None


@dataclass(frozen=True)
class Deployment:
    """One of our containers, as last seen.

    ``state`` is running, stopped, frozen or error, or what is being done to it (creating, starting, stopping,
    restarting, freezing, thawing, renaming, copying, restoring, snapshotting, exporting, deleting …). ``location`` is
    the cluster member or "". ``host`` is the machine that ``port`` is on, where SSH goes; ``address`` is the
    container's own on its bridge, out of reach from elsewhere. ``cpu_used`` is in cores, ``memory_used`` and
    ``disk_used`` in bytes; None is unknown. ``gateway`` and ``service`` are ready, starting, down or unknown. ``tasks``
    counts by state of task. ``note`` is one line that explains what is unusual, "" mostly.
    """

    remote: str
    name: str
    state: str
    location: str = ""
    address: str = ""
    host: str = ""
    port: int | None = None
    image: str = ""
    version: str = ""
    limits: Limits = field(default_factory=Limits)
    cpu_used: float | None = None
    memory_used: int | None = None
    disk_used: int | None = None
    gateway: str = "unknown"
    service: str = "unknown"
    tasks: Mapping[str, int] = field(default_factory=dict)
    needs_you: int | None = None
    snapshots: tuple[Snapshot, ...] = ()
    created_at: str = ""
    note: str = ""

    @property
    def ref(self) -> str:
        """How a person names it: ``name``, or ``remote:name`` on another remote."""
        return join_ref(self.remote, self.name)


@dataclass(frozen=True)
class RemoteState:
    """One Incus: connecting, ready, unreachable (no answer), refused (not allowed) or absent (not installed).

    ``words`` and ``fix`` explain every state but ready; ``stale`` says that its deployments are as last seen.
    """

    name: str
    url: str
    state: str = "connecting"
    words: str = ""
    fix: str = ""
    since: str = ""
    stale: bool = False


@dataclass(frozen=True)
class Pool:
    """A storage pool; ``used`` and ``total`` in bytes where the daemon tells."""

    name: str
    driver: str
    used: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Member:
    """A machine of a cluster: ``state`` is Online, Offline, Evacuated or Blocked, in Incus's words."""

    name: str
    state: str
    url: str = ""
    words: str = ""


@dataclass(frozen=True)
class Image:
    """An image of ours. ``alias`` is ``ccp/<version>-<digest>``; ``latest`` says that new deployments take it."""

    remote: str
    alias: str
    fingerprint: str
    version: str = ""
    openclaw: str = ""
    created_at: str = ""
    size: int | None = None
    used_by: tuple[str, ...] = ()
    latest: bool = False
    base: bool = False
