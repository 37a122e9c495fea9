"""What was delivered is what is judged: kept when submitted, compared between rounds, looked at again at a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.verification import evidence
from ccp_tui.service.verification.deliverables import look
from ccp_tui.store import Store
from tests.service.board import Board
from tests.service.reviews import asked, patient, policy, submitted, verdict

__all__ = ["patient"]

VERDICT = {"attempt": 1, "round": 1}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mission.db", tmp_path / "backups")


def rows(workspace: Path, *paths: str) -> list[dict[str, object]]:
    found = [look(workspace, path) for path in paths]
    return [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in found]


def kept(store: Store, workspace: Path, *paths: str) -> list[dict[str, object]]:
    texts = evidence.texts(workspace, [look(workspace, path) for path in paths])
    store.transaction(lambda inner: evidence.keep(inner, texts))
    return rows(workspace, *paths)


async def test_the_person_approves_what_was_checked_and_nothing_else(board: Board) -> None:
    ref = await board.in_review()
    (board.workspace / "hello.md").write_text("Something else.\n")
    refusal = await board.refused("task.approve", "evidence", ref=ref, **VERDICT)
    assert "hello.md was changed" in refusal.message
    await board.call("task.approve", ref=ref, **VERDICT, accept_changes=True)
    event = (await board.history(ref, "approved"))[-1]
    assert "accepted as it is now: hello.md was changed" in event["text"]


async def test_a_deliverable_that_is_gone_is_not_approved(board: Board) -> None:
    ref = await board.in_review()
    (board.workspace / "hello.md").unlink()
    refusal = await board.refused("task.approve", "evidence", ref=ref, **VERDICT)
    assert "hello.md does not exist" in refusal.message


async def test_what_is_put_back_is_what_was_checked(board: Board) -> None:
    ref = await board.in_review()
    path = board.workspace / "hello.md"
    before = path.read_text()
    path.write_text("For a moment.\n")
    path.write_text(before)
    await board.call("task.approve", ref=ref, **VERDICT)


@pytest.mark.usefixtures("patient")
async def test_a_reviewer_cannot_approve_files_that_changed_and_the_person_is_told(board: Board) -> None:
    await policy(board, review="agent")
    ref = await submitted(board)
    key = await asked(board, ref)
    (board.workspace / "hello.md").write_text("Swapped.\n")
    with pytest.raises(Exception, match="a person looks at it"):
        await verdict(board, key, "approve", "Fine.")
    card = await board.card(ref)
    assert (card["state"], card["hold"]["kind"], card["reviewer"]) == ("review", "stalled", None)
    assert "hello.md was changed" in card["hold"]["reason"]
    await board.call("task.approve", ref=ref, **VERDICT, accept_changes=True)


@pytest.mark.usefixtures("patient")
async def test_a_rejection_needs_no_unchanged_files(board: Board) -> None:
    await policy(board, review="agent")
    ref = await submitted(board)
    key = await asked(board, ref)
    (board.workspace / "hello.md").write_text("Swapped.\n")
    await verdict(board, key, "reject", "It changes while I read it.")
    assert (await board.card(ref))["state"] == "in_progress"


def test_text_is_kept_as_it_was_submitted(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("one\n")
    before = kept(store, tmp_path, "a.md")
    path.write_text("two\n")
    assert store.contents.text(str(before[0]["sha256"])) == "one\n"


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("one\n")
    found = look(tmp_path, "a.md")
    path.write_text("two\n")
    assert evidence.texts(tmp_path, [found]) == {}


def test_neither_pictures_nor_large_files_are_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff\xfe")
    (tmp_path / "b.md").write_text("x" * (evidence.LARGEST_KEPT + 1))
    before = kept(store, tmp_path, "a.png", "b.md")
    assert [store.contents.text(str(row["sha256"])) for row in before] == [None, None]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff\xfe\x00")
    diff = evidence.difference(store, before, rows(tmp_path, "a.png", "b.md"))
    assert "a.png: changed, 6 bytes before and 7 now" in diff
    assert "b.md: unchanged" in diff


def test_a_folder_is_compared_file_by_file_and_caches_are_none_of_it(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.py").write_text("print(1)\n")
    before = kept(store, tmp_path, "src")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"\x00")
    assert evidence.changed(tmp_path, before) == ""
    (folder / "b.py").write_text("print(2)\n")
    assert "src was changed" in evidence.changed(tmp_path, before)
    diff = evidence.difference(store, before, kept(store, tmp_path, "src"))
    assert "> +=== b.py ===" in diff
    assert "> +print(2)" in diff


def test_the_difference_is_bounded(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("".join(f"line {n}\n" for n in range(5000)))
    before = kept(store, tmp_path, "a.md")
    path.write_text("".join(f"other {n}\n" for n in range(5000)))
    diff = evidence.difference(store, before, kept(store, tmp_path, "a.md"))
    assert "are left out here" in diff
    assert len(diff) < 2 * evidence.MOST_OF_A_DIFF
    assert all(line.startswith(">") for line in diff.splitlines())


def test_what_came_and_what_went_is_said(store: Store, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(name)
    first, second = kept(store, tmp_path, "a.md"), kept(store, tmp_path, "b.md")
    diff = evidence.difference(store, first, second)
    assert "a.md: not delivered any more" in diff
    assert "b.md: delivered for the first time" in diff


def test_a_token_in_a_file_is_shown_to_nobody(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("ccp_0123456789abcdef0123456789abcdef\n")
    assert "0123456789abcdef" not in evidence.shown(store, kept(store, tmp_path, "a.md"))


async def test_the_submission_keeps_the_text(board: Board, home: Home) -> None:
    ref = await board.in_review()
    (row,) = (await board.show(ref))["attempts"][0]["rounds"][0]["deliverables"]
    text = await board.service._c.db(lambda store: store.contents.text(row["sha256"]))
    assert text == "Hello, world.\n"
