"""A home that can't be used, or a database that can't be opened, is told in words and never as a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccp_tui.paths import Home
from tests.cli.conftest import Ccp


def test_a_home_of_nobody(ccp: Ccp, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = ccp("status", "--json", "--home", "~nobody-of-this-name")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "UNAVAILABLE")
    monkeypatch.setenv("CCP_HOME", "~nobody-of-this-name")
    assert "there is no such user" in ccp("task", "list").err


@pytest.mark.parametrize("name", ["file", "x" * 120])
def test_a_home_that_can_be_none(
    name: str, ccp: Ccp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("CCP_NO_AUTOSTART", raising=False)
    ran = ccp("status", "--json", "--home", str(tmp_path / name))
    assert ran.code == 5
    assert "set CCP_HOME" in ran.json()["error"]["message"]


def test_a_damaged_database_is_told_without_a_traceback(
    ccp: Ccp, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CCP_NO_AUTOSTART", raising=False)
    home.prepare().database.write_bytes(b"no database at all")
    ran = ccp("status", "--json")
    message = ran.json()["error"]["message"]
    assert ran.code == 5
    assert "is damaged" in message
    assert "Traceback" not in message + (home.logs / "serve.log").read_text()
    assert len(message.splitlines()) == 2
    assert home.database.read_bytes() == b"no database at all"
