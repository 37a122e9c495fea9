"""What the wizard collects: text as it was typed, what is wrong with it, and the request that it makes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from ccp_tui.incus import (
    CreateRequest,
    Deployment,
    FleetError,
    Image,
    Limits,
    Member,
    Pool,
    bytes_of,
    check_public_key,
)
from ccp_tui.screens.fleet import words
from ccp_tui.screens.fleet.dialogs import name_problem
from ccp_tui.sshkeys import is_key, read_key

PROBE = CreateRequest("probe")  # what is right in everything, to try one field in
LIMITS = ("cpu", "memory", "disk")
OWN_LIMITS = Limits()


@dataclass
class Facts:
    """What is so on one remote, as far as it is known yet."""

    taken: Collection[str] = ()
    pools: tuple[Pool, ...] = ()
    members: tuple[Member, ...] = ()
    images: tuple[Image, ...] = ()
    loaded: bool = False
    words: str = ""  # why it is not known


@dataclass
class Draft:
    """The fields by name; ``key_text`` is the public key that ``ssh_key`` (a text or a path) stands for."""

    values: dict[str, str] = field(default_factory=dict)
    key_text: str = ""
    key_problem: str = ""

    def get(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def read_key(self) -> None:
        """Finds the public key that is meant. Reads a file: not for the event loop."""
        self.key_text, self.key_problem = "", ""
        given = self.get("ssh_key")
        if not given:
            return
        try:
            self.key_text = check_public_key(given if is_key(given) else read_key(Path(given)))
        except FleetError as error:
            self.key_problem = words.failure(error)
        except ValueError as error:
            self.key_problem = str(error)

    def request(self) -> CreateRequest:
        """What is asked of the fleet. Raises FleetError when something in it can't be right."""
        get = self.get
        limits = OWN_LIMITS.changed({name: get(name) for name in LIMITS if get(name)})
        port = get("port")
        return CreateRequest(
            name=get("name"), limits=limits, image=get("image") or PROBE.image, pool=get("pool"),
            profile=get("profile") or PROBE.profile, remote=get("remote"), target=get("target"),
            ssh_key=self.key_text, port=int(port) if port else None, provider=get("provider"),
            provider_url=get("provider_url"), model=get("model"), api_key=get("api_key"), egress=self.egress,
        ).check()  # fmt: skip

    @property
    def egress(self) -> tuple[str, ...]:
        return tuple(self.get("egress").replace(",", " ").split())

    def problem(self, name: str, facts: Facts) -> str:
        """What is wrong with one field; empty when nothing is."""
        value = self.get(name)
        try:
            match name:
                case "name":
                    return name_problem(value, facts.taken)
                case "cpu" | "memory" | "disk":
                    OWN_LIMITS.changed({name: value})
                case "ssh_key":
                    return self.key_problem
                case "port":
                    if value and not (value.isascii() and value.isdigit()):
                        return "Write a number from 1 to 65535, or leave it empty."
                    replace(PROBE, port=int(value) if value else None).check()
                case "target":
                    return self._target(facts)
                case "image":
                    if facts.loaded and not any(not image.base for image in facts.images):
                        return "There is no image here yet: esc, then i in the fleet builds one."
                case "provider":
                    replace(PROBE, provider=value).check()
                case "provider_url":
                    replace(PROBE, provider_url=value).check()
                case "api_key":
                    replace(PROBE, provider=self.get("provider"), api_key=value).check()
        except FleetError as error:
            return words.failure(error)
        return ""

    def _target(self, facts: Facts) -> str:
        member = next((each for each in facts.members if each.name == self.get("target")), None)
        if member is not None and member.state != "Online":
            return (
                f"{member.name} is {member.state.lower()}: {member.words or 'nothing can start there now'}."
            )
        return ""

    def warning(self, name: str, facts: Facts) -> str:
        """What may go wrong though nothing forbids it."""
        if name == "disk" and (room := free_space(facts, self.get("pool"))) is not None:
            try:
                wanted = bytes_of(self.get("disk"))
            except FleetError:
                return ""
            if wanted > room:
                return (
                    f"The pool has only {words.size(room)} left: it may fill up before the limit is reached."
                )
        if name == "ssh_key" and not self.get("ssh_key"):
            return "Without a key nobody gets in by SSH; the board opens from this screen."
        return ""


def free_space(facts: Facts, pool: str) -> int | None:
    """What a pool has left, in bytes; None when that is not known. No name: the first pool."""
    found = next((each for each in facts.pools if each.name == pool or not pool), None)
    if found is None or found.total is None or found.used is None:
        return None
    return max(0, found.total - found.used)


def taken_names(deployments: Collection[Deployment], remote: str) -> set[str]:
    """The names that are in use on a remote."""
    return {each.name for each in deployments if each.remote == (remote or "local")}
