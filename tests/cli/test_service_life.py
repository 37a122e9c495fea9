"""What ``ccp`` does about the service itself: stop it, miss it, look at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ccp_tui.cli import doctor_terminal
from ccp_tui.paths import Home
from ccp_tui.service.host.lock import HomeLock
from tests.cli.conftest import Ccp, Ran
from tests.cli.fake_service import FakeService, Refusal
from tests.cli.test_nouns import STATUS


def test_stop_waits_until_the_service_is_gone(ccp: Ccp, service: FakeService, home: Home) -> None:
    lock = HomeLock(home.lock)
    lock.acquire()
    let_go = threading.Timer(0.3, lock.release)

    def shutdown(_: object) -> dict[str, object]:
        let_go.start()
        return {}

    service.answers["shutdown"] = shutdown
    assert ccp("stop", "--json").json() == {"stopped": True, "pid": os.getpid()}
    assert let_go.finished.is_set()


def test_stop_without_a_service(ccp: Ccp) -> None:
    assert ccp("stop").out == "The control service is not running.\n"
    assert ccp("stop", "--json").json() == {"stopped": False, "pid": None}


def test_no_service_and_none_to_be_started(ccp: Ccp, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["status"], ["task", "list"], ["events", "--follow"], ["chat", "ada"]):
        ran = ccp(*words, "--json")
        assert ran.code == 5
        assert ran.json()["error"]["fix"] == "Start it: ccp serve"
    monkeypatch.delenv("CCP_NO_AUTOSTART")
    assert ccp("status", "--no-start").code == 5


def _checks(ran: Ran) -> dict[str, dict[str, str]]:
    document = ran.json()
    assert document["ok"] == (ran.code == 0)
    return {check["name"]: check for check in document["checks"]}


def test_doctor_without_anything(ccp: Ccp, home: Home) -> None:
    ran = ccp("doctor", "--json")
    checks = _checks(ran)
    assert ran.code == 1
    for name in ("python", "packages", "sqlite", "home", "disk", "service"):
        assert checks[name]["level"] == "ok", checks[name]
    for name, level in (("token", "warn"), ("gateway", "fail")):
        assert checks[name]["level"] == level
        assert checks[name]["fix"]
    assert list(home.root.glob("*.db")) == []


def test_doctor_with_a_service(ccp: Ccp, service: FakeService, home: Home) -> None:
    home.control_socket.chmod(0o600)
    agents = FakeService(home.agents_socket)
    try:
        service.answers["status"] = STATUS | {
            "gateway": {"state": "connected", "url": "ws://x", "version": "2026.9.6"}
        }
        ran = ccp("doctor", "--json")
        checks = _checks(ran)
        assert ran.code == 0, checks
        assert checks["gateway"]["detail"] == "connected, ws://x, OpenClaw 2026.9.6"
        assert "token" not in checks
        service.answers["status"] = STATUS
        checks = _checks(ccp("doctor", "--json"))
        assert checks["gateway"] == {
            "name": "gateway",
            "level": "fail",
            "detail": "refused, ws://127.0.0.1:1: wrong token",
            "fix": "set CCP_GATEWAY_TOKEN",
        }
    finally:
        agents.stop()


def test_doctor_looks_where_the_service_says_its_sockets_are(
    ccp: Ccp, service: FakeService, home: Home, tmp_path: Path
) -> None:
    elsewhere, checks = home.root / "elsewhere.sock", home.root / "checks.sock"
    paths = {
        "agents_socket": str(elsewhere),
        "checks_socket": str(checks),
        "workspaces": str(tmp_path / "none"),
    }
    service.answers["status"] = STATUS | {"service": STATUS["service"] | {"paths": paths}}
    found = _checks(ccp("doctor", "--json"))
    assert [found[name]["level"] for name in ("agents", "checks", "workspaces")] == ["fail"] * 3
    agents, runner = FakeService(elsewhere), FakeService(checks)
    try:
        (tmp_path / "none").mkdir()
        elsewhere.chmod(0o660)
        found = _checks(ccp("doctor", "--json"))
        assert [found[name]["level"] for name in ("agents", "checks", "workspaces")] == ["ok"] * 3
        assert not runner.calls
        elsewhere.chmod(0o666)
        found = _checks(ccp("doctor", "--json"))
        assert "open to everybody" in found["agents"]["detail"]
    finally:
        agents.stop()
        runner.stop()


def test_doctor_says_what_is_wrong_with_the_reporting_skill(ccp: Ccp, service: FakeService) -> None:
    connected = STATUS | {"gateway": {"state": "connected", "url": "ws://x", "version": "2026.9.6"}}
    service.answers["status"] = connected | {"skill": ""}
    assert "skill" not in _checks(ccp("doctor", "--json"))
    service.answers["status"] = connected | {"skill": "the gateway runs elsewhere"}
    found = _checks(ccp("doctor", "--json"))["skill"]
    assert (found["level"], found["detail"]) == ("warn", "the gateway runs elsewhere")
    assert "full path" in found["fix"]


def test_doctor_sees_open_doors(ccp: Ccp, home: Home) -> None:
    home.root.chmod(0o755)
    home.database.touch()
    home.database.chmod(0o644)
    checks = _checks(ccp("doctor", "--json"))
    assert checks["home"]["fix"] == f"chmod 700 {home.root}"
    assert checks["files"]["fix"] == f"chmod 600 {home.database}"


def test_doctor_sees_a_broken_service(ccp: Ccp, service: FakeService) -> None:
    service.answers["status"] = Refusal("FAILED", "the database is locked")
    checks = _checks(ccp("doctor", "--json"))
    assert checks["service"]["level"] == "fail"
    assert "locked" in checks["service"]["detail"]


@pytest.mark.parametrize(("code", "level"), [(200, "ok"), (503, "warn")])
def test_doctor_asks_the_gateway_itself(
    ccp: Ccp, monkeypatch: pytest.MonkeyPatch, code: int, level: str
) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("CCP_GATEWAY_URL", f"ws://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("CCP_GATEWAY_TOKEN", "secret-token")
        ran = ccp("doctor", "--json")
        server.shutdown()
        thread.join(5)
    checks = _checks(ran)
    assert checks["gateway"]["level"] == level
    assert checks["token"] == {"name": "token", "level": "ok", "detail": "from CCP_GATEWAY_TOKEN", "fix": ""}
    assert "secret-token" not in ran.out


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[str]:
    """The address of an embedded gateway whose token is "right", in a process of its own."""
    command = [sys.executable, "-m", "ccp_tui.gateway.demo", "--state", str(tmp_path / "state")]
    process = subprocess.Popen([*command, "--token", "right"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().split()[1]
    process.terminate()
    process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("token", "levels", "words"),
    [
        ("right", ("ok", "ok"), "lets us in"),
        ("wrong", ("ok", "fail"), "does not accept our token (from CCP_GATEWAY_TOKEN)"),
        ("", ("fail", "ok"), "it wants a token"),
    ],
)
def test_doctor_knocks_at_the_gateway(
    ccp: Ccp,
    monkeypatch: pytest.MonkeyPatch,
    gateway: str,
    home: Home,
    token: str,
    levels: tuple[str, str],
    words: str,
) -> None:
    monkeypatch.setenv("CCP_GATEWAY_URL", gateway)
    monkeypatch.setenv("CCP_GATEWAY_TOKEN", token)
    checks = _checks(ccp("doctor", "--json"))
    assert (checks["token"]["level"], checks["gateway"]["level"]) == levels
    assert words in checks["gateway"]["detail"]
    assert not home.device.exists()


def test_doctor_names_a_service_that_does_not_answer(ccp: Ccp, home: Home) -> None:
    with HomeLock(home.lock):
        checks = _checks(ccp("doctor", "--json"))
    assert checks["service"]["level"] == "fail"
    assert f"process {os.getpid()} runs here and does not answer" in checks["service"]["detail"]


def test_doctor_tells_the_shells_token_from_the_services(
    ccp: Ccp, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers["status"] = STATUS
    monkeypatch.setenv("CCP_GATEWAY_TOKEN", "secret-token")
    token = _checks(ccp("doctor", "--json"))["token"]
    assert (token["level"], token["fix"]) == ("warn", "if they differ: ccp stop, then ccp")
    monkeypatch.delenv("CCP_GATEWAY_TOKEN")
    assert _checks(ccp("doctor", "--json"))["token"]["level"] == "fail"
    away = {"state": "unreachable", "url": "ws://x", "detail": "nobody", "fix": "start it"}
    service.answers["status"] = STATUS | {"gateway": away}
    assert _checks(ccp("doctor", "--json"))["token"]["level"] == "warn"


@pytest.mark.parametrize("url", ["http://x", "nonsense", "ws://127.0.0.1:99999"])
def test_doctor_sees_a_bad_address(ccp: Ccp, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CCP_GATEWAY_URL", url)
    assert "no gateway address" in _checks(ccp("doctor", "--json"))["gateway"]["detail"]


def test_doctor_names_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    levels = {finding.name: finding.level for finding in doctor_terminal.findings({"TERM": "dumb"})}
    assert levels["terminal"] == "fail"
    assert "tmux" not in levels
