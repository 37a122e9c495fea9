"""OpenClaw's configuration inside a deployment: what ours has to be, and how a provider is written into it.

The keys of openclaw.json are those of OpenClaw's own documentation (docs/gateway/configuration, in its npm package).
The provider's key is never in it: it stands in ``.env`` beside it, and the configuration names the variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

GATEWAY_PORT = 18789
API = "openai-completions"
# For a model of which nothing is said: small enough for what is served today.
CONTEXT_WINDOW = 128_000
MOST_TOKENS = 16_000


class ProvisionError(ValueError):
    """provision.json can't be used; the text says why."""


def key_variable(provider: str) -> str:
    """The environment variable that holds a provider's key: ``openai`` has OPENAI_API_KEY, as OpenClaw expects it."""
    name = re.sub(r"[^A-Z0-9]", "_", provider.upper())
    # OpenClaw fills in no variable that starts with a digit.
    return f"{'_' if name[:1].isdigit() else ''}{name}_API_KEY"


def ours(token: str) -> Json:
    """What the service relies on, whatever else is configured."""
    return {
        "gateway": {
            "mode": "local",
            "port": GATEWAY_PORT,
            "bind": "loopback",
            "auth": {"mode": "token", "token": token},
            "controlUi": {"enabled": False},
        }
    }


def first() -> Json:
    """What a new deployment starts with and its owner may change: no bootstrap conversation, no paid heartbeat."""
    return {
        "agents": {
            "defaults": {
                "workspace": "/srv/agents/main",
                "skipBootstrap": True,
                "heartbeat": {"every": "0m"},
            }
        }
    }


def provider(wanted: Mapping[str, Any], has_key: bool) -> Json:
    """The part of the configuration that provision.json asks for: provider, provider_url, model, api, extra.

    Without ``provider_url`` the provider is one that OpenClaw knows by name. Raises ProvisionError.
    """
    name, url, model = (_text(wanted, key) for key in ("provider", "provider_url", "model"))
    extra = wanted.get("extra", {})
    if not isinstance(extra, dict):
        raise ProvisionError("extra is not an object")
    found: Json = {}
    if name and url:
        plain = model.removeprefix(f"{name}/")
        models = [_model(plain)] if plain else []
        key = f"${{{key_variable(name)}}}" if has_key else "none"
        settings = {"baseUrl": url, "apiKey": key, "api": _text(wanted, "api") or API, "models": models}
        found = {"models": {"providers": {name: settings}}}
    if model:
        full = model if not name or model.startswith(f"{name}/") else f"{name}/{model}"
        found = merged(found, {"agents": {"defaults": {"model": {"primary": full}}}})
    return merged(found, extra)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    """``under`` with ``over`` in it: objects are merged, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def _model(name: str) -> Json:
    return {
        "id": name,
        "name": name,
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": CONTEXT_WINDOW,
        "maxTokens": MOST_TOKENS,
    }


def _text(wanted: Mapping[str, Any], key: str) -> str:
    value = wanted.get(key, "")
    if not isinstance(value, str):
        raise ProvisionError(f"{key} is not a text")
    return value.strip()
