"""What ``ccp doctor`` sees of a gateway without a service that could tell: its health page, and whether it lets us in.

It knocks without a device, so nothing is paired or stored by looking.
"""

from __future__ import annotations

import asyncio
import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ccp_tui.cli.finding import Finding

if TYPE_CHECKING:
    from ccp_tui.gateway.refusals import Refusal
    from ccp_tui.gateway.settings import GatewaySettings

_PROBE_SECONDS = 3.0


def probe(settings: GatewaySettings) -> tuple[Finding, bool | None]:
    """How the gateway stands, and whether it lets us in with the token that is found here, or without one; None when
    that can't be told."""
    url = settings.url
    try:
        code = _health(url)
    except ValueError:
        fix = "CCP_GATEWAY_URL=ws://127.0.0.1:18789"
        return Finding("gateway", "fail", f"{url} is no gateway address", fix), None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or "no answer"
        fix = "start it: openclaw gateway run; or set CCP_GATEWAY_URL"
        return Finding("gateway", "fail", f"{url}: {why}", fix), None
    if code != 200:
        words = f"{url} answers with HTTP {code}"
        return Finding("gateway", "warn", words, "wait a minute if it is starting"), None
    try:
        refusal = asyncio.run(_knock(settings))
    except Exception:  # whatever it is, the service will name it: a look at the door breaks nothing
        return Finding("gateway", "ok", f"{url} answers (the service logs in when it runs)"), None
    if refusal is None:
        return Finding("gateway", "ok", f"{url} answers and lets us in"), True
    if settings.token is None:  # the line above says what is missing
        return Finding("gateway", "ok", f"{url} answers; it wants a token"), False
    if refusal.code.startswith("AUTH_"):
        return Finding("gateway", "fail", f"{url}: {refusal.detail}", refusal.fix), False
    return Finding("gateway", "ok", f"{url} answers (the service logs in when it runs)"), None


def _health(url: str) -> int:
    """The HTTP status of the open health page. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "wss" else 80)
    if parts.scheme not in ("ws", "wss") or not host:
        raise ValueError(url)
    make = http.client.HTTPSConnection if parts.scheme == "wss" else http.client.HTTPConnection
    connection = make(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


async def _knock(settings: GatewaySettings) -> Refusal | None:
    """Why the gateway does not let us in with our token, or without one; as a client that needs no device."""
    from websockets.asyncio.client import connect

    from ccp_tui.gateway import handshake
    from ccp_tui.gateway.refusals import Refusal

    claim = handshake.Claim(
        settings.token,
        settings.token_source,
        scopes=("operator.read",),
        client_id="gateway-client",
        mode="backend",
    )
    async with (
        asyncio.timeout(_PROBE_SECONDS),
        connect(settings.url, proxy=None, compression=None, close_timeout=0.2) as socket,
    ):
        try:
            await handshake.shake_hands(
                socket, None, claim, challenge_s=_PROBE_SECONDS, hello_s=_PROBE_SECONDS
            )
        except Refusal as refusal:
            return refusal
    return None
