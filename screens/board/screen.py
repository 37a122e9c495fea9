"""The board screen: keys, and what they ask of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.timer import Timer

from ccp_tui import clock
from ccp_tui.mirror import Change
from ccp_tui.rows import Card, LinkState
from ccp_tui.screens.board.capture import CaptureDialog, NewTask
from ccp_tui.screens.board.moves import dispatched_or_moved, target_of
from ccp_tui.screens.board.view import BoardView
from ccp_tui.screens.board.widget import BEGUN, FILTER, BoardLines
from ccp_tui.screens.board.words import OVER, doing, held, next_step
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, pick
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.screens.widgets.task_base import words_of
from ccp_tui.screens.widgets.task_commands import TaskCommands

AGES_EVERY_S = 60.0
ALL = ""  # the mission picker's value for all missions
NEW = "+"  # and for a new one


class BoardScreen(TaskCommands):
    """Seven columns of tasks; the cursor is on one of them; every key is about it."""

    TITLE = "Board"
    CLOSES = False

    def __init__(self) -> None:
        super().__init__()
        self.view = BoardView(self.mirror)
        self.lines = BoardLines(self.view)
        self._ages: Timer | None = None
        self._placed = False  # the cursor was put on a first task once

    # -- what it can do

    def actions(self) -> Iterator[Action]:
        held = self.on_task
        yield Action("task.open", "enter o", "open", "Task", self.open_task, when=held)
        yield Action("task.new", "n", "new", "Board", self.new_task, when=lambda: not self.view.filter)
        yield Action("board.next", "n", "next match", "Board", lambda: self.go(lambda v: v.next_match(1)),
                     when=lambda: bool(self.view.filter))  # fmt: skip
        yield Action("board.filter", FILTER, "filter", "Board", self.start_filter)
        yield Action("board.mission", "m", "mission", "Board", self.choose_mission)
        yield Action("board.missions", "M", "missions", "Board", self.open_missions, hint=False)
        yield Action("task.approve", "A", "approve", "Task", self.approve, when=self.can_approve)
        yield Action("task.reject", "R", "reject", "Task", self.approve, when=self.in_state("review"))
        yield from self.task_actions()
        yield Action("board.right", "L", "move on", "Task", lambda: self.shift(1), when=held, hint=False)
        yield Action("board.left", "H", "move back", "Task", lambda: self.shift(-1), when=held, hint=False)
        yield Action("board.raise", "K", "up in order", "Task", lambda: self.place(-1), when=held, hint=False)
        yield Action(
            "board.lower", "J", "down in order", "Task", lambda: self.place(1), when=held, hint=False
        )
        yield Action(
            "board.attention", "tab", "next that needs you", "Board", self.jump_to_attention, hint=False
        )
        yield Action("board.feed", "f", "feed", "Board", self.open_feed, hint=False)
        yield Action("board.cancelled", "x", "cancelled", "Board", self.toggle_cancelled, hint=False)
        yield Action("board.previous", "N", "previous match", "Board", lambda: self.go(lambda v: v.next_match(-1)),
                     when=lambda: bool(self.view.filter), hint=False)  # fmt: skip
        yield Action("board.clear", "escape", "clear the filter", "Board", self.clear_filter,
                     when=lambda: bool(self.view.filter), hint=False)  # fmt: skip
        for keys, label, move in (
            ("j down", "down", lambda v: v.move_row(1)),
            ("k up", "up", lambda v: v.move_row(-1)),
            ("h left", "column left", lambda v: v.move_column(-1)),
            ("l right", "column right", lambda v: v.move_column(1)),
            ("g home", "first", lambda v: v.to_row(0)),
            ("G end", "last", lambda v: v.to_row(-1)),
            ("pagedown ctrl+d", "page down", lambda v: v.move_row(self.lines.page)),
            ("pageup ctrl+u", "page up", lambda v: v.move_row(-self.lines.page)),
        ):
            yield Action(
                f"board.{label.replace(' ', '_')}", keys, label, "Cursor", self._goes(move), hint=False
            )
        for index in range(8):
            yield Action(
                f"board.column_{index + 1}", str(index + 1), f"column {index + 1}", "Cursor",
                partial(self._to_column, index), when=partial(self._has_column, index), hint=False,
            )  # fmt: skip
        yield Action("app.quit", "q", "quit", "Everywhere", lambda: self.ccp.exit(0), hint=False)

    def _to_column(self, index: int) -> None:
        self.go(lambda view: view.to_column(index))

    def _has_column(self, index: int) -> bool:
        return index < len(self.view.columns)

    def _goes(self, move: Callable[[BoardView], None]) -> Callable[[], None]:
        return lambda: self.go(move)

    def current(self) -> Card | None:
        return self.view.card

    # -- Textual's side

    def body(self) -> ComposeResult:
        yield self.lines

    def on_mount(self) -> None:
        self.lines.now = clock.now()
        self.lines.focus()
        self._reload(None)
        self._ages = self.set_interval(AGES_EVERY_S, self._age)

    def on_screen_resume(self) -> None:
        self._age()
        self._show()

    def mirror_changed(self, change: Change) -> None:
        if change.full or change.tasks or change.columns or change.missions or change.agents or change.link:
            self._reload(change)

    def restyle(self) -> None:
        self.lines.redraw_all()
        self._show()

    def _age(self) -> None:
        """Once a minute the ages move on; only the cells that differ are written."""
        self.lines.now = clock.now()
        if self.is_current:
            self.lines.show()

    def _reload(self, change: Change | None) -> None:
        if self.view.mission is not None and self.view.mission not in self.mirror.missions:
            self.view.mission = None
            change = None
        self.view.load(None if change is None or change.full else change)
        if not self._placed and self.mirror.open_missions():
            self._placed = True
            self.view.mission = self._first_mission()
            self.view.load()
            if not self.view.refs(self.view.state):
                self.view.first_shown()
        self._show()

    def _first_mission(self) -> str | None:
        """The mission to begin with: the one chosen last, the only one, or all of them."""
        slugs = [row.slug for row in self.mirror.open_missions()]
        kept = self.ccp.kept.get("mission")
        return kept if kept in slugs else slugs[0] if len(slugs) == 1 else None

    def _show(self) -> None:
        """Everything that follows from the view: lines, the cursor's words, title, hints."""
        self.lines.message = self._message()
        self.lines.show()
        self.notice_line.rest(list(self._about_cursor()))
        self.refresh_title()
        self.refresh_hints()

    def go(self, move: Callable[[BoardView], None]) -> None:
        """Moves the cursor and shows it."""
        move(self.view)
        self._show()

    # -- words

    def title_pieces(self) -> Iterable[Piece]:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        mission, total = self.mirror.missions.get(self.view.mission or ""), self.view.total()
        name = mission.title if mission else "All missions"
        icon = glyphs.emoji(mission.icon) if mission else ""
        pieces: list[Piece] = [(f" {icon} {name} " if icon else f" {name} ", palette.on_bar(palette.bold))]
        if self.view.filter or self.lines.typing:
            pieces.append((f" / {self.view.filter}", palette.on_bar(palette.accent)))
            if self.lines.typing:
                pieces.append((" ", palette.bar + palette.typing))
            pieces.append((f"  {total} match", palette.bar_dim))
        else:
            pieces.append((f"{total} task{'' if total == 1 else 's'}", palette.bar_dim))
        return pieces

    def _about_cursor(self) -> Iterator[Piece]:
        """The cursor's task in one line: what its card has no room for, and what comes next."""
        card, palette, glyphs = self.view.card, self.ccp.palette, self.ccp.glyphs
        if card is None or self.lines.message:
            return
        after: list[Piece] = []
        if card.hold:
            after.append((f"  {glyphs.held} {held(card)}", palette.warn))
        elif card.waits_for and card.state not in OVER:
            after.append((f"  {glyphs.waits} {' '.join(card.waits_for)}", palette.dim))
        elif card.queued or card.waiting:
            after.append((f"  {glyphs.clock} {card.waiting or 'queued'}", palette.dim))
        elif card.activity and card.state in ("in_progress", "testing"):
            after.append((f"  {glyphs.words} {doing(card)}", palette.good))
        if step := next_step(card):
            after.append((f"  {glyphs.between} {step}", palette.accent))
        yield f" {card.ref} ", palette.bold
        room = self.size.width - len(card.ref) - 3 - sum(cell_len(text) for text, _ in after)
        yield cut(card.title, max(room, 16), glyphs.ellipsis), palette.text
        yield from after

    def _message(self) -> tuple[str, ...]:
        """What stands in the middle while there are no columns to show."""
        if not self.mirror.loaded:
            if self.mirror.link.state is LinkState.LOST:
                return (
                    "The control service is away.",
                    self.mirror.link.fix,
                    "The board comes back by itself.",
                )
            return ("Connecting to the control service",)
        if not self.mirror.open_missions():
            return ("Nothing here yet.", "n writes the first task,  m makes a mission,  ? helps.")
        if self.view.total() == 0 and not self.view.filter and not self.lines.typing:
            return (
                "Nothing to do here yet.",
                "n writes the first task,  m goes to another mission,  ? helps.",
            )
        return ()

    # -- the mouse and the filter

    def on_board_lines_clicked(self, event: BoardLines.Clicked) -> None:
        self._show()
        if event.again:
            self.open_task()

    def start_filter(self) -> None:
        self.lines.typing = True
        self.say("Type words; enter keeps the filter, esc clears it. Then n and N go through the matches.")
        self._show()

    def on_board_lines_typed(self, event: BoardLines.Typed) -> None:
        view = self.view
        if event.key == BEGUN:
            self.start_filter()
            return
        if event.key == "escape":
            self.clear_filter()
            return
        if event.key == "enter":
            self.lines.typing = False
            self.say("")
            self._show()
            return
        if event.key == "backspace":
            view.filter = view.filter[:-1]
        elif event.key == "ctrl+u":
            view.filter = ""
        elif event.character:
            view.filter += " ".join(event.character.split("\n"))
        else:
            return
        view.load()
        if view.card is None:
            view.first_shown()
        self._show()

    def clear_filter(self) -> None:
        self.lines.typing = False
        self.view.filter = ""
        self.say("")
        self.view.load()
        self._show()

    # -- what the keys do

    def open_task(self) -> None:
        if self.view.ref:
            self.ccp.open("task", ref=self.view.ref)

    def open_missions(self) -> None:
        self.ccp.open("missions", mission=self.view.mission)

    def open_feed(self) -> None:
        self.ccp.open("feed", mission=self.view.mission)

    def approve(self) -> None:
        """A verdict needs the whole context on the screen, so this opens it there; the same key gives it."""
        if card := self.view.card:
            self.ccp.open("task", ref=card.ref, tab="review" if card.state == "review" else "spec")

    def jump_to_attention(self) -> None:
        ref = self.view.next_attention()
        self._show()
        if ref is None:
            self.say("Nothing needs you now.", "good")

    def toggle_cancelled(self) -> None:
        self.view.with_cancelled = not self.view.with_cancelled
        self.view.load()
        if self.view.with_cancelled:
            self.view.to_column(len(self.view.columns) - 1)
        self._show()

    async def new_task(self) -> None:
        agents = sorted(self.mirror.agents.values(), key=lambda agent: agent.name.lower())
        dialog = CaptureDialog(self.mirror.open_missions(), self.view.mission, agents)
        wanted: NewTask | None = await self.ccp.push_screen_wait(dialog)
        if wanted is None:
            return
        params: Json = {"title": wanted.title, "priority": wanted.priority}
        params |= {key: value for key in ("mission", "agent") if (value := getattr(wanted, key))}
        params |= {"auto": True} if wanted.plan == "auto" else {}
        card = await self.change("task.add", "", **params)
        if card is None:
            return
        self.view.go_to(card.ref)
        self._show()
        if wanted.plan == "auto":
            self.say(f"{card.ref} is being planned by stated assumptions; nothing will be asked.", "good")
        else:
            self.say(f"{card.ref} is in {words_of(card.state)}. P plans it, e writes its spec.", "good")
        if wanted.plan == "ask":
            await self.plan_task(card)
        if wanted.with_spec:
            await self.write_spec(card)

    async def choose_mission(self) -> None:
        glyphs = self.ccp.glyphs
        missions = self.mirror.open_missions()
        choices = (
            [Choice(ALL, "All missions", mark=" " if glyphs.ascii else "  ")] if len(missions) > 1 else []
        )
        for row in missions:
            open_tasks = sum(self.mirror.count(row.slug, column.state) for column in self.view.columns[:6])
            choices.append(
                Choice(row.slug, row.title, f"{row.prefix} · {open_tasks} open", glyphs.emoji(row.icon))
            )
        choices.append(Choice(NEW, "New mission", "make another board", "+"))
        chosen = await pick(self.ccp, "Mission", choices, current=self.view.mission or ALL)
        if chosen == NEW:
            await self._new_mission()
        elif chosen is not None:
            self.show_mission(chosen or None)

    def show_mission(self, slug: str | None) -> None:
        """Shows one mission, or all of them, now and the next time."""
        self.ccp.kept.put("mission", slug)
        self.view.mission = slug
        self.view.load()
        if self.view.card is None:
            self.view.first_shown()
        self._show()

    async def _new_mission(self) -> bool:
        title = await ask_words(self.ccp, "New mission", placeholder="Web shop")
        if not title:
            return False
        answer = await self.ask("mission.create", {"title": title})
        if answer is None:
            return False
        self.mirror.apply("mission.changed", answer)
        self.show_mission(answer.get("mission", {}).get("slug"))
        return True

    async def shift(self, by: int) -> None:
        """H and L: to the column that a person's move reaches in that direction. What needs more, asks for it."""
        card = self.view.card
        if card is None:
            return
        target = target_of(card.state, by)
        if target is None:
            self.say(f"There is no column {'after' if by > 0 else 'before'} this one.", "refusal")
        elif card.state == "review" and target in ("done", "in_progress"):
            self.approve()
        elif target == "assigned" and card.state in ("in_progress", "testing"):
            await self.stop()
        elif card.state == "done":
            await self.reopen()
        else:
            await self.change("task.move", dispatched_or_moved, ref=card.ref, to=target)

    async def place(self, by: int) -> None:
        card, other = self.view.card, self.view.neighbour(by)
        if card is None or other is None:
            return
        side = {"before": other} if by < 0 else {"after": other}
        await self.change("task.place", "", ref=card.ref, **side)
