"""A backup takes the place of nothing: neither of a socket of the home nor of a file of the person."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.service.board import Board


async def test_a_backup_overwrites_nothing(board: Board, tmp_path: Path) -> None:
    mine, link = tmp_path / "mine.txt", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(mine)
    for path in (mine, link, board.home.control_socket, board.home.device):
        failure = await board.fails("backup", "USAGE", path=str(path))
        assert "is there already" in str(failure)
    assert mine.read_text() == "mine"
    assert stat.S_ISSOCK(board.home.control_socket.stat().st_mode)
    made = await board.call("backup", path=str(tmp_path / "new.db"))
    assert made["path"] == str(tmp_path / "new.db")
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
