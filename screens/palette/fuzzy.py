"""Finding what a person means by a few letters: every word typed must occur, in order of letters if not as a piece."""

from __future__ import annotations

from dataclasses import dataclass

_WHOLE, _START, _INSIDE, _SCATTERED = 15, 60, 40, 20


@dataclass(frozen=True)
class Match:
    """How well a text fits (more is better) and which of its characters were meant."""

    score: int
    at: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """The match of all words of ``query`` in ``text``, without regard to case; None when a word does not fit."""
    lowered = text.lower()
    score, at = 0, set[int]()
    for word in query.lower().split():
        found = _word(word, lowered)
        if found is None:
            return None
        score += found.score
        at.update(found.at)
    return Match(score - min(len(text), 80) // 8, tuple(sorted(at)))


def _word(word: str, text: str) -> Match | None:
    best: Match | None = None
    start = text.find(word)
    while start >= 0:
        if start == 0 or not text[start - 1].isalnum():
            end = start + len(word)
            whole = _WHOLE if end == len(text) or not text[end].isalnum() else 0
            if whole or best is None:
                best = Match(_START + whole - min(start, 10), tuple(range(start, end)))
            if whole:
                return best
        start = text.find(word, start + 1)
    if best is not None:
        return best
    start = text.find(word)
    if start >= 0:
        return Match(_INSIDE - min(start, 10), tuple(range(start, start + len(word))))
    return _scattered(word, text)


def _scattered(word: str, text: str) -> Match | None:
    """Letters in order, each at the start of a word when it can be: ``ni`` finds *n*eeds *i*nput."""
    places: list[int] = []
    begin = 0
    for letter in word:
        at = text.find(letter, begin)
        if at < 0:
            return None
        initial = at
        while initial >= 0 and initial > 0 and text[initial - 1].isalnum():
            initial = text.find(letter, initial + 1)
        if initial >= 0 and _rest_fits(word[len(places) + 1 :], text, initial + 1):
            at = initial
        places.append(at)
        begin = at + 1
    initials = sum(1 for at in places if at == 0 or not text[at - 1].isalnum())
    spread = places[-1] - places[0] + 1 - len(word)
    if spread > 3 * len(word) and initials < len(word):
        return None
    return Match(_SCATTERED + 3 * initials - min(spread, 15), tuple(places))


def _rest_fits(rest: str, text: str, begin: int) -> bool:
    for letter in rest:
        begin = text.find(letter, begin) + 1
        if begin == 0:
            return False
    return True
