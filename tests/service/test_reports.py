"""Reports through agents.sock: for the attempt whose token they show, and for nothing else."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from ccp_tui.client import ServiceFailure
from tests.service.board import Board, Client, ServiceClientOn, spec, until


async def refused(board: Board, token: object, kind: str, code: str, words: str, **more: object) -> None:
    async with ServiceClientOn(board.home.agents_socket) as line:
        with pytest.raises(ServiceFailure, match=words) as caught:
            await line.call("report", {"token": token, "kind": kind, **more})
    assert caught.value.code == code


async def test_a_report_needs_a_known_token(board: Board) -> None:
    ref = await board.dispatched()
    right = await board.token(ref)
    before = await board.show(ref)
    for wrong in ("ccp_" + "0" * 48, right[:-1], right + "0", right.upper(), "' OR 1=1 --"):
        await refused(board, wrong, "submit", "NOT_ALLOWED", "this token is not known")
    for nothing in ("", "   ", None, 7, ["x"]):
        await refused(board, nothing, "submit", "NOT_ALLOWED", "needs the token of its attempt")
    after = await board.show(ref)
    assert {**after, "activity": None} == {**before, "activity": None}


async def test_the_hash_in_the_database_is_no_token(board: Board) -> None:
    ref = await board.dispatched()
    with sqlite3.connect(board.home.database) as db:
        (stored,) = db.execute("SELECT token_hash FROM attempts").fetchone()
    assert stored == hashlib.sha256((await board.token(ref)).encode()).hexdigest()
    await refused(board, stored, "submit", "NOT_ALLOWED", "not known")


async def test_a_token_is_good_for_its_own_task_only(board: Board) -> None:
    bob = await board.second_agent()
    mine = await board.dispatched()
    other = await board.dispatched(agent=bob)
    (board.workspace / "hello.md").write_text("hello")
    await board.report(mine, "deliver", path="hello.md")
    await board.report(mine, "submit")
    await board.reach(mine, "review")
    untouched = (await board.show(other))["attempts"][0]["rounds"][0]
    assert (untouched["deliverables"], untouched["submitted_at"]) == ([], None)


async def test_the_agents_socket_offers_reports_alone(board: Board) -> None:
    ref = await board.dispatched()
    async with ServiceClientOn(board.home.agents_socket) as line:
        for method in ("task.approve", "task.list", "subscribe", "shutdown", "agent.set_file", "watch"):
            with pytest.raises(ServiceFailure) as caught:
                await line.call(method, {"ref": ref, "session_key": "x"})
            assert caught.value.code == "NOT_ALLOWED"
    assert (await board.card(ref))["state"] == "in_progress"
    assert [
        os.stat(one).st_mode & 0o777 for one in (board.home.control_socket, board.home.agents_socket)
    ] == [
        0o600,
        0o600,
    ]


async def test_an_unknown_kind_or_an_empty_report_is_told(board: Board) -> None:
    ref = await board.dispatched()
    token = await board.token(ref)
    await refused(board, token, "approve", "USAGE", "there is no report 'approve'")
    await refused(board, token, "progress", "USAGE", "text is missing", text=" ")
    await refused(board, token, "deliver", "USAGE", "path is missing")
    await refused(board, token, "block", "USAGE", "text is missing")


async def test_a_report_in_the_wrong_state_changes_nothing(board: Board) -> None:
    ref = await board.in_review()
    token = await board.token(ref)
    for kind, more in (("deliver", {"path": "hello.md"}), ("submit", {}), ("block", {"text": "x"})):
        await refused(board, token, kind, "REFUSED", "the task is in Review", **more)
    assert (await board.card(ref))["state"] == "review"
    assert len(await board.history(ref, "refused")) == 3


async def test_a_submission_without_its_deliverables_is_refused_by_name(board: Board) -> None:
    ref = await board.dispatched(spec("!pause 4000", paths=("a.md", "b.md")))
    token = await board.token(ref)
    (board.workspace / "a.md").write_text("a")
    assert "Still to deliver: b.md" in await board.report(ref, "deliver", path="a.md")
    await refused(board, token, "submit", "REFUSED", "not delivered yet: b.md")
    (board.workspace / "b.md").write_text("b")
    assert "submit now" in await board.report(ref, "deliver", path="b.md", description="second")
    (board.workspace / "a.md").unlink()
    await refused(board, token, "submit", "REFUSED", "a.md does not exist")
    last = (await board.history(ref))[-1]
    assert (last["kind"], last["actor"], last["data"]["gate"]) == (
        "refused",
        board.agent,
        "deliverables_present",
    )
    (board.workspace / "a.md").write_text("a again")
    await board.report(ref, "submit")
    (made,) = (await board.reach(ref, "review"))["attempts"][0]["rounds"]
    assert [(one["path"], one["size"]) for one in made["deliverables"]] == [("a.md", 7), ("b.md", 1)]


async def test_what_is_no_deliverable_is_refused_and_recorded(board: Board) -> None:
    ref = await board.dispatched()
    token = await board.token(ref)
    os.symlink("/etc/passwd", board.workspace / "hello.md")
    await refused(board, token, "deliver", "USAGE", "through a link", path="hello.md")
    await refused(board, token, "deliver", "USAGE", "outside your workspace", path="../../etc/passwd")
    assert [row["actor"] for row in await board.history(ref, "refused")] == [board.agent, board.agent]
    assert (await board.show(ref))["attempts"][0]["rounds"][0]["deliverables"] == []


async def test_progress_is_one_clean_line_in_the_feed(board: Board) -> None:
    ref = await board.dispatched()
    await board.report(ref, "progress", text="half\nway \x1b[31mred\x1b[0m \u202e done")
    (row,) = await board.history(ref, "progress")
    assert row["text"] == f"{ref} progress: half way red done"
    assert (row["actor"], row["attempt"], row["round"]) == (board.agent, 1, 1)


async def test_a_block_asks_the_person_and_an_answer_lets_it_go_on(board: Board) -> None:
    ref = await board.dispatched(spec("!say waiting"))
    await board.report(ref, "block", text="which language?")
    task = await board.reach(ref, "held")
    assert task["hold"]["kind"] == "question"
    assert "which language?" in task["why"]

    async def queued() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = (await board.call("attention.list"))["attention"]
        return rows

    (item,) = await queued()
    assert (item["kind"], item["ref"], item["session_key"]) == ("question", ref, task["session_key"])
    await board.call("chat.send", session_key=task["session_key"], text="!pause 4000\nEnglish")
    assert (await board.card(ref))["hold"] is None
    assert await queued() == []
    await until(lambda: any("English" in one for one in board.prompts(task["session_key"])))
    assert (await board.history(ref, "released"))[0]["reason"].endswith("English")
    await board.work(ref)
    await board.reach(ref, "review")


def files_with(folder: Path, words: str) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and words.encode() in one.read_bytes()]


async def test_the_token_is_kept_and_told_nowhere(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    """The worker says its token, gives it to a command and into its files, and reports with it in every place."""
    async with Client(board.home) as watcher:
        await watcher.keep()
        show = '!exec echo "{report}" > hello.md; cat hello.md'
        ref = await board.assigned(
            spec(show, "!say {report}", "!pause 4000", checks=("cat hello.md; false",))
        )
        await board.call("task.dispatch", ref=ref)
        key = (await board.card(ref))["session_key"]
        await watcher.watch(key)
        token = await board.token(ref)
        await until(
            lambda: (
                (board.workspace / "hello.md").exists()
                and token in (board.workspace / "hello.md").read_text()
            )
        )
        await board.report(ref, "progress", text=f"my token is {token}")
        await board.report(ref, "deliver", path="hello.md", description=token)
        await board.report(ref, "submit", summary=f"with {token}")
        await until(lambda: len(board.prompts(key)) == 2)
        live = await board.call("chat.open", session_key=key)
        told = repr([event.payload for event in watcher.got]) + repr(live)
        watched = watcher.named("run.tool")
    assert watched
    answers = repr(
        [await board.show(ref), await board.transcript(ref), await board.call("search", text="token")]
    )
    await board.stop_service()
    assert token in board.prompts(key)[0]
    assert files_with(board.home.root, token) == []
    assert token not in told
    assert token not in answers
    assert token not in caplog.text
