"""Choosing which of the gateway's agents to bring in: several at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding

from ccp_tui.rows import safe
from ccp_tui.screens.widgets.dialogs import Dialog, Words
from ccp_tui.screens.widgets.rowlist import Row, RowList

Json = dict[str, Any]
# Brings them in; answers with why it was refused, or None.
Import = Callable[[list[str]], Awaitable[str | None]]


class ImportDialog(Dialog):
    """Space marks, enter brings in what is marked (or the one under the cursor); answers how many."""

    DEFAULT_CSS = """
    ImportDialog > .box { width: 84; }
    ImportDialog RowList { height: auto; max-height: 16; min-height: 3; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("down,j,ctrl+n", "move(1)", show=False),
        Binding("up,k,ctrl+p", "move(-1)", show=False),
        Binding("space", "mark", show=False),
        Binding("a", "mark_all", show=False),
        Binding("enter", "take", show=False),
        Binding("q", "leave", show=False),
    ]

    def __init__(self, agents: Sequence[Json], bring_in: Import) -> None:
        super().__init__("Import from the gateway")
        self.agents, self.bring_in = list(agents), bring_in
        self.marked: set[str] = set()
        self.listed = RowList()
        self.listed.empty = "Every agent of the gateway is here already."
        self.hint = Words("space marks · a all · enter imports · esc leaves", "dim")
        self.hint.add_class("hint")
        self._sending = False

    def fields(self) -> ComposeResult:
        yield self.listed
        yield self.hint

    def on_mount(self) -> None:
        self.listed.styles.height = max(3, min(16, len(self.agents)))
        self.listed.focus()
        self._show()

    def _show(self) -> None:
        palette, rows = self.listed.palette, []
        for agent in self.agents:
            key = str(agent["id"])
            sign = "[x]" if key in self.marked else "[ ]"
            emoji = self.listed.glyphs.emoji(safe(agent.get("emoji")))
            name = f"{emoji} {safe(agent.get('name')) or key}".strip()
            about = "  ".join(filter(None, (safe(agent.get("model")), safe(agent.get("workspace")))))
            style = palette.accent if key in self.marked else palette.dim
            rows.append(
                Row.of(key, [(f" {sign} ", style), (f"{name:<20}  ", palette.text), (about, palette.dim)])
            )
        self.listed.show(rows)

    def action_move(self, by: int) -> None:
        self.listed.move(by)

    def action_mark(self) -> None:
        if isinstance(self.listed.key, str):
            self.marked ^= {self.listed.key}
            self._show()
            self.listed.move(1)

    def action_mark_all(self) -> None:
        every = {str(agent["id"]) for agent in self.agents}
        self.marked = set() if self.marked == every else every
        self._show()

    def on_row_list_taken(self) -> None:
        self.action_mark()

    def action_take(self) -> None:
        chosen = sorted(self.marked) or ([self.listed.key] if isinstance(self.listed.key, str) else [])
        if chosen and not self._sending:
            self.run_worker(self._take(chosen))

    async def _take(self, chosen: list[str]) -> None:
        self._sending = True
        self.hint.set("importing…", "dim")
        try:
            problem = await self.bring_in(chosen)
        finally:
            self._sending = False
        if not self.is_attached:
            return
        if problem is None:
            self.dismiss(len(chosen))
        else:
            self.hint.set(problem, "bad")
