"""What a person presses on the board, from a typed line to Done, and what the screen says to it.

``patience`` is how many seconds an agent's part may take.
"""

from __future__ import annotations

from tests.support.pty import Terminal

QUESTIONS = ("Who is it for?", "How long may it be?")  # what the scripted planner asks


async def capture(terminal: Terminal, line: str) -> None:
    """A new task; the cursor is on it then."""
    await terminal.shows("gateway connected", 60)
    terminal.send("n")
    await terminal.shows("New task")
    terminal.send(line, "enter")
    await terminal.shows("MAIN-1 is in inbox")


async def plan(terminal: Terminal, *length: str, patience: float = 60) -> None:
    """Has it planned: the first question is answered by choice, the second with the keys ``length``. The plan is open
    then."""
    terminal.send("P")
    await terminal.shows("1 question for you", patience)
    terminal.send("!")
    await terminal.shows(QUESTIONS[0])
    terminal.send("enter")
    await terminal.shows("1-3 or space chooses")
    terminal.send("2")
    await terminal.shows("enter sends  Colleagues")
    terminal.send("enter")
    await terminal.shows(QUESTIONS[1], patience)
    terminal.send("enter")
    await terminal.shows("1-3 or space chooses")
    terminal.send(*length, "enter")
    await terminal.shows("waits for your approval", patience)
    terminal.send("enter")
    await terminal.shows("Spec, version 1")


async def judge(terminal: Terminal, *sees: str, patience: float = 120) -> None:
    """Waits for the work, looks at the round, where all of ``sees`` must stand, and approves it."""
    await terminal.shows("attempt 1, round 1 · since", patience)
    await terminal.shows("Review ·", patience)
    terminal.send("5")
    await terminal.shows("A approves this round")
    for words in sees:
        await terminal.shows(words)
    terminal.send("A")
    await terminal.shows("State       Done", 30)


async def leave(terminal: Terminal, *back: str) -> None:
    """Back to the board with these keys, where the task is in Done, and out of it."""
    terminal.send(*back)
    await terminal.shows("7 Done 1")
    terminal.send("q")
    assert await terminal.ended() == 0
