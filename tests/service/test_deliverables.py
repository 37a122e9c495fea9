"""Looking at what a worker says it made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccp_tui.service.verification.deliverables import NotDelivered, look


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "workspace"
    made.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (made / "a.md").write_text("hello")
    return made


def test_a_file_is_found_by_any_of_its_names(workspace: Path) -> None:
    found = look(workspace, "a.md")
    assert (found.path, found.size) == ("a.md", 5)
    for name in ("./a.md", "x/../a.md", str(workspace / "a.md"), " a.md "):
        assert look(workspace, name) == found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("b.md", "does not exist"),
        ("../secret.txt", "outside your workspace"),
        ("a/../../secret.txt", "outside your workspace"),
        ("/etc/passwd", "outside your workspace"),
        ("..", "outside your workspace"),
        (".", "outside your workspace"),
        ("", "name the file"),
        ("a\0b", "name the file"),
        ("x" * 5000, "can't be looked at"),
        ("a.md/b", "does not exist|can't be looked at"),
    ],
)
def test_what_is_not_there_or_not_inside_is_refused(workspace: Path, path: str, words: str) -> None:
    with pytest.raises(NotDelivered, match=words):
        look(workspace, path)


def test_links_are_followed_inside_and_refused_outside(workspace: Path) -> None:
    os.symlink("a.md", workspace / "inside")
    os.symlink("../secret.txt", workspace / "outside")
    os.symlink("/etc", workspace / "folder")
    os.symlink("loop", workspace / "loop")
    assert look(workspace, "inside").size == 5
    for name in ("outside", "folder", "folder/passwd"):
        with pytest.raises(NotDelivered, match="through a link"):
            look(workspace, name)
    with pytest.raises(NotDelivered):
        look(workspace, "loop")


def test_a_pipe_or_a_socket_is_no_deliverable_and_blocks_nobody(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    with pytest.raises(NotDelivered, match="no regular file"):
        look(workspace, "pipe")


def test_a_folder_is_its_files(workspace: Path) -> None:
    folder = workspace / "site"
    (folder / "css").mkdir(parents=True)
    (folder / "index.html").write_text("12345")
    (folder / "css/a.css").write_text("678")
    os.symlink("/etc/passwd", folder / "link")
    os.mkfifo(folder / "pipe")
    before = look(workspace, "site")
    assert (before.path, before.size) == ("site", 8)
    (folder / "css/a.css").write_text("679")
    assert look(workspace, "site/").sha256 != before.sha256


def test_a_workspace_that_is_a_link_itself_is_fine(workspace: Path, tmp_path: Path) -> None:
    os.symlink(workspace, tmp_path / "alias")
    assert look(tmp_path / "alias", "a.md").size == 5


def test_what_would_take_too_long_to_read_is_refused(workspace: Path) -> None:
    """A file of nothing but holes costs its maker nothing, and whoever reads it hours."""
    with (workspace / "holes").open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(NotDelivered, match=r"holes is larger than 4 GiB: deliver something smaller"):
        look(workspace, "holes")


def test_so_is_a_folder_of_such_files(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccp_tui.service.verification.deliverables.LARGEST", 2**20)
    folder = workspace / "many"
    folder.mkdir()
    for number in range(3):
        (folder / str(number)).write_bytes(b"x" * 400_000)
    with pytest.raises(NotDelivered, match="many is larger than"):
        look(workspace, "many")
    (folder / "2").unlink()
    assert look(workspace, "many").size == 800_000
