"""``ccp`` as a process of its own, on the real service: started when it is needed, and well-behaved in pipes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.host.lock import holder
from tests.cli.fake_service import FakeService, card, feed

CCP = [sys.executable, "-m", "ccp_tui"]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Starts ``ccp`` on a home of the test's own, and ends what is left: the processes, and a service of that home."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*CCP, *words],
            env={**os.environ, "CCP_HOME": str(home.root), "CCP_NO_AUTOSTART": "", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for pid in _living_in(home.root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _living_in(folder: Path) -> list[int]:
    """The services that were started in the background for this home, also one that has not taken the lock yet."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.joinpath("cwd").readlink() == folder:
                found.append(int(process.name))
    return found


def _json(process: subprocess.Popen[str], code: int = 0) -> Any:
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return json.loads(out)


def test_a_verb_starts_the_service_and_it_stays(start: Start, home: Home) -> None:
    task = _json(start("task", "add", "First", "--json"))
    assert (task["ref"], task["state"]) == ("MAIN-1", "inbox")
    status = _json(start("status", "--json"))
    assert status["tasks"]["inbox"] == 1
    assert status["gateway"]["state"] != "connected"
    assert holder(home.lock) == status["service"]["pid"]
    assert _json(start("stop", "--json")) == {"stopped": True, "pid": status["service"]["pid"]}
    assert holder(home.lock) is None
    assert _json(start("task", "show", "main-1", "--json"))["title"] == "First"


def test_verbs_at_the_same_moment_share_one_service(start: Start) -> None:
    adding = [start("task", "add", f"Task {number}", "--json") for number in range(4)]
    assert {_json(process)["ref"] for process in adding} == {f"MAIN-{number}" for number in range(1, 5)}


def test_a_task_from_the_shell(start: Start) -> None:
    """Everything that works without a gateway, and what each gate says on the way."""
    _json(start("task", "add", "Report", "--json"))
    refused = _json(start("task", "approve-spec", "main-1", "--json"), 4)["error"]
    assert refused["gate"] == "spec_complete"
    template, _ = start("task", "spec", "--template").communicate(timeout=60)
    store = subprocess.run(
        [*CCP, "task", "spec", "main-1", "--file", "-", "--json"],
        input=template, env=os.environ | {"CCP_HOME": _home(start)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert json.loads(store.stdout)["version"] == 1
    assert _json(start("task", "approve-spec", "main-1", "--json"))["spec_approved"] is True
    assert _json(start("task", "assign", "main-1", "nobody", "--json"), 3)["error"]["code"] == "NOT_FOUND"
    refused = _json(start("task", "approve", "main-1", "--json"), 4)["error"]
    assert (refused["gate"], refused["state"]) == ("state", "inbox")
    away = _json(start("agent", "import", "--json"), 5)["error"]
    assert away["fix"]
    kinds = [event["kind"] for event in _json(start("task", "history", "main-1", "--json"))]
    assert kinds[0] == "captured"
    assert "refused" in kinds
    assert _json(start("search", "report", "--json"))[0]["ref"] == "MAIN-1"


def _home(start: Start) -> str:
    home = _json(start("status", "--json"))["service"]["home"]
    assert isinstance(home, str)
    return home


def test_serve_runs_in_the_foreground_once(start: Start) -> None:
    serving = start("serve", "--json", "--gateway-url", "ws://127.0.0.1:9")
    assert serving.stdout is not None
    ready = json.loads(serving.stdout.readline())
    assert (ready["pid"], ready["gateway_url"]) == (serving.pid, "ws://127.0.0.1:9")
    assert "runs here already" in _json(start("serve", "--json"), 1)["error"]["message"]
    assert _json(start("status", "--json"))["service"]["pid"] == serving.pid
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(30) == 0


def test_a_reader_that_leaves_is_no_failure(start: Start, service: FakeService) -> None:
    service.answers["task.list"] = {"tasks": [card(f"WEB-{number}") for number in range(20_000)]}
    listing = start("task", "list", "--json")
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.read(10)
    listing.stdout.close()
    listing.stdout = None
    _, err = listing.communicate(timeout=60)
    assert (listing.returncode, err) == (0, "")


def test_ctrl_c_ends_a_stream_quietly(start: Start, service: FakeService) -> None:
    service.answers["subscribe"] = {}
    service.answers["events.list"] = {"events": [feed(1, "one")]}
    following = start("events", "--follow")
    assert following.stdout is not None
    assert following.stdout.readline().endswith("one\n")
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=60)
    assert (following.returncode, err) == (130, "")


def test_a_terminal_without_utf8_gets_ascii(start: Start, service: FakeService) -> None:
    service.answers["task.list"] = {"tasks": [card(title="Ünï ✓")]}
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    assert _json(start("task", "list", "--json", **environment))[0]["title"] == "Ünï ✓"
    out, err = start("task", "list", **environment).communicate(timeout=60)
    assert out.isascii()
    assert err == ""
