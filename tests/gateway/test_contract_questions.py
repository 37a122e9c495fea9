"""Questions that an agent puts to the person with OpenClaw's own tool, on both gateways."""

from __future__ import annotations

import pytest

from ccp_tui.gateway import GatewayError, QuestionRequested, QuestionResolved, RunFinal, ToolEvent
from tests.support.line import Line, unique


async def asked(on: Line, session: str) -> tuple[str, QuestionRequested]:
    run = unique("asks")
    await on.calls.chat_send(session, "!question Which colour? | Red | Blue\n!say thank you", run)
    return run, await on.event(QuestionRequested, session, seconds=60)


async def test_a_question_is_asked_listed_and_answered(on: Line, session: str) -> None:
    run, question = await asked(on, session)
    assert question.run_id == run
    (one,) = question.questions
    assert one["question"] == "Which colour?"
    assert [option["label"] for option in one["options"]] == ["Red", "Blue"]
    assert one["isOther"] is True
    assert question.expires_at_ms > 0
    assert question.id in [row["id"] for row in await on.calls.questions_list()]
    assert (await on.client.call("question.get", {"id": question.id}))["question"]["status"] == "pending"
    with pytest.raises(GatewayError, match="does not allow multiple answers"):
        await on.calls.question_resolve(question.id, {one["questionId"]: ["Blue", "but dark"]})
    await on.calls.question_resolve(question.id, {one["questionId"]: ["Blue, but dark"]})
    assert isinstance(await on.ended(run), RunFinal)
    await on.until(lambda: question.id in [event.id for event in on.of(QuestionResolved)])
    assert question.id not in [row["id"] for row in await on.calls.questions_list()]
    kept = (await on.client.call("question.get", {"id": question.id}))["question"]
    assert kept["status"] == "answered"
    assert kept["answers"] == {"answers": {one["questionId"]: ["Blue, but dark"]}}
    results = [event for event in on.of(ToolEvent, session, run) if event.phase == "result"]
    assert any("Blue, but dark" in (event.output or "") for event in results)


async def test_a_message_to_the_session_is_the_answer_and_no_prompt(on: Line, session: str) -> None:
    run, question = await asked(on, session)
    answer = unique("answers")
    await on.calls.chat_send(session, "!say Blue", answer)
    await on.until(lambda: question.id in [event.id for event in on.of(QuestionResolved)])
    end = await on.ended(answer)
    assert isinstance(end, RunFinal)
    assert end.text is None
    last = await on.ended(run)
    assert isinstance(last, RunFinal)
    assert (last.text or "").endswith("thank you")
    keys = [
        row.idempotency_key for row in (await on.calls.chat_history(session)).messages if row.role == "user"
    ]
    assert keys == [run, answer]


async def test_an_aborted_run_takes_its_question_with_it(on: Line, session: str) -> None:
    _, question = await asked(on, session)
    await on.calls.chat_abort(session)
    await on.until(lambda: question.id in [event.id for event in on.of(QuestionResolved)])
    with pytest.raises(GatewayError):
        await on.calls.question_resolve(question.id, {"question": ["Red"]})
