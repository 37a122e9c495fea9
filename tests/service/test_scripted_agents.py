"""Scripted planner, workers and reviewer on one board: a typed line becomes finished work, with approvals alone."""

from __future__ import annotations

from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from tests.service.board import Board, board_on, until


async def proposed(board: Board, title: str) -> str:
    """A task that plans itself, its plan ready to be approved."""
    ref: str = (await board.call("task.add", title=title, auto=True))["task"]["ref"]

    async def there() -> bool:
        return bool((await board.card(ref))["planning"] == "proposed")

    await until(there, told="a proposed plan")
    return ref


async def test_a_small_task_needs_two_approvals(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH, check_commands=True, install_skill=True) as board:
        ref = await proposed(board, "Fix the footer")
        spec = (await board.show(ref))["spec"]
        assert "assumptions:" in spec["text"]
        await board.call("task.approve_spec", ref=ref, version=spec["version"])
        card = await board.reach(ref, "review", seconds=40)
        await board.call("task.approve", ref=ref, attempt=card["attempt"], round=card["round"])
        assert (await board.reach(ref, "done"))["agent"] == "scribe"


async def test_a_large_task_goes_all_the_way_with_a_reviewing_agent(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH, check_commands=True) as board:
        mission = (await board.call("mission.create", title="Main"))["mission"]
        await board.call("mission.update", slug=mission["slug"], policy={"review": "agent"})
        ref = await proposed(board, "Write a guide to bread")
        version = (await board.show(ref))["spec"]["version"]
        await board.call("task.approve_spec", ref=ref, version=version)
        await board.reach(ref, "done", seconds=60)
        cards = (await board.call("task.list"))["tasks"]
        done_by = {
            card["title"].partition(":")[0]: card["agent"] for card in cards if card["state"] == "done"
        }
        assert done_by == {
            "Write a guide to bread": "quill",
            "Gather the facts for": "scout",
            "Write the draft of": "quill",
            "Check the draft of": "scout",
        }
        reviews = (await board.show(ref))["attempts"][0]["rounds"][0]["reviews"]
        assert [(one["verdict"], one["actor"]) for one in reviews] == [("approve", "ccp-reviewer")]
        final = next(board.workspace.parent.glob("quill/*/final.md")).read_text()
        assert "## From remarks.md" in final
