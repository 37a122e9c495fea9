"""Large files from and to Incus, streamed in pieces: progress is told, a stalled transfer ends, no half file stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

import requests

from ccp_tui.incus.api import words
from ccp_tui.incus.api.connection import CONNECT_S, Connection, Json
from ccp_tui.incus.errors import FleetError

T = TypeVar("T")
# (bytes so far, bytes in all or None)
Progress = Callable[[int, int | None], None]

PIECE = 2**20
# Nothing moved for so long, or all of it took so long.
STALLED_S = 60.0
WHOLE_S = 6 * 3600.0


class _Stopped(Exception):
    """Nobody waits for the transfer any more."""


def check_target(path: Path) -> None:
    """Nothing, when a new file can be written there. Raises FleetError EXISTS, NOT_FOUND or NOT_ALLOWED."""
    if os.path.lexists(path):
        raise FleetError("EXISTS", f"{path} is there already.", "Choose another file.")
    if not path.parent.is_dir():
        raise FleetError("NOT_FOUND", f"There is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise FleetError("NOT_ALLOWED", f"You may not write into {path.parent}.")


def check_source(path: Path) -> None:
    """Nothing, when the file can be read. Raises FleetError NOT_FOUND or NOT_ALLOWED."""
    if not path.is_file():
        raise FleetError("NOT_FOUND", f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise FleetError("NOT_ALLOWED", f"You may not read {path}.")


async def download(
    connection: Connection, source: str, path: Path, on_progress: Progress | None = None
) -> int:
    """Fetches what an API path answers into a new file of mode 0600; its size in bytes.

    The file appears under its name when it is whole; a file that appeared there meanwhile is not overwritten. Raises
    FleetError; then, and when cancelled, no part of it is left.
    """
    told, stop = _teller(on_progress), threading.Event()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")

    def fetch() -> int:
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _disk(error, path) from None
        try:
            with os.fdopen(handle, "wb") as target:
                done = _receive(connection, source, target, path, told, stop)
            _give_name(part, path)
            return done
        except FileExistsError:
            raise FleetError("EXISTS", f"{path} is there already.", "Choose another file.") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    return await _to_the_end(connection, fetch, stop)


async def upload(
    connection: Connection,
    target: str,
    path: Path,
    headers: Mapping[str, str],
    undo: Callable[[Json], Awaitable[None]],
    on_progress: Progress | None = None,
) -> Json:
    """POSTs a file as it is; the background operation that Incus answers with. Raises FleetError.

    Cancelled when Incus had all of it already, ``undo`` gets the operation.
    """
    told, stop = _teller(on_progress), threading.Event()

    def send() -> Json:
        with path.open("rb") as source:
            answer = connection.session.post(
                connection.url(target),
                params=connection.params(),
                data=_Told(source, os.fstat(source.fileno()).st_size, told, stop),
                headers={"Content-Type": "application/octet-stream", **headers},
                timeout=(CONNECT_S, STALLED_S * 10),  # the answer comes when Incus has unpacked the beginning
            )
        return _operation(answer)

    return await _to_the_end(connection, send, stop, undo)


def _receive(
    connection: Connection,
    source: str,
    target: BinaryIO,
    path: Path,
    told: Callable[[int, int | None], None],
    stop: threading.Event,
) -> int:
    done = 0
    with connection.session.get(
        connection.url(source), params=connection.params(), stream=True, timeout=(CONNECT_S, STALLED_S)
    ) as answer:
        if answer.status_code != 200:
            raise FleetError("FAILED", f"Incus does not give the file out (HTTP {answer.status_code}).")
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        for piece in answer.iter_content(PIECE):
            if stop.is_set():
                raise _Stopped
            try:
                target.write(piece)
            except OSError as error:
                raise _disk(error, path) from None
            done += len(piece)
            told(done, total)
    if total is not None and done != total:
        raise FleetError("FAILED", f"Only {done} of {total} bytes came.", "Try again.")
    try:
        target.flush()
        os.fsync(target.fileno())
    except OSError as error:
        raise _disk(error, path) from None
    return done


class _Told:
    """A file that tells how far it was read. requests sends it with its length, in pieces."""

    def __init__(
        self, source: BinaryIO, size: int, told: Callable[[int, int | None], None], stop: threading.Event
    ) -> None:
        self._source, self._size, self._told, self._stop = source, size, told, stop
        self._done = 0

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise _Stopped
        piece = self._source.read(PIECE if size < 0 else max(size, PIECE))
        self._done += len(piece)
        self._told(self._done, self._size)
        return piece


async def _to_the_end(
    connection: Connection,
    work: Callable[[], T],
    stop: threading.Event,
    undo: Callable[[T], Awaitable[None]] | None = None,
) -> T:
    """The result of a transfer. Cancelled, it waits for the thread to have cleaned up behind itself."""
    task = asyncio.ensure_future(connection.thread(work, WHOLE_S))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(FleetError):  # the thread was stopped, which is an error, too
            done = await task
            if undo is not None:
                await undo(done)
        raise


def _teller(on_progress: Progress | None) -> Callable[[int, int | None], None]:
    """``on_progress`` for a thread: called on the loop, at every whole percent or every 16 MiB."""
    if on_progress is None:
        return lambda done, total: None
    loop, last = asyncio.get_running_loop(), [-1]

    def tell(done: int, total: int | None) -> None:
        step = done * 100 // total if total else done // (16 * PIECE)
        if step != last[0] and not loop.is_closed():
            last[0] = step
            loop.call_soon_threadsafe(on_progress, done, total)

    return tell


def _operation(answer: requests.Response) -> Json:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if answer.status_code >= 400 or not isinstance(body.get("metadata"), dict):
        raise words.refusal(str(body.get("error") or "Incus does not take the file."), answer.status_code)
    found: Json = body["metadata"]
    return found


def _give_name(part: Path, path: Path) -> None:
    """Raises FileExistsError when the name is taken, where a rename would overwrite."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError from None
        os.rename(part, path)


def _disk(error: OSError, path: Path) -> FleetError:
    return FleetError("FAILED", f"{path} can't be written ({error.strerror or error}).")
