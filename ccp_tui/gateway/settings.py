"""Where the gateway is and which token opens it.

The token is looked for in this order: the file named by ``--token-file``, ``CCP_GATEWAY_TOKEN``,
``OPENCLAW_GATEWAY_TOKEN``, then OpenClaw's own configuration, which is found as OpenClaw finds it:
``OPENCLAW_CONFIG_PATH``, ``openclaw.json`` in ``OPENCLAW_STATE_DIR``, ``~/.openclaw/openclaw.json``.
The URL is ``CCP_GATEWAY_URL``, or the port of that configuration on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccp_tui.gateway import json5
from ccp_tui.paths import Home

DEFAULT_PORT = 18789
NO_TOKEN = "none found"


@dataclass(frozen=True)
class GatewaySettings:
    """``token_source`` says in words where the token came from, or why there is none."""

    url: str
    token: str | None
    token_source: str
    device_path: Path

    @classmethod
    def load(
        cls, home: Home, token_file: Path | str | None = None, env: Mapping[str, str] = os.environ
    ) -> GatewaySettings:
        """The settings of this moment. Never raises: what is missing or broken is told by ``token_source``."""
        config_path = _config_path(env)
        config, trouble = _read_config(config_path)
        url = env.get("CCP_GATEWAY_URL", "").strip() or f"ws://127.0.0.1:{_port(env, config)}"
        token, source = _token(token_file, env, config, config_path, trouble)
        return cls(url=url, token=token, token_source=source, device_path=home.device)

    def with_url(self, url: str) -> GatewaySettings:
        return replace(self, url=url)


def _config_path(env: Mapping[str, str]) -> Path:
    if named := env.get("OPENCLAW_CONFIG_PATH", "").strip():
        return Path(named).expanduser()
    if state := env.get("OPENCLAW_STATE_DIR", "").strip():
        return Path(state).expanduser() / "openclaw.json"
    return Path(env.get("HOME", "").strip() or Path.home()) / ".openclaw" / "openclaw.json"


def _read_config(path: Path) -> tuple[dict[str, Any], str]:
    """The configuration, and in words why it is empty (or an empty text)."""
    try:
        body = json5.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, f"{path} does not exist"
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{path} can't be read ({getattr(error, 'strerror', None) or error})"
    except json5.BadJson5 as error:
        return {}, f"{path} can't be understood ({error})"
    return (body, "") if isinstance(body, dict) else ({}, f"{path} holds no object")


def _within(body: object, *keys: str) -> object:
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _port(env: Mapping[str, str], config: dict[str, Any]) -> int:
    named = env.get("OPENCLAW_GATEWAY_PORT", "").strip()
    if named.isdigit():
        return int(named)
    port = _within(config, "gateway", "port")
    return port if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 else DEFAULT_PORT


def _token(
    token_file: Path | str | None, env: Mapping[str, str], config: dict[str, Any], path: Path, trouble: str
) -> tuple[str | None, str]:
    if token_file is not None:
        return _token_of_file(Path(token_file).expanduser())
    for name in ("CCP_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN"):
        if token := env.get(name, "").strip():
            return token, name
    if trouble:
        return None, f"{NO_TOKEN}: {trouble}"
    entry = _within(config, "gateway", "auth", "token")
    if isinstance(entry, str) and entry.strip():
        return _token_of_config(entry.strip(), env, path)
    if isinstance(entry, dict):
        where = ":".join(str(entry[key]) for key in ("source", "provider", "id") if entry.get(key))
        return None, f"{NO_TOKEN}: {path} only refers to a secret kept elsewhere ({where or 'unnamed'})"
    return None, f"{NO_TOKEN}: {path} has no gateway.auth.token"


def _token_of_file(path: Path) -> tuple[str | None, str]:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return None, f"{NO_TOKEN}: {path} can't be read ({getattr(error, 'strerror', None) or 'not text'})"
    return (token, str(path)) if token else (None, f"{NO_TOKEN}: {path} is empty")


def _token_of_config(token: str, env: Mapping[str, str], path: Path) -> tuple[str | None, str]:
    if token.startswith("${") and token.endswith("}"):
        name = token[2:-1]
        value = env.get(name, "").strip()
        return (
            (value, name) if value else (None, f"{NO_TOKEN}: {path} refers to ${name}, which is not set here")
        )
    return token, str(path)
