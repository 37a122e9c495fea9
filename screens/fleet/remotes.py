"""The remotes in one line, and, while one is out of reach, how to mend that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ccp_tui.incus import RemoteState
from ccp_tui.screens.fleet import words
from ccp_tui.screens.widgets.connection import Trouble
from ccp_tui.screens.widgets.lines import Line, Piece
from ccp_tui.text import one_line


class RemotesLine(Line):
    """Every remote with its state; no line while there is only one and it is well."""

    DEFAULT_CSS = "RemotesLine { display: none; }"

    def __init__(self) -> None:
        super().__init__(id="remotes")
        self._remotes: Sequence[RemoteState] = ()

    def show(self, remotes: Sequence[RemoteState]) -> None:
        self._remotes = remotes
        wanted = len(remotes) > 1 or any(each.state != "ready" for each in remotes)
        if wanted != self.display:
            self.display = wanted
        self.redraw()

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        for each in self._remotes:
            mark, style = words.remote_mark(each.state, palette, glyphs)
            yield f" {mark} ", style
            yield one_line(each.name, 20), palette.text
            if each.state != "ready":
                since = (
                    f" since {words.when(each.since)}" if each.since and each.state != "connecting" else ""
                )
                yield f" {each.state}{since}", palette.dim
            yield " ", palette.text


def trouble(remotes: Iterable[RemoteState]) -> Trouble:
    """Why a remote is out of reach, and what mends it; the first that has something to say."""
    for each in remotes:
        if each.state not in ("ready", "connecting") and (each.words or each.fix):
            said = one_line(each.words)
            return Trouble(said if each.name in said else f"{each.name}: {said}", one_line(each.fix))
    return Trouble()


def nothing(remotes: Sequence[RemoteState], filtered: str) -> str:
    """What stands where the table is empty: what to do first."""
    if filtered:
        return f"No deployment matches “{filtered}”: esc clears the filter."
    bad = [each for each in remotes if each.state not in ("ready", "connecting")]
    if any(each.state == "ready" for each in remotes):
        return (
            "No deployment yet: n makes the first. Each is an unprivileged container with a gateway, its agents \
and a board of its own."
        )
    if bad:
        return f"{one_line(bad[0].words)}\n\n{bad[0].fix}".strip()
    return "Looking for deployments…"
