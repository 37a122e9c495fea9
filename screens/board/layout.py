"""Where things stand on the board: pure arithmetic over its size."""

from __future__ import annotations

from dataclasses import dataclass

SMALL_CARD, LARGE_CARD = 3, 4  # lines of a card: the large one keeps two lines for the title beside a note
LARGE_FROM = 30  # lines of cards from which on the large ones are drawn

LEAST_WIDTH = 22  # cells of a column; fewer make titles unreadable


@dataclass(frozen=True)
class Layout:
    """One size of the board. ``shown`` columns fit side by side; with fewer than all, a map of all stands on top.

    ``most`` is how many cards the fullest column of unfinished work has: while they all fit, they get the large form.
    """

    width: int
    height: int
    columns: int
    most: int = 0

    @property
    def shown(self) -> int:
        return max(1, min(self.columns, (self.width + 1) // (LEAST_WIDTH + 1)))

    @property
    def windowed(self) -> bool:
        return self.shown < self.columns

    @property
    def cards_top(self) -> int:
        """The first line of cards: under the column heads, and under the map where there is one."""
        return 2 if self.windowed else 1

    @property
    def cards_height(self) -> int:
        return max(0, self.height - self.cards_top)

    @property
    def card_height(self) -> int:
        roomy = self.cards_height >= LARGE_FROM or 0 < self.most * LARGE_CARD <= self.cards_height
        return LARGE_CARD if roomy else SMALL_CARD

    def span(self, slot: int) -> tuple[int, int]:
        """The left edge and the width of one shown column; between two there is one cell."""
        total = self.width - (self.shown - 1)
        width, extra = divmod(total, self.shown)
        return slot * (width + 1) + min(slot, extra), width + (1 if slot < extra else 0)

    def capacity(self, cards: int) -> int:
        """How many of ``cards`` one column shows at once; the last line says how many more there are."""
        whole = self.cards_height // self.card_height
        if cards <= whole:
            return whole
        return max(1, (self.cards_height - 1) // self.card_height)

    def first_slot(self, first: int, at: int) -> int:
        """The first shown column, moved as little as needed so that column ``at`` is shown."""
        first = max(0, min(first, self.columns - self.shown))
        return max(at - self.shown + 1, min(first, at))

    def top(self, top: int, row: int, cards: int) -> int:
        """The first shown card of a column, moved as little as needed so that ``row`` is shown."""
        room = self.capacity(cards)
        top = max(0, min(top, cards - room))
        return max(row - room + 1, min(top, row))
