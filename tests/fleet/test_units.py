"""The units of a whole deployment: bounded logs, services that come back, and the key in no log."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.site import KEY, Site, ccp, well
from tests.service.board import spec

pytestmark = [pytest.mark.incus, pytest.mark.slow]

SERVICE, GATEWAY = "ccp.service", "openclaw-gateway.service"


def main_pid(site: Site, unit: str) -> str:
    return site.inside("systemctl", "show", "-p", "MainPID", "--value", unit).stdout.strip()


def test_the_journal_is_bounded(site: Site) -> None:
    """By its own word at its start, and it outlives a restart."""
    said = site.inside("journalctl", "--boot", "-u", "systemd-journald", "--no-pager", "-o", "cat").stdout
    assert re.search(r"System Journal \(/var/log/journal/\S+\) is \S+, max 100\.0M", said), said
    assert (
        re.search(r"Runtime Journal \(/run/log/journal/\S+\) is \S+, max 20\.0M", said)
        or "Runtime" not in said
    )


def test_the_service_has_no_rights_to_lose(site: Site) -> None:
    pid = main_pid(site, SERVICE)
    found = dict(
        re.findall(r"^(\w+):\s+(\S+)", site.inside("cat", f"/proc/{pid}/status").stdout, re.MULTILINE)
    )
    assert (found["NoNewPrivs"], found["Seccomp"], found["Uid"]) == ("1", "2", "1000")
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    into = ["nsenter", "-t", pid, "-m", "--"]
    for script in (
        "touch /etc/new",
        "touch /usr/new",
        "touch /srv/agents/new",
        "ls /home/openclaw/.openclaw",
    ):
        assert site.inside(*into, "sh", "-c", script).returncode != 0, script


def test_what_is_killed_comes_back(site: Site) -> None:
    """The service and the gateway, each by itself; the other one goes on."""
    for unit, other in ((SERVICE, GATEWAY), (GATEWAY, SERVICE)):
        before, untouched = main_pid(site, unit), main_pid(site, other)
        assert site.inside("kill", "-KILL", before).returncode == 0
        end = time.monotonic() + 60
        while main_pid(site, unit) in ("0", before):
            assert time.monotonic() < end, f"{unit} does not come back"
            time.sleep(0.2)
        assert main_pid(site, other) == untouched
        well(site)


def test_a_login_goes_on_while_the_service_restarts(site: Site) -> None:
    assert site.inside("systemctl", "restart", SERVICE).returncode == 0
    well(site)
    assert json.loads(site.ask("status", "--json").stdout)["gateway"]["state"] == "connected"


def test_the_key_is_in_no_log_no_list_of_processes_and_no_record_of_incus(site: Site) -> None:
    """The journal is compressed, so it is read by its own program; what the daemon keeps lies outside."""
    looks = {
        "journal": "journalctl --no-pager -o export",
        "arguments": "cat /proc/[0-9]*/cmdline",
        "units": "systemctl show '*'",
        "service": "tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value ccp.service)/environ",
    }
    for name, look in looks.items():
        said = site.inside("sh", "-c", f"{look} | tr '\\0' ' '").stdout
        assert len(said) > 100, name
        assert KEY not in said, name
    here = subprocess.run(
        ["grep", "-rlsa", "-e", KEY, "/var/log/incus", f"/var/log/incus/{site.name}", "/var/lib/incus/database",
         "/var/lib/incus/logs"],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert here.stdout == ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert KEY.encode() not in path.read_bytes() or path.parent.name == "self"
        except OSError:
            continue


def board(site: Site, *words: str) -> Any:
    """A verb of the person inside, and its JSON."""
    done = site.inside("runuser", "-u", "ccp", "--", "/usr/local/bin/ccp", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def in_state(site: Site, ref: str, state: str, seconds: float) -> dict[str, Any]:
    """The task, as soon as it is there."""
    end = time.monotonic() + seconds
    while (task := board(site, "task", "show", ref))["state"] != state:
        assert time.monotonic() < end, f"{ref} is still in {task['state']}"
        time.sleep(1)
    return dict(task)


@pytest.mark.timeout(600)
def test_a_stop_aborts_runs_first_and_they_go_on_after_the_start(site: Site) -> None:
    """Graceful and soon: what an agent runs would else hold the machine up until it is killed."""
    wanted = spec("!exec echo hello > hello.md", "!exec sleep 321")
    write = 'printf %s "$0" > /var/lib/ccp/spec.yaml; chown ccp: /var/lib/ccp/spec.yaml'
    assert site.inside("sh", "-c", write, wanted).returncode == 0
    board(site, "agent", "import", "--all")
    ref = board(site, "task", "add", "Say hello slowly", "--spec", "/var/lib/ccp/spec.yaml")["ref"]
    board(site, "task", "approve-spec", ref)
    board(site, "task", "assign", ref, "main")
    end = time.monotonic() + 150
    while site.inside("pgrep", "-x", "-f", "sleep 321").returncode != 0:
        assert time.monotonic() < end, board(site, "task", "show", ref)
        time.sleep(0.5)
    began = time.monotonic()
    stopped = ccp("fleet", "stop", site.name)
    assert stopped.returncode == 0, stopped.stderr
    assert time.monotonic() - began < 60, "nothing had to be killed"
    assert ccp("fleet", "start", site.name).returncode == 0
    well(site)
    ended = site.inside("journalctl", "-b", "-1", "-o", "cat", "--no-pager", "_PID=1").stdout
    order = [
        line for line in ended.splitlines() if line.startswith("Stopped ") or "timed out" in line.lower()
    ]
    assert not [line for line in order if "timed out" in line.lower()]
    service, gateway = (
        next(at for at, line in enumerate(order) if words in line)
        for words in ("control service", "OpenClaw gateway")
    )
    assert service < gateway, order
    task = in_state(site, ref, "review", 240)
    assert task["hold"] is None
    assert (task["attempt"], task["round"]) == (1, 1)
