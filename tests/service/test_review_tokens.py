"""A token stands in the report command that the service wrote, and nowhere else, whatever others' words look like."""

from __future__ import annotations

from pathlib import Path

from ccp_tui.service.execution.prompts import report_command
from ccp_tui.service.reports.tokens import PLACEHOLDER
from tests.service.board import IDLE, Board, report_token, spec


def test_the_command_is_one_that_the_token_is_put_into(tmp_path: Path) -> None:
    assert report_command("ccp", tmp_path / "a sock").endswith(f" --attempt {PLACEHOLDER}")


async def test_a_spec_about_templates_reaches_the_worker_verbatim(board: Board) -> None:
    words = "!say the template says {{token}} where the name goes"
    ref = await board.dispatched(spec(IDLE, words))
    (prompt,) = board.prompts((await board.card(ref))["session_key"])
    token = board.token_of((await board.card(ref))["session_key"])
    assert words in prompt
    assert prompt.count(token) == 1
    assert report_token(prompt) == token
    shown = (await board.transcript(ref))[0]["text"]
    assert words in shown
    assert token not in shown
    assert "--attempt ccp_…" in shown
