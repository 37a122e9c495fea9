"""Running ``ccp`` inside the test, against a service of canned answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from ccp_tui.cli import main
from ccp_tui.paths import Home
from tests.cli.fake_service import FakeService


class Ran(NamedTuple):
    """What one run of ``ccp`` gave."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on standard output; fails when anything else is there."""
        return json.loads(self.out)


Ccp = Callable[..., Ran]


@pytest.fixture
def ccp(home: Home, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ccp:
    """Runs ``ccp`` with these words on a home of the test's own."""
    monkeypatch.setenv("CCP_HOME", str(home.root))

    def run(*words: str) -> Ran:
        code = main(words)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def service(home: Home) -> Iterator[FakeService]:
    fake = FakeService(home.control_socket)
    yield fake
    fake.stop()
