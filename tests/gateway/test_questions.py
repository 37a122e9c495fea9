"""Questions of an agent to the person, on the gateway that can be told to ask one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ccp_tui.gateway import QuestionRequested, QuestionResolved
from tests.support.embedded import EmbeddedGateway
from tests.support.line import line, unique


async def test_a_question_is_asked_listed_and_answered(
    embedded_gateway: EmbeddedGateway, tmp_path: Path
) -> None:
    embedded_gateway.ensure()
    question = {
        "questionId": "q1",
        "header": "Colour",
        "question": "Which colour?",
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cool"}],
        "isOther": True,
    }
    async with line(embedded_gateway.url, embedded_gateway.token, tmp_path) as on:
        await on.connected()
        session = f"agent:main:{unique('asked')}"
        params = {"sessionKey": session, "questions": [question]}
        asking = asyncio.create_task(on.client.call("demo.ask", params, timeout=20))
        asked = await on.event(QuestionRequested, session)
        assert asked.agent_id == "main"
        assert asked.questions == [question]
        assert asked.expires_at_ms > 0
        assert [waiting["id"] for waiting in await on.calls.questions_list()] == [asked.id]
        await on.calls.question_resolve(asked.id, {"q1": ["Blue, but dark"]})
        assert (await asking)["answers"] == {"q1": ["Blue, but dark"]}
        assert (await on.event(QuestionResolved)).id == asked.id
        assert await on.calls.questions_list() == []
