"""Questions that agents ask through the gateway: answered once, by whoever is first, and no answer is lost."""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui.gateway import GatewayUnavailable
from tests.service.board import Board, until

COLOUR = {
    "questionId": "colour",
    "header": "Colour",
    "question": "Which colour?",
    "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cool"}],
    "isOther": True,
}
PARTS = {
    "questionId": "parts",
    "header": "Parts",
    "question": "Which parts?",
    "options": [{"label": "Head"}, {"label": "Tail"}, {"label": "Wing"}],
    "multiSelect": True,
    "isOther": False,
}
Row = dict[str, Any]


async def listed(board: Board, **params: Any) -> list[Row]:
    rows: list[Row] = (await board.call("question.list", **params))["questions"]
    return rows


async def items(board: Board) -> list[Row]:
    rows: list[Row] = (await board.call("attention.list"))["attention"]
    return rows


def asking(board: Board, session_key: str, *questions: Row) -> asyncio.Task[Row]:
    """An agent that asks through the gateway, as its tool does it; ends with the answers."""
    world = board.gateway._world
    assert world is not None
    where = {"sessionKey": session_key, "agentId": session_key.split(":")[1]}
    return asyncio.create_task(world.desk.ask(where, list(questions)))


async def asked(board: Board, *questions: Row) -> tuple[str, asyncio.Task[Row], list[Row]]:
    """A task whose worker asks; the task's ref, the one who waits, and the questions as they are open."""
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    waiting = asking(board, key, *questions)

    async def all_there() -> list[Row] | None:
        rows = await listed(board, ref=ref)
        return rows if len(rows) == len(questions) else None

    return ref, waiting, await until(all_there)


async def test_every_question_of_a_request_is_a_row_and_it_is_resolved_with_the_last_answer(
    board: Board,
) -> None:
    ref, waiting, (colour, parts) = await asked(board, COLOUR, PARTS)
    assert (colour["kind"], colour["ref"], colour["agent"], colour["state"]) == (
        "gateway",
        ref,
        board.agent,
        "open",
    )
    assert colour["header"] == "Colour"
    assert [(one["id"], one["label"], one["description"]) for one in colour["options"]] == [
        ("a", "Red", "warm"),
        ("b", "Blue", "cool"),
    ]
    assert (colour["multiple"], colour["free"], parts["multiple"], parts["free"]) == (
        False,
        True,
        True,
        False,
    )
    assert colour["expires_at"] > colour["asked_at"]
    assert [one["answer"]["question"]["id"] for one in await items(board)] == [colour["id"], parts["id"]]
    assert [card["questions"] for card in (await board.call("task.list"))["tasks"]] == [2]

    await board.call("question.answer", id=parts["id"], options=["a", "c"])
    assert not waiting.done()
    assert [one["answer"]["question"]["id"] for one in await items(board)] == [colour["id"]]
    done = (await board.call("question.answer", id=colour["id"], options=["b"], text="but dark"))["question"]
    assert await waiting == {"parts": ["Head", "Wing"], "colour": ["Blue – but dark"]}
    assert done["state"] == "answered"
    assert done["answer"] == {"options": [{"id": "b", "label": "Blue"}], "text": "but dark"}
    await until(lambda: settled(board, ref))
    assert [row["actor"] for row in await board.history(ref, "asked")] == [board.agent] * 2
    assert "b) Blue – but dark" in (await board.history(ref, "answered"))[-1]["text"]


async def settled(board: Board, ref: str) -> bool:
    rows = await board.service._c.db(lambda store: store.questions.undelivered())
    return rows == [] and await items(board) == [] and (await board.show(ref))["hold"] is None


async def test_an_answer_that_makes_no_sense_is_refused_in_words_and_nothing_is_lost(board: Board) -> None:
    _, waiting, (colour, parts) = await asked(board, COLOUR, PARTS)
    wrong: list[tuple[int, Row, str]] = [
        (colour["id"], {}, "choose an option or answer in words first"),
        (colour["id"], {"text": "  "}, "choose an option or answer in words first"),
        (colour["id"], {"options": ["z"]}, "there is no option 'z'; options: a, b"),
        (colour["id"], {"options": ["a", "b"]}, "choose one option"),
        (colour["id"], {"options": "a"}, "options must be a list of texts"),
        (colour["id"], {"text": 7}, "text must be text"),
        (parts["id"], {"options": ["a"], "text": "and more"}, "takes no answer in words"),
        (parts["id"], {}, "choose an option first"),
    ]
    for number, params, words in wrong:
        failure = await board.fails("question.answer", "USAGE", id=number, **params)
        assert words in failure.message, failure.message
    await board.fails("question.answer", "USAGE", options=["a"])
    await board.fails("question.answer", "USAGE", id="1", options=["a"])
    await board.fails("question.answer", "NOT_FOUND", id=999, options=["a"])
    assert "can't be waived" in (await board.fails("question.waive", "USAGE", id=colour["id"])).message
    await board.fails("question.list", "USAGE", state="lost")
    assert [row["state"] for row in await listed(board)] == ["open", "open"]
    assert not waiting.done()
    waiting.cancel()


async def test_the_second_answer_is_refused_and_says_what_the_first_was(board: Board) -> None:
    _, waiting, (colour,) = await asked(board, COLOUR)
    both = await asyncio.gather(
        board.call("question.answer", id=colour["id"], options=["a"]),
        board.call("question.answer", id=colour["id"], options=["b"]),
        return_exceptions=True,
    )
    refusals = [one for one in both if isinstance(one, Exception)]
    assert len(refusals) == 1
    assert "it is answered already: " in str(refusals[0])
    (row,) = await listed(board, state="answered")
    label = row["answer"]["options"][0]["label"]
    assert await waiting == {"colour": [label]}
    failure = await board.fails("question.answer", "REFUSED", id=colour["id"], text="other")
    assert (failure.details["gate"], failure.details["state"]) == ("open", "answered")


async def test_answered_elsewhere_it_disappears_here(board: Board) -> None:
    ref, waiting, (colour, parts) = await asked(board, COLOUR, PARTS)
    await board.call("question.answer", id=parts["id"], options=["a"])
    request = (await board.service.gateway.calls.questions_list())[0]["id"]
    answers = {"colour": ["Red"], "parts": ["Wing"]}
    await board.service.gateway.call("question.resolve", {"id": request, "answers": {"answers": answers}})
    assert await waiting == answers

    async def gone() -> bool:
        return [row["state"] for row in await listed(board, ref=ref)] == ["gone", "gone"]

    await until(gone)
    assert await items(board) == []
    assert (
        "nobody waits"
        in (await board.fails("question.answer", "REFUSED", id=colour["id"], options=["a"])).message
    )
    assert "came too late" in (await board.history(ref, "not_delivered"))[0]["text"]


async def test_a_question_of_an_agent_that_no_task_knows_is_in_the_queue_too(board: Board) -> None:
    waiting = asking(board, "agent:stranger:main", COLOUR)
    (item,) = await until(lambda: items(board))
    assert (item["ref"], item["agent"], item["kind"]) == (None, "stranger", "question")
    await board.call("question.answer", id=item["answer"]["question"]["id"], text="no colour")
    assert await waiting == {"colour": ["no colour"]}
    await until(lambda: empty(board))


async def empty(board: Board) -> bool:
    return await items(board) == []


async def test_a_secret_is_not_answered_through_us(board: Board) -> None:
    secret = {"questionId": "key", "question": "The key?", "isSecret": True, "options": []}
    waiting = asking(board, "agent:stranger:main", secret)
    (item,) = await until(lambda: items(board))
    assert item["answer"] is None
    assert "OpenClaw's own interface" in item["text"]
    assert await listed(board, state="all") == []
    waiting.cancel()
    await until(lambda: empty(board))


async def test_an_open_question_survives_a_restart_of_the_service(board: Board) -> None:
    ref, waiting, (colour,) = await asked(board, COLOUR)
    before = [item["key"] for item in await items(board)]
    await board.restart_service()
    assert [item["key"] for item in await until(lambda: items(board))] == before
    await board.call("question.answer", id=colour["id"], options=["a"])
    assert await waiting == {"colour": ["Red"]}
    assert len(await board.history(ref, "asked")) == 1


async def test_one_that_was_answered_elsewhere_while_the_service_was_away_is_gone(board: Board) -> None:
    ref, waiting, _ = await asked(board, COLOUR)
    await board.stop_service()
    world = board.gateway._world
    assert world is not None
    (entry,) = world.desk.questions.values()
    entry.answer.set_result({"colour": ["Blue"]})
    await waiting
    await board.start_service()
    await board.connected()

    async def gone() -> bool:
        return [row["state"] for row in await listed(board, ref=ref)] == ["gone"]

    await until(gone)


async def test_an_answer_whose_call_was_lost_is_sent_again_and_arrives_once(
    board: Board, monkeypatch: Any
) -> None:
    """The line breaks before the gateway hears of it; the answer is stored, and goes out at the next connect."""
    ref, waiting, (colour,) = await asked(board, COLOUR)
    calls = board.service.gateway.calls
    asked_for: list[str] = []

    async def lost(request: str, answers: Row) -> None:
        asked_for.append(request)
        raise GatewayUnavailable("the line broke", sent=True)

    monkeypatch.setattr(calls, "question_resolve", lost)
    row = (await board.call("question.answer", id=colour["id"], options=["a"]))["question"]
    assert (row["state"], len(asked_for), waiting.done()) == ("answered", 1, False)
    monkeypatch.undo()
    await board.restart_service()
    assert await waiting == {"colour": ["Red"]}
    await until(lambda: settled(board, ref))
    sent = board.prompts((await board.card(ref))["session_key"])
    assert len(sent) == 1  # the task itself: the answer went the way of the question


async def test_an_answer_that_arrived_without_a_word_of_it_is_not_sent_twice(
    board: Board, monkeypatch: Any
) -> None:
    """The gateway took it, and the line broke before it said so: it is asked, and nothing is repeated."""
    ref, waiting, (colour,) = await asked(board, COLOUR)
    client = board.service.gateway
    real = client.calls.question_resolve

    async def unheard(request: str, answers: Row) -> None:
        await real(request, answers)
        raise GatewayUnavailable("the line broke", sent=True)

    monkeypatch.setattr(client.calls, "question_resolve", unheard)
    monkeypatch.setattr(client, "call", kept(client.call))
    await board.call("question.answer", id=colour["id"], options=["b"])
    assert await waiting == {"colour": ["Blue"]}
    await until(lambda: settled(board, ref))
    (row,) = await listed(board, ref=ref)
    assert row["state"] == "answered"
    assert len(board.prompts((await board.card(ref))["session_key"])) == 1


def kept(call: Any) -> Any:
    """A gateway that still knows what became of a request."""

    async def answer(method: str, params: Row, *, timeout: float = 30.0) -> Row:  # noqa: ASYNC109
        if method == "question.get":
            return {"question": {"status": "answered", "answers": {"answers": {"colour": ["Blue"]}}}}
        found: Row = await call(method, params, timeout=timeout)
        return found

    return answer


async def test_an_answer_to_a_gateway_that_was_restarted_goes_into_the_session(board: Board) -> None:
    """The restarted gateway has forgotten its question; the one who asked gets the answer as a message, once."""
    ref, waiting, (colour,) = await asked(board, COLOUR)
    key = (await board.card(ref))["session_key"]
    await board.away()
    waiting.cancel()
    row = (await board.call("question.answer", id=colour["id"], options=["a"], text="a deep one"))["question"]
    assert row["state"] == "answered"
    assert [item["kind"] for item in await items(board)] in ([], ["gateway"])
    await board.restart_service_away()
    await board.gateway.start()
    board.service.gateway.retry_now()
    await board.connected()
    await until(lambda: any("a) Red" in one for one in board.prompts(key)))
    (told,) = [one for one in board.prompts(key) if "Your question was answered" in one]
    assert "Which colour?" in told
    assert "a deep one" in told
    await board.restart_service()
    await asyncio.sleep(0.3)
    assert len([one for one in board.prompts(key) if "Your question was answered" in one]) == 1


async def test_a_question_that_expired_while_the_gateway_was_away_leaves_the_queue(
    board: Board, monkeypatch: Any
) -> None:
    monkeypatch.setattr("ccp_tui.gateway.demo.approvals.QUESTION_MS", 1500)
    monkeypatch.setattr("ccp_tui.service.questions.gatewayquestions.EXPIRY_MARGIN_S", 0.2)
    ref, waiting, _ = await asked(board, COLOUR)
    await board.away()
    waiting.cancel()

    async def gone() -> bool:
        return [row["state"] for row in await listed(board, ref=ref)] == ["gone"]

    await until(gone)
