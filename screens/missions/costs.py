"""What a mission has cost: in all, of its budget, and by task, agent and purpose. The figures are the gateway's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.strip import Strip

from ccp_tui.mirror import Change
from ccp_tui.rows import safe
from ccp_tui.screens.missions.words import bar, count, money, policy_of
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen
from ccp_tui.screens.widgets.lines import Piece, cut, fit
from ccp_tui.screens.widgets.lineview import LineView

Json = dict[str, Any]

PURPOSES = {"work": "work", "plan": "planning", "planning": "planning", "review": "review",
            "subagent": "sub-agents", "chat": "chats"}  # fmt: skip
NAME_CELLS = 44


class CostLines(LineView):
    """The page, line by line."""

    def __init__(self) -> None:
        super().__init__(id="costs")
        self.content: list[list[Piece]] = []

    def show(self, content: list[list[Piece]]) -> None:
        if content != self.content:
            self.content = content
            self.top = max(0, min(self.top, self.last_top))
            self.refresh()

    def line_count(self) -> int:
        return len(self.content)

    def draw_line(self, line: int, width: int) -> Strip:
        return Strip(fit(self.content[line], width, self.palette.text), width)


class CostsScreen(CcpScreen):
    """The costs of one mission, by its slug; read again when its tasks changed and the person asks for it."""

    TITLE = "Costs"
    DEFAULT_CSS = "CostsScreen #costs { height: 1fr; }"

    def __init__(self, mission: str) -> None:
        super().__init__()
        self.mission = mission
        self.page = CostLines()
        self.page.empty = "Reading what it has cost…"
        self.costs: Json | None = None

    def body(self) -> ComposeResult:
        yield self.page

    def actions(self) -> Iterator[Action]:
        yield Action("costs.reload", "r", "read again", "Costs", self.load)
        yield Action("costs.down", "j down", "down", "Costs", lambda: self.scroll(1), hint=False)
        yield Action("costs.up", "k up", "up", "Costs", lambda: self.scroll(-1), hint=False)
        yield Action("costs.page_down", "pagedown ctrl+d space", "page down", "Costs",
                     lambda: self.scroll(self.page.rows - 1), hint=False)  # fmt: skip
        yield Action("costs.page_up", "pageup ctrl+u", "page up", "Costs",
                     lambda: self.scroll(1 - self.page.rows), hint=False)  # fmt: skip

    def scroll(self, lines: int) -> None:
        self.page.go_to(self.page.top + lines)

    def title_pieces(self) -> Iterable[Piece]:
        row = self.mirror.missions.get(self.mission)
        yield (
            f" Costs of {row.title if row else self.mission} ",
            self.ccp.palette.on_bar(self.ccp.palette.bold),
        )

    def on_mount(self) -> None:
        self.page.focus()
        self.do(self.load())

    def mirror_changed(self, change: Change) -> None:
        if change.full:
            self.do(self.load())
        elif self.mission in change.missions:
            self._show()

    def restyle(self) -> None:
        super().restyle()
        self._show()

    async def load(self) -> None:
        """Asks for the figures; what was there stays when they can't be had."""
        found = await self.ask("mission.costs", {"slug": self.mission})
        if found is not None:
            self.costs = found
            self._show()

    def _show(self) -> None:
        if self.costs is not None:
            self.page.empty = "Nothing was spent yet."
            self.page.show(list(self._lines(self.costs)))

    def _lines(self, costs: Json) -> Iterator[list[Piece]]:
        palette, total = self.ccp.palette, costs.get("total") or {}
        tokens, dollars = total.get("tokens") or 0, total.get("cost_usd") or 0.0
        yield []
        yield [("  Spent  ", palette.dim), (f"{money(dollars)}  {count(tokens)} tokens", palette.bold)]
        yield from self._budgets(tokens, dollars)
        names = {row.id: row.name for row in self.mirror.agents.values()}
        tasks = [(f"{row.get('ref')}  {safe(row.get('title'))}", row) for row in costs.get("by_task") or ()]
        agents = [
            (names.get(row.get("agent"), safe(row.get("agent"))), row) for row in costs.get("by_agent") or ()
        ]
        purposes = [
            (PURPOSES.get(row.get("purpose"), safe(row.get("purpose"))), row)
            for row in costs.get("by_purpose") or ()
        ]
        for head, rows in (("By purpose", purposes), ("By agent", agents), ("By task", tasks)):
            yield from self._table(head, rows, dollars, tokens)

    def _budgets(self, tokens: float, dollars: float) -> Iterator[list[Piece]]:
        palette, row = self.ccp.palette, self.mirror.missions.get(self.mission)
        policy = policy_of(row) if row else {}
        some = False
        for used, of, words in (
            (dollars, policy.get("budget_usd"), money),
            (tokens, policy.get("budget_tokens"), lambda n: f"{count(n)} tokens"),
        ):
            if of:
                some = True
                style = palette.bad if used >= of else palette.warn if used >= 0.8 * of else palette.good
                yield [
                    ("  Budget ", palette.dim),
                    (bar(used, of, self.ccp.glyphs.ascii), style),
                    (f" of {words(of)}", palette.text),
                    ("  used up: its work is stopped" if used >= of else "", palette.bad),
                ]
        if not some:
            yield [("  Budget none: p in the missions sets one", palette.dim)]

    def _table(
        self, head: str, rows: Sequence[tuple[str, Json]], dollars: float, tokens: float
    ) -> Iterator[list[Piece]]:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        if not rows:
            return
        yield []
        yield [(f"  {head}", palette.bold)]
        room = max(16, min(NAME_CELLS, self.app.size.width - 36))
        for name, row in rows:
            spent, used = row.get("cost_usd") or 0.0, row.get("tokens") or 0
            share = spent / dollars if dollars else used / tokens if tokens else 0.0
            words = cut(name, room, glyphs.ellipsis)
            yield [
                (f"  {fit_cells(words, room)}", palette.text),
                (f"{money(spent):>10}", palette.text),
                (f"{count(used):>9}", palette.dim),
                (f"{share * 100:>6.0f} %", palette.dim),
            ]

    def on_resize(self) -> None:
        self._show()


def fit_cells(text: str, width: int) -> str:
    """Text filled with spaces to so many cells."""
    from rich.cells import set_cell_size

    return set_cell_size(text, width)
