"""A bare protocol client for tests of the embedded gateway: frames in, frames out, and every event kept."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

Json = dict[str, Any]
ALL_SCOPES = ["operator.admin", "operator.approvals", "operator.questions", "operator.read", "operator.write"]
PATIENCE = 20.0


class Refused(Exception):
    """An error answer."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error
        self.close_code: int | None = None

    @property
    def detail(self) -> str:
        return str((self.error.get("details") or {}).get("code"))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Device:
    """An Ed25519 identity."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(self.raw).hexdigest()

    def sign(self, params: Json, challenge: Json, token: str) -> Json:
        client, scopes = params["client"], ",".join(params["scopes"])
        text = (
            f"v3|{self.id}|{client['id']}|{client['mode']}|operator|{scopes}|{challenge['ts']}|{token}"
            f"|{challenge['nonce']}|{client['platform'].lower()}|"
        )
        return {
            "id": self.id,
            "publicKey": b64(self.raw),
            "signature": b64(self.key.sign(text.encode())),
            "signedAt": challenge["ts"],
            "nonce": challenge["nonce"],
        }


class Raw:
    """One connection. Use :meth:`open`; every event that came is in ``events``, and ``seqs`` has their numbers."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[tuple[str, Json]] = []
        self.seqs: list[int] = []
        self.hello: Json = {}
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._news = asyncio.Event()
        self._count = 0
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        token: str = "demo",
        *,
        client: tuple[str, str] = ("cli", "cli"),
        scopes: list[str] | None = None,
        caps: tuple[str, ...] = (),
        device: Device | None = None,
        origin: str | None = None,
        change: Callable[[Json], None] = lambda params: None,
    ) -> Raw:
        """Connects; ``change`` may spoil the parameters before they are sent. Raises Refused."""
        raw = cls(
            await connect(url, compression=None, max_size=None, origin=Origin(origin) if origin else None)
        )
        challenge = json.loads(await raw.socket.recv())["payload"]
        name, mode = client
        params: Json = {
            "minProtocol": 4,
            "maxProtocol": 4,
            "client": {"id": name, "version": "1", "platform": "linux", "mode": mode},
            "role": "operator",
            "scopes": ALL_SCOPES if scopes is None else scopes,
            "caps": list(caps),
        }
        if token:
            params["auth"] = {"token": token}
        if device:
            params["device"] = device.sign(params, challenge, token)
        change(params)
        raw._reader = asyncio.create_task(raw._read())
        try:
            raw.hello = await raw.call("connect", params)
        except Refused as refused:
            await raw.socket.wait_closed()
            refused.close_code = raw.socket.close_code
            raise
        return raw

    async def call(self, method: str, params: Json | None = None) -> Json:
        self._count += 1
        request_id = str(self._count)
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        await self.socket.send(
            json.dumps({"type": "req", "id": request_id, "method": method, "params": params or {}})
        )
        frame = await asyncio.wait_for(future, PATIENCE)
        if not frame["ok"]:
            raise Refused(frame["error"])
        payload: Json = frame["payload"]
        return payload

    async def until(self, told: Callable[[str, Json], bool], start: int = 0) -> Json:
        """The first event, from index ``start`` on, of which ``told`` says yes; waits for it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._news.clear()
                for name, payload in self.events[start:]:
                    if told(name, payload):
                        return payload
                await self._news.wait()

    async def chat(self, run_id: str, state: str) -> Json:
        """The ``chat`` event of a run in a state."""
        return await self.until(
            lambda name, p: name == "chat" and p["runId"] == run_id and p["state"] == state
        )

    def of(self, name: str) -> list[Json]:
        return [payload for told, payload in self.events if told == name]

    async def close(self) -> None:
        await self.socket.close()
        if self._reader:
            await self._reader

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._frames()

    async def _frames(self) -> None:
        async for data in self.socket:
            frame = json.loads(data)
            if frame["type"] == "event":
                self.events.append((frame["event"], frame["payload"]))
                self.seqs.append(frame["seq"])
                self._news.set()
            else:
                future = self._answers.pop(frame["id"], None)
                if future and not future.done():
                    future.set_result(frame)
