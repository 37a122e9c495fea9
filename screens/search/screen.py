"""The search: asked in the background while the person types; the latest answer wins, whatever comes in late."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.style import Style
from textual.timer import Timer

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.chat.blocks import local_time
from ccp_tui.screens.palette.finder import Finder
from ccp_tui.screens.widgets.base import failure_words
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.screens.widgets.rowlist import Row
from ccp_tui.text import clean, one_line

Json = dict[str, Any]

PAUSE_S = 0.15  # after the last letter, before the service is asked
LIMIT = 60
MARK, UNMARK = "\x02", "\x03"  # what the service puts around a hit
CONTEXT = 30  # cells kept before the first hit when a line is too long


class SearchScreen(Finder):
    """Finds words wherever they are written; enter goes there."""

    DEFAULT_CSS = "SearchScreen > .box { width: 110; height: 92%; }"
    PLACEHOLDER = "words in tasks, specs, messages and events"
    HINT = "type to search · enter goes there · esc leaves"

    def __init__(self, text: str = "") -> None:
        super().__init__("Search everything", text)
        self.hits: list[Json] = []
        self._pause: Timer | None = None
        self._asked = 0

    def on_mount(self) -> None:
        self.found.empty = (
            "Every word you type must occur. Try a task's ref, a file name, a word an agent wrote."
        )

    def narrow(self, text: str) -> None:
        self._asked += 1
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        if not text.strip():
            self.hits = []
            self.found.empty = (
                "Every word you type must occur. Try a task's ref, a file name, a word an agent wrote."
            )
            self.show_rows([])
            self.hint.set(self.HINT, "dim")
            return
        asked = self._asked
        self._pause = self.set_timer(
            PAUSE_S, lambda: self.run_worker(self._search(text.strip(), asked), group="search")
        )

    async def _search(self, text: str, asked: int) -> None:
        try:
            answer = await self.ccp.live.call("search", {"text": text, "limit": LIMIT}, timeout=10)
        except ServiceFailure as failure:
            self._failed(asked, failure_words(failure))
            return
        except ServiceUnavailable as away:
            self._failed(asked, f"{away.message} {away.fix}")
            return
        if asked != self._asked or not self.is_attached:
            return
        self.hits = [hit for hit in answer.get("hits") or [] if isinstance(hit, dict)]
        self.found.empty = f"Nothing is written about “{one_line(text, 40)}”."
        self.show_rows([self._row(index, hit) for index, hit in enumerate(self.hits)])
        count = len(self.hits)
        said = f"{count} hit{'' if count == 1 else 's'}{' or more' if count >= LIMIT else ''}"
        self.hint.set(f"{said} · enter goes there · esc leaves" if count else self.HINT, "dim")

    def _failed(self, asked: int, words: str) -> None:
        if asked == self._asked and self.is_attached:
            self.hint.set(words, "bad")

    def _row(self, index: int, hit: Json) -> Row:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        width = max(20, (self.found.size.width or 76) - 2)
        kind, ref = str(hit.get("kind") or ""), str(hit.get("ref") or "")
        agent = self.ccp.mirror.agents.get(str(hit.get("agent") or ""))
        who = agent.name if agent and kind == "message" else ""
        title = one_line(str(hit.get("title") or ""))
        head: list[Piece] = [(f" {kind:<8}", palette.dim)]
        if ref:
            head.append((f"{ref} ", palette.accent))
        if who and who not in title:
            head.append((f"{who} ", palette.accent))
        at = local_time(str(hit.get("at") or ""), with_date=True)
        head.append((cut(title, width - 32, glyphs.ellipsis), palette.bold))
        head.append((f"  {at}", palette.dim))
        if kind == "task" and (card := self.ccp.mirror.tasks.get(ref)) is not None:
            words = snippet_words(str(hit.get("snippet") or ""))
            if words in (
                title,
                f"{ref} {title}",
            ):  # the title is the whole context: say how the task stands instead
                about = " · ".join(
                    filter(None, (card.state.replace("_", " "), card.agent_name, "held" if card.hold else ""))
                )
                marked_title = hit_pieces(str(hit["snippet"]), width - 24, palette.bold, palette.match)
                head = [
                    head[0],
                    *([(f"{ref} ", palette.accent)] if words == title else []),
                    *marked_title,
                    head[-1],
                ]
                return Row.of(index, head, [(" " * 9 + about, palette.dim)])
        snippet = hit_pieces(str(hit.get("snippet") or ""), width - 10, palette.text, palette.match)
        return Row.of(index, head, [(" " * 9, palette.text), *snippet])

    def take(self, key: Any) -> None:
        hit = self.hits[key]
        self.dismiss(None)
        self.app.call_later(self._go, hit)

    def _go(self, hit: Json) -> None:
        app, ref, kind = self.ccp, hit.get("ref"), hit.get("kind")
        if kind == "message" and hit.get("session_key"):
            app.open("chat", agent=str(hit.get("agent") or ""), session_key=hit["session_key"],
                     message_id=hit.get("message_id"))  # fmt: skip
        elif kind == "event" and hit.get("event_id") is not None:
            app.open("feed", event_id=hit["event_id"])
        elif ref:
            app.open("task", ref=ref)


def snippet_words(snippet: str) -> str:
    """A snippet without its marks, as one line."""
    return one_line(snippet.replace(MARK, "").replace(UNMARK, ""))


def hit_pieces(snippet: str, width: int, style: Style, match: Style) -> list[Piece]:
    """A snippet on one line with its hits marked; when it is too long, the part around the first hit."""
    parts: list[tuple[str, bool]] = []
    for index, part in enumerate(snippet.split(MARK)):
        meant, _, rest = part.partition(UNMARK) if index else ("", "", part)
        parts += [(_flat(meant), True), (_flat(rest), False)]
    before = 0
    for text, hit in parts:
        if hit and text:
            break
        before += len(text)
    skip = before - CONTEXT if before > CONTEXT and sum(len(text) for text, _ in parts) > width else 0
    pieces: list[Piece] = [("…", style)] if skip else []
    left = width - len(pieces)
    for text, hit in parts:
        shown, skip = cut(text[skip:], left), max(0, skip - len(text))
        if shown:
            pieces.append((shown, match if hit else style))
            left -= cell_len(shown)
    return pieces


def _flat(text: str) -> str:
    """Like one line, but with the blanks at its ends kept: they stand between a hit and its neighbours."""
    flat = one_line(text)
    lead = " " if text[:1].isspace() and flat else ""
    trail = " " if text[-1:].isspace() and flat else ""
    return (
        lead + flat + trail if flat else (" " if clean(text).strip("\n") or (text.isspace() and text) else "")
    )
