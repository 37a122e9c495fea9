"""How often a streaming view may repaint, so that a slow line is never flooded."""

from __future__ import annotations

import time
from collections.abc import Callable

# Terminal cells per second, and the most that may go at once. A cell is a byte or a little more, a line's styles cost
# about LINE_COST bytes: both together keep a stream below 20 KB/s of terminal output.
CELLS_PER_SECOND = 9_000.0
BURST = 7_000.0
LINE_COST = 60
# Never more often than this, however small the change.
SHORTEST_S = 1 / 8


class Pace:
    """A token bucket over repainted cells: ``spend`` what a repaint cost, ask ``wait`` how long until the next."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = BURST
        self._at = now()

    def spend(self, cells: int, lines: int) -> None:
        """Records a repaint of so many cells in so many lines."""
        self._refill()
        self._left -= cells + lines * LINE_COST

    def wait(self) -> float:
        """Seconds until the next repaint may happen."""
        self._refill()
        return SHORTEST_S if self._left >= 0 else max(SHORTEST_S, -self._left / CELLS_PER_SECOND)

    def _refill(self) -> None:
        now = self._now()
        self._left = min(BURST, self._left + (now - self._at) * CELLS_PER_SECOND)
        self._at = now
