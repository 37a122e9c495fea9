"""Budgets and limits as they are typed: ``500k``, ``2M``, ``$5``; ``none`` takes one away."""

from __future__ import annotations

import argparse


class _None:
    """A budget that is taken away, as against one that was not named."""

    def __repr__(self) -> str:
        return "none"


NONE = _None()


def dollars(text: str) -> float | _None:
    """A sum in dollars, for argparse."""
    return _amount(text.removeprefix("$"), "must be a number of dollars above 0, or none")


def whole(text: str) -> int | _None:
    """A whole number, ``k`` and ``M`` for thousands and millions, for argparse."""
    words = "must be a whole number above 0, like 12, 500k or 2M, or none"
    number = _amount(text, words)
    if isinstance(number, _None):
        return number
    if number != int(number):
        raise argparse.ArgumentTypeError(words)
    return int(number)


def given(value: object) -> object:
    """What is sent: null for a budget that is taken away."""
    return None if value is NONE else value


def _amount(text: str, words: str) -> float | _None:
    plain = text.strip().replace("_", "").replace(",", "")
    if plain.lower() in ("", "none"):
        return NONE
    times = {"k": 1e3, "m": 1e6}.get(plain[-1].lower(), 1.0)
    try:
        number = float(plain[:-1] if times > 1 else plain) * times
    except ValueError:
        raise argparse.ArgumentTypeError(words) from None
    if not 0 < number < 1e15:
        raise argparse.ArgumentTypeError(words)
    return number
