"""One Incus daemon: calls in threads with deadlines, and WebSockets beside asyncio.

pylxd's client is there for plain reading; most calls go to the API itself, because pylxd loses output and swallows
states in places. All of this blocks, so every call has a thread of its own and a deadline, and a daemon that hangs
holds up nobody else.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
import websockets

from ccp_tui.incus.api import unix, words
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.names import LOCAL

if TYPE_CHECKING:
    import pylxd

Json = dict[str, Any]
T = TypeVar("T")

CALL_S = 30.0  # a host that is short of disk time answers after ten and more
CONNECT_S = 5.0
AT_ONCE = 24
# Incus serves WebSocket messages of any size; an event is a few kB, a piece of output at most 128 KiB.
LONGEST_MESSAGE = 16 * 2**20


@dataclass(frozen=True)
class Endpoint:
    """Where an Incus is. ``url`` is ``https://host:8443`` or the path of a Unix socket.

    For TLS, ``session`` makes a requests session that pins the server's certificate, ``tls`` the same for WebSockets.
    """

    name: str
    url: str
    project: str = ""
    session: Callable[[], requests.Session] | None = None
    tls: Callable[[], ssl.SSLContext] | None = None

    @property
    def local(self) -> bool:
        """Whether it is reached over a Unix socket of this machine."""
        return self.url.startswith("/")


def local_endpoint() -> Endpoint:
    """The Incus of this machine: INCUS_SOCKET, or the socket in INCUS_DIR or its usual place, as its client does."""
    folder = os.environ.get("INCUS_DIR", "")
    path = os.environ.get("INCUS_SOCKET", "")
    if not path and folder:
        path = str(Path(folder) / "unix.socket")
    if not path:
        places = ("/run/incus/unix.socket", "/var/lib/incus/unix.socket")
        path = next((place for place in places if os.path.exists(place)), places[-1])
    return Endpoint(LOCAL, path)


class Connection:
    """Calls to one Incus. Cheap to make: nothing is opened before the first call. Use it on one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self.project = endpoint.project
        self._base = unix.base_url(endpoint.url) if endpoint.local else endpoint.url.rstrip("/")
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: requests.Session | None = None
        self._lock = threading.Lock()
        # For changes that read first and write then; another process is not held up by it.
        self.lock = asyncio.Lock()

    @property
    def session(self) -> requests.Session:
        """The requests session of this daemon: for streaming transfers in :meth:`thread`."""
        with self._lock:
            if self._session is None:
                make = self.endpoint.session
                self._session = make() if make else unix.session(self.endpoint.url, AT_ONCE)
            return self._session

    def url(self, path: str) -> str:
        """The full URL of an API path such as ``/1.0/instances``."""
        return f"{self._base}{path}"

    def client(self) -> pylxd.Client:
        """A pylxd client of this daemon. It blocks: make and use it within :meth:`thread`."""
        # It warns of every attribute that Incus has and LXD had not.
        os.environ.setdefault("PYLXD_WARNINGS", "none")
        import pylxd

        return pylxd.Client(
            endpoint=self._base, session=self.session, timeout=CALL_S, project=self.project or None
        )

    async def thread(self, work: Callable[[], T], within: float = CALL_S) -> T:
        """What ``work`` returns, from a thread, or a FleetError: every error of the API is put into words.

        After the deadline (seconds) or a cancellation the thread is left to end by itself; its result is dropped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, failed = None, None
            try:
                result = work()
            except Exception as error:
                failed = error
            if not loop.is_closed():
                try:
                    loop.call_soon_threadsafe(settle, result, failed)
                except RuntimeError:
                    return  # the loop was closed in between: nobody waits for this any more

        async with self._slots:
            threading.Thread(target=run, name=f"incus-{self.name}", daemon=True).start()
            try:
                async with asyncio.timeout(within):
                    return await future
            except Exception as error:
                raise words.translated(error, self.name, self.endpoint.url) from None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str | int] | None = None,
        within: float = CALL_S,
    ) -> Any:
        """One call with JSON both ways: the answer's ``metadata`` (of a background call: the operation's).

        Raises FleetError for what Incus refuses and for a daemon that is away or silent.
        """
        answer = await self.raw(method, path, json=body, params=params, within=within)
        return _metadata(answer)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Any = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        within: float = CALL_S,
    ) -> requests.Response:
        """One call with the whole answer in memory: for files and logs. ``data`` is bytes, or an open file to send."""

        def ask() -> requests.Response:
            answer = self.session.request(
                method,
                self.url(path),
                params=self.params(params),
                json=json,
                data=data,
                headers=dict(headers or {}),
                timeout=(CONNECT_S, within),
            )
            if answer.status_code >= 400:
                raise _error(answer)
            return answer

        return await self.thread(ask, within + 1)

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, within: float = CALL_S
    ) -> Any:
        """A GET: the answer's ``metadata``."""
        return await self.call("GET", path, params=params, within=within)

    def params(self, more: Mapping[str, str | int] | None = None) -> dict[str, str | int]:
        """Query parameters with the project of this remote."""
        found: dict[str, str | int] = dict(more or {})
        if self.project and self.project != "default":
            found.setdefault("project", self.project)
        return found

    @asynccontextmanager
    async def websocket(
        self, path: str, params: Mapping[str, str | int] | None = None, within: float = CONNECT_S
    ) -> AsyncIterator[websockets.ClientConnection]:
        """An open WebSocket at an API path. Raises FleetError when it can't be opened within ``within`` seconds."""
        query = "&".join(f"{key}={quote(str(value), safe=',')}" for key, value in self.params(params).items())
        resource = f"{path}?{query}" if query else path
        try:
            async with asyncio.timeout(within):
                if self.endpoint.local:
                    socket = await websockets.unix_connect(
                        self.endpoint.url, f"ws://localhost{resource}", max_size=LONGEST_MESSAGE, compression=None,
                        open_timeout=None, close_timeout=2,
                    )  # fmt: skip
                else:
                    host = urlsplit(self.endpoint.url).netloc
                    context = self.endpoint.tls() if self.endpoint.tls else None
                    socket = await websockets.connect(
                        f"wss://{host}{resource}", ssl=context, max_size=LONGEST_MESSAGE, compression=None,
                        open_timeout=None, close_timeout=2, proxy=None,
                    )  # fmt: skip
        except websockets.InvalidStatus as error:
            body = (error.response.body or b"").decode("utf-8", "replace")
            raise words.refusal(_reason(body), error.response.status_code) from None
        except (OSError, TimeoutError, websockets.WebSocketException, ssl.SSLError) as error:
            raise words.unreachable(error, self.name, self.endpoint.url) from None
        try:
            yield socket
        finally:
            await socket.close()

    def close(self) -> None:
        """Closes the idle connections. Calls under way end by their deadlines."""
        if self._session is not None:
            self._session.close()


def _metadata(answer: requests.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        raise FleetError("UNAVAILABLE", "What answers there is not Incus.") from None
    if not isinstance(body, dict) or body.get("type") not in ("sync", "async"):
        raise words.refusal(_reason(answer.text), answer.status_code)
    return body.get("metadata")


def _error(answer: requests.Response) -> FleetError:
    return words.refusal(_reason(answer.text), answer.status_code)


def _reason(body: str) -> str:
    import json

    try:
        found = json.loads(body)
    except ValueError:
        return body[:200]
    return str(found.get("error") or found.get("metadata") or "") if isinstance(found, dict) else body[:200]
