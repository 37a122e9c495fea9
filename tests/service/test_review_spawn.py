"""A service that runs and cannot be reached is named; nobody is sent to search its log."""

from __future__ import annotations

import os
import sys

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.host.lock import HomeLock
from ccp_tui.service.host.spawn import ServiceStartError, spawn_background


def test_a_service_without_its_socket_is_named(home: Home) -> None:
    home.prepare()
    with HomeLock(home.lock), pytest.raises(ServiceStartError, match=f"process {os.getpid()}.*`ccp stop`"):
        spawn_background(home, command=[sys.executable, "-c", "raise SystemExit(1)"], timeout=0.5)
