"""From capture to done, with a worker that really runs commands and reports."""

from __future__ import annotations

import hashlib

from tests.service.board import Board, Client, spec, until

ALL_THE_WAY = ["inbox", "assigned", "in_progress", "testing", "review", "done"]


async def test_a_task_goes_from_capture_to_done(board: Board) -> None:
    async with Client(board.home, "watcher") as watcher:
        await watcher.keep()
        ref = await board.assigned(spec(checks=("grep -qi hello hello.md",)))
        await board.call("task.dispatch", ref=ref)
        await board.reach(ref, "review")
        await board.call("task.approve", ref=ref, attempt=1, round=1, reason="fine")
        task = await board.show(ref)
        await until(lambda: watcher.states(ref)[-1:] == ["done"])
        seen = watcher.states(ref)
        kinds = [row["kind"] for row in watcher.feed() if row["task"] == ref]
        activity = [one["activity"]["kind"] for one in watcher.named("activity") if one["ref"] == ref]

    # Unsent card changes fold into the newest, so a fast step may be missed; none comes out of order.
    assert [state for state in ALL_THE_WAY if state in seen] == seen
    moves = ["captured", "spec_approved", "assigned", "dispatched", "submitted", "checks_passed", "approved"]
    assert [kind for kind in kinds if kind in moves] == moves
    assert {"progress", "delivered"} <= set(kinds)
    assert "tool" in activity

    assert (task["state"], task["why"], task["hold"]) == ("done", "", None)
    (attempt,) = task["attempts"]
    assert (attempt["state"], attempt["outcome"], attempt["agent"]) == ("ended", "done", board.agent)
    assert len(attempt["run_ids"]) == 1
    (made,) = attempt["rounds"]
    assert made["result"] == "approved"
    assert made["summary"]
    (file,) = made["deliverables"]
    content = (board.workspace / "hello.md").read_bytes()
    assert (file["path"], file["size"]) == ("hello.md", len(content))
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert [(check["ok"], check["exit_code"]) for check in made["checks"]] == [(True, 0)]
    assert [(one["verdict"], one["reason"]) for one in made["reviews"]] == [("approve", "fine")]


async def test_the_prompt_carries_the_spec_verbatim_and_how_to_report(board: Board) -> None:
    text = spec(paths=("a.md", "docs/b.md"), checks=("test -s a.md",)) + "\n# a note that only the text has\n"
    ref = await board.assigned(text, description="Mind the gap.")
    await board.call("task.dispatch", ref=ref)
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.prompts(key))
    prompt = board.prompts(key)[0]
    assert f"--- spec ---\n{text.rstrip()}\n--- end of spec ---" in prompt
    for words in (
        f"Task: {ref} Say hello",
        "Attempt: 1",
        "Round: 1",
        "Mind the gap.",
        "docs/b.md",
        "it greets",
    ):
        assert words in prompt
    assert "test -s a.md" in prompt
    assert f"--socket {board.home.agents_socket} --attempt {board.token_of(key)}" in prompt
    await board.reach(ref, "review")


async def test_the_transcript_has_words_and_tools_with_their_output(board: Board) -> None:
    ref = await board.dispatched(spec("!say I begin.", "!exec echo from-the-shell", "!pause 4000"))

    async def told() -> bool:
        rows = await board.transcript(ref)
        return any(row["tool"] and row["tool"]["output"] for row in rows)

    await until(told)
    rows = await board.transcript(ref)
    assert rows[0]["role"] == "user"
    assert rows[0]["text"].count(f"Task: {ref}") == 1
    (tool,) = [row["tool"] for row in rows if row["role"] == "tool"]
    assert tool["args"] == {"command": "echo from-the-shell"}
    assert tool["output"].strip() == "from-the-shell"
    assert any("I begin." in row["text"] for row in rows if row["role"] == "assistant")


async def test_two_agents_work_at_once_and_one_agent_on_one_task(board: Board) -> None:
    bob = await board.second_agent()
    first = await board.dispatched()
    second = await board.dispatched(agent=bob)
    third = await board.assigned(spec())
    waiting = (await board.call("task.dispatch", ref=third))["task"]
    assert (waiting["state"], waiting["queued"]) == ("assigned", True)
    agents = {one["id"]: one for one in (await board.call("agent.list"))["agents"]}
    assert [agents[one]["working_on"] for one in (board.agent, bob)] == [first, second]
    assert agents[bob]["live"] == "working"


async def test_what_an_attempt_spent_is_what_its_answers_say(board: Board) -> None:
    ref = await board.assigned()
    await board.call("task.dispatch", ref=ref)
    key = (await board.reach(ref, "review"))["session_key"]

    async def equal() -> bool:
        totals = await board.call("chat.totals", session_key=key)
        (attempt,) = (await board.show(ref))["attempts"]
        return bool(totals["tokens"]) and (attempt["tokens"], attempt["cost_usd"]) == tuple(totals.values())

    await until(equal)
