"""The board's one widget. It draws lines itself, remembers what every line shows, and repaints only what differs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from ccp_tui.rows import Card
from ccp_tui.screens.board.cards import Look, draw_card
from ccp_tui.screens.board.layout import Layout
from ccp_tui.screens.board.view import BoardView
from ccp_tui.screens.board.words import EMPTY, OVER, Column, short_age, short_count
from ccp_tui.screens.widgets.lines import Drawn, Piece, cut, fit

Cells = Sequence[Segment]
FILTER = "/"
BEGUN = "begun"  # what :class:`BoardLines.Typed` says instead of the key that began a filter


class BoardLines(Drawn, can_focus=True):
    """Draws a :class:`BoardView`. Change the view, then call :meth:`show`."""

    DEFAULT_CSS = "BoardLines { height: 1fr; }"

    class Clicked(Message):
        """The mouse chose the task under the cursor; ``again``: it was the one already."""

        def __init__(self, again: bool) -> None:
            super().__init__()
            self.again = again

    class Typed(Message):
        """A key while the filter is being typed: a character, or BEGUN, backspace, enter, escape."""

        def __init__(self, key: str, character: str | None) -> None:
            super().__init__()
            self.key, self.character = key, character

    def __init__(self, view: BoardView) -> None:
        super().__init__(id="body")
        self.view = view
        self.now = ""  # what ages are counted from; the screen moves it on once a minute
        self.typing = False  # the filter is being typed: keys are words, not commands
        self.message: tuple[
            str, ...
        ] = ()  # stands in the middle instead of columns, when there is nothing to show
        self._first = 0
        self._tops: dict[str, int] = {}
        self._drawn: dict[tuple[Card, Look], tuple[Cells, ...]] = {}
        self._frame: list[list[tuple[int, int, Cells]]] = []  # per line: (x, width, segments)

    # -- what to draw

    @property
    def layout_now(self) -> Layout:
        columns = self.view.columns
        most = max(len(self.view.refs(column.state)) for column in columns if column.state not in OVER)
        return Layout(self.size.width, self.size.height, len(columns), most)

    def show(self) -> None:
        """Repaints the cells that differ from what is on the screen; nothing when nothing differs."""
        if not self.is_attached or not self.size:
            return
        before, after = self._frame, self._build()
        self._frame = after
        if len(before) != len(after):
            self.refresh()
            return
        regions = []
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old == new:
                continue
            if [block[:2] for block in old] != [block[:2] for block in new]:
                regions.append(Region(0, y, self.size.width, 1))
                continue
            regions += [
                Region(x, y, width, 1)
                for (x, width, new_cells), (_, _, old_cells) in zip(new, old, strict=True)
                if width and new_cells != old_cells
            ]
        if regions:
            self.refresh(*regions)

    def redraw_all(self) -> None:
        """Draws everything anew: after a change of theme, say."""
        self._drawn.clear()
        self._frame = []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if len(self._frame) != self.size.height:
            self._frame = self._build()
        if y >= len(self._frame):
            return Strip.blank(self.size.width, self.palette.text)
        split = Segment(self.glyphs.split, self.palette.rule)
        segments: list[Segment] = []
        end = 0
        for x, width, cells in self._frame[y]:
            if x > end:
                segments.append(split)
            segments.extend(cells)
            end = x + width
        return Strip(segments, self.size.width)

    def _build(self) -> list[list[tuple[int, int, Cells]]]:
        layout = self.layout_now
        if self.message:
            return self._build_message(layout)
        columns = self.view.columns
        self._first = layout.first_slot(self._first, self.view.at)
        frame: list[list[tuple[int, int, Cells]]] = [[] for _ in range(layout.height)]
        if layout.windowed and layout.height:
            frame[0] = self._map(layout)
        for slot in range(layout.shown):
            x, width = layout.span(slot)
            column = columns[self._first + slot]
            lines = self._column(layout, column, self._first + slot, width)
            for y, cells in enumerate(lines[: layout.height - layout.cards_top + 1], layout.cards_top - 1):
                frame[y].append((x, width, cells))
        if len(self._drawn) > 4096:
            self._drawn.clear()
        return frame

    def _build_message(self, layout: Layout) -> list[list[tuple[int, int, Cells]]]:
        palette, top = self.palette, max(0, (layout.height - len(self.message)) // 2)
        frame: list[list[tuple[int, int, Cells]]] = []
        for y in range(layout.height):
            text = self.message[y - top] if top <= y < top + len(self.message) else ""
            text = cut(text, layout.width - 2, self.glyphs.ellipsis)
            left = " " * max(0, (layout.width - cell_len(text)) // 2)
            style = palette.bold if y == top else palette.dim
            frame.append(
                [(0, layout.width, fit([(left, palette.text), (text, style)], layout.width, palette.text))]
            )
        return frame

    def _map(self, layout: Layout) -> list[tuple[int, int, Cells]]:
        """All columns in one line, with their counts: those beside the window dim, the cursor's bright."""
        palette, blocks, x = self.palette, list[tuple[int, int, Cells]](), 0
        for index, column in enumerate(self.view.columns):
            inside = self._first <= index < self._first + layout.shown
            style = palette.accent if index == self.view.at else palette.text if inside else palette.dim
            text = f" {index + 1} {column.short} {short_count(len(self.view.refs(column.state)))}"
            mark = self.glyphs.held if self.view.held(column.state) else " "
            width = min(len(text) + 1, layout.width - x)
            blocks.append((x, width, fit([(text, style), (mark, palette.warn)], width, palette.text)))
            x += width
        return [*blocks, (x, layout.width - x, fit([], layout.width - x, palette.text))]

    def _head(self, column: Column, index: int, width: int) -> Cells:
        palette, here = self.palette, index == self.view.at
        refs = self.view.refs(column.state)
        held = self.view.held(column.state)
        style = palette.on_bar(palette.accent + Style(bold=True)) if here else palette.bar
        pieces: list[Piece] = [(f" {index + 1} {column.label} {short_count(len(refs))}", style)]
        if held:
            pieces.append((f"  {self.glyphs.held} {held}", palette.on_bar(palette.warn)))
        return fit(pieces, width, palette.bar)

    def _column(self, layout: Layout, column: Column, index: int, width: int) -> list[Cells]:
        """The lines of one column, from its head down."""
        palette, view = self.palette, self.view
        refs = view.refs(column.state)
        blank = fit([], width, palette.text)
        lines: list[Cells] = [self._head(column, index, width)]
        if not refs:
            word = "no match" if view.filter else EMPTY[column.state]
            hint = fit(
                [(f"  {word}", palette.accent if index == view.at else palette.dim)], width, palette.text
            )
            return [*lines, hint, *[blank] * (layout.cards_height - 1)]
        here = index == view.at
        row = view.row if here else self._tops.get(column.state, 0)
        top = layout.top(self._tops.get(column.state, 0), row, len(refs))
        self._tops[column.state] = top
        room = layout.capacity(len(refs))
        for ref in refs[top : top + room]:
            lines.extend(self._card(ref, width, layout.card_height, here and ref == view.ref))
        below = len(refs) - top - room
        if below > 0 or top > 0:
            said = [f"{self.glyphs.up} {top}"] if top else []
            said += [f"{self.glyphs.down} {below}"] if below > 0 else []
            more = fit([("  " + "  ".join(said) + " more", palette.dim)], width, palette.text)
            rest = layout.cards_height + 1 - len(lines)
            return [*lines, *[blank] * (rest - 1), more] if rest > 0 else lines
        return [*lines, *[blank] * (layout.cards_height + 1 - len(lines))]

    def _card(self, ref: str, width: int, height: int, here: bool) -> tuple[Cells, ...]:
        card = self.view.mirror.tasks[ref]
        agent = self.view.mirror.agents.get(card.agent or "")
        age = short_age(card.state_since, self.now)
        reviewer = self.view.mirror.agents.get(card.reviewer or "")
        look = Look(
            width,
            height,
            age,
            agent.unread if agent else 0,
            here,
            self.ccp.theme,
            reviewer.name if reviewer else "",
        )
        lines = self._drawn.get((card, look))
        if lines is None:
            lines = self._drawn[card, look] = draw_card(card, look, self.palette, self.glyphs)
        return lines

    # -- keys and mouse

    @property
    def page(self) -> int:
        """How many cards the cursor's column shows at once."""
        return self.layout_now.capacity(len(self.view.refs(self.view.state)))

    def on_key(self, event: events.Key) -> None:
        # It is settled here, not when the screen hears of it: a word typed fast is on its way already, and on the board
        # every letter is a command.
        if not self.typing and event.character != FILTER:
            return
        event.stop()
        event.prevent_default()
        key = event.key if self.typing else BEGUN
        self.typing = key not in ("enter", "escape")
        self.post_message(self.Typed(key, event.character if event.is_printable else None))

    def on_paste(self, event: events.Paste) -> None:
        if self.typing:
            event.stop()
            self.post_message(self.Typed("paste", event.text))

    def on_click(self, event: events.Click) -> None:
        layout = self.layout_now
        if self.message or event.y < 0:
            return
        for slot in range(layout.shown):
            x, width = layout.span(slot)
            if x <= event.x < x + width:
                index = self._first + slot
                state = self.view.columns[index].state
                row = self._tops.get(state, 0) + (event.y - layout.cards_top) // layout.card_height
                refs = self.view.refs(state)
                before = self.view.ref
                self.view.to_column(index)
                if event.y >= layout.cards_top and row < len(refs):
                    self.view.to_row(row)
                    self.post_message(self.Clicked(again=self.view.ref == before))
                else:
                    self.post_message(self.Clicked(again=False))
                return

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.view.move_row(1)
        self.post_message(self.Clicked(again=False))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.view.move_row(-1)
        self.post_message(self.Clicked(again=False))

    def on_resize(self) -> None:
        self.redraw_all()
