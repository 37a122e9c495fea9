"""What every test has: an environment of its own, and homes with paths that are short enough for a Unix socket."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.paths import Home

# The real gateway and its provider: one of each for all rooms. How workers share the tests. What failed at first.
pytest_plugins = ["tests.support.fixtures", "tests.support.workers", "tests.support.again"]

# What a person's shell may say (or a test runner, of the screen's size), and what must not reach what tests start.
PERSONAL = ("CCP_", "OPENCLAW_", "COLUMNS", "LINES")
KEPT = ("CCP_REQUIRE_REAL", "CCP_REAL_DIR")


def pytest_configure() -> None:
    """A time limit from outside ends a run as Ctrl-C does: fixtures end the processes that they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores it, and so would everything that tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def own_environment() -> Iterator[None]:
    """No test sees the person's homes, tokens and gateways, and none starts a service in the background."""
    before = dict(os.environ)
    folder = tempfile.mkdtemp(prefix="ccp-home-")
    for name in before:
        if name.startswith(PERSONAL) and name not in KEPT:
            del os.environ[name]
    os.environ["CCP_HOME"] = folder
    os.environ["CCP_NO_AUTOSTART"] = "1"
    os.environ["OPENCLAW_CONFIG_PATH"] = os.path.join(folder, "no-openclaw.json")
    yield
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Home]:
    """A prepared home that is gone after the test."""
    folder = tempfile.mkdtemp(prefix="ccp-")
    yield Home(Path(folder)).prepare()
    shutil.rmtree(folder, ignore_errors=True)
