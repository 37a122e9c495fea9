"""Each task can always say why it is not moving, and which moves a person has."""

from __future__ import annotations

from typing import Any

from tests.service.board import Board, spec, until


def offered(task: dict[str, Any]) -> dict[str, str | None]:
    """The moves of a task: trigger → the gate that would refuse it."""
    return {move["trigger"]: move["gate"] for move in task["moves"]}


async def test_before_the_work(board: Board) -> None:
    ref = (await board.call("task.add", title="Bare"))["task"]["ref"]
    task = await board.show(ref)
    assert task["why"] == "it needs a spec: write one"
    assert offered(task) == {
        "plan": None,
        "approve_spec": "spec_complete",
        "assign": "spec_approved",
        "cancel": None,
    }
    await board.call("task.set_spec", ref=ref, text="title: Half\ndeliverables: [a.md]\n")
    assert "success criterion" in (await board.show(ref))["why"]
    await board.call("task.set_spec", ref=ref, text=spec())
    assert (await board.show(ref))["why"] == "spec version 2 waits for your approval"
    await board.call("task.approve_spec", ref=ref, version=2)
    task = await board.show(ref)
    assert task["why"] == "it waits to be assigned to an agent"
    assert offered(task)["assign"] == "agent"
    await board.call("task.plan", ref=ref)
    assert set(offered(await board.show(ref))) == {"approve_spec", "drop_plan", "cancel"}


async def test_from_assigned_to_done(board: Board) -> None:
    ref = await board.assigned(spec("!pause 4000", checks=("while ! test -f go; do sleep 0.05; done",)))
    task = await board.show(ref)
    assert task["why"] == "it waits for you to dispatch it"
    assert offered(task) == {"unassign": None, "dispatch": None, "cancel": None}
    await board.call("task.dispatch", ref=ref)
    task = await board.show(ref)
    assert (task["why"], offered(task)) == ("", {"stop": None, "cancel": None})
    await board.work(ref)
    task = await board.show(ref)
    assert (task["state"], task["why"], offered(task)) == ("testing", "", {"stop": None, "cancel": None})
    (board.workspace / "go").touch()
    task = await board.reach(ref, "review")
    assert task["why"] == "it waits for your review of round 1"
    assert offered(task) == {"approve": None, "reject": None, "stop": None, "cancel": None}
    targets = {move["trigger"]: move["target"] for move in task["moves"]}
    assert targets == {"approve": "done", "reject": "in_progress", "stop": "assigned", "cancel": "cancelled"}
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    task = await board.show(ref)
    assert (task["why"], offered(task)) == ("", {"reopen": None})


async def test_when_dispatch_would_wait(board: Board) -> None:
    busy = await board.dispatched()
    ref = await board.assigned()
    task = await board.show(ref)
    (dispatch,) = [move for move in task["moves"] if move["trigger"] == "dispatch"]
    assert dispatch["gate"] == "agent_free"
    assert busy in dispatch["reason"]
    await board.call("task.dispatch", ref=ref)
    assert (await board.show(ref))["why"] == f"queued: {board.agent} is working on {busy}"
    await board.away()
    dispatch = next(move for move in (await board.show(ref))["moves"] if move["trigger"] == "dispatch")
    assert dispatch["gate"] == "gateway_connected"


async def test_held_and_cancelled(board: Board) -> None:
    ref = await board.assigned(spec("!fail 400"))
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "held")
    assert task["why"].startswith(task["hold"]["reason"])
    assert task["why"].endswith(task["hold"]["release"])
    await board.call("task.cancel", ref=ref)
    task = await board.show(ref)
    assert (task["why"], task["hold"], offered(task)) == ("", None, {"restore": None})
    await until(lambda: board.running(task["attempts"][0]["session_key"]) is None)
