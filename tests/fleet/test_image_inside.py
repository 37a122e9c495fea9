"""What the image's units allow and refuse, in a whole deployment; and what no image may hold."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from ccp_tui.incus import FleetError
from ccp_tui.incus.api import files, operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.attach import HOMES
from tests.fleet.conftest import at_once, named
from tests.fleet.site import Site

pytestmark = [pytest.mark.incus, pytest.mark.slow]

GATEWAY = "openclaw-gateway.service"
# A process with the mounts, the user and the groups that the gateway has: as its children are, agents' shells.
AS_AGENT = (
    "pid=$(systemctl show -p MainPID --value openclaw-gateway.service); exec nsenter -t $pid -m -- "
    'setpriv --reuid openclaw --regid openclaw --init-groups --no-new-privs --bounding-set=-all sh -c "$0"'
)
ASK_FOR_CHECK = """
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(50)
connection.connect("/run/ccp-checks/checks.sock")
wanted = {"name": "one", "command": sys.argv[1], "cwd": sys.argv[2], "timeout_s": 30}
connection.sendall(json.dumps(wanted).encode() + b"\\n")
print(connection.makefile().readline())
"""


def agent(site: Site, script: str) -> tuple[int, str]:
    """A script as an agent's shell runs it: exit code and all it said."""
    done = site.inside("sh", "-c", AS_AGENT, script)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def workspace(site: Site) -> Iterator[str]:
    path = f"/srv/agents/t{secrets.token_hex(3)}"
    assert agent(site, f"umask 027; mkdir {path}") == (0, "")
    yield path
    site.inside("rm", "-rf", path)


def check(site: Site, command: str, workspace: str, user: str = "ccp") -> dict[str, Any]:
    """A spec's check as the service has it run, or as another user tries to."""
    ask = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "python3", "-c", ASK_FOR_CHECK]
    done = site.inside(*ask, command, workspace)
    if done.returncode != 0:
        return {"error": done.stderr}
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def test_all_units_are_well(site: Site) -> None:
    assert site.inside("systemctl", "is-system-running").stdout.strip() == "running"
    for unit in (
        "openclaw-gateway",
        "ccp",
        "ssh",
        "ccp-checks.socket",
        "systemd-networkd",
        "systemd-resolved",
    ):
        assert site.inside("systemctl", "is-active", unit).stdout.strip() == "active", unit


def test_the_slice_holds_shares_of_the_deployments_limits(site: Site) -> None:
    shown = site.inside("systemctl", "show", "agents.slice", "-p", "MemoryMax", "-p", "TasksMax").stdout
    found = dict(line.split("=") for line in shown.split())
    assert int(found["MemoryMax"]) == pytest.approx(2 * 2**30 * 0.88, rel=0.01)
    assert int(found["TasksMax"]) == 2000 * 85 // 100
    group = site.inside("systemctl", "show", GATEWAY, "-p", "ControlGroup", "--value").stdout
    assert group.startswith("/agents.slice/")


def test_an_agents_shell_does_its_work(site: Site, workspace: str) -> None:
    """Files with their modes, scripts, history, the network: what the hardening must not break."""
    code, said = agent(
        site,
        f"""set -e; cd {workspace}; umask 027
        mkdir folder; echo hello > folder/file; cp -a folder copy; cat copy/file
        printf '#!/bin/sh\\necho ran\\n' > run; chmod +x run; ./run
        git init -q .; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; git log --oneline | wc -l
        node -e 'console.log("node", 6 * 7)'; python3 -c 'print("python", 6 * 7)'
        echo > /tmp/mine; getent hosts localhost > /dev/null
        """,
    )
    assert (code, said.split()) == (0, ["hello", "ran", "1", "node", "42", "python", "42"]), said
    read = site.inside(
        "setpriv", "--reuid", "ccp", "--regid", "ccp", "--init-groups", "cat", f"{workspace}/folder/file"
    )
    assert read.stdout == "hello\n", "the service reads what agents deliver"
    assert not site.inside("sh", "-c", "ls /tmp/mine").stdout, "its /tmp is its own"


@pytest.mark.parametrize(
    "script",
    [
        "ls /var/lib/ccp",
        "cat /var/lib/ccp/mission.db",
        "ls /etc/ccp",
        "cat /etc/ssh/ssh_host_ed25519_key",
        "ls /run/ccp-checks",
        "touch /etc/new",
        "touch /usr/local/bin/new",
        "touch /opt/ccp/new",
        "echo x > /etc/systemd/system/ccp.service",
        "echo x > /etc/ssh/authorized_keys/ccp",
        "echo x > /proc/sys/kernel/hostname",
        "mount -t tmpfs none /mnt",
        "mknod /tmp/null c 1 3",
        "systemctl restart ccp.service",
        "systemctl stop ssh.service",
        "journalctl -n 1 -u ccp.service | grep -v 'No entries'",
        "kill $(systemctl show -p MainPID --value ccp.service)",
    ],
)
def test_an_agents_shell_may_not(site: Site, script: str) -> None:
    code, said = agent(site, script)
    assert code != 0, said


def test_the_gateway_has_no_rights_to_lose(site: Site) -> None:
    shown = site.inside("sh", "-c", f"cat /proc/$(systemctl show -p MainPID --value {GATEWAY})/status").stdout
    found = dict(re.findall(r"^(\w+):\s+(\S+)", shown, re.MULTILINE))
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert found["Uid"] == "1001"


def test_a_check_reaches_the_workspaces_and_nothing_else(site: Site, workspace: str) -> None:
    row = check(site, "id -un; echo made > result; cat result; pwd", workspace)
    assert (row["exit_code"], row["output"].split()) == (0, ["openclaw", "made", workspace]), row
    assert agent(site, f"cat {workspace}/result") == (0, "made\n")
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/var/lib/ccp/control.sock')"
    for command in (
        "cat /var/lib/ccp/mission.db",
        f'python3 -c "{connect}"',
        "ls /home/openclaw",
        "cat /home/openclaw/.openclaw/.env",
        "ls /run/ccp",
        "cat /etc/ccp/service.env",
        "touch /etc/new",
        "touch /home/openclaw/new",
        "kill -9 1",
    ):
        row = check(site, command, workspace)
        assert row["exit_code"] not in (0, None), (command, row)


def test_only_the_service_has_checks_run(site: Site, workspace: str) -> None:
    assert "PermissionError" in check(site, "true", workspace, user="openclaw")["error"]
    assert "workspace" in check(site, "true", "/etc")["error"]


def test_sshd_listens_where_the_proxy_connects_and_nowhere_else(site: Site) -> None:
    listening = site.inside("ss", "-Hltn").stdout.split("\n")
    addresses = {line.split()[3] for line in listening if line.strip()}
    assert {one for one in addresses if one.endswith(":22")} == {"127.0.0.1:22"}
    outside = {one for one in addresses if not re.match(r"127\.|\[::1\]", one)}
    assert not outside, outside
    settings = site.inside("sshd", "-T", "-C", "user=ccp,host=x,addr=127.0.0.1").stdout.lower()
    for line in ("disableforwarding yes", "passwordauthentication no", "forcecommand /usr/local/bin/ccp login",
                 "permituserenvironment no", "permittunnel no", "allowusers ccp"):  # fmt: skip
        assert f"{line}\n" in settings
    assert "subsystem" not in settings


def test_a_token_and_a_host_key_were_made_inside(site: Site) -> None:
    told = site.inside("cat", "/etc/ccp/service.env").stdout
    found = re.search(r"^CCP_GATEWAY_TOKEN=([0-9a-f]{64})$", told, re.MULTILINE)
    assert found is not None
    configured = json.loads(site.inside("cat", "/home/openclaw/.openclaw/openclaw.json").stdout)
    assert configured["gateway"]["auth"]["token"] == found[1]
    assert "${SCRIPTED_API_KEY}" in json.dumps(configured["models"])
    modes = site.inside(
        "stat", "-c", "%U %a", "/etc/ccp/service.env", "/etc/ssh/ssh_host_ed25519_key",
        "/home/openclaw/.openclaw/openclaw.json", "/home/openclaw/.openclaw/.env", "/var/lib/ccp", "/home/openclaw",
        "/srv/agents",
    ).stdout.splitlines()  # fmt: skip
    assert modes == [
        "root 600", "root 600", "openclaw 600", "openclaw 600", "ccp 700", "openclaw 700", "openclaw 2750",
    ]  # fmt: skip


def test_the_image_holds_nothing_of_anyone(full_image: str) -> None:
    """No key, token, identity or authority of the machine that built it: looked for before the first start."""

    async def look(connection: Connection, name: str) -> None:
        body = {"name": name, "type": "container", "source": {"type": "image", "alias": full_image}}
        await operations.run(connection, "POST", "/1.0/instances", body, within=120)
        assert await files.get(connection, name, "/etc/machine-id") == b""
        for path in (
            "/etc/ssh/ssh_host_ed25519_key",
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssh/authorized_keys/ccp",
            "/etc/ccp/service.env",
            "/etc/ccp/provision.json",
            "/etc/hostname",
            "/home/openclaw/.openclaw/openclaw.json",
            "/home/openclaw/.openclaw/.env",
            "/run/ccp-build",
            f"{HOMES['root']}/.cache",
            f"{HOMES['root']}/.npm",
            "/var/tmp/npm",
            "/var/tmp/warm",
        ):
            with pytest.raises(FleetError) as caught:
                await files.get(connection, name, path)
            assert caught.value.code == "NOT_FOUND", path
        for path in ("/usr/local/share/ca-certificates", "/var/log/journal", "/var/lib/apt/lists", "/tmp"):
            listing: list[str] = await connection.get(f"/1.0/instances/{name}/files", {"path": path})
            assert not listing, path

    with named() as prefix:
        at_once(lambda connection: asyncio.wait_for(look(connection, f"{prefix}still"), 150))
