"""What ``ccp doctor`` sees of the service and the gateway, through the service or, without one, by a short look."""

from __future__ import annotations

import http.client
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ccp_tui import __version__
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.finding import Finding, Level
from ccp_tui.cli.line import Line, NoService
from ccp_tui.paths import Home

Json = dict[str, Any]

_PROBE_SECONDS = 3.0


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
    gateway: Json | None = status["gateway"] if status else None
    if not (gateway and gateway["state"] == "connected"):
        # A service that is connected has a token, whatever the environment of this shell says.
        yield _token(settings.token, settings.token_source)
    elif settings.token:
        yield from _readable_by_others(settings.token_source)
    yield _through_service(gateway) if gateway else _probe(settings.url)


def _token(token: str | None, source: str) -> Finding:
    if token is None:
        fix = "start OpenClaw's gateway once, or set CCP_GATEWAY_TOKEN, or: ccp serve --token-file FILE"
        return Finding("token", "fail", source, fix)
    return next(_readable_by_others(source), Finding("token", "ok", f"from {source}"))


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


def _probe(url: str) -> Finding:
    """Asks the gateway's open health page; logging in is the service's business."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "wss" else 80)
        if parts.scheme not in ("ws", "wss") or not host:
            raise ValueError
    except ValueError:
        return Finding(
            "gateway", "fail", f"{url} is no gateway address", "CCP_GATEWAY_URL=ws://127.0.0.1:18789"
        )
    make = http.client.HTTPSConnection if parts.scheme == "wss" else http.client.HTTPConnection
    connection = make(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/healthz")
        code = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or "no answer"
        return Finding(
            "gateway", "fail", f"{url}: {why}", "start it: openclaw gateway run; or set CCP_GATEWAY_URL"
        )
    finally:
        connection.close()
    if code == 200:
        return Finding("gateway", "ok", f"{url} answers (the service logs in when it runs)")
    return Finding("gateway", "warn", f"{url} answers with HTTP {code}", "wait a minute if it is starting")
