"""A planner that answers garbage holds up nobody: whatever it says is read at once, or refused at once."""

from __future__ import annotations

import json
import time

import pytest

from ccp_tui.service.planning import planreplies
from ccp_tui.service.planning.planreplies import LARGEST_REPLY, Question, ReplyError

QUESTION = json.dumps({"kind": "question", "question": "Who?", "options": []})


@pytest.mark.parametrize(
    "piece", ["```json\n", "```\n\n", "{", '{"a":', "[", "``` json\n x", "\n", "{}\n", "- {\n"]
)
def test_garbage_is_refused_at_once(piece: str) -> None:
    garbage = piece * (LARGEST_REPLY // len(piece))
    begun = time.monotonic()
    with pytest.raises(ReplyError):
        planreplies.read(garbage)
    assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n```json\n{QUESTION}\n```\nGood?",
        f"```\nno json\n```\n  ```JSON  \n{QUESTION}\n  ```  ",
        f"```json\n{QUESTION}\n```\n```\nwords\n```",
        f"```json\n{QUESTION}",
    ],
)
def test_a_fence_is_found_among_words_and_other_fences(text: str) -> None:
    assert planreplies.read(text) == Question("Who?")
