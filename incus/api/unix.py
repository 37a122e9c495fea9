"""HTTP over a Unix socket for requests: one pool of connections, deadlines from the first moment.

pylxd's own adapter keeps a pool for every URL, drops all but one connection of each, and waits 60 s for a socket.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import quote

import requests
import requests.adapters
import urllib3
import urllib3.connection

SCHEME = "http+unix://"


def base_url(path: str) -> str:
    """The socket's path as the front of a URL, in the form that pylxd knows too."""
    return f"{SCHEME}{quote(path, safe='')}"


def session(path: str, at_once: int) -> requests.Session:
    """A requests session whose URLs with :func:`base_url` go to the socket at ``path``."""
    made = requests.Session()
    made.trust_env = False
    made.mount(SCHEME, _Adapter(path, at_once))
    return made


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
            made.connect(self._path)
        except BaseException:
            made.close()
            raise
        self.sock = made


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, path: str, at_once: int) -> None:
        super().__init__("localhost", maxsize=at_once)
        self._path = path

    def _new_conn(self) -> Any:
        return _Connection(self._path)


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, path: str, at_once: int) -> None:
        super().__init__()
        self._pool = _Pool(path, at_once)

    def get_connection_with_tls_context(self, *_args: Any, **_more: Any) -> Any:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        super().close()
