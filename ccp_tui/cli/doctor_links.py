"""What ``ccp doctor`` sees of the service and the gateway, through the service or, without one, by a short look."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccp_tui import __version__
from ccp_tui.cli.doctor_gateway import probe
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.finding import Finding, Level
from ccp_tui.cli.line import Line, NoService
from ccp_tui.paths import Home

if TYPE_CHECKING:
    from ccp_tui.gateway.settings import GatewaySettings

Json = dict[str, Any]


def findings(home: Home) -> Iterator[Finding]:
    """The service, its sockets, where the gateway is looked for, and how it stands."""
    status, service = _service(home)
    yield service
    if status is not None:
        # The service knows its settings; this shell need not have them.
        paths: Json = status["service"].get("paths") or {}
        yield _agents_socket(Path(paths.get("agents_socket") or home.agents_socket))
        if checks := paths.get("checks_socket"):
            yield _checks_socket(Path(checks))
        if workspaces := paths.get("workspaces"):
            yield _workspaces(Path(workspaces))
    yield from _settings(home, status)


def _service(home: Home) -> tuple[Json | None, Finding]:
    try:
        line = Line(home.control_socket)
        try:
            status = line.call("status", timeout=5.0)
        finally:
            line.close()
    except NoService:
        if pid := _silent(home):
            words = f"process {pid} runs here and does not answer"
            return None, Finding("service", "fail", words, "if it is not just starting: ccp stop, then ccp")
        return None, Finding("service", "ok", "not running; ccp starts it when it is needed")
    except CliError as error:
        return None, Finding(
            "service", "fail", error.message, "ccp stop, then ccp; see logs/serve.log in the home"
        )
    service = status["service"]
    words = f"pid {service['pid']}, version {service['version']}"
    if service["version"] != __version__:
        return status, Finding(
            "service", "warn", f"{words}; this ccp is {__version__}", "ccp stop, then start it again"
        )
    return status, Finding("service", "ok", words)


def _silent(home: Home) -> int | None:
    """The process that has the home, although nobody listens on its socket."""
    from ccp_tui.service.host.lock import LockError, holder

    try:
        return holder(home.lock)
    except LockError:
        return None


def _agents_socket(path: Path) -> Finding:
    try:
        Line(path).close()
        mode = stat.S_IMODE(path.stat().st_mode)
    except (NoService, OSError):
        return Finding(
            "agents", "fail", f"nobody listens on {path.name}: agents can't report", "ccp stop, then ccp"
        )
    except CliError as error:
        return Finding("agents", "fail", error.message, "ccp stop, then ccp")
    if mode & 0o002:
        words = f"{path} is open to everybody ({mode:04o})"
        return Finding("agents", "fail", words, f"chmod o= {path}; CCP_AGENTS_GROUP names who may use it")
    return Finding("agents", "ok", "agents can report")


def _checks_socket(path: Path) -> Finding:
    """Whether checks can be handed on. It is not connected to: each connection starts a runner."""
    fix = "start the socket unit of ccp check-runner, or take CCP_CHECKS_SOCKET away and start the service again"
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return Finding("checks", "fail", f"{path} is no socket", fix)
    except OSError as error:
        return Finding("checks", "fail", f"{path}: {error.strerror}", fix)
    if not os.access(path, os.W_OK):
        return Finding("checks", "fail", f"{path} can't be used by this user", "make this user its owner")
    return Finding("checks", "ok", f"run by whoever listens on {path}")


def _workspaces(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.X_OK):
        fix = "let a group that both users are in read it: chmod 2750, and chgrp"
        return Finding("workspaces", "fail", f"{path} can't be read: deliverables can't be looked at", fix)
    return Finding("workspaces", "ok", f"new agents work under {path}")


def _settings(home: Home, status: Json | None) -> Iterator[Finding]:
    from ccp_tui.gateway.settings import GatewaySettings

    settings = GatewaySettings.load(home)
    if status is None:
        gateway, let_in = probe(settings)
        yield _token(settings, let_in)
        yield gateway
        return
    known: Json = status["gateway"]
    if known["state"] != "connected":
        yield _token_beside_a_service(settings, known)
    elif settings.token:
        # A service that is connected has a token, whatever the environment of this shell says.
        yield from _readable_by_others(settings.token_source)
    yield _through_service(known)
    if known["state"] == "connected" and status.get("skill"):
        fix = "agents report all the same: their prompts carry the full path of ccp"
        yield Finding("skill", "warn", status["skill"], fix)


def _token(settings: GatewaySettings, let_in: bool | None) -> Finding:
    if settings.token is None:
        if let_in:
            return Finding("token", "ok", "none, and this gateway asks for none")
        fix = "start OpenClaw's gateway once, or set CCP_GATEWAY_TOKEN, or: ccp serve --token-file FILE"
        return Finding("token", "warn" if let_in is None else "fail", settings.token_source, fix)
    source = settings.token_source
    return next(_readable_by_others(source), Finding("token", "ok", f"from {source}"))


def _token_beside_a_service(settings: GatewaySettings, gateway: Json) -> Finding:
    """The service reads the files again at each try; of variables it knows those of its own start."""
    refused = gateway["state"] == "refused"
    if settings.token and refused and not settings.token_source.startswith("/"):
        here = f"from {settings.token_source} in this shell; the service has what was set at its start"
        return Finding("token", "warn", here, "if they differ: ccp stop, then ccp")
    return _token(settings, let_in=False if refused else None)


def _readable_by_others(source: str) -> Iterator[Finding]:
    if source.startswith("/"):
        try:
            mode = stat.S_IMODE(Path(source).stat().st_mode)
        except OSError:
            return
        if mode & 0o077 and os.getuid() == Path(source).stat().st_uid:
            yield Finding("token", "warn", f"{source} is open to others ({mode:04o})", f"chmod 600 {source}")


def _through_service(gateway: Json) -> Finding:
    words = f"{gateway['state']}, {gateway.get('url')}"
    if gateway["state"] == "connected":
        version = gateway.get("version")
        return Finding("gateway", "ok", f"{words}, OpenClaw {version}" if version else words)
    level: Level = "warn" if gateway["state"] in ("connecting", "starting") else "fail"
    detail = f"{words}: {gateway['detail']}" if gateway.get("detail") else words
    return Finding("gateway", level, detail, gateway.get("fix") or "")
