"""What the board shows, without a screen: mission, filter, columns, and the cursor, which is a task, not a place."""

from __future__ import annotations

from collections.abc import Iterable

from ccp_tui.mirror import Change, Mirror
from ccp_tui.rows import Card
from ccp_tui.screens.board.words import CANCELLED, COLUMNS, LABELS, Column


class BoardView:
    """The refs of every column as filtered, and where the cursor stands.

    The cursor holds on to its task: when the task moves, the cursor goes with it; when the task goes away, the cursor
    stays at the same height in the same column.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.mission: str | None = None  # None: all missions
        self.filter = ""
        self.with_cancelled = False
        self.at = 1  # the cursor's column; the inbox is where work starts
        self.ref: str | None = None
        self._refs: dict[str, tuple[str, ...]] = {}
        self._held: dict[str, int] = {}
        self._rows: dict[str, int] = {}  # per state: the row the cursor had there
        self._last_jump: str | None = None

    # -- reading

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*COLUMNS, CANCELLED) if self.with_cancelled else COLUMNS

    @property
    def state(self) -> str:
        return self.columns[self.at].state

    @property
    def card(self) -> Card | None:
        """The task under the cursor."""
        return self.mirror.tasks.get(self.ref) if self.ref else None

    def refs(self, state: str) -> tuple[str, ...]:
        """The refs of one column, in order, filtered."""
        return self._refs.get(state, ())

    def held(self, state: str) -> int:
        """How many tasks of one column are held."""
        return self._held.get(state, 0)

    @property
    def row(self) -> int:
        """The cursor's row in its column; 0 in an empty one."""
        return self._rows.get(self.state, 0)

    def total(self) -> int:
        """How many tasks are shown in all columns."""
        return sum(len(self.refs(column.state)) for column in self.columns)

    # -- keeping up

    def load(self, change: Change | None = None) -> None:
        """Reads the columns again: those the change touches, or all of them."""
        states: Iterable[str] = LABELS
        if change is not None and not change.full:
            touched = {state for slug, state in change.columns if self.mission in (None, slug)}
            touched |= {self.mirror.tasks[ref].state for ref in change.tasks if ref in self.mirror.tasks}
            states = touched
        for state in states:
            refs = self._column(state)
            tasks = self.mirror.tasks
            self._refs[state] = refs
            self._held[state] = sum(1 for ref in refs if tasks[ref].hold is not None)
        self._settle()

    def _column(self, state: str) -> tuple[str, ...]:
        if self.mission is not None:
            refs = self.mirror.column(self.mission, state)
        else:
            slugs = [mission.slug for mission in self.mirror.open_missions()]
            refs = tuple(ref for slug in slugs for ref in self.mirror.column(slug, state))
        words = self.filter.lower().split()
        if not words:
            return refs
        tasks = self.mirror.tasks
        return tuple(ref for ref in refs if matches(tasks[ref], words))

    def _settle(self) -> None:
        """Puts the cursor back on its task, or where the task was."""
        card = self.card
        if card is not None:
            for index, column in enumerate(self.columns):
                if column.state == card.state:
                    refs = self.refs(column.state)
                    if card.ref in refs:
                        self.at = index
                        self._rows[column.state] = refs.index(card.ref)
                        return
        self.at = min(self.at, len(self.columns) - 1)
        self._stand(self.row)

    def _stand(self, row: int) -> None:
        refs = self.refs(self.state)
        row = max(0, min(row, len(refs) - 1))
        self._rows[self.state] = row
        self.ref = refs[row] if refs else None

    # -- moving

    def move_row(self, by: int) -> None:
        self._stand(self.row + by)

    def to_row(self, row: int) -> None:
        """Row -1 is the last."""
        self._stand(len(self.refs(self.state)) - 1 if row < 0 else row)

    def move_column(self, by: int) -> None:
        self.to_column(self.at + by)

    def to_column(self, index: int) -> None:
        """Goes to a column by its index, to the row the cursor had there."""
        self.at = max(0, min(index, len(self.columns) - 1))
        self._stand(min(self.row, max(0, len(self.refs(self.state)) - 1)))

    def go_to(self, ref: str) -> bool:
        """Puts the cursor on a task; False when the board does not show it."""
        card = self.mirror.tasks.get(ref)
        if card is None:
            return False
        if card.state == CANCELLED.state and not self.with_cancelled:
            self.with_cancelled = True
        if self.mission not in (None, card.mission):
            self.mission = card.mission
            self.load()
        if ref not in self.refs(card.state):
            self.filter = ""
            self.load()
        if ref not in self.refs(card.state):
            return False
        self.ref = ref
        self._settle()
        return True

    def first_shown(self) -> bool:
        """Puts the cursor on the first task there is, column by column; False on an empty board."""
        for index, column in enumerate(self.columns):
            if self.refs(column.state):
                self.at = index
                self._stand(0)
                return True
        return False

    def next_match(self, by: int) -> None:
        """The next (1) or previous (-1) shown task, through all columns and around."""
        every = [ref for column in self.columns for ref in self.refs(column.state)]
        if not every:
            return
        at = every.index(self.ref) if self.ref in every else -1 if by > 0 else 0
        self.ref = every[(at + by) % len(every)]
        self._settle()

    def next_attention(self) -> str | None:
        """Jumps to the next task that needs the person, the most urgent first, and around; None when none does."""
        refs = [item.ref for item in self.mirror.attention if item.ref in self.mirror.tasks]
        if not refs:
            return None
        here = self.ref if self.ref in refs else self._last_jump
        at = refs.index(here) + 1 if here in refs else 0
        target = refs[at % len(refs)]
        self._last_jump = target
        return target if target and self.go_to(target) else None

    def neighbour(self, by: int) -> str | None:
        """The ref above (-1) or below (1) the cursor."""
        refs, row = self.refs(self.state), self.row + by
        return refs[row] if 0 <= row < len(refs) else None


def matches(card: Card, words: Iterable[str]) -> bool:
    """Whether every word is somewhere in what the card says; the words are lower case."""
    hold = f"held {card.hold.kind}" if card.hold else ""
    text = f"{card.ref} {card.title} {card.agent_name} {card.agent or ''} {card.priority} {hold}".lower()
    return all(word in text for word in words)
