"""What is put into a deployment before its first start, and the wait until what runs inside is ready."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import aclosing

from ccp_tui.incus import names
from ccp_tui.incus.api import execute, files
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import health, lifecycle, listing
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.image.provision import key_variable
from ccp_tui.incus.model import CreateRequest
from ccp_tui.text import one_line

SYSTEM_S = 90.0
READY_S = {"gateway": 180.0, "service": 60.0}
# systemctl does not wait for a systemd that has not opened its socket yet.
WAIT_FOR_SYSTEM = (
    "i=0; until [ -S /run/systemd/private ] || [ $i -ge 300 ]; do i=$((i+1)); sleep 0.1; done; "
    "exec systemctl is-system-running --wait"
)
# OpenClaw reads .env with dotenv: these would need quoting, and no provider's keys have them.
_UNSAFE = re.compile(r"[\"'`\\#$]")


def check_key(request: CreateRequest) -> None:
    """Raises FleetError USAGE for a provider's key that can't be written down as it is; the words do not hold it."""
    if _UNSAFE.search(request.api_key):
        raise FleetError("USAGE", "The provider's key has a quote or another character that no key has.")


async def furnish(connection: Connection, request: CreateRequest) -> None:
    """Writes keys and settings into a deployment that has not started yet. Raises FleetError."""
    name = request.name
    for path in ("/etc/ssh", "/etc/ssh/authorized_keys"):
        await files.folder(connection, name, path)
    if request.ssh_key:
        keys = f"{request.ssh_key.strip()}\n".encode()
        await files.put(connection, name, "/etc/ssh/authorized_keys/ccp", keys, mode=0o644)
    settings = {
        "provider": request.provider,
        "provider_url": request.provider_url,
        "model": request.model,
    }
    await files.folder(connection, name, "/etc/ccp", mode=0o700)
    await files.put(
        connection, name, "/etc/ccp/provision.json", json.dumps(settings, indent=1).encode(), mode=0o600
    )
    if request.api_key:
        uid = names.OPENCLAW_UID
        for path in (names.OPENCLAW_HOME, f"{names.OPENCLAW_HOME}/.openclaw"):
            await files.folder(connection, name, path, uid=uid, gid=uid, mode=0o700)
        line = f"{key_variable(request.provider)}={request.api_key}\n".encode()
        await files.put(
            connection, name, f"{names.OPENCLAW_HOME}/.openclaw/.env", line, uid=uid, gid=uid, mode=0o600
        )


async def wait_for_system(connection: Connection, name: str) -> str:
    """Returns when systemd inside has booted: "" or, when units failed, words that name them.

    Raises FleetError FAILED when the first boot's own unit failed, TIMEOUT after a minute and a half.
    """
    try:
        done = await execute.run(connection, name, ("/bin/sh", "-c", WAIT_FOR_SYSTEM), within=SYSTEM_S)
    except FleetError as error:
        if error.code != "TIMEOUT":
            raise
        raise FleetError("TIMEOUT", f"The system inside did not come up within {SYSTEM_S:.0f} s.") from None
    state = one_line(done.output, 40)
    if state == "running":
        return ""
    failed = await execute.run(
        connection, name, ("systemctl", "list-units", "--failed", "--plain", "--no-legend"), within=20
    )
    units = [line.split()[0] for line in failed.output.splitlines() if line.split()]
    if "ccp-firstboot.service" in units:
        said = await last_words(connection, name, "ccp-firstboot.service")
        raise FleetError("FAILED", f"The first boot inside failed: {said}.")
    return f"{state or 'unknown'}: {one_line(', '.join(units), 200)} failed" if units else state


async def wait_until_ready(
    connection: Connection, name: str, part: str, on_words: Callable[[str], None]
) -> None:
    """Returns when the service inside says that ``part`` ("gateway" or "service") is ready.

    Raises FleetError TIMEOUT with the part's last words.
    """
    try:
        async with asyncio.timeout(READY_S[part]), aclosing(health.follow(connection, name)) as stream:
            async for found in stream:
                state = found.gateway if part == "gateway" else found.service
                if state == "ready":
                    return
                on_words(state)
    except TimeoutError:
        pass
    said = await last_words(connection, name, names.UNITS[part])
    raise FleetError(
        "TIMEOUT", f"The {part} was not ready within {READY_S[part]:.0f} s; its last words: {said}."
    )


async def healthy(connection: Connection, name: str) -> None:
    """Returns when everything inside a running deployment is ready; at once when its image holds nothing of ours.

    Raises FleetError with the last words of what did not come up.
    """
    if not listing.full(await lifecycle.owned(connection, name)):
        return
    await wait_for_system(connection, name)
    for part in READY_S:
        await wait_until_ready(connection, name, part, lambda _words: None)


async def last_words(connection: Connection, name: str, unit: str) -> str:
    """The last line of a unit's log, or "none"."""
    try:
        done = await execute.run(
            connection, name, ("journalctl", "-u", unit, "-n", "1", "-o", "cat", "--no-pager"), within=15
        )
    except FleetError:
        return "none"
    return one_line(done.output, 200).rstrip(".") or "none"
