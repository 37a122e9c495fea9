"""One piece of work as it goes: its stages with their times, what it says, how it ended and what to press next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.timer import Timer

from ccp_tui.incus import Deployment, Stage
from ccp_tui.screens.fleet import words
from ccp_tui.screens.fleet.details import Details
from ccp_tui.screens.fleet.works import Work
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.dialogs import confirm, wrap
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.fleet_app import FleetApp

MEANING = {
    "check": "looks at the name, the port, the room and the limits",
    "image": "looks for the image",
    "instance": "makes the container of it",
    "start": "starts it",
    "system": "waits for the system inside",
    "gateway": "waits for the gateway to answer",
    "service": "waits for the control service to answer",
    "stop": "stops it, runs aborted first",
    "snapshot": "takes a snapshot to go back to",
    "data": "brings the data over",
    "health": "waits until gateway and service answer",
    "rollback": "goes back to the snapshot",
}
TICK_S = 1.0  # while a stage runs its time is shown; nothing ticks else


class WorkScreen(BaseScreen):
    """Leaving it stops nothing; ``x`` does, after a yes."""

    TITLE = "At work"
    DEFAULT_CSS = "WorkScreen Details { height: 1fr; }"

    def __init__(self, work: Work) -> None:
        self.work = work
        super().__init__()
        self.view = Details()
        self._timer: Timer | None = None
        self._leave: Callable[[], None] | None = None

    def body(self) -> ComposeResult:
        yield self.view

    def actions(self) -> Iterator[Action]:
        yield Action("work.board", "enter", "open its board", "Work", self.board, self.is_made)
        yield Action("work.copy", "y", "copy address", "Work", self.copy, self.is_made)
        yield Action("work.again", "e", "edit and try again", "Work", self.again, self.can_try_again)
        yield Action("work.log", "l", "its log", "Work", self.log_of, self.has_ref)
        yield Action("work.cancel", "x", "cancel", "Work", self.cancel, self.can_cancel)
        yield Action(
            "app.close", "escape q", "leave it at work", "Everywhere", self.close_screen, self.goes_on
        )
        yield Action("work.close", "escape q", "back", "Everywhere", self.close_screen)

    # -- when

    def goes_on(self) -> bool:
        return self.work.running

    def can_cancel(self) -> bool | str:
        if self.work.state == "cancelling":
            return "It is being cancelled."
        return self.work.running

    def is_made(self) -> bool:
        return self.work.state == "done" and isinstance(self.work.result, Deployment)

    def can_try_again(self) -> bool:
        return self.work.state in ("failed", "cancelled") and self.work.draft is not None

    def has_ref(self) -> bool:
        return bool(self.work.ref)

    # -- doing

    def board(self) -> None:
        """Back to the table, and from there to the board of what was made."""
        app = cast("FleetApp", self.app)
        self.dismiss(None)
        app.call_later(app.open_board, self.work.result)

    def copy(self) -> None:
        text = self._login()
        if text and self.shell.copy(text):
            self.say(f"Copied: {text}", "good")
        else:
            self.say("It has no SSH port.", "refusal")

    def again(self) -> None:
        app, draft = cast("FleetApp", self.app), self.work.draft
        self.dismiss(None)
        app.call_later(app.edit_again, draft)

    def log_of(self) -> None:
        kept = self.work.error.log if self.work.error else ()
        self.shell.open("log", ref=self.work.ref, which="boot", kept=kept)

    async def cancel(self) -> None:
        if await confirm(
            self.app, f"Cancel: {self.work.title}?", detail="What it made so far is removed.", yes="cancel it"
        ):
            self.work.cancel()

    # -- showing

    def title_pieces(self) -> Iterable[Piece]:
        yield f" {one_line(self.work.title)} ", self.shell.palette.on_bar(self.shell.palette.bold)

    def on_mount(self) -> None:
        self._leave = self.work.subscribe(self.show_work)
        self._timer = self.set_interval(TICK_S, self.show_work)
        self.call_after_refresh(self.show_work)

    def on_unmount(self) -> None:
        if self._leave:
            self._leave()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_work)

    def restyle(self) -> None:
        super().restyle()
        self.show_work()

    def show_work(self) -> None:
        if not self.is_attached:
            return
        if not self.work.running and self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.view.show(list(self._lines()))
        self.refresh_hints()

    def _lines(self) -> Iterator[list[Piece]]:
        work, palette, glyphs = self.work, self.shell.palette, self.shell.glyphs
        width, height = self.size.width, self.view.size.height or 20
        yield []
        for name, stage in work.stages.items():
            yield self._stage(name, stage, width)
        if work.stages:
            yield []
        yield from self._ending(width)
        used = len(work.stages) + 6
        for line in list(work.lines)[-max(3, height - used) :]:
            yield [(f"  {cut(line, width - 3, glyphs.ellipsis)}", palette.dim)]

    def _stage(self, name: str, stage: Stage | None, width: int) -> list[Piece]:
        palette, glyphs = self.shell.palette, self.shell.glyphs
        about = MEANING.get(name, "")
        if stage is None:
            return [(f"   {glyphs.between} {name:<10}", palette.dim), (f"{'':>10}  {about}", palette.dim)]
        taken = words.elapsed(self.work.stage_seconds(stage))
        said = cut(one_line(stage.words) or about, width - 29, glyphs.ellipsis)
        if stage.seconds is not None:
            return [(f"   {glyphs.tick} ", palette.good), (f"{name:<10}", palette.text),
                    (f"{taken:>10}", palette.dim), (f"  {said}", palette.dim)]  # fmt: skip
        failed = not self.work.running
        mark, style = (glyphs.cross, palette.bad) if failed else (glyphs.words, palette.accent)
        return [(f"   {mark} ", style), (f"{name:<10}", palette.bold), (f"{taken:>10}", style),
                (f"  {said}", palette.text)]  # fmt: skip

    def _ending(self, width: int) -> Iterator[list[Piece]]:
        work, palette, glyphs = self.work, self.shell.palette, self.shell.glyphs
        taken = words.elapsed(work.seconds)
        match work.state:
            case "running":
                yield [(f"   {taken} so far", palette.dim)]
            case "cancelling":
                yield [("   Cancelling; what was made is being removed.", palette.warn)]
            case "done":
                yield [(f"   {glyphs.tick} Done in {taken}.", palette.good)]
                yield from self._next(width)
            case _:
                style = palette.warn if work.state == "cancelled" else palette.bad
                mark = f"   {glyphs.cross} "
                for line in wrap(work.words, min(width - 8, 90)):
                    yield [(mark, style), (line, style)]
                    mark = "     "
        if work.running and work.words:
            yield [(f"   {cut(work.words, width - 4, glyphs.ellipsis)}", palette.text)]
        yield []

    def _login(self) -> str:
        return words.login(self.work.result)

    def _next(self, width: int) -> Iterator[list[Piece]]:
        palette, made = self.shell.palette, self.work.result
        for line in wrap(self.work.note, min(width - 8, 90)):
            yield [(f"   {line}", palette.warn)]
        if not isinstance(made, Deployment):
            return
        yield []
        enter = "ret" if self.shell.glyphs.ascii else "⏎"
        yield [(f"   {enter} ", palette.key_on_card), ("opens its board.", palette.text)]
        if login := self._login():
            yield [("   y ", palette.key_on_card), ("copies how to reach it from anywhere:  ", palette.text),
                   (cut(login, width - 46), palette.accent)]  # fmt: skip
        if made.note:
            yield [(f"   {cut(one_line(made.note), width - 4)}", palette.warn)]
