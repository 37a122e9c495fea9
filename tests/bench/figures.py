"""How a benchmark tells what it found: a figure, its unit, and a floor measured beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``floor`` is the same work done by the bare library, in the same unit, in the same run."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""

    def line(self) -> str:
        words = f"{self.name:<58} {_short(self.value):>9} {self.unit:<9}"
        if self.floor:
            words += f" {_short(self.floor):>9} {self.floor_name} (ratio {self.value / self.floor:.2f})"
        return words


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000


def p95_ms(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000
