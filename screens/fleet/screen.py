"""The fleet: every deployment of every remote in one live table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from ccp_tui.incus import Deployment, RemoteState
from ccp_tui.screens.fleet import details, words
from ccp_tui.screens.fleet.deeds import Deeds
from ccp_tui.screens.fleet.filterline import START, FilteredRows, FilterLine
from ccp_tui.screens.fleet.remotes import RemotesLine, nothing, trouble
from ccp_tui.screens.fleet.table import Key, Look, TableHead, key_of, lay_out, matching, row, several_places
from ccp_tui.screens.fleet.undertakings import Undertakings
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.connection import Trouble, TroubleLines
from ccp_tui.screens.widgets.dialogs import confirm
from ccp_tui.screens.widgets.lines import HeadLine, Piece
from ccp_tui.screens.widgets.pace import Painter

if TYPE_CHECKING:
    from ccp_tui.incus import Fleet

SIDE_FROM = 124  # columns from which the details stand at the side
SIDE = 42
FOOT = 4


class FleetHead(HeadLine):
    """The title line: on the right what runs, what needs the person, what is being made."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = (0, 0, 0)

    def show_counts(self, running: int, needs: int, works: int) -> None:
        self._counts = (running, needs, works)
        self.redraw()

    def right(self) -> Iterable[Piece]:
        palette, (running, needs, works) = self.palette, self._counts
        if works:
            yield f" {works} at work ", palette.on_bar(palette.accent)
        if needs:
            yield f" ! {needs} need{'s' if needs == 1 else ''} you ", palette.on_bar(palette.warn)
        style: Style = palette.on_bar(palette.good) if running else palette.bar_dim
        yield f" {self.glyphs.dot} {running} running ", style


class FleetScreen(Undertakings, Deeds):
    """See the module's text. The cursor follows a deployment by its remote and name."""

    TITLE = "Fleet"
    DEFAULT_CSS = f"""
    FleetScreen #body {{ height: 1fr; }}
    FleetScreen #table {{ width: 1fr; }}
    FleetScreen #rows {{ height: 1fr; }}
    FleetScreen #side {{ width: {SIDE}; display: none; }}
    FleetScreen #foot {{ height: {FOOT}; }}
    FleetScreen Details {{ height: 1fr; }}
    """
    CLOSES = False
    title_line: FleetHead

    def __init__(self) -> None:
        self.filter_line = FilterLine()
        self.rows = FilteredRows(self.filter_line, id="rows")
        self.marks: set[Key] = set()
        self.failures = {}
        super().__init__()
        self.head, self.remotes_line, self.trouble_lines = TableHead(), RemotesLine(), TroubleLines()
        self.side, self.foot = details.Details(), details.Details()
        self.rows.empty = "Looking for deployments…"
        self._painter = Painter(self.rows, self.show_fleet)
        self._known: dict[Key, Deployment] = {}
        self._leave: list[Callable[[], None]] = []

    # -- what it consists of

    def make_title(self) -> FleetHead:
        return FleetHead()

    def above_body(self) -> Iterator[Widget]:
        yield self.remotes_line

    def below_body(self) -> Iterator[Widget]:
        yield self.trouble_lines

    def body(self) -> ComposeResult:
        table = Vertical(self.head, self.rows, self.filter_line, Vertical(self.foot, id="foot"), id="table")
        yield Horizontal(table, Vertical(self.side, id="side"), id="body")

    def actions(self) -> Iterator[Action]:
        yield Action("fleet.filter", START, "filter", "Fleet", self.filter_line.start)
        yield Action("fleet.new", "n", "new", "Fleet", self.new)
        yield Action("fleet.stages", "enter w", "stages", "Fleet", self.show_stages, self.has_stages)
        yield Action("fleet.works", "w", "at work", "Fleet", self.show_works, self.has_works)
        yield from self.deeds()
        yield Action(
            "fleet.logs", "l", "logs", "Attach", self.logs, self.when_one(lambda one: one is not None)
        )
        yield Action("fleet.mark", "space", "mark", "Fleet", self.mark, self.has_one)
        yield Action("fleet.mark_all", "*", "mark all", "Fleet", self.mark_all, self.has_one, hint=False)
        yield Action("fleet.image", "i", "images", "Fleet", self.images, hint=False)
        yield Action("fleet.export", "o", "export", "Deployment", self.export, self.has_one, hint=False)
        yield Action("fleet.import", "O", "import", "Fleet", self.bring_in, hint=False)
        yield Action("fleet.clear", "escape", "clear", "Fleet", self.clear, self.has_something, hint=False)
        for keys, label, by in (("j down", "down", 1), ("k up", "up", -1)):
            yield Action(f"fleet.{label}", keys, label, "Fleet", lambda by=by: self.rows.move(by), hint=False)  # type: ignore[misc]
        for keys, label, by in (("g home", "first", -9999), ("G end", "last", 9999)):
            yield Action(f"fleet.{label}", keys, label, "Fleet", lambda by=by: self.rows.move(by), hint=False)  # type: ignore[misc]
        for keys, label, by in (("pagedown ctrl+d", "page down", 1), ("pageup ctrl+u", "page up", -1)):
            yield Action(f"fleet.{label}", keys, label, "Fleet", lambda by=by: self.rows.page(by), hint=False)  # type: ignore[misc]
        yield Action("app.close", "q", "quit", "Everywhere", self.quit)

    # -- what there is

    @property
    def fleet(self) -> Fleet:
        return self.fleet_app.fleet

    @property
    def deployment(self) -> Deployment | None:
        key = self.rows.key
        return self._known.get(key) if isinstance(key, tuple) else None

    @property
    def targets(self) -> Sequence[Deployment]:
        marked = [each for key, each in self._known.items() if key in self.marks]
        return marked or ([self.deployment] if self.deployment else [])

    def select(self, deployment: Deployment) -> None:
        """The cursor on a deployment."""
        self.show_fleet()
        self.rows.select(key_of(deployment))

    def has_one(self) -> bool:
        return self.deployment is not None

    def has_something(self) -> bool:
        return bool(self.marks or self.filter_line.text)

    # -- live

    def on_mount(self) -> None:
        self.rows.focus()
        self._leave = [
            self.fleet.subscribe(self._painter.soon),
            self.fleet_app.works_changed(self._painter.soon),
        ]
        self.show_fleet()

    def on_unmount(self) -> None:
        for leave in self._leave:
            leave()

    def on_screen_resume(self) -> None:
        self.show_fleet()

    def on_resize(self) -> None:
        wide = self.size.width >= SIDE_FROM
        self.query_one("#side").display, self.query_one("#foot").display = wide, not wide
        self.call_after_refresh(self.show_fleet)

    def restyle(self) -> None:
        super().restyle()
        self.show_fleet()

    def show_fleet(self) -> None:
        """Draws what the fleet says now; only cells that changed are written."""
        if not self.is_attached or not self.size.width:
            return
        if any(each.state == "ready" for each in self.fleet.remotes):
            self.notice_line.end_outage()
        remotes, place = self.fleet.remotes, {each.name: at for at, each in enumerate(self.fleet.remotes)}
        everyone = sorted(self.fleet.deployments, key=lambda each: (place.get(each.remote, 99), each.name))
        shown = matching(everyone, self.filter_line.text)
        self._known = {key_of(each): each for each in everyone}
        self.marks &= self._known.keys()
        stale = {each.name for each in remotes if each.stale}
        width = self.size.width - (SIDE if self.size.width >= SIDE_FROM else 0)
        layout = lay_out(shown, width, several=several_places(everyone, len(remotes)))
        look = Look(self.shell.palette, self.shell.glyphs)
        self.head.show(layout)
        self.rows.empty = nothing(remotes, self.filter_line.text)
        self.rows.show(
            [
                row(each, layout, look, marked=key_of(each) in self.marks, stale=each.remote in stale)
                for each in shown
            ]
        )
        self.remotes_line.show(remotes)
        self.trouble_lines.show(trouble(remotes) if everyone else Trouble())
        running = sum(each.state == "running" for each in everyone)
        needs = sum(each.needs_you or 0 for each in everyone)
        self.title_line.show_counts(running, needs, len(self.fleet_app.works.running))
        self.refresh_title()

    def on_row_list_moved(self) -> None:
        self._show_details()
        self.refresh_hints()

    def _show_details(self) -> None:
        one, shell = self.deployment, self.shell
        wide = self.size.width >= SIDE_FROM
        view, width = (self.side, SIDE) if wide else (self.foot, self.size.width)
        if one is None:
            view.show([])
            return
        draw = details.side if wide else details.foot
        failed, login, stale = self.failures.get(one.ref, ""), words.login(one), self._stale(one)
        view.show(
            draw(
                one, failed, login=login, stale=stale, width=width, palette=shell.palette, glyphs=shell.glyphs
            )
        )

    def _stale(self, one: Deployment) -> str:
        """Since when a deployment is not heard of; empty when it is live."""
        remote = self.remote(one.remote)
        if remote is None or not remote.stale:
            return ""
        return f"{remote.state} since {words.when(remote.since)}" if remote.since else remote.state

    def remote(self, name: str) -> RemoteState | None:
        return next((each for each in self.fleet.remotes if each.name == name), None)

    def title_pieces(self) -> Iterable[Piece]:
        palette, total = self.shell.palette, len(self._known)
        yield " Fleet ", palette.on_bar(palette.bold)
        yield f" {total} deployment{'' if total == 1 else 's'}", palette.bar_dim
        if self.marks:
            yield f"  {len(self.marks)} marked", palette.on_bar(palette.accent)
        if self.filter_line.text and not self.filter_line.typing:
            yield f"  / {self.filter_line.text}", palette.on_bar(palette.accent)

    # -- the cursor, marks, the filter

    def on_row_list_taken(self) -> None:
        self.action_run_action("fleet.stages" if self.has_stages() is True else "fleet.board")

    def on_filter_line_changed(self) -> None:
        self.show_fleet()

    def mark(self) -> None:
        """Marks the deployment under the cursor, or no longer, and goes on."""
        if self.deployment:
            self.marks ^= {key_of(self.deployment)}
            self.show_fleet()
            self.rows.move(1)

    def mark_all(self) -> None:
        """Marks all that are shown; if they are, none."""
        shown = {cast("Key", entry.key) for entry in self.rows.entries}
        self.marks = set() if shown <= self.marks else self.marks | shown
        self.show_fleet()

    def clear(self) -> None:
        self.marks.clear()
        self.filter_line.clear()
        self.show_fleet()

    def acted(self) -> None:
        self.marks.clear()
        self.show_fleet()

    async def quit(self) -> None:
        works = self.fleet_app.works.running
        if works and not await confirm(
            self.app,
            f"Quit while {works[0].title[:1].lower()}{works[0].title[1:]}?",
            detail="It is cancelled, and what it made is removed.",
            yes="quit",
            no="stay",
        ):
            return
        self.app.exit(0)
