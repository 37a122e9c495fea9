"""One verb on several tasks: each is tried, each result is told, and the first failure gives the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import OK, CliError

Json = dict[str, Any]


def for_each(
    context: Context, refs: Sequence[str], act: Callable[[str], Json], words: Callable[[Json], str]
) -> int:
    """Acts on every reference. One gives an object and raises what went wrong; several give an array, in which a
    failure stands as ``{"ref", "error"}``."""
    if len(refs) == 1:
        result = _named(refs[0], act)
        context.emit(result, lambda: words(result))
        return OK
    results: list[Json] = []
    code = OK
    for ref in refs:
        try:
            result = _named(ref, act)
        except CliError as error:
            code = code or error.exit_code
            results.append({"ref": ref, "error": error.as_json()})
            print(f"ccp: {error.words()}", file=sys.stderr, flush=True)
            if error.code == "UNAVAILABLE":
                break
        else:
            results.append(result)
            if not context.json:
                print(words(result), flush=True)
    if context.json:
        context.emit(results, "")
    return code


def _named(ref: str, act: Callable[[str], Json]) -> Json:
    try:
        return act(ref)
    except CliError as error:
        error.about(ref)
        raise
