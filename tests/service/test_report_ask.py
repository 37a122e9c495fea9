"""A worker's questions, and the sub-tasks it proposes: to the person, and back into its session once."""

from __future__ import annotations

from typing import Any

from ccp_tui.service.reports.tokens import hash_of
from ccp_tui.store import Store
from tests.service.board import IDLE, Board, spec, until
from tests.service.test_questions import items, listed
from tests.service.test_reports import refused

Row = dict[str, Any]


async def asked(board: Board, **more: Any) -> tuple[str, Row]:
    """A task whose worker asked a question and ended its run; the ref, and the question."""
    ref = await board.dispatched(spec("!say waiting"))
    words = await board.report(ref, "ask", text="Which language?\nFor the greeting.", **more)
    assert "End your run now" in words
    (question,) = await listed(board, ref=ref)
    return ref, question


async def told(board: Board, ref: str) -> list[str]:
    """What the worker was told of answers."""
    key = (await board.show(ref))["attempts"][-1]["session_key"]
    return [one for one in board.prompts(key) if "Your question was answered" in one.splitlines()]


async def test_an_answer_reaches_the_worker_with_letter_label_and_words_and_the_task_goes_on(
    board: Board,
) -> None:
    ref, question = await asked(board, options=["English", "French"])
    task = await board.reach(ref, "held")
    assert task["hold"]["kind"] == "question"
    assert "Which language?" in task["why"]
    (item,) = await items(board)
    assert (item["kind"], item["ref"], item["answer"]["question"]["id"]) == ("question", ref, question["id"])
    assert (question["kind"], question["free"], question["multiple"]) == ("report", True, False)

    await board.call("question.answer", id=question["id"], options=["b"], text="!pause 4000\nand polite")
    assert (await board.card(ref))["hold"] is None
    assert await items(board) == []
    (prompt,) = await until(lambda: told(board, ref))
    lines = prompt.splitlines()
    assert f"Task: {ref} Say hello" in lines
    assert "Round: 1" in lines
    at = lines.index("--- question ---")
    assert lines[at + 1 : at + 5] == [
        "Which language?",
        "For the greeting.",
        "--- end of question ---",
        "Answer: b) French",
    ]
    block = prompt.split("--- answer in words ---\n")[1].split("\n--- end of answer in words ---")[0]
    assert block == "!pause 4000\nand polite"
    assert f"--attempt {await board.token(ref)}" in prompt
    kinds = [row["kind"] for row in await board.history(ref)]
    assert [kind for kind in kinds if kind in ("asked", "held", "answered", "released")] == [
        "asked",
        "held",
        "answered",
        "released",
    ]
    await board.work(ref)
    await board.reach(ref, "review")


async def test_a_waived_question_is_left_to_the_worker(board: Board) -> None:
    ref, question = await asked(board)
    row = (await board.call("question.waive", id=question["id"]))["question"]
    assert (row["state"], row["answer"]) == ("waived", None)
    (prompt,) = await until(lambda: told(board, ref))
    assert "Answer: waived, decide yourself and state the assumption" in prompt.splitlines()
    await board.fails("question.waive", "REFUSED", id=question["id"])
    await board.fails("question.answer", "REFUSED", id=question["id"], text="too late")


async def test_the_same_question_again_is_the_same_one_and_knows_its_answer(board: Board) -> None:
    ref, question = await asked(board, options=["English", "French"])
    again = await board.report(
        ref, "ask", text="Which language?\nFor the greeting.", options=["English", "French"]
    )
    assert "End your run now" in again
    assert len(await listed(board, ref=ref)) == 1
    await board.call("question.answer", id=question["id"], options=["a"])
    again = await board.report(
        ref, "ask", text="Which language?\nFor the greeting.", options=["English", "French"]
    )
    assert "The answer is: a) English" in again
    assert len(await listed(board, ref=ref)) == 1
    assert (await board.card(ref))["hold"] is None


async def test_a_task_with_two_questions_goes_on_after_the_second_answer(board: Board) -> None:
    ref, first = await asked(board)
    await board.report(ref, "ask", text="And how long?", options=["short", "long"], free=False)
    second = (await listed(board, ref=ref))[1]
    assert second["free"] is False
    await board.call("question.answer", id=first["id"], text="English")
    assert (await board.show(ref))["hold"]["kind"] == "question"
    await board.fails("question.answer", "USAGE", id=second["id"], text="medium")
    await board.call("question.answer", id=second["id"], options=["a"])
    assert (await board.show(ref))["hold"] is None
    await until(lambda: two(board, ref))


async def two(board: Board, ref: str) -> bool:
    return len(await told(board, ref)) == 2


async def test_a_question_that_makes_no_sense_is_refused(board: Board) -> None:
    ref = await board.dispatched()
    token = await board.token(ref)
    for words, more in (
        ("text is missing", {"text": " "}),
        ("options must be a list", {"text": "x", "options": "a"}),
        ("1 to 300 characters", {"text": "x", "options": ["a", " "]}),
        ("each another", {"text": "x", "options": ["a", "a"]}),
        ("at most 8 options", {"text": "x", "options": list("abcdefghi")}),
        ("needs an answer in words", {"text": "x", "free": False}),
    ):
        await refused(board, token, "ask", "USAGE", words, **more)
    for number in range(5):
        await board.report(ref, "ask", text=f"question {number}")
    await refused(board, token, "ask", "USAGE", "5 of your questions are open", text="one more")
    assert len(await listed(board, ref=ref)) == 5


async def test_words_in_the_chat_answer_the_question_that_is_open(board: Board) -> None:
    ref, question = await asked(board)
    key = (await board.card(ref))["session_key"]
    await board.call("chat.send", session_key=key, text="!pause 4000\nEnglish")
    (row,) = await listed(board, ref=ref)
    assert (row["id"], row["state"], row["answer"]["text"]) == (
        question["id"],
        "answered",
        "!pause 4000\nEnglish",
    )
    assert (await board.card(ref))["hold"] is None
    assert await items(board) == []
    assert await told(board, ref) == []  # the words themselves are the answer


async def test_a_question_goes_with_its_attempt_and_with_a_submission(board: Board) -> None:
    ref, question = await asked(board)
    token = await board.token(ref)
    await board.call("task.stop", ref=ref)
    assert [row["state"] for row in await listed(board, ref=ref)] == ["gone"]
    assert (
        "nobody waits"
        in (await board.fails("question.answer", "REFUSED", id=question["id"], text="x")).message
    )
    await refused(board, token, "ask", "NOT_ALLOWED", "this attempt has ended", text="again?")

    other, _ = await asked(board)
    await board.work(other)
    await board.reach(other, "review")
    assert [row["state"] for row in await listed(board, ref=other)] == ["gone"]
    assert [item["kind"] for item in await items(board)] == ["review"]


async def test_an_answer_given_while_the_gateway_is_away_arrives_once_after_restarts_of_both(
    board: Board,
) -> None:
    ref, question = await asked(board)
    await board.away()
    await board.call("question.answer", id=question["id"], text="!pause 4000\nEnglish")
    await board.restart_service_away()
    await board.gateway.start()
    board.service.gateway.retry_now()
    await board.connected()
    await until(lambda: told(board, ref))
    await board.restart_service()
    await board.away()
    await board.back()
    assert len(await told(board, ref)) == 1
    assert [row["state"] for row in await listed(board, ref=ref)] == ["answered"]


async def test_a_sub_task_waits_in_inbox_for_the_person(board: Board) -> None:
    bob = await board.second_agent()
    ref = await board.dispatched(spec(IDLE), priority="high")
    words = await board.report(ref, "subtask", title="Draw a map", description="Of the coast.", agent="Bob")
    made = words.split(" ")[0]
    task = await board.show(made)
    assert (task["state"], task["parent"], task["priority"], task["description"]) == (
        "inbox",
        ref,
        "high",
        "Of the coast.",
    )
    assert (task["spec"], task["agent"], task["queued"]) == (None, None, False)
    assert (await board.history(made))[0]["actor"] == board.agent
    assert made in (await board.history(ref, "subtask"))[0]["text"]

    specified = (await board.report(ref, "subtask", title="Write it", spec=spec(title="Write it"))).split(
        " "
    )[0]
    task = await board.show(specified)
    assert (task["spec"]["author"], task["spec_approved"], task["state"]) == (board.agent, False, "inbox")
    assert (await board.show(ref))["state"] == "in_progress"
    wanted = await board.service._c.db(lambda store: store.tasks.by_ref(made)["wanted_agent"])
    assert wanted == bob


async def test_a_sub_task_that_can_not_be_is_refused(board: Board) -> None:
    ref = await board.dispatched()
    token = await board.token(ref)
    await refused(board, token, "subtask", "USAGE", "title is missing")
    await refused(board, token, "subtask", "USAGE", "line 1", title="x", spec="- no: spec")
    await refused(board, token, "subtask", "USAGE", "there are: ada", title="x", agent="nobody")
    for number in range(20):
        await board.service._reports.report({"token": token, "kind": "subtask", "title": f"part {number}"})
    await refused(board, token, "subtask", "USAGE", "20 sub-tasks already", title="one more")
    assert len((await board.call("task.list"))["tasks"]) == 21


async def test_a_worker_gives_no_verdict(board: Board) -> None:
    ref = await board.dispatched()
    token = await board.token(ref)
    await refused(board, token, "verdict", "NOT_ALLOWED", "verdict is not for a worker", verdict="approve")
    assert (await board.card(ref))["state"] == "in_progress"
    assert "verdict is not for a worker" in (await board.history(ref, "refused"))[0]["text"]


async def test_a_reviewer_s_token_is_for_its_verdict_and_nothing_else(board: Board) -> None:
    ref = await board.in_review()
    key = f"agent:judge:{ref}-review"
    token = board.token_of(key)

    def ask(store: Store) -> None:
        attempt = store.attempts.of_task(store.tasks.by_ref(ref)["id"])
        assert attempt
        request = store.review_requests.open(store.rounds.current(attempt["id"])["id"])
        columns = {"agent_id": "ada", "session_key": key, "token_hash": hash_of(token), "state": "reviewing"}
        store.review_requests.change(request, **columns)

    await board.service._c.db(ask)
    await board.report_as(token, "progress", text="reading")
    (row,) = await board.history(ref, "progress")
    assert (row["actor_kind"], row["text"]) == ("reviewer", f"{ref} progress: reading")
    for kind in ("deliver", "submit", "block", "ask", "subtask"):
        await refused(board, token, kind, "NOT_ALLOWED", f"{kind} is not for a reviewer", text="x", title="x")
    assert await items(board) == []  # its turn comes before the person's
    assert (await board.card(ref))["state"] == "review"
