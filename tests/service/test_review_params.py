"""Parameters beyond what can be kept are refused in words; they fail nothing."""

from __future__ import annotations

from tests.service.board import Board


async def test_a_number_that_no_database_holds_is_a_wrong_parameter(board: Board) -> None:
    ref = await board.add()
    for method, params in (
        ("task.spec", {"ref": ref, "version": 2**80}),
        ("events.list", {"before": 2**70}),
        ("events.list", {"after": -(2**70)}),
        ("task.history", {"ref": ref, "limit": 2**70}),
    ):
        failure = await board.fails(method, "USAGE", **params)
        assert "too large a number" in str(failure)


async def test_a_mission_has_a_title_that_fits_a_line(board: Board) -> None:
    made = (await board.call("mission.create", title="long " * 1000))["mission"]
    assert len(made["title"]) <= 200
    changed = await board.call("mission.update", slug=made["slug"], title="x" * 5000)
    assert len(changed["mission"]["title"]) <= 200
