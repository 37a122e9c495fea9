"""Waiting for something to become true, for a bounded time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest


async def until(what: Callable[[], Any], seconds: float = 20.0, *, told: str = "") -> Any:
    """The first true answer of ``what`` (which may be a coroutine function). Fails past the deadline."""
    found: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = what()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(
            f"not within {seconds:g} s: {told or inspect.getsource(what).strip()} (last: {found!r:.2000})"
        )
