"""What agents with a shell, and root inside, can't do: to the host, to their own board, to their neighbours."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.fleet.site import Site, ccp, well

pytestmark = [pytest.mark.incus, pytest.mark.slow]

OPENCLAW, CCP = 1001, 1000


def config(site: Site) -> dict[str, str]:
    told = subprocess.run(
        ["incus", "query", f"/1.0/instances/{site.name}"], capture_output=True, text=True, timeout=20
    )
    found: dict[str, str] = json.loads(told.stdout)["config"]
    return found


def test_root_inside_is_nobody_outside(site: Site) -> None:
    first, host, count = site.inside("cat", "/proc/self/uid_map").stdout.split()
    assert int(first) == 0
    assert int(host) >= 100_000
    assert int(count) <= 65_536, "a range of its own, not the one of all containers"
    found = config(site)
    assert found.get("security.privileged", "false") == "false"
    assert found.get("security.nesting", "false") == "false"
    assert found["security.guestapi"] == "false"


def test_nothing_of_the_host_is_inside(site: Site) -> None:
    mounts = [line.split() for line in site.inside("cat", "/proc/self/mountinfo").stdout.splitlines()]
    kinds = {words[words.index("-") + 1] for words in mounts if "-" in words}
    disks = [words[4] for words in mounts if words[words.index("-") + 1] in ("btrfs", "ext4", "xfs", "zfs")]
    assert disks == ["/"], mounts
    assert not kinds & {"9p", "virtiofs", "nfs", "overlay"}
    sockets = site.inside("find", "/", "-xdev", "-type", "s", "-name", "*incus*").stdout
    assert sockets.strip() == ""
    assert site.inside("ls", "/dev/incus").returncode != 0


@pytest.mark.parametrize(
    "command",
    [
        "mknod /tmp/disk b 8 0",
        "mount -t proc none /mnt && mount -o remount,rw /sys",
        "modprobe dummy || insmod /lib/modules/none.ko",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo x > /proc/sysrq-trigger",
        "dmesg",
        "echo 0 > /sys/module/btrfs/uevent",
    ],
)
def test_root_inside_may_not(site: Site, command: str) -> None:
    tried = site.inside("sh", "-c", command)
    assert tried.returncode != 0, tried.stdout


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/ccp/mission.db",
        "/var/lib/ccp/device.json",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ccp/service.env",
        "/etc/ccp/provision.json",
        "/etc/shadow",
    ],
)
def test_an_agents_shell_reads_nothing_that_is_not_its_own(site: Site, path: str) -> None:
    assert site.inside("test", "-s", path).returncode == 0, "it is there"
    tried = site.inside("cat", path, user=OPENCLAW)
    assert tried.returncode != 0
    assert "Permission denied" in tried.stderr


def test_an_agents_shell_changes_no_door(site: Site) -> None:
    for path in (
        "/etc/ssh/sshd_config",
        "/etc/ssh/authorized_keys/ccp",
        "/etc/systemd/system/ccp.service",
        "/etc/systemd/system/openclaw-gateway.service",
        "/opt/ccp/bin/ccp",
        "/usr/local/bin/ccp",
    ):
        tried = site.inside("sh", "-c", 'echo x >> "$0"', path, user=OPENCLAW)
        assert tried.returncode != 0, path
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/var/lib/ccp/control.sock')"
    tried = site.inside("python3", "-c", connect, user=OPENCLAW)
    assert "PermissionError" in tried.stderr
    assert site.inside("systemctl", "stop", "ccp.service", user=OPENCLAW).returncode != 0


def test_the_board_can_read_what_agents_deliver_and_not_their_home(site: Site) -> None:
    assert site.inside("sh", "-c", "id -nG ccp").stdout.split().count("agents") == 1
    assert site.inside("ls", "/home/openclaw", user=CCP).returncode != 0


# As the agents' commands are run: the slice has the limits, not the unit.
AGENTS = (
    "systemd-run", "--quiet", "--collect", "--slice=agents.slice", "--uid=openclaw", "--property=TasksMax=infinity",
)  # fmt: skip


def test_a_fork_bomb_stays_inside(site: Site) -> None:
    """It ends at the limit of processes; the host answers meanwhile, and the deployment is well afterwards."""
    resized = ccp("fleet", "resize", site.name, "--cpu", "1", "--processes", "400")
    assert resized.returncode == 0, resized.stderr
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    site.inside(*AGENTS, "--unit=bomb", "python3", "-c", bomb)
    try:
        end = time.monotonic() + 60
        while site_processes(site) < 200 and time.monotonic() < end:
            time.sleep(0.5)
        began = time.monotonic()
        listed = subprocess.run(["incus", "list", "--format", "csv"], capture_output=True, timeout=30)
        took = time.monotonic() - began
        assert listed.returncode == 0
        assert took < 10
        assert 200 < site_processes(site) <= 400
    finally:
        stopped = site.inside("systemctl", "kill", "--signal=KILL", "bomb")
        site.inside("systemctl", "stop", "bomb")
    assert stopped.returncode == 0, "root still has processes left to mend it with"
    told = the_board_says(site, "out_of_processes")
    assert "there were too many processes (limit 400)" in told
    assert f"ccp fleet resize {site.name} --processes 800" in told
    the_list_says(site, "Out of processes at ")
    assert ccp("fleet", "resize", site.name, "--cpu", "2", "--processes", "2000").returncode == 0
    well(site)


def test_a_memory_hog_is_killed_and_the_rest_lives(site: Site) -> None:
    hog = "held = []\nwhile True:\n    held.append(bytearray(50_000_000))"
    tried = site.inside(*AGENTS, "--wait", "--unit=hog", "python3", "-c", hog)
    assert tried.returncode != 0, tried
    told = the_board_says(site, "out_of_memory")
    assert "killed for want of memory (limit 2 GiB)" in told
    assert f"ccp fleet resize {site.name} --memory 4GiB" in told
    the_list_says(site, "Out of memory at ")
    well(site)


def the_board_says(site: Site, kind: str) -> str:
    """The last event of a kind in the board's history, once there is one."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        told = site.inside("ccp", "events", "--kind", kind, "--json", user=CCP)
        rows = json.loads(told.stdout) if told.returncode == 0 else []
        if rows:
            return str(rows[-1]["text"])
        time.sleep(1)
    pytest.fail(f"the history has no {kind}: {told}")


def the_list_says(site: Site, words: str) -> None:
    """Fails unless the fleet's list says so; a busy deployment may be too late for one listing."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        rows = json.loads(ccp("fleet", "list", "--json").stdout)
        (row,) = [one for one in rows if one["name"] == site.name]
        if words in row["note"]:
            return
        time.sleep(1)
    pytest.fail(f"the list says nothing of it: {row}")


def site_processes(site: Site) -> int:
    """How many processes Incus counts in it."""
    told = subprocess.run(
        ["incus", "query", f"/1.0/instances/{site.name}/state"], capture_output=True, text=True, timeout=60
    )
    return int(json.loads(told.stdout)["processes"])
