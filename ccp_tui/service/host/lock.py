"""One service per home: a lock that the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

# A look at whether the lock is free (:func:`is_held`) takes it for an instant; taking it in earnest outlasts that.
_TRIES, _PAUSE = 5, 0.05  # seconds


class LockError(Exception):
    """The lock can't be had, so nothing may run here. The text says why and what to do."""


class AlreadyRunning(LockError):
    """Another service runs on this home."""

    def __init__(self, home: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"A control service runs here already ({who}, {home}): `ccp stop` ends it.")
        self.pid = pid


class HomeLock:
    """The lock on a home, for as long as the object holds it. The file stays; only the kernel's lock on it counts, so
    a file left by a dead service is no obstacle. Programs that the service starts don't inherit it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Takes the lock and writes this process's id into the file. Raises AlreadyRunning or LockError."""
        file = _open(self.path)
        try:
            for attempt in range(_TRIES):
                if attempt:
                    time.sleep(_PAUSE)
                if _try(file, fcntl.LOCK_EX, self.path):
                    break
            else:
                raise AlreadyRunning(self.path.parent, _pid_in(file))
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def release(self) -> None:
        """Gives the lock back."""
        file, self._file = self._file, None
        if file is not None:
            os.ftruncate(file, 0)
            fcntl.flock(
                file, fcntl.LOCK_UN
            )  # at once, even if a child that is just being started still has a copy
            os.close(file)

    def __enter__(self) -> HomeLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether a service runs on this home. Raises LockError when that can't be told."""
    if not path.exists():
        return False
    file = _open(path)
    try:
        return not _try(file, fcntl.LOCK_SH, path)
    finally:
        os.close(file)


def holder(path: Path) -> int | None:
    """The process id of the service that runs on this home; None when none runs, or it has not said."""
    if not is_held(path):
        return None
    file = _open(path)
    try:
        return _pid_in(file)
    finally:
        os.close(file)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LockError(
            f"{path} can't be opened ({error.strerror}): is CCP_HOME a folder of your own?"
        ) from None


def _try(file: int, kind: int, path: Path) -> bool:
    """Whether the lock was free. Any other trouble raises: without a lock nothing may run."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise LockError(
            f"{path} can't be locked ({error.strerror}): put CCP_HOME on a local file system."
        ) from None
    return True


def _pid_in(file: int) -> int | None:
    try:
        return int(os.pread(file, 32, 0).strip() or b"0") or None
    except ValueError:
        return None
