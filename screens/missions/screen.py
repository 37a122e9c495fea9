"""The missions: how each stands in one look, and everything that can be done with one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rich.cells import set_cell_size
from textual.app import ComposeResult

from ccp_tui.mirror import Change
from ccp_tui.rows import MissionRow
from ccp_tui.screens.missions.export import proposed, target, write
from ccp_tui.screens.missions.forms import mission_form, name_form, policy_form
from ccp_tui.screens.missions.words import count, money, policy_of, policy_words
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen
from ccp_tui.screens.widgets.dialogs import ask_words, confirm
from ccp_tui.screens.widgets.fields import fill
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.screens.widgets.rowlist import Row, RowList

Json = dict[str, Any]

OPEN = ("planning", "inbox", "assigned", "in_progress", "testing", "review")
RUNNING = ("in_progress", "testing")
WIDE = 130  # cells from which on the columns' counts stand beside the policy
EMPTY = """No mission yet.

n makes one: a board with its own tasks, policy and budget."""


class MissionsScreen(CcpScreen):
    """Every mission; ``mission`` puts the cursor on one. Archived ones on demand."""

    TITLE = "Missions"
    DEFAULT_CSS = "MissionsScreen #missions { height: 1fr; }"

    def __init__(self, mission: str | None = None) -> None:
        super().__init__()
        self.rows = RowList(id="missions")
        self.rows.empty = EMPTY
        self.archive: dict[str, Json] = {}  # the archived missions, which the mirror does not have
        self.with_archived = False
        self._wanted = mission

    def body(self) -> ComposeResult:
        yield self.rows

    def actions(self) -> Iterator[Action]:
        some, open_one = self.has_mission, self.is_open
        yield Action("missions.switch", "enter o", "open its board", "Mission", self.switch, open_one)
        yield Action("missions.policy", "p", "policy", "Mission", self.edit_policy, open_one)
        yield Action("missions.costs", "c", "costs", "Mission", self.show_costs, some)
        yield Action("missions.export", "x", "export timeline", "Mission", self.export, some)
        yield Action("missions.new", "n", "new", "Missions", self.create)
        yield Action("missions.rename", "t", "title and icon", "Mission", self.rename, some)
        yield Action("missions.archive", "z", "archive", "Mission", self.put_away, self.not_archived)
        yield Action("missions.restore", "z", "unarchive", "Mission", self.restore, self.is_archived)
        yield Action("missions.feed", "f", "feed", "Mission", self.feed, some, False)
        yield Action("missions.archived", "a", "archived ones", "Missions", self.toggle_archived)
        yield Action("missions.down", "j down", "next", "Missions", lambda: self.rows.move(1), some, False)
        yield Action("missions.up", "k up", "before", "Missions", lambda: self.rows.move(-1), some, False)

    # -- the mission under the cursor

    @property
    def mission(self) -> MissionRow | None:
        slug = self.rows.key
        if not isinstance(slug, str):
            return None
        if slug in self.archive:
            return MissionRow.from_json(self.archive[slug])
        return self.mirror.missions.get(slug)

    def has_mission(self) -> bool:
        return self.mission is not None

    def is_archived(self) -> bool:
        return bool(self.mission and self.mission.archived)

    def not_archived(self) -> bool:
        return bool(self.mission and not self.mission.archived)

    def is_open(self) -> bool | str:
        if self.mission is None:
            return False
        return not self.mission.archived or "It is archived: z brings it back first."

    # -- showing

    def on_mount(self) -> None:
        self.rows.focus()
        self.show_missions()
        self.rows.select(self._wanted or self.ccp.kept.get("mission") or "")

    def mirror_changed(self, change: Change) -> None:
        if change.full or change.tasks or change.missions or change.attention:
            self.show_missions()

    def restyle(self) -> None:
        super().restyle()
        self.show_missions()

    def on_resize(self) -> None:
        self.show_missions()

    def on_row_list_moved(self) -> None:
        self.refresh_hints()

    def on_row_list_taken(self) -> None:
        self.action_run_action("missions.switch")

    def show_missions(self) -> None:
        missions = self.mirror.open_missions()
        if self.with_archived:
            missions += [MissionRow.from_json(row) for row in self.archive.values()]
        needed: dict[str, int] = {}
        for item in self.mirror.attention:
            card = self.mirror.tasks.get(item.ref or "")
            if card:
                needed[card.mission] = needed.get(card.mission, 0) + 1
        spent = self._spent()
        self.rows.show(
            [self._row(row, needed.get(row.slug, 0), spent.get(row.slug, (0.0, 0))) for row in missions]
        )
        self.refresh_title()
        self.refresh_hints()

    def _spent(self) -> dict[str, tuple[float, int]]:
        """Dollars and tokens per mission, of the tasks that the mirror has."""
        found: dict[str, tuple[float, int]] = {}
        for card in self.mirror.tasks.values():
            if card.tokens or card.cost_usd:
                dollars, tokens = found.get(card.mission, (0.0, 0))
                found[card.mission] = dollars + card.cost_usd, tokens + card.tokens
        return found

    def _counts(self, mission: MissionRow) -> dict[str, int]:
        if mission.archived:
            return dict(self.archive[mission.slug].get("counts") or {})
        return {state: self.mirror.count(mission.slug, state) for state in (*OPEN, "done")}

    def _row(self, mission: MissionRow, needed: int, spent: tuple[float, int]) -> Row:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        width = self.app.size.width
        room = max(14, min(44, width - 66))
        icon = glyphs.emoji(mission.icon)
        counts = self._counts(mission)
        running = sum(counts.get(state, 0) for state in RUNNING)
        title = set_cell_size(cut(mission.title, room, glyphs.ellipsis), room)
        head: list[Piece] = [
            (f" {set_cell_size(icon, 2)} ", palette.text),
            (title, palette.dim if mission.archived else palette.bold),
            (f" {mission.prefix:<8} ", palette.dim),
            (f"{sum(counts.get(state, 0) for state in OPEN):>4} open", palette.text),
            (f" {counts.get('done', 0):>5} done", palette.dim),
            (f" {running:>3} running", palette.good if running else palette.dim),
            (f"  {glyphs.held} {needed}" if needed else "     ", palette.warn),
        ]
        dollars, tokens = spent
        if tokens or dollars:
            head.append((f"  {money(dollars) if dollars else f'{count(tokens)} tokens'}", palette.dim))
        policy = "archived" if mission.archived else policy_words(policy_of(mission))
        columns = " ".join(
            f"{counts[state]} {state.replace('_', ' ')}" for state in OPEN if counts.get(state)
        )
        below: list[Piece] = [(f"    {cut(policy, width - 6, glyphs.ellipsis)}", palette.dim)]
        if columns and width >= WIDE and not mission.archived:
            below.append((f"  {glyphs.between}  {columns}", palette.dim))
        return Row.of(mission.slug, head, below)

    def title_pieces(self) -> Iterable[Piece]:
        palette, open_ones = self.ccp.palette, len(self.mirror.open_missions())
        yield " Missions ", palette.on_bar(palette.bold)
        yield (
            f" {open_ones}" + (f", {len(self.archive)} archived" if self.with_archived else ""),
            palette.bar_dim,
        )

    # -- doing

    def switch(self) -> None:
        """Back to the board, with this mission on it."""
        from ccp_tui.screens.board import BoardScreen

        mission, app = self.mission, self.ccp
        while len(app.screen_stack) > 2 and not isinstance(app.screen, BoardScreen):
            app.pop_screen()
        if mission and isinstance(app.screen, BoardScreen):
            app.screen.show_mission(mission.slug)

    def show_costs(self) -> None:
        if mission := self.mission:
            self.ccp.open("costs", mission=mission.slug)

    def feed(self) -> None:
        if mission := self.mission:
            self.ccp.open("feed", mission=mission.slug)

    async def create(self) -> None:
        made: Json = {}

        async def call(values: Json) -> None:
            made.update(await self.live.call("mission.create", values, timeout=20))

        if await fill(self.ccp, mission_form(call)):
            self._learn(made)
            self.say("The mission is there: p sets its policy, enter opens its board.", "good")

    async def rename(self) -> None:
        if mission := self.mission:
            await self._change(mission, name_form(mission, partial(self._update, mission.slug)), "Changed.")

    async def edit_policy(self) -> None:
        mission = self.mission
        if mission is None:
            return

        async def call(changes: Json) -> None:
            await self._update(mission.slug, {"policy": changes})

        agents = sorted(self.mirror.agents.values(), key=lambda agent: agent.name.lower())
        form = policy_form(mission, agents, call)
        await self._change(mission, form, f"The policy of {mission.title} holds from now on.")

    async def _change(self, mission: MissionRow, form: Any, done: str) -> None:
        if await fill(self.ccp, form):
            self.say(done, "good")
            self.rows.select(mission.slug)

    async def _update(self, slug: str, changes: Json) -> None:
        self._learn(await self.live.call("mission.update", {"slug": slug, **changes}, timeout=20))

    def _learn(self, answer: Json) -> None:
        """A mission as the service answered, before its event comes."""
        row = answer.get("mission")
        if not isinstance(row, dict) or "slug" not in row:
            return
        if row.get("archived"):
            self.archive[row["slug"]] = row
        else:
            self.archive.pop(row["slug"], None)
        self.mirror.apply("mission.changed", {"mission": row})
        self.show_missions()
        self.rows.select(row["slug"])

    async def put_away(self) -> None:
        mission = self.mission
        if mission is None or not await confirm(
            self.ccp,
            f"Archive {mission.title}?",
            detail="Its board goes away; nothing is lost. a shows archived missions, z brings one back.",
            yes="archive it",
        ):
            return
        answer = await self.ask("mission.update", {"slug": mission.slug, "archived": True})
        if answer is not None:
            self._learn(answer)
            self.say(f"{mission.title} is archived; a shows it, z brings it back.", "good")

    async def restore(self) -> None:
        if mission := self.mission:
            answer = await self.ask("mission.update", {"slug": mission.slug, "archived": False})
            if answer is not None:
                self._learn(answer)
                self.say(f"{mission.title} is back.", "good")

    async def toggle_archived(self) -> None:
        """Shows the archived missions too; they are read when they are asked for."""
        if not self.with_archived:
            answer = await self.ask("mission.list", {"archived": True})
            if answer is None:
                return
            rows = answer.get("missions") or []
            self.archive = {row["slug"]: row for row in rows if row.get("slug") and row.get("archived")}
        self.with_archived = not self.with_archived
        self.show_missions()
        if self.with_archived and not self.archive:
            self.say("No mission is archived.")

    async def export(self) -> None:
        """The timeline into a file; one that is there is replaced only after a yes."""
        mission = self.mission
        if mission is None:
            return
        named = await ask_words(
            self.ccp,
            f"Timeline of {mission.title} into",
            text=str(proposed(mission.slug)),
            context="A name that ends in .json gets the data, every other the timeline as Markdown.",
        )
        if not named:
            return
        timeline = await self.ask("mission.timeline", {"slug": mission.slug}, deadline_s=60)
        if timeline is not None:
            await self._write(target(named), timeline)

    async def _write(self, path: Path, timeline: Json, *, replace: bool = False) -> None:
        try:
            size = await asyncio.to_thread(partial(write, path, timeline, replace=replace))
        except FileExistsError:
            if await confirm(
                self.ccp, f"Replace {path}?", detail="There is a file already.", yes="replace it"
            ):
                await self._write(path, timeline, replace=True)
            else:
                self.say(f"Nothing was written: {path} is there already.", "refusal")
        except OSError as error:
            self.say(f"{path} can't be written: {error.strerror}.", "refusal")
        else:
            self.say(f"{path} is written ({size:,} bytes).", "good")
