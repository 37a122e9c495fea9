"""What all commands about one task stand on: which task is current, and asking the service to change it."""

from __future__ import annotations

from collections.abc import Callable

from ccp_tui.rows import Card
from ccp_tui.screens.widgets.actions import When
from ccp_tui.screens.widgets.base import CcpScreen, Json

RUNNING = ("in_progress", "testing", "review")
OVER = ("done", "cancelled")
# Where held work can be set going again.
HELD = ("assigned", "in_progress", "testing")


class TaskBase(CcpScreen):
    """A screen on which one task is current. Every command asks the service; a refusal becomes one line."""

    def current(self) -> Card | None:
        """The current task, as the mirror has it."""
        raise NotImplementedError

    def on_task(self) -> bool:
        return self.current() is not None

    def in_state(self, *states: str, words: str = "") -> When:
        """Applies while the task stands in one of these columns; else says ``words``, when there are any."""

        def holds() -> bool | str:
            card = self.current()
            return card is not None and (card.state in states or words or False)

        return holds

    async def change(
        self, method: str, done: str | Callable[[Card], str] = "", **params: object
    ) -> Card | None:
        """Asks for one change of a task; shows ``done`` when it was made. The mirror has it before the event comes."""
        answer = await self.ask(method, dict(params))
        if answer is None:
            return None
        return self.take_card(answer, done)

    def take_card(self, answer: Json, done: str | Callable[[Card], str] = "") -> Card | None:
        """The card in the answer to a change, taken into the mirror; shows ``done``."""
        row = answer.get("task")
        card = self.current()
        if isinstance(row, dict) and "ref" in row:
            self.mirror.apply("task.changed", {"task": row})
            card = self.mirror.tasks.get(row["ref"])
        if card is not None and done:
            self.say(done if isinstance(done, str) else done(card), "good")
        return card


def words_of(state: str) -> str:
    """A state as it stands in a sentence."""
    return state.replace("_", " ")
