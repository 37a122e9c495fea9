"""The remotes of the Incus client's own configuration, with their servers' certificates pinned.

The client keeps ``config.yml``, ``client.crt``, ``client.key`` and ``servercerts/<remote>.crt`` in ``$INCUS_CONF`` or
``~/.config/incus``, and those of all users in ``/etc/incus`` (or ``$INCUS_GLOBAL_CONF``). We read them and change
nothing: adding a remote and trusting it by a token is the client's business.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import yaml

from ccp_tui.incus.api.connection import Connection, Endpoint, local_endpoint
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.names import LOCAL
from ccp_tui.text import one_line

PORT = 8443


@dataclass(frozen=True)
class Remote:
    """A remote of the configuration: its endpoint, or, when it can't be used, why not and what to do."""

    name: str
    url: str
    endpoint: Endpoint | None
    words: str = ""
    fix: str = ""


class WrongCertificate(ssl.SSLCertVerificationError):
    """The server's certificate is not the one that was trusted; the text gives both fingerprints."""


def configured(config: Path | None = None, only: Sequence[str] = ()) -> tuple[Remote, ...]:
    """The remotes that can hold deployments, the local one first: no image servers, no public ones.

    ``config`` is the folder of the Incus client's configuration (the user's own by default). A remote that can't be
    used, and a configuration that can't be read, come back with words in place of an endpoint. Raises FleetError USAGE
    for a name in ``only`` that is no such remote.
    """
    folders = [config] if config else [_global_folder(), _own_folder()]
    found = {LOCAL: Remote(LOCAL, local_endpoint().url, local_endpoint())}
    for folder in folders:
        try:
            entries = _entries(folder / "config.yml")
        except FleetError as error:
            found["config.yml"] = Remote("config.yml", str(folder), None, error.message, error.fix)
            continue
        for name, entry in entries:
            remote = _remote(folder, name, entry)
            if remote is not None:
                found[name] = remote
    if unknown := set(only) - set(found):
        raise FleetError(
            "USAGE",
            f"There is no Incus remote named {', '.join(sorted(unknown))}.",
            "`incus remote list` shows them, `incus remote add NAME TOKEN` adds one.",
        )
    return tuple(remote for name, remote in found.items() if not only or name in only)


async def greet(connection: Connection, within: float = 5.0) -> dict[str, Any]:
    """What the server says of itself (``GET /1.0``), once it trusts us.

    Raises FleetError NOT_ALLOWED when it does not: Incus then answers, but shows nothing.
    """
    said = await connection.get("/1.0", within=within)
    if not isinstance(said, dict) or said.get("auth") != "trusted":
        name = connection.name
        if connection.endpoint.local:
            raise FleetError(
                "NOT_ALLOWED", "Incus does not let this user in.", "Join the group incus-admin, log in again."
            )
        raise FleetError(
            "NOT_ALLOWED",
            f"{name} does not trust this machine's Incus client.",
            f"There: `incus config trust add NAME`. Here: `incus remote remove {name}`, then "
            f"`incus remote add {name} TOKEN`.",
        )
    return said


def pinned_context(server: Path | None, client: tuple[Path, Path] | None) -> ssl.SSLContext:
    """A TLS context for requests and for WebSockets that takes the certificate in ``server`` and no other.

    The certificate itself is compared, so neither its names nor its dates nor anybody's CA matter; nothing is sent
    before. Without ``server`` the system's CAs and the host's name decide, as the Incus client does. ``client`` is our
    certificate and key. Raises OSError or ssl.SSLError for files that can't be used.
    """
    context = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server is None:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin below is the verification
        context.pin = hashlib.sha256(_der(server)).digest()
    if client is not None:
        # Without a password OpenSSL would ask on the terminal, over whatever is drawn there.
        context.load_cert_chain(client[0], client[1], password="")
    return context


def session(context: ssl.SSLContext) -> requests.Session:
    """A requests session that speaks TLS by ``context`` and heeds no proxy and no CA bundle of the environment."""
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", _Adapter(context))
    return made


class _Pinned(ssl.SSLContext):
    """A context whose handshakes, blocking or not, end with a look at the certificate. No pin: nothing is looked at."""

    pin: bytes = b""

    def compare(self, certificate: bytes | None) -> None:
        shown = hashlib.sha256(certificate or b"").digest()
        if self.pin and shown != self.pin:
            raise WrongCertificate(
                1, f"certificate fingerprint {shown.hex()[:16]}… is not the trusted {self.pin.hex()[:16]}…"
            )


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        if isinstance(self.context, _Pinned):
            self.context.compare(self.getpeercert(True))


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        if isinstance(self.context, _Pinned):
            self.context.compare(self.getpeercert(True))


_Pinned.sslsocket_class = _Socket
_Pinned.sslobject_class = _Object


class _Adapter(requests.adapters.HTTPAdapter):
    """Hands our context to urllib3 and leaves requests' own verification, which would replace it, out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=24)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        more["ssl_context"] = self._context
        if isinstance(self._context, _Pinned) and self._context.pin:
            # urllib3 compares it once more, and knows by it that the connection is verified.
            more |= {"assert_fingerprint": self._context.pin.hex(), "assert_hostname": False}
        super().init_poolmanager(*args, **more)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"cert_reqs": self._context.verify_mode}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        pass


def _remote(folder: Path, name: str, entry: dict[str, Any]) -> Remote | None:
    """The remote of an entry; None for what never holds an instance of ours."""
    address = str(entry.get("addr") or "")
    if entry.get("public") or str(entry.get("protocol") or "incus") != "incus":
        return None
    project = str(entry.get("project") or "")
    if address.startswith("unix:"):
        path = "/" + address.removeprefix("unix:").lstrip("/")
        url = local_endpoint().url if path == "/" else path
        return Remote(name, url, Endpoint(name, url, project))
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        words = f"The address of {name} in config.yml is neither https:// nor unix://."
        return Remote(
            name, one_line(address, 80), None, words, f"`incus remote set-url {name} URL` mends it."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"https://{host}:{parts.port or PORT}"
    if str(entry.get("auth_type") or "tls") != "tls":
        words = f"{name} wants a login in a browser (OIDC); ccp uses certificates."
        return Remote(
            name, url, None, words, f"`incus remote remove {name}`, then `incus remote add {name} TOKEN`."
        )
    try:
        context = _context(folder, name)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        words = f"The certificates for {name} in {folder} can't be used ({one_line(str(error), 120)})."
        fix = f"`incus remote remove {name}`, then `incus remote add {name} TOKEN` makes them anew."
        return Remote(name, url, None, words, fix)
    return Remote(name, url, Endpoint(name, url, project, _always(context), lambda: context))


def _always(context: ssl.SSLContext) -> Callable[[], requests.Session]:
    return lambda: session(context)


def _context(folder: Path, name: str) -> ssl.SSLContext:
    """The context for a remote of the configuration in ``folder``; keys are the user's own also for global remotes."""
    server = folder / "servercerts" / f"{name}.crt"
    keys = folder if (folder / "client.crt").exists() else _own_folder()
    client = (keys / "client.crt", keys / "client.key")
    if not client[0].exists():
        raise FileNotFoundError(f"{client[0].name} is missing")
    return pinned_context(server if server.exists() else None, client)


def _der(certificate: Path) -> bytes:
    """The bytes of the first certificate in a PEM file. Raises OSError or ValueError."""
    text = certificate.read_text("ascii")
    first, end, _ = text.partition(ssl.PEM_FOOTER)
    _, begin, body = first.partition(ssl.PEM_HEADER)
    if not end or not begin:
        raise ValueError(f"{certificate.name} is no certificate")
    return ssl.PEM_cert_to_DER_cert(f"{ssl.PEM_HEADER}{body}{ssl.PEM_FOOTER}")


def _entries(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """Names and settings of the remotes in a ``config.yml``; nothing when there is no such file."""
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else f" ({one_line(str(error), 100)})"
        raise FleetError(
            "UNAVAILABLE",
            f"The Incus client's {path} can't be read:{where}.",
            "`incus remote list` says more.",
        ) from None
    remotes = read.get("remotes") if isinstance(read, dict) else None
    if not isinstance(remotes, dict):
        return []
    return [(str(name), entry) for name, entry in remotes.items() if isinstance(entry, dict)]


def _own_folder() -> Path:
    named = os.environ.get("INCUS_CONF", "")
    return Path(named) if named else Path("~/.config/incus").expanduser()


def _global_folder() -> Path:
    return Path(os.environ.get("INCUS_GLOBAL_CONF") or "/etc/incus")
