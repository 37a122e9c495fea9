"""One service per home, whatever happened to the one before."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.host.lock import AlreadyRunning, HomeLock, LockError, holder, is_held

HOLD = """
import sys, time
from pathlib import Path
from ccp_tui.service.host.lock import HomeLock
lock = HomeLock(Path(sys.argv[1])); lock.acquire(); print("held", flush=True); time.sleep(60)
"""
HOLD_WITH_A_CHILD = """
import subprocess, sys, time
from pathlib import Path
from ccp_tui.service.host.lock import HomeLock
lock = HomeLock(Path(sys.argv[1])); lock.acquire()
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
time.sleep(0.2); print(child.pid, flush=True); time.sleep(60)
"""


def test_the_second_is_refused_and_told_by_whom(home: Home) -> None:
    with HomeLock(home.lock):
        assert stat.S_IMODE(home.lock.stat().st_mode) == 0o600
        assert holder(home.lock) == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as refused:
            HomeLock(home.lock).acquire()
        assert refused.value.pid == os.getpid()
    assert not is_held(home.lock)
    assert holder(home.lock) is None
    with HomeLock(home.lock):
        pass


def test_a_killed_holder_leaves_no_lock(home: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.lock)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "held\n"
        assert holder(home.lock) == process.pid
        with pytest.raises(AlreadyRunning, match=str(process.pid)):
            HomeLock(home.lock).acquire()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert home.lock.read_text() == f"{process.pid}\n"
    with HomeLock(home.lock):
        assert holder(home.lock) == os.getpid()


def test_a_program_that_the_holder_started_does_not_keep_the_lock(home: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_WITH_A_CHILD, str(home.lock)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        child = int(process.stdout.readline())
        try:
            assert is_held(home.lock)
            process.kill()
            process.wait(10)
            os.kill(child, 0)
            assert not is_held(home.lock)
        finally:
            os.kill(child, signal.SIGKILL)


def test_without_a_lock_nothing_runs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home.root / "elsewhere"
    elsewhere.touch()
    home.lock.symlink_to(elsewhere)
    with pytest.raises(LockError, match="can't be opened"):
        HomeLock(home.lock).acquire()
    home.lock.unlink()

    def no_locks(file: int, kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(LockError, match="local file system"):
        HomeLock(home.lock).acquire()
    with pytest.raises(LockError, match="local file system"):
        is_held(home.lock)
