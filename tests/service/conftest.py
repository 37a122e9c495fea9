"""What tests of the duties share: a whole board."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ccp_tui.paths import Home
from tests.service.board import Board, board_on


@pytest.fixture
async def board(home: Home) -> AsyncIterator[Board]:
    """A service on an embedded gateway, with the agent Ada, and a client."""
    async with board_on(home) as made:
        yield made
