"""One action on many deployments at once: so many at a time, and one that fails stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ccp_tui.incus import FleetError
from ccp_tui.screens.fleet import words

AT_ONCE = 4


async def each(
    refs: Sequence[str], act: Callable[[str], Awaitable[Any]], told: Callable[[int], None] = lambda _: None
) -> dict[str, FleetError | None]:
    """Acts on every deployment and answers what went wrong with which. ``told`` hears how many are through."""
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[str, FleetError | None] = {}

    async def one(ref: str) -> None:
        async with gate:
            try:
                await act(ref)
                found[ref] = None
            except FleetError as error:
                found[ref] = error
            except TimeoutError:
                found[ref] = FleetError("TIMEOUT", "Incus did not answer in time.")
        told(len(found))

    await asyncio.gather(*(one(ref) for ref in refs))
    return {ref: found[ref] for ref in refs}


def summary(results: Mapping[str, FleetError | None], done: str) -> tuple[str, str]:
    """What became of all, in one line, and the kind of notice that it is."""
    good = [ref for ref, error in results.items() if error is None]
    bad = [(ref, error) for ref, error in results.items() if error is not None]
    if not bad:
        return (f"{good[0]} is {done}." if len(good) == 1 else f"All {len(good)} are {done}."), "good"
    ref, error = bad[0]
    told = words.failure(error)
    about = told if ref in told else f"{ref}: {told}"
    if not good and len(bad) == 1:
        return about, "refusal"
    return f"{len(good)} {done}, {len(bad)} not. {about}", "refusal"
