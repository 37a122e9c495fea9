"""What a deployment makes for itself when it boots: SSH host key, gateway token, OpenClaw's configuration.

``ccp-firstboot.service`` runs it as root at every boot, before the gateway, the service and sshd. What is there stays:
only what is missing is made (a copied deployment, whose token and host key were deleted, gets its own), and the
provider's settings are written again when /etc/ccp/provision.json is another than last time.

The agents own OpenClaw's configuration and its folder. Root follows no link of theirs: that part runs as their user.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from ccp_tui.incus.image import provision

ROOT = Path("/")
ENVIRONMENT = "etc/ccp/service.env"
PROVISION = "etc/ccp/provision.json"
PROVISIONED = "etc/ccp/provisioned"
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
AGENTS_USER = "openclaw"
STATE = Path("/home/openclaw/.openclaw")
TOKEN = "CCP_GATEWAY_TOKEN"
CONFIGURE_S = 30


def main(words: list[str]) -> int:
    """``firstboot`` as root; ``firstboot configure`` as the agents' user, which reads its task from stdin."""
    if words == ["configure"]:
        task = json.load(sys.stdin)
        forget_owner(STATE)
        print(configure(STATE, task["token"], task["provision"]))
        return 0
    host_key(ROOT / HOST_KEY)
    token = gateway_token(ROOT / ENVIRONMENT)
    wanted, digest = provision_of(ROOT / PROVISION)
    mark = ROOT / PROVISIONED
    before = mark.read_text().strip() if mark.exists() else None
    done = as_agents({"token": token, "provision": wanted if digest != before else None})
    if done:
        private(mark, digest + "\n")
    # After the first time, nothing that agents can do to their configuration may keep sshd and the service, which
    # come after this, from starting.
    return 0 if done or before is not None else 1


def as_agents(task: dict[str, Any]) -> bool:
    """Has :func:`configure` run as the agents' user; whether it ended well. What it says is for the journal."""
    try:
        said = subprocess.run(
            [sys.executable, "-I", "-m", "ccp_tui.incus.image.firstboot", "configure"],
            input=json.dumps(task), capture_output=True, text=True, errors="replace", timeout=CONFIGURE_S, check=False,
            user=AGENTS_USER, group=AGENTS_USER, extra_groups=[], umask=0o077, cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"configuration: not done within {CONFIGURE_S} s")
        return False
    print(said.stdout.strip() or "configuration: failed", said.stderr.strip()[-2000:])
    return said.returncode == 0


def host_key(path: Path) -> None:
    """One key, of one kind that every client of today knows."""
    if path.exists():
        return
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", os.uname().nodename, "-f", str(path)],
        check=True, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def gateway_token(path: Path) -> str:
    """The token in the service's environment file; where it has none, a new one and a new file."""
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            if name == TOKEN and value:
                return value
    token = secrets.token_hex(32)
    private(path, f"CCP_GATEWAY_URL=ws://127.0.0.1:{provision.GATEWAY_PORT}\n{TOKEN}={token}\n")
    return token


def provision_of(path: Path) -> tuple[dict[str, Any] | None, str]:
    """What the fleet asked for at creation, and its digest; None and "" where there is nothing that can be used."""
    try:
        body = path.read_bytes()
        wanted = json.loads(body)
        provision.provider(wanted if isinstance(wanted, dict) else {}, has_key=False)
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError) as error:
        print(f"{path} can't be used: {error}")
        return None, ""
    if not isinstance(wanted, dict):
        print(f"{path} holds no object")
        return None, ""
    return wanted, hashlib.sha256(body).hexdigest()


def configure(state: Path, token: str, wanted: dict[str, Any] | None) -> str:
    """Writes openclaw.json in ``state`` where it has to change; says in words what was done.

    A configuration that is no plain JSON (a person may have written comments into it) is left as it is.
    """
    path = state / "openclaw.json"
    try:
        before = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        before = None
    except ValueError as error:
        return f"configuration: left as it is, for it is no plain JSON ({error})"
    if before is not None and not isinstance(before, dict):
        return "configuration: left as it is, for it is no object"
    after = provision.first() if before is None else before
    if wanted is not None:
        name = str(wanted.get("provider") or "")
        after = provision.merged(after, provision.provider(wanted, _has_key(state / ".env", name)))
    after = provision.merged(after, provision.ours(token))
    if after == before:
        return "configuration: unchanged"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    private(path, json.dumps(after, indent=2) + "\n")
    return "configuration: written"


def forget_owner(state: Path) -> None:
    """Ends the lease and the locks of the gateway that owned this state before: none runs yet here.

    OpenClaw's gateway renews a row of state_leases for five minutes at a time, and takes over that of a dead one only
    under the same host name: a copied or imported deployment would wait for it to run out. Its lock files name a
    process. After a power cut another program may have that number, and one that the unit's ProtectProc hides counts
    as the owner: the gateway would end with 78 at every start.
    """
    with contextlib.suppress(OSError):
        for lock in (state / "tmp").glob("openclaw-*/gateway.*.lock"):
            lock.unlink(missing_ok=True)
    path = state / "state" / "openclaw.sqlite"
    if path.is_symlink() or not path.is_file():
        return
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, timeout=5)) as database,
        database,
    ):
        database.execute("DELETE FROM state_leases WHERE scope = 'gateway-owner'")


def private(path: Path, text: str) -> None:
    """Writes a file for its owner alone, whole or not at all."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise


def _has_key(path: Path, name: str) -> bool:
    variable = provision.key_variable(name)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.removeprefix("export ").startswith(f"{variable}=") for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
