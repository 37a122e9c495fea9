"""Private Incus daemons for tests: a second machine on loopback, or a cluster of three in networks of their own.

Each runs in its own mount and process namespace (a cluster's members in their own network, too), so that ending one
process ends everything it started, its containers and mounts included, however the tests end. They need root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.realgateway import free_port

SERVER = "/usr/libexec/incus/incusd"
READY_S = 40
CGROUPS = Path("/sys/fs/cgroup")
# A parent that dies takes its daemon along; unshare then takes everything inside.
ISOLATED = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
# In another network /sys has to show that network's cards, and still this machine's control groups.
RUN = """
mkdir -p "$INCUS_DIR/cgroup" && mount --rbind /sys/fs/cgroup "$INCUS_DIR/cgroup" &&
mount -t sysfs sysfs /sys && mount --rbind "$INCUS_DIR/cgroup" /sys/fs/cgroup && exec "$@"
"""
PRESEED = """
storage_pools: [{name: default, driver: %s, config: {%s}}]
profiles: [{name: default, devices: {root: {path: /, pool: default, type: disk}}}]
"""


class Network:
    """A network namespace with a loopback; it is gone when this is stopped or the tests end."""

    def __init__(self) -> None:
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """A process in it."""
        assert self._keeper is not None
        return self._keeper.pid

    @property
    def inside(self) -> list[str]:
        """What goes before a command that is to run in it."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def start(self) -> Network:
        """Makes it. Raises RuntimeError."""
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
        self._keeper = subprocess.Popen(command, start_new_session=True)
        ours = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != ours, 5, "a network namespace")
        self.ip("link", "set", "lo", "up")
        return self

    def ip(self, *words: str) -> None:
        """Runs ``ip`` in it. Raises RuntimeError with its errors."""
        ran = subprocess.run([*self.inside, "ip", *words], capture_output=True, text=True, timeout=10)
        if ran.returncode != 0:
            raise RuntimeError(f"ip {' '.join(words)}: {ran.stderr.strip()}")

    def stop(self) -> None:
        """Ends it. Never raises."""
        with contextlib.suppress(Exception):
            if self._keeper is not None:
                self._keeper.kill()
                self._keeper.wait(5)


class Daemon:
    """One private Incus in ``folder``; its pool is called ``default``. ``network`` is the one it is in, if not ours."""

    def __init__(self, folder: Path, *, network: Network | None = None) -> None:
        self.folder = folder
        self.state = folder / "incus"
        self.socket = self.state / "unix.socket"
        self.address = ""
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        self._instances: set[str] = set()

    @property
    def env(self) -> dict[str, str]:
        """The environment for the ``incus`` command, with a configuration of its own."""
        return _env(INCUS_DIR=str(self.state), INCUS_CONF=str(self.folder / "client"))

    def start(self) -> Daemon:
        """Starts it and waits until it answers. Raises RuntimeError with its last words when it does not."""
        self.state.mkdir(parents=True, exist_ok=True)
        log = (self.folder / "daemon.log").open("ab")
        self._process = subprocess.Popen(
            [*self._inside(), *ISOLATED, "sh", "-c", RUN if self._network else 'exec "$@"', "sh",
             SERVER, "--logfile", str(self.folder / "incusd.log")],
            env={**self.env, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()
        try:
            wait_for(self.socket.exists, READY_S, "the daemon's socket")
            self.incus("admin", "waitready", f"--timeout={READY_S}")
        except RuntimeError as error:
            said = (self.folder / "daemon.log").read_text("utf-8", "replace")[-600:]
            self.stop()
            raise RuntimeError(f"{error}\n{said}") from None
        return self

    def incus(self, *words: str, stdin: str = "", within: float = 60) -> str:
        """What an ``incus`` command prints. Raises RuntimeError with its errors."""
        return incus(words, self.env, stdin, within, self._inside())

    def preseed(self, driver: str = "btrfs") -> Daemon:
        """Gives it a small pool and the default profile, without a network."""
        self.incus(
            "admin", "init", "--preseed", stdin=PRESEED % (driver, "size: 1GiB" if driver != "dir" else "")
        )
        return self

    def listen(self) -> Daemon:
        """Lets it listen for TLS on loopback."""
        self.address = f"127.0.0.1:{free_port()}"
        self.incus("config", "set", "core.https_address", self.address)
        return self

    def silence(self, silent: bool) -> None:
        """Makes it accept connections and say nothing (a machine that hangs), or lets it go on."""
        for pid in self._own():
            os.kill(pid, signal.SIGSTOP if silent else signal.SIGCONT)

    def kill(self) -> None:
        """Ends it at once with everything in it, as a power cut does. It can be started again."""
        containers = self.state / "containers"
        with contextlib.suppress(OSError):
            self._instances |= set(os.listdir(containers))
        if self._process is not None:
            own = self._own()
            self._process.kill()
            self._process.wait(20)
            self._process = None
            # Two on one database would ruin it.
            wait_for(lambda: not any(map(_alive, own)), 20, "the daemon's end")

    def stop(self) -> None:
        """Ends it and removes all that it made. Never raises."""
        with contextlib.suppress(Exception):
            self.kill()
        _without_cgroups(self._instances)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _inside(self) -> list[str]:
        return self._network.inside if self._network else []

    def _own(self) -> list[int]:
        """The pids of the daemon itself: children of unshare."""
        assert self._process is not None
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def incus(
    words: Sequence[str], env: dict[str, str], stdin: str = "", within: float = 60, before: Sequence[str] = ()
) -> str:
    """What the Incus client prints. Raises RuntimeError with its errors, also when it takes too long (seconds)."""
    try:
        ran = subprocess.run(
            [*before, "incus", *words], env=env, input=stdin, capture_output=True, text=True, timeout=within
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"incus {' '.join(words)} took more than {within:.0f} s") from None
    if ran.returncode != 0:
        raise RuntimeError(f"incus {' '.join(words)}: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout


def wait_for(true: Callable[[], object], within: float, what: str) -> None:
    """Returns when ``true()`` is. Raises RuntimeError after ``within`` seconds."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {within:.0f} s for {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def daemon(driver: str = "btrfs", *, listening: bool = False, apart: bool = False) -> Iterator[Daemon]:
    """A running private Incus with a pool.

    With ``listening`` it takes TLS on a loopback port (``.address``); ``apart`` puts it into a network of its own, for
    tests that make bridges.
    """
    network = Network().start() if apart else None
    one = Daemon(_folder("ccptest-incus-"), network=network)
    try:
        one.start().preseed(driver)
        if listening:
            one.listen()
        yield one
    finally:
        one.stop()
        if network:
            network.stop()


class Client:
    """A configuration of the Incus client in ``folder``, made by the client itself as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = _env(INCUS_CONF=str(folder))

    def add(self, name: str, server: Daemon) -> None:
        """Adds a remote by a trust token, as ``incus remote add`` does."""
        token = server.incus("config", "trust", "add", f"{name}-client", "--quiet").split()[-1]
        incus(["remote", "add", name, token], self.env)


class Cluster:
    """Three members in networks of their own, joined by a bridge in a fourth; reached by their sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.members: dict[str, Daemon] = {}
        self._networks: list[Network] = []

    def start(self, names: Sequence[str] = ("m1", "m2", "m3")) -> Cluster:
        """Starts the members and joins them. Raises RuntimeError."""
        hub = self._network()
        hub.ip("link", "add", "hub", "type", "bridge")
        hub.ip("link", "set", "hub", "up")
        for number, name in enumerate(names, 1):
            space = self._network()
            hub.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(space.pid))
            hub.ip("link", "set", name, "master", "hub", "up")
            space.ip("addr", "add", f"10.99.0.{number}/24", "dev", "eth0")
            space.ip("link", "set", "eth0", "up")
            member = Daemon(self.folder / name, network=space)
            self.members[name] = member
            member.address = f"10.99.0.{number}:8443"
            member.start()
            self._join(name, member)
        return self

    def _join(self, name: str, member: Daemon) -> None:
        first = next(iter(self.members.values()))
        if member is first:
            words = PRESEED % ("btrfs", "size: 1GiB")
            words += f"cluster: {{server_name: {name}, enabled: true}}\n"
            words += f"config: {{core.https_address: '{member.address}'}}\n"
        else:
            token = first.incus("cluster", "add", name, "--quiet").split()[-1]
            words = (
                f"cluster:\n  enabled: true\n  server_name: {name}\n  server_address: {member.address}\n"
                f"  cluster_token: {token}\n  member_config:\n"
                "  - {entity: storage-pool, name: default, key: size, value: 1GiB}\n"
            )
        member.incus("admin", "init", "--preseed", stdin=words)
        if member is first:
            member.incus("config", "set", "cluster.offline_threshold", "11")  # seconds; 11 is the least

    def _network(self) -> Network:
        network = Network()
        self._networks.append(network)
        return network.start()

    def stop(self) -> None:
        """Ends the members and removes all that they made. Never raises."""
        for member in self.members.values():
            member.stop()
        for network in self._networks:
            network.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster of three: ``.members`` by name."""
    three = Cluster(_folder("ccptest-cluster-"))
    try:
        yield three.start()
    finally:
        three.stop()


def _env(**given: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("INCUS_")} | given


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _folder(prefix: str) -> Path:
    """A new folder that the roots of containers (other users, for the host) may walk through."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    return folder


def _without_cgroups(instances: set[str]) -> None:
    """Removes the control groups that killed containers leave behind; the kernel keeps those that are in use."""
    end = time.monotonic() + 3
    while (left := _cgroups(instances)) and time.monotonic() < end:
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):  # processes that were killed take a moment to leave
                    os.rmdir(folder)
        time.sleep(0.02)


def _cgroups(instances: set[str]) -> list[Path]:
    kinds = ("payload", "monitor")
    names = [f"*/lxc.{kind}.{name}{more}" for name in instances for kind in kinds for more in ("", "-[0-9]*")]
    return [found for name in names for found in CGROUPS.glob(name)]
