"""Moves, order and edits that a person makes."""

from __future__ import annotations

from tests.service.board import Board, Client, spec, until


async def order(board: Board, state: str = "inbox") -> list[str]:
    tasks = (await board.call("task.list", state=state))["tasks"]
    return [task["ref"] for task in sorted(tasks, key=lambda task: task["position"])]


async def test_columns_are_crossed_by_the_lifecycle(board: Board) -> None:
    ref = await board.add()
    for target in ("planning", "inbox", "cancelled", "inbox"):
        moved = (await board.call("task.move", ref=ref, to=target))["task"]
        assert moved["state"] == target
    await board.call("task.approve_spec", ref=ref, version=1)
    await board.fails("task.move", "REFUSED", ref=ref, to="assigned")  # nobody is chosen yet
    await board.call("task.assign", ref=ref, agent="Ada")  # by its display name
    assert (await board.call("task.move", ref=ref, to="inbox"))["task"]["state"] == "inbox"
    assert (await board.call("task.move", ref=ref, to="assigned"))["task"]["agent"] == board.agent


async def test_a_plan_that_is_approved_goes_where_its_agent_is(board: Board) -> None:
    nobody = await board.add()
    somebody = await board.add(agent=board.agent)
    for ref, target in ((nobody, "inbox"), (somebody, "assigned")):
        await board.call("task.plan", ref=ref)
        done = (await board.call("task.approve_spec", ref=ref, version=1))["task"]
        assert (done["state"], done["spec_approved"]) == (target, True)


async def test_cards_are_placed_within_their_column(board: Board) -> None:
    first, second, third = [await board.add(title=name) for name in ("a", "b", "c")]
    assert await order(board) == [first, second, third]
    await board.call("task.place", ref=third, before=first)
    assert await order(board) == [third, first, second]
    await board.call("task.place", ref=third, after=first)
    assert await order(board) == [first, third, second]
    await board.fails("task.place", "USAGE", ref=first)
    await board.fails("task.place", "USAGE", ref=first, before=second, after=third)
    await board.call("task.cancel", ref=third)
    await board.fails("task.place", "NOT_FOUND", ref=first, before=third)
    for _ in range(
        80
    ):  # between the same two for ever: the precision of a number runs out, the order does not
        await board.call("task.place", ref=first, after=second)
        await board.call("task.place", ref=second, after=first)
    assert await order(board) == [first, second]


async def test_edits_are_recorded_once_and_told(board: Board) -> None:
    ref = await board.add()
    async with Client(board.home) as watcher:
        await watcher.keep()
        changed = await board.call(
            "task.edit", ref=ref, title="New\tname", priority="urgent", due="2027-01-31"
        )
        await board.call("task.edit", ref=ref, title="New name")
        await until(lambda: watcher.feed("edited"))
    assert changed["task"]["title"] == "New name"
    assert (changed["task"]["priority"], changed["task"]["due"]) == ("urgent", "2027-01-31")
    assert len(await board.history(ref, "edited")) == 1
    assert (await board.call("task.edit", ref=ref, due=""))["task"]["due"] is None
    await board.fails("task.edit", "USAGE", ref=ref, title="  ")


async def test_a_spec_keeps_its_text_and_every_version(board: Board) -> None:
    ref = await board.add(spec())
    second = "# by hand\n" + spec(title="Second")
    version = (await board.call("task.set_spec", ref=ref, text=second))["spec"]
    assert (version["version"], version["text"], version["approved_at"]) == (2, second, None)
    again = (await board.call("task.set_spec", ref=ref, text=second))["spec"]
    assert again["version"] == 2
    assert (await board.call("task.spec", ref=ref, version=1))["spec"]["title"] == "Say hello"
    assert [one["version"] for one in (await board.show(ref))["specs"]] == [1, 2]
    bad = await board.fails("task.set_spec", "USAGE", ref=ref, text="title: x\nwhatever: 1\n")
    assert bad.details["line"] == 2


async def test_an_assigned_task_goes_to_another_agent(board: Board) -> None:
    bob = await board.second_agent()
    ref = await board.assigned()
    card = (await board.call("task.assign", ref=ref, agent=bob))["task"]
    assert (card["state"], card["agent"]) == ("assigned", bob)
    assert [row["kind"] for row in (await board.history(ref))[-2:]] == ["unassigned", "assigned"]


async def test_missions_have_refs_of_their_own_and_can_be_archived(board: Board) -> None:
    made = (await board.call("mission.create", title="Web site", prefix="web"))["mission"]
    assert (made["slug"], made["prefix"]) == ("web-site", "WEB")
    ref = await board.add(mission="web-site")
    assert ref == "WEB-1"
    await board.fails("mission.create", "USAGE", title="Other", prefix="WEB")
    await board.call("mission.update", slug="web-site", archived=True)
    assert (await board.call("task.list"))["tasks"] == []
    assert [one["slug"] for one in (await board.call("mission.list"))["missions"]] == []
    assert len((await board.call("mission.list", archived=True))["missions"]) == 1
    assert len((await board.call("task.list", mission="web-site"))["tasks"]) == 1
