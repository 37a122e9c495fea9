"""The palette: actions of the screen beneath, tasks, missions, chats, and a way on into the search of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.cells import cell_len

from ccp_tui.screens.palette.finder import Finder, beneath, marked
from ccp_tui.screens.palette.fuzzy import match
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.screens.widgets.rowlist import Row

# On a board this big a task must hold the words as they are typed; scattered letters would find half of it.
MANY_TASKS = 2_000
TASKS_SCORED = 600
SHOWN = 60  # rows kept; nobody reads further, they type another letter
# What comes first when two entries fit equally well.
ORDER = {"action": 6, "task": 4, "agent": 3, "mission": 2}
OVER = 8  # what a task loses by being over
STATES = {"in_progress": "in progress"}


@dataclass(frozen=True)
class Entry:
    """One thing that can be picked: what it says, its kind, a note at the right, what happens."""

    kind: str
    label: str
    note: str
    run: Callable[[], Any]
    also: str = ""  # further words it is found by
    low: str = ""  # a task's label in lower case


class PaletteScreen(Finder):
    """Opened with ``:`` or ctrl+p over any screen."""

    PLACEHOLDER = "an action, a task, a mission, an agent…"
    HINT = "enter takes it · esc leaves"

    def __init__(self, text: str = "") -> None:
        super().__init__("Palette", text)
        self.subject: BaseScreen | None = None
        self.entries: list[Entry] = []
        self.many = False

    def on_mount(self) -> None:
        self.subject = beneath(self)
        self.entries = [*self._actions(), *self._tasks(), *self._agents(), *self._missions()]
        self.many = len(self.ccp.mirror.tasks) > MANY_TASKS

    # -- what there is

    def _actions(self) -> Iterator[Entry]:
        subject = self.subject
        if subject is None:
            return
        plain = self.ccp.glyphs.ascii
        for action in subject.action_list.offered():
            if action.id == "app.palette":
                continue
            run = partial(subject.run_listed, action)
            yield Entry("action", action.label, action.shown_keys(plain), run, action.group)

    def _tasks(self) -> Iterator[Entry]:
        for card in self.ccp.mirror.tasks.values():
            state = STATES.get(card.state, card.state) + (" · held" if card.hold else "")
            label = f"{card.ref} {card.title}"
            go = partial(self.ccp.open, "task", ref=card.ref)
            yield Entry("task", label, state, go, low=label.lower())

    def _agents(self) -> Iterator[Entry]:
        for agent in self.ccp.mirror.agents.values():
            note = f"{agent.unread} unread" if agent.unread else agent.live
            yield Entry(
                "agent", f"chat with {agent.name}", note, partial(self.ccp.open, "chat", agent=agent.id)
            )

    def _missions(self) -> Iterator[Entry]:
        for mission in self.ccp.mirror.open_missions():
            yield Entry(
                "mission",
                f"mission {mission.title}",
                mission.prefix,
                partial(self._mission, mission.slug),
                "board",
            )

    def _mission(self, slug: str) -> None:
        """Back to the board, with this mission on it."""
        from ccp_tui.screens.board import BoardScreen

        app = self.ccp
        while len(app.screen_stack) > 2 and not isinstance(app.screen, BoardScreen):
            app.pop_screen()
        if isinstance(app.screen, BoardScreen):
            app.screen.show_mission(slug)

    # -- finding

    def narrow(self, text: str) -> None:
        ranked: list[tuple[int, int, Entry, tuple[int, ...]]] = []
        words = text.strip()
        pieces, tasks = words.lower().split(), 0
        for index, entry in enumerate(self.entries):
            if entry.kind == "task" and (
                not words or tasks >= TASKS_SCORED or (self.many and not all(p in entry.low for p in pieces))
            ):
                continue
            found = match(words, f"{entry.label} {entry.also}".rstrip() if entry.also else entry.label)
            if found is not None:
                tasks += entry.kind == "task"
                worth = found.score + ORDER[entry.kind] - (OVER if entry.note in ("done", "cancelled") else 0)
                ranked.append((-worth if words else 0, index, entry, found.at))
        ranked.sort(key=lambda each: each[:2])
        rows = [self._row(index, entry, at) for _, index, entry, at in ranked[:SHOWN]]
        if words:
            palette = self.ccp.palette
            search: list[Piece] = [(" search everything for ", palette.text), (f"“{words}”", palette.accent)]
            rows.append(Row.of("search", search))
        self.show_rows(rows)

    def _row(self, index: int, entry: Entry, at: tuple[int, ...]) -> Row:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        width = max(20, self.found.size.width or 76)
        note = f" {entry.note} " if entry.note else ""
        label = cut(entry.label, width - cell_len(note) - 12, glyphs.ellipsis)
        pieces = [(f" {entry.kind:<8}", palette.dim), *marked(label, at, palette.text, palette.match)]
        gap = width - 1 - 9 - cell_len(label) - cell_len(note)
        pieces += [
            (" " * max(1, gap), palette.text),
            (note, palette.key if entry.kind == "action" else palette.dim),
        ]
        return Row.of(index, pieces)

    def take(self, key: Any) -> None:
        words = self.field.value.strip()
        self.dismiss(None)
        run = partial(self.ccp.open, "search", text=words) if key == "search" else self.entries[key].run
        self.app.call_later(run)
