"""What is assigned starts by itself, in its order, and never beside a run that is not surely over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.model import Hold, HoldKind
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.execution import predecessors
from ccp_tui.wire import Json
from tests.service.board import IDLE, Board, board_on, spec, until


@pytest.fixture
async def auto(home: Home) -> AsyncIterator[Board]:
    """A board where what is assigned starts."""
    async with board_on(home, auto=Auto.DISPATCH) as made:
        yield made


async def off(board: Board, **policy: Any) -> None:
    """Changes the policy of the mission that tasks without one go to."""
    given = policy or {"auto": "off"}
    await board.service._c.db(lambda store: store.missions.set_policy(store.missions.default(), given))


async def test_what_is_assigned_starts_unasked(auto: Board) -> None:
    ref = await auto.assigned(spec(IDLE))
    task = await auto.reach(ref, "in_progress")
    (asked,) = await auto.history(ref, "dispatch_asked")
    assert (asked["actor_kind"], asked["actor"]) == ("service", "ccp")
    key = task["session_key"]
    await until(lambda: auto.prompts(key))
    await auto.call("task.stop", ref=ref)
    await asyncio.sleep(0.3)
    card = await auto.card(ref)
    assert (card["state"], card["queued"], card["attempt"]) == ("assigned", False, 1), "a stop is a stop"
    assert card["waiting"] == (await auto.show(ref))["why"] == "it waits for you to dispatch it"


async def test_a_mission_that_wants_to_be_asked_is_asked(auto: Board) -> None:
    await off(auto)
    ref = await auto.assigned(spec(IDLE))
    await asyncio.sleep(0.2)
    card = await auto.card(ref)
    assert (card["state"], card["queued"]) == ("assigned", False)
    assert card["waiting"] == "it waits for you to dispatch it"
    await auto.call("task.dispatch", ref=ref)
    assert (await auto.card(ref))["state"] == "in_progress"


async def test_reopened_work_starts_again_with_what_there_is_and_why_it_is_not_enough(auto: Board) -> None:
    ref = await auto.assigned(spec(IDLE))
    await auto.reach(ref, "in_progress")
    await auto.work(ref)
    await auto.reach(ref, "review")
    await auto.call("task.approve", ref=ref, attempt=1, round=1)
    await auto.call("task.reopen", ref=ref, reason="it greets nobody by name")
    task = await auto.reach(ref, "in_progress")
    assert len(task["attempts"]) == 2
    await until(lambda: auto.prompts(task["session_key"]))
    (prompt,) = auto.prompts(task["session_key"])
    assert "--- reason ---\nit greets nobody by name\n--- end of reason ---" in prompt
    assert f"Attempt 1 by {auto.agent} was approved" in prompt
    assert f"- {auto.workspace / 'hello.md'}" in prompt
    assert "> made it" in prompt


async def test_priority_then_due_date_then_place_on_the_board(auto: Board) -> None:
    first = await auto.assigned(spec(IDLE))
    await auto.reach(first, "in_progress")
    plain = await auto.assigned(spec(IDLE))
    placed = await auto.assigned(spec(IDLE))
    late = await auto.assigned(spec(IDLE), due="2027-02-01")
    soon = await auto.assigned(spec(IDLE), due="2027-01-01")
    urgent = await auto.assigned(spec(IDLE), priority="urgent")
    await auto.call("task.place", ref=placed, before=plain)
    found = await auto.service._c.db(lambda store: [task["ref"] for task in store.tasks.queued()])
    assert found == [urgent, soon, late, placed, plain]
    await auto.call("task.stop", ref=first)
    await auto.reach(urgent, "in_progress")
    assert (await auto.card(soon))["state"] == "assigned"


async def test_a_dry_run_says_what_would_start_and_why_the_rest_waits(board: Board) -> None:
    bob = await board.second_agent()
    idle = await board.assigned(spec(IDLE))
    first = await board.assigned(spec(IDLE))
    second = await board.assigned(spec(IDLE))
    other = await board.assigned(spec(IDLE), agent=bob)
    needing = await board.assigned(spec(IDLE), agent=bob, needs=[idle])
    held = await board.assigned(spec(IDLE))

    def queue(store: Any) -> None:
        for ref in (first, second, other, needing):
            store.tasks.edit(store.tasks.by_ref(ref)["id"], queued_at="2026-01-01T00:00:00.000Z")

    async with board.service._dispatcher._one_at_a_time:  # nothing may start while it is looked at
        await board.service._c.db(queue)
        await hold(board, held)
        found = await board.call("dispatch.plan")
    assert found["would"] == [first, other]
    why = {one["ref"]: one["reason"] for one in found["waiting"]}
    assert set(why) == {idle, second, needing, held}
    assert why[second] == f"{board.agent} is working on {first}"
    assert why[needing] == f"it waits for {idle}"
    assert why[idle] == "it waits for you to dispatch it"
    assert why[held] == "it is held: it broke. Mend it."


async def hold(board: Board, ref: str) -> None:
    def work(store: Any) -> None:
        store.tasks.hold(store.tasks.by_ref(ref)["id"], Hold(HoldKind.ERROR, "it broke", "Mend it."))

    await board.service._c.db(work)


async def test_a_task_taken_back_while_its_session_is_made_does_not_begin(auto: Board) -> None:
    calls = auto.service.gateway.calls
    create, asked, go = calls.session_create, asyncio.Event(), asyncio.Event()

    async def slow(agent: str, key: str) -> str:
        asked.set()
        await go.wait()
        return await create(agent, key)

    calls.session_create = slow  # type: ignore[method-assign, assignment]
    ref = await auto.assigned(spec(IDLE))
    await asked.wait()
    await auto.call("task.cancel", ref=ref)
    go.set()
    await asyncio.sleep(0.3)
    task = await auto.show(ref)
    assert (task["state"], task["attempts"]) == ("cancelled", [])


async def test_no_second_attempt_beside_a_run_that_does_not_end(
    auto: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is told to end the run and does not: the next attempt waits, and says so."""
    monkeypatch.setattr(predecessors, "LOOK_AGAIN_S", 0.2)
    ref = await auto.assigned(spec(IDLE))
    key = (await auto.reach(ref, "in_progress"))["session_key"]
    await until(lambda: auto.running(key))
    calls, aborted = auto.service.gateway.calls, []
    abort = calls.chat_abort

    async def deaf(session_key: str, run_id: str | None = None) -> list[str]:
        aborted.append(session_key)
        return []

    calls.chat_abort = deaf  # type: ignore[method-assign]
    await auto.call("task.stop", ref=ref)
    card = (await auto.call("task.dispatch", ref=ref))["task"]
    assert (card["state"], card["attempt"]) == ("assigned", 1)
    assert card["waiting"] == "deferred: attempt 1 still runs at the gateway, and was told to end"
    assert card["waiting"] in (await auto.show(ref))["why"]
    await until(lambda: len(aborted) > 3)
    assert set(aborted) == {key}
    assert (await auto.card(ref))["attempt"] == 1
    await abort(key)
    task = await auto.reach(ref, "in_progress")
    assert task["attempt"] == 2
    assert task["session_key"] != key
    assert auto.running(key) is None


async def test_no_second_attempt_while_a_message_of_the_first_is_on_its_way(auto: Board) -> None:
    calls = auto.service.gateway.calls
    send, going_out, go = calls.chat_send, asyncio.Event(), asyncio.Event()

    async def slow(*args: object, **more: object) -> object:
        going_out.set()
        await go.wait()
        return await send(*args, **more)  # type: ignore[arg-type]

    calls.chat_send = slow  # type: ignore[assignment]
    ref = await auto.assigned(spec(IDLE))
    await going_out.wait()
    await auto.call("task.stop", ref=ref)
    card = (await auto.call("task.dispatch", ref=ref))["task"]
    assert card["waiting"] == "deferred: a message of attempt 1 is still on its way"
    calls.chat_send = send  # type: ignore[method-assign]
    go.set()
    assert (await auto.reach(ref, "in_progress"))["attempt"] == 2


async def test_a_restarted_gateway_may_take_up_the_old_run_so_the_new_one_waits(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH, resume_grace=2.0) as auto:
        ref = await auto.assigned(spec(IDLE))
        key = (await auto.reach(ref, "in_progress"))["session_key"]
        await until(lambda: auto.running(key))
        await auto.away()
        await auto.call("task.stop", ref=ref)
        card = (await auto.call("task.dispatch", ref=ref))["task"]
        assert "the gateway is not connected" in card["waiting"]
        seen = []

        async def says() -> bool:
            seen.append((await auto.card(ref))["waiting"])
            return "may take up attempt 1 again" in (seen[-1] or "")

        await auto.back()
        await until(says, told="deferred")
        assert seen[-1].startswith("deferred: the gateway was just started")
        task = await auto.reach(ref, "in_progress")
        assert task["attempt"] == 2
        assert auto.running(key) is None
        await until(lambda: auto.running(task["session_key"]))


async def test_a_new_attempt_inherits_no_sign_of_life(auto: Board) -> None:
    ref = await auto.assigned(spec("!stream 4000 20"))
    first = (await auto.reach(ref, "in_progress"))["session_key"]

    async def activity() -> Json | None:
        found: Json | None = (await auto.card(ref))["activity"]
        return found

    await until(activity)
    runs = auto.service._runs
    known = runs._known[first]
    await auto.call("task.stop", ref=ref)
    await auto.call("task.dispatch", ref=ref)
    second = (await auto.reach(ref, "in_progress"))["session_key"]
    assert second != first
    assert known.ref == ref
    assert runs._known[first].ref is None, "what the old run still says is not told of the task"
    assert runs._known[second].ref == ref
