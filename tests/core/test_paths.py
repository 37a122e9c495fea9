"""The home folder: where it is, that it is private, and words when it can't be used."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from ccp_tui.paths import SOCKET_PATH_LIMIT, Home, HomeError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Home.find({"CCP_HOME": str(tmp_path)}).root == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.find({"CCP_HOME": "~/board"}).root == tmp_path / "board"
    monkeypatch.chdir(tmp_path)
    assert Home.find({"CCP_HOME": "here"}).root == tmp_path / "here"


@pytest.mark.parametrize("env", [{}, {"CCP_HOME": ""}, {"CCP_HOME": "  "}])
def test_else_the_platform_does(env: dict[str, str]) -> None:
    assert Home.find(env).root == platformdirs.user_state_path("ccp")


def test_everything_lies_inside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = [
        home.database,
        home.control_socket,
        home.agents_socket,
        home.device,
        home.lock,
        home.logs,
        home.backups,
    ]
    assert {path.name for path in paths} == {
        "mission.db", "control.sock", "agents.sock", "device.json", "serve.lock", "logs", "backups"
    }  # fmt: skip
    assert {path.parent for path in paths} == {tmp_path}


def test_the_home_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = Home(tmp_path / "new" / "home").prepare()
    finally:
        os.umask(before)
    assert [_mode(path) for path in (home.root, home.logs, home.backups)] == [0o700] * 3


def test_an_open_home_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Home(tmp_path).prepare().prepare()
    assert _mode(tmp_path) == 0o700


def test_nothing_is_made_before_it_is_prepared(tmp_path: Path) -> None:
    Home(tmp_path / "later")
    assert not (tmp_path / "later").exists()


def _home_with_socket_path_of(length: int, folder: Path) -> Home:
    room = length - len(str(folder)) - len("/") - len("/control.sock")
    return Home(folder / ("é" * (room // 2) + "x" * (room % 2)))


def test_a_path_too_long_for_a_socket_is_refused_in_words(home: Home) -> None:
    fits = _home_with_socket_path_of(SOCKET_PATH_LIMIT, home.root)
    assert len(os.fsencode(fits.control_socket)) == SOCKET_PATH_LIMIT
    fits.prepare()
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(fits.control_socket))
    too_long = _home_with_socket_path_of(SOCKET_PATH_LIMIT + 1, home.root)
    with pytest.raises(HomeError, match="too long a path for a Unix socket: set CCP_HOME to a shorter one"):
        too_long.prepare()
    assert not too_long.root.exists()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(HomeError, match=r"can't be used \(.+\): set CCP_HOME to a folder you own"):
            Home(root).prepare()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("method", ["mkdir", "chmod"])
def test_a_home_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, method, denied)
    with pytest.raises(HomeError, match="Permission denied"):
        Home(tmp_path / "home").prepare()


def test_a_home_of_an_unknown_user_is_said() -> None:
    with pytest.raises(HomeError, match="no-such-user"):
        Home.find({"CCP_HOME": "~no-such-user/board"})
