"""How often a streaming view may repaint, so that a slow line is never flooded."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.widget import Widget

# Terminal cells per second, and the most that may go at once. A cell is a byte or a little more, a line's styles cost
# about LINE_COST bytes: both together keep a stream below 20 KB/s of terminal output.
CELLS_PER_SECOND = 9_000.0
BURST = 7_000.0
LINE_COST = 60
# Never more often than this, however small the change; what comes after a pause goes at once.
SHORTEST_S = 1 / 8


class Pace:
    """A token bucket over repainted cells: ``spend`` what a repaint cost, ask ``wait`` how long until the next."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = BURST
        self._at = now()
        self._due = self._at  # before this the next repaint is too soon

    def spend(self, cells: int, lines: int) -> None:
        """Records a repaint of so many cells in so many lines."""
        self._refill()
        self._left -= cells + lines * LINE_COST
        self._due = self._at + SHORTEST_S

    def wait(self) -> float:
        """Seconds until the next repaint may happen; 0 when it may now."""
        self._refill()
        return max(0.0, self._due - self._at, -self._left / CELLS_PER_SECOND)

    def _refill(self) -> None:
        now = self._now()
        self._left = min(BURST, self._left + (now - self._at) * CELLS_PER_SECOND)
        self._at = now


class Painter:
    """Paints what is new in a widget: what comes after a pause at once, what follows together at the line's pace."""

    def __init__(self, widget: Widget, paint: Callable[[], None]) -> None:
        self._widget, self._paint = widget, paint
        self._pace = Pace()
        self._waits = False

    def soon(self) -> None:
        """Something is new. What the same moment brings besides is painted with it."""
        if self._waits or not self._widget.is_mounted:
            return
        self._waits = True
        if wait := self._pace.wait():
            self._widget.set_timer(wait, self._now)
        else:
            self._widget.call_later(self._now)

    def spend(self, cells: int, lines: int) -> None:
        """Something was repainted: see :meth:`Pace.spend`."""
        self._pace.spend(cells, lines)

    def _now(self) -> None:
        self._waits = False
        self._pace.spend(0, 0)
        self._paint()
