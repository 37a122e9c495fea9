"""Missions in words and figures: money, tokens, policies, and how much of a budget is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccp_tui.policy import Policy
from ccp_tui.rows import MissionRow

REVIEWS = {"person": "you", "agent": "agent", "agent_then_person": "agent, then you"}
AUTOS = {
    "off": "off: each dispatch is asked for",
    "dispatch": "dispatch: what is assigned starts",
    "full": "full: --auto specs are approved too",
}
BAR_CELLS = 20


def money(dollars: float) -> str:
    """Dollars as people read them; small sums keep the digits that say anything."""
    return f"${dollars:,.2f}" if dollars >= 0.1 or not dollars else f"${dollars:.4f}"


def count(tokens: float) -> str:
    """Tokens in at most six cells: 950, 12.4k, 3.1M."""
    if tokens < 1000:
        return f"{tokens:.0f}"
    short, unit = (tokens / 1000, "k") if tokens < 999_950 else (tokens / 1e6, "M")
    return f"{short:.1f}".removesuffix(".0") + unit


def policy_of(mission: MissionRow) -> dict[str, Any]:
    """Every setting that holds for a mission."""
    return {**Policy().to_json(), **mission.policy, **mission.effective}


def policy_words(policy: Mapping[str, Any]) -> str:
    """A policy in one line: who reviews, what starts by itself, and what limits it."""
    return " · ".join(_policy(policy))


def _policy(policy: Mapping[str, Any]) -> Iterator[str]:
    review = str(policy.get("review") or "person")
    yield f"review: {REVIEWS.get(review, review)}"
    yield f"auto: {policy.get('auto') or 'dispatch'}"
    if most := policy.get("concurrency"):
        yield f"{most} at once"
    for whose, prefix in (("", ""), ("task_", "/task")):
        if dollars := policy.get(f"{whose}budget_usd"):
            yield f"{money(dollars)}{prefix}"
        if tokens := policy.get(f"{whose}budget_tokens"):
            yield f"{count(tokens)} tokens{prefix}"


def bar(used: float, of: float, ascii_only: bool = False) -> str:
    """How much of a budget is used, as text: ``[████░░░░] 50 %``. More than all fills it and says so."""
    share = used / of if of else 0.0
    full = min(BAR_CELLS, round(share * BAR_CELLS))
    on, off = ("#", ".") if ascii_only else ("█", "░")
    return f"[{on * full}{off * (BAR_CELLS - full)}] {share * 100:.0f} %"


def amount(text: str, *, whole: bool) -> float | int | None:
    """A budget as a person types it: ``250000``, ``250k``, ``1.5M``, ``$5``; None for empty. Raises ValueError."""
    plain = text.strip().replace(",", "").replace("_", "").removeprefix("$").strip()
    if not plain:
        return None
    times = {"k": 1000, "m": 1_000_000}.get(plain[-1].lower(), 1)
    number = float(plain[:-1] if times > 1 else plain) * times
    if not whole:
        return number
    if number != int(number):
        raise ValueError(text)
    return int(number)
