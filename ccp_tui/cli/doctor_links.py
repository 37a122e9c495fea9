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
        yield _agents_socket(home)
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


def _agents_socket(home: Home) -> Finding:
    try:
        Line(home.agents_socket).close()
    except NoService:
        return Finding(
            "agents", "fail", "nobody listens on agents.sock: agents can't report", "ccp stop, then ccp"
        )
    except CliError as error:
        return Finding("agents", "fail", error.message, "ccp stop, then ccp")
    return Finding("agents", "ok", "agents can report")


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
