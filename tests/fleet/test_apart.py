"""A deployment seen from inside, from its neighbour and from the host: what is refused, and what does not answer."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.incus import CreateRequest, FleetError, names
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create
from tests.fleet.conftest import SMALL, at_once, remove_all
from tests.fleet.site import Site

pytestmark = [pytest.mark.incus, pytest.mark.slow]

OPENCLAW, CCP = 1001, 1000
# What the kernel shows of itself; everything else that is mounted inside is the root file system.
KERNEL = {"proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "ramfs", "bpf", "binfmt_misc",
          "fusectl", "pstore", "debugfs", "tracefs", "securityfs", "efivarfs", "configfs", "hugetlbfs", "autofs",
          "fuse.lxcfs"}  # fmt: skip
DEVICES = {"full", "null", "random", "tty", "urandom", "zero", "fuse", "net/tun", "ptmx"}
LOAD_MODULE = """python3 -c '
import ctypes, platform
call = {"x86_64": 175, "aarch64": 105}[platform.machine()]
ctypes.CDLL(None, use_errno=True).syscall(call, None, 0, b"")
raise OSError(ctypes.get_errno(), "init_module")'
"""
SCAN = ("nmap", "-n", "-Pn", "--open", "-oG", "-", "--min-rate", "10000", "--max-retries", "1")


def asked(path: str) -> Any:
    """What Incus answers about an instance."""
    told = subprocess.run(
        ["incus", "query", f"/1.0/instances/{path}"], capture_output=True, text=True, timeout=20, check=True
    )
    return json.loads(told.stdout)


def sh(name: str, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A shell script in a container, as its root."""
    command = ["incus", "exec", name, "--", "sh", "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def address(name: str) -> str:
    """Its own on the bridge; a new one has none for a moment."""
    for _ in range(100):
        cards = asked(f"{name}/state")["network"]["eth0"]["addresses"]
        for one in cards:
            if one["family"] == "inet" and one["scope"] == "global":
                return str(one["address"])
        time.sleep(0.2)
    raise AssertionError(f"{name} has no address")


def hosts_addresses() -> list[str]:
    """The host's own IPv4 addresses."""
    shown = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, check=True, timeout=20).stdout
    return [str(each["local"]) for card in json.loads(shown) for each in card["addr_info"]]


@pytest.fixture(scope="module")
def neighbour(tiny_image: str) -> Iterator[str]:
    """Another deployment, in which we are root."""
    name = f"ccptest-{secrets.token_hex(3)}-near"
    request = CreateRequest(name, SMALL, image=tiny_image)
    try:
        at_once(lambda connection: create.create(connection, request, lambda _stage: None))
        yield name
    finally:
        at_once(lambda connection: remove_all(connection, name))


# --- from inside: the host's kernel and files


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("mknod /srv/disk b 8 0", "not permitted"),
        ("mknod /srv/memory c 1 1", "not permitted"),
        ("mount -t btrfs /dev/vda /mnt", "denied|not permitted|does not exist"),
        ("mount -t debugfs none /mnt", "denied|not permitted"),
        ("mount -t securityfs none /mnt", "denied|not permitted"),
        (LOAD_MODULE, "PermissionError|Errno 38"),
        ("python3 -c 'import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))'", "PermissionError"),
        ("python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, 0)'", "PermissionError"),
        ("cat /dev/kmsg", "No such file|denied|not permitted"),
        ("cat /dev/mem", "No such file|denied"),
        ("head -c 1 /proc/kmsg", "denied|not permitted"),
        ("head -c 1 /proc/kcore", "No such file|denied|not permitted"),
        ("dmesg", "not permitted|denied"),
    ],
)  # fmt: skip
def test_root_inside_is_refused(site: Site, script: str, why: str) -> None:
    tried = sh(site.name, script)
    assert tried.returncode != 0, tried.stdout
    assert any(word in tried.stderr for word in why.split("|")), tried.stderr


@pytest.mark.parametrize(
    "name",
    ["kernel/core_pattern", "kernel/modprobe", "kernel/sysrq", "kernel/panic", "kernel/pid_max", "kernel/printk",
     "kernel/kptr_restrict", "kernel/dmesg_restrict", "vm/drop_caches", "vm/overcommit_memory", "fs/file-max"],
)  # fmt: skip
def test_the_kernels_settings_are_the_hosts(site: Site, name: str) -> None:
    path = Path("/proc/sys", name)
    before = value(path)
    assert sh(site.name, f"echo 1 > {path}").returncode != 0
    assert value(path) == before


def value(path: Path) -> bytes:
    """A setting of this kernel; nothing where it has none or shows none."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_all_that_is_mounted_is_its_own_root_and_the_kernels(site: Site) -> None:
    lines = [line.split() for line in site.inside("cat", "/proc/self/mountinfo").stdout.splitlines()]
    assert lines
    real = [words for words in lines if words[words.index("-") + 1] not in KERNEL]
    assert [words[4] for words in real] == ["/"], real
    assert real[0][3].endswith(f"/{site.name}/rootfs") or real[0][3] == "/"
    devices = {words[3].lstrip("/") for words in lines if words[words.index("-") + 1] == "devtmpfs"}
    assert devices <= DEVICES
    disks = {name: one for name, one in asked(site.name)["expanded_devices"].items() if one["type"] == "disk"}
    assert [one["path"] for one in disks.values()] == ["/"]
    assert not any("source" in one for one in disks.values())


def test_no_way_to_incus_from_inside(site: Site) -> None:
    """No socket, no guest API, none of Incus's ports; the folder through which Incus hot-plugs is empty."""
    found = sh(site.name, "ls -d /dev/incus /dev/lxd /run/incus /var/lib/incus /var/lib/lxd")
    assert found.stdout == ""
    listening = site.inside("ss", "-xlH").stdout
    assert "incus" not in listening
    assert "lxd" not in listening
    assert sh(site.name, "ls -A /dev/.incus-mounts").stdout == ""
    assert asked(site.name)["expanded_config"]["security.guestapi"] == "false"


def test_two_deployments_share_no_user_of_the_host(site: Site, neighbour: str) -> None:
    spans = []
    for name in (site.name, neighbour):
        rows = [
            line.split()
            for line in sh(name, "cat /proc/self/uid_map; cat /proc/self/gid_map").stdout.splitlines()
        ]
        assert rows[0] == rows[1], "users and groups alike"
        assert len(rows) == 2
        first, host, count = map(int, rows[0])
        assert (first, count) == (0, 65_536)
        spans.append(range(host, host + count))
    assert spans[0].start >= 65_536
    assert not set(spans[0]) & set(spans[1])


# --- from inside: the board, for an agent


@pytest.mark.parametrize(
    "command",
    [
        "systemctl edit --full --stdin ccp.service < /dev/null",
        "script -qec 'EDITOR=true systemctl edit --full ccp.service' /dev/null",
        "script -qec 'EDITOR=true systemctl edit --full ssh.service' /dev/null",
        "touch /etc/systemd/system/x.service",
        "touch /run/systemd/system/x.service",
        "mkdir /etc/systemd/system/ccp.service.d",
        "mkdir /run/systemd/system/ssh.service.d",
        "systemctl daemon-reload",
        "systemctl restart ssh.service",
        "systemctl stop openclaw-gateway.service",
        "systemctl mask --runtime ccp.service",
        "systemctl set-property --runtime agents.slice MemoryMax=infinity",
        "systemctl set-environment X=1",
        "systemd-run --quiet true",
        "systemctl poweroff",
        "kill $(systemctl show -p MainPID --value ccp.service)",
        "kill $(systemctl show -p MainPID --value ssh.service)",
        "cat /proc/$(systemctl show -p MainPID --value ccp.service)/environ",
        "ls /proc/$(systemctl show -p MainPID --value ccp.service)/fd",
        "ls /proc/1/root",
        "ls /proc/1/cwd",
        "cat /var/lib/ccp/control.sock",
        "ls /var/lib/ccp /run/ccp-checks",
        "cat /etc/ssh/ssh_host_*_key",
        "su ccp -c id < /dev/null",
        "journalctl --unit ccp.service --quiet --lines 1 | grep -q .",
    ],
)
def test_an_agents_shell_is_refused(site: Site, command: str) -> None:
    tried = site.inside("runuser", "-u", "openclaw", "--", "sh", "-c", command)
    assert tried.returncode != 0, tried.stdout + tried.stderr


def test_the_units_run_on(site: Site) -> None:
    """After all of that."""
    shown = site.inside("systemctl", "is-active", "ccp", "ssh", "openclaw-gateway", "ccp-checks.socket")
    assert shown.stdout.split() == ["active"] * 4


# --- the network


def test_a_neighbour_finds_no_port_open(site: Site, neighbour: str) -> None:
    """All ports, by a scanner of the host that runs in the neighbour's network; its own is the proof that it finds."""
    pid = str(asked(f"{neighbour}/state")["pid"])
    into = ["nsenter", "--target", pid, "--net"]
    listener = subprocess.Popen(
        ["incus", "exec", neighbour, "--", "nc", "-ll", "-p", "4242", "-e", "/bin/true"]
    )
    try:
        for target, span, found in (
            (address(neighbour), "-p4200-4300", True),
            (address(site.name), "-p-", False),
        ):
            ran = subprocess.run(
                [*into, *SCAN, span, target],
                capture_output=True, text=True, timeout=180,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stderr
            assert ("/open/" in ran.stdout) is found, ran.stdout
    finally:
        listener.kill()
        listener.wait()
    # Nor by the addresses that cards give themselves.
    told = sh(site.name, "ip -6 -o addr show dev eth0 scope link").stdout.split()
    if "inet6" in told:
        own = told[told.index("inet6") + 1].partition("/")[0]
        tried = subprocess.run(
            [*into, "ping", "-6", "-c", "1", "-W", "2", f"{own}%eth0"], capture_output=True, timeout=20
        )
        assert tried.returncode != 0


async def test_services_of_the_host_do_not_answer(site: Site) -> None:
    """Bound to all addresses, asked for by every address that the host has, and by its other deployments' SSH ports."""
    heard: list[object] = []
    server = await asyncio.start_server(lambda _reader, writer: heard.append(writer), "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    mine = [one for one in await asyncio.to_thread(hosts_addresses) if one != "127.0.0.1"]
    bridge = sh(site.name, "ip -4 route show default").stdout.split()[2]
    assert bridge in mine
    try:
        for host in mine:
            for each in (port, site.port):
                tried = await asyncio.to_thread(sh, site.name, f"timeout 5 bash -c '</dev/tcp/{host}/{each}'")
                assert tried.returncode != 0, (host, each)
    finally:
        server.close()
    assert not heard


def test_names_are_resolved_by_the_bridge(site: Site) -> None:
    """The host's own DNS, which the rules allow; a name that the bridge itself knows needs no internet."""
    bridge = sh(site.name, "ip -4 route show default").stdout.split()[2]
    told = sh(site.name, "getent ahostsv4 $0", f"{site.name}.incus")
    assert address(site.name) in told.stdout, told
    assert bridge in sh(site.name, "resolvectl dns eth0").stdout


def test_the_rules_allow_the_internet_and_no_network_of_the_hosts(site: Site) -> None:
    def rules(connection: Connection) -> Any:
        return connection.get(f"/1.0/network-acls/{names.ACL}")

    acl = at_once(rules)
    (internet,) = [rule for rule in acl["egress"] if rule.get("description") == "the internet"]
    spans = [span.split("-") for span in internet["destination"].split(",")]

    def reachable(text: str) -> bool:
        number = int(ipaddress.IPv4Address(text))
        return any(int(ipaddress.IPv4Address(a)) <= number <= int(ipaddress.IPv4Address(b)) for a, b in spans)

    assert reachable("1.1.1.1")
    assert reachable("151.101.2.132")
    for text in (
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.9.9",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
    ):
        assert not reachable(text), text
    for mine in hosts_addresses():
        assert not reachable(mine), mine


def test_the_gateways_port_answers_inside_alone(site: Site) -> None:
    assert site.inside("bash", "-c", "</dev/tcp/127.0.0.1/18789").returncode == 0
    with pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection((address(site.name), 18789), timeout=3)


# --- whatever a profile would give


@pytest.fixture
def generous(incus: None, tmp_path: Path) -> Iterator[str]:
    """A profile that would give a folder of the host, one of its devices and a port."""
    name = f"ccptest-{secrets.token_hex(3)}-profile"

    def profile(*words: str) -> None:
        subprocess.run(["incus", "profile", *words], check=True, capture_output=True, timeout=20)

    profile("create", name)
    try:
        profile("device", "add", name, "root", "disk", "path=/", "pool=default")
        profile("device", "add", name, "hosts", "disk", f"source={tmp_path}", "path=/hosts")
        profile("device", "add", name, "mem", "unix-char", "source=/dev/mem", "path=/dev/mem")
        profile("device", "add", name, "web", "proxy", "listen=tcp:127.0.0.1:0", "connect=tcp:127.0.0.1:80")
        yield name
    finally:
        profile("delete", name)


async def test_a_profile_gives_nothing_of_the_host(
    connection: Connection, tiny_image: str, generous: str, prefix: str
) -> None:
    request = CreateRequest(f"{prefix}one", SMALL, image=tiny_image, profile=generous)
    await create.create(connection, request, lambda _stage: None)
    expanded = asked(request.name)["expanded_devices"]
    assert {name: one["type"] for name, one in expanded.items() if one["type"] != "none"} == {
        "root": "disk",
        "eth0": "nic",
        names.SSH_DEVICE: "proxy",
    }
    looked = sh(request.name, "ls -d /hosts /dev/mem")
    assert looked.stdout == ""
    await asyncio.to_thread(
        subprocess.run,
        ["incus", "profile", "set", generous, "raw.lxc=lxc.cap.drop="],
        check=True,
        timeout=20,
    )
    again = CreateRequest(f"{prefix}two", SMALL, image=tiny_image, profile=generous)
    with pytest.raises(FleetError, match=r"loosens what keeps a deployment apart: raw\.lxc") as caught:
        await create.create(connection, again, lambda _stage: None)
    assert caught.value.code == "REFUSED"
