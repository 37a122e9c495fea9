"""The agents screen: the list, live; what is known of the one under the cursor; making, bringing in, changing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from ccp_tui import clock
from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.mirror import Change
from ccp_tui.rows import AgentRow, safe
from ccp_tui.screens.agents.files import NAMES, AgentFilesScreen
from ccp_tui.screens.agents.form import AgentForm, Values, fill
from ccp_tui.screens.agents.importing import ImportDialog
from ccp_tui.screens.agents.leaving import delete_form, work_of
from ccp_tui.screens.board.words import doing
from ccp_tui.screens.widgets import fields
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen, failure_words
from ccp_tui.screens.widgets.dialogs import Choice, pick, wrap
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.rowlist import Row, RowList

Json = dict[str, Any]

WIDE = 110
EMPTY = """No agents yet.

i brings in the agents that the gateway has.
n makes a new one: a name, a role, a model, its SOUL.md."""
LIVE = {"working": "good", "waiting": "warn", "idle": "text", "offline": "dim"}


class AgentsScreen(CcpScreen):
    """Every agent with its live state; ``agent`` puts the cursor on one."""

    TITLE = "Agents"
    CSS_PATH = "agents.tcss"

    def __init__(self, agent: str | None = None) -> None:
        super().__init__()
        self.roster = RowList(id="roster")
        self.roster.empty = EMPTY
        self.about = RowList(id="about", focusable=False)
        self._wanted = agent

    def body(self) -> ComposeResult:
        with Container(id="stage"):
            yield self.roster
            yield self.about

    def actions(self) -> Iterator[Action]:
        some = self.has_agent
        yield Action("agents.chat", "enter c", "chat", "Agent", self.chat, some)
        yield Action("agents.files", "e", "SOUL and files", "Agent", self.files, some)
        yield Action("agents.model", "m", "model", "Agent", self.choose_model, some)
        yield Action("agents.change", "r", "name and role", "Agent", self.change, some)
        yield Action("agents.task", "t", "its task", "Agent", self.open_task, self.has_task)
        yield Action("agents.new", "n", "new", "Agents", self.create)
        yield Action("agents.import", "i", "import", "Agents", self.bring_in)
        yield Action("agents.delete", "D", "delete", "Agent", self.delete, some)
        yield Action("agents.down", "j down", "next", "Agents", lambda: self.roster.move(1), some, False)
        yield Action("agents.up", "k up", "before", "Agents", lambda: self.roster.move(-1), some, False)

    @property
    def agent(self) -> AgentRow | None:
        return self.mirror.agents.get(str(self.roster.key)) if self.roster.key is not None else None

    def has_agent(self) -> bool:
        return self.agent is not None

    def has_task(self) -> bool | str:
        if self.agent is None:
            return False
        return bool(self.agent.working_on) or "It works on nothing now."

    # -- showing

    def on_mount(self) -> None:
        self.set_class(self.app.size.width >= WIDE, "-wide")
        self.roster.focus()
        self.show_agents()
        if self._wanted:
            self.roster.select(self._wanted)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
        self._show_about()

    def mirror_changed(self, change: Change) -> None:
        if change.full or change.agents or change.tasks:
            self.show_agents()

    def show_agents(self) -> None:
        agents = sorted(
            self.mirror.agents.values(), key=lambda agent: (not agent.on_gateway, agent.name.lower())
        )
        width = max((len(agent.name) for agent in agents), default=0)
        self.roster.show([self._row(agent, min(20, width)) for agent in agents])
        self._show_about()

    def _row(self, agent: AgentRow, width: int) -> Row:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        emoji = glyphs.emoji(agent.emoji)
        style = getattr(palette, LIVE.get(agent.live, "text"))
        mark = glyphs.ring if agent.live in ("offline", "idle") else glyphs.dot
        words = agent.live
        if agent.working_on and agent.live in ("working", "waiting"):
            words = f"{agent.live} on {agent.working_on}"
        pieces: list[Piece] = [
            (f" {emoji or ' '}{'' if emoji else ' '} ", palette.text),
            (f"{agent.name[:20]:<{width}}  ", palette.bold),
            (f"{(agent.duty or agent.role)[:14]:<14} ", palette.accent if agent.duty else palette.dim),
            (f"{mark} {words:<20} ", style),
        ]
        unread = f"{glyphs.unread} {agent.unread}" if agent.unread else ""
        pieces.append((f"{unread:<4} ", palette.accent))
        if agent.on_gateway:
            pieces.append((safe(agent.model) or "default model", palette.dim))
        else:
            pieces.append(("not on the gateway", palette.warn))
        return Row.of(agent.id, pieces)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        if event.source is self.roster:
            self._show_about()
            self.refresh_hints()

    def on_row_list_taken(self) -> None:
        self.action_run_action("agents.chat")

    def _show_about(self) -> None:
        agent, palette, glyphs = self.agent, self.ccp.palette, self.ccp.glyphs
        wide = self.has_class("-wide")
        width = 54 if wide else max(20, self.app.size.width - 2)
        lines: list[list[Piece]] = [] if wide else [[(glyphs.rule * (width + 2), palette.dim)]]
        if agent is not None:
            lines.append([(f"  {f'{glyphs.emoji(agent.emoji)} {agent.name}'.strip()}", palette.bold)])
            card = self.mirror.tasks.get(agent.working_on or "")
            at_work = f"{agent.live} on {card.ref} {card.title}" if card else agent.live
            activity = doing(card) if card else ""
            for label, words in (
                ("now", at_work),
                ("last", activity),
                (
                    "duty",
                    f"the service's {agent.duty}, replaceable in a mission's policy" if agent.duty else "",
                ),
                ("role", agent.role),
                ("model", safe(agent.model) or "the gateway's default"),
                ("folder", safe(agent.workspace)),
                ("files", ", ".join(agent.files)),
                ("since", f"{clock.age(agent.created_at, clock.now())} ago" if agent.created_at else ""),
            ):
                for index, line in enumerate(
                    wrap(words, width - 11) if words and (wide or label != "since") else ()
                ):
                    lines.append([(f"  {label if not index else '':<8} ", palette.dim), (line, palette.text)])
                    if not wide:
                        break
        self.about.show([Row.of(None, line) for line in lines])

    # -- doing

    def chat(self) -> None:
        if self.agent:
            self.ccp.open("chat", agent=self.agent.id)

    def files(self) -> None:
        if self.agent:
            self.app.push_screen(AgentFilesScreen(self.agent.id, NAMES[0]))

    def open_task(self) -> None:
        if self.agent and self.agent.working_on:
            self.ccp.open("task", ref=self.agent.working_on)

    async def _models(self) -> list[Choice[str]]:
        """The gateway's models; none when it can't be asked, which must not keep anyone from the rest."""
        try:
            listed = await self.live.call("model.list", {}, timeout=10)
        except (ServiceFailure, ServiceUnavailable):
            return []
        return [
            Choice(
                str(row["id"]),
                safe(row.get("name")) or str(row["id"]),
                f"{row['id']} · {safe(row.get('provider'))}",
            )
            for row in listed.get("models") or []
            if row.get("id")
        ]

    async def choose_model(self) -> None:
        agent = self.agent
        if agent is None:
            return
        listed = await self.ask("model.list")
        if listed is None:
            return
        choices = [
            Choice(
                str(row["id"]),
                safe(row.get("name")) or str(row["id"]),
                f"{row['id']} · {safe(row.get('provider'))}",
            )
            for row in listed.get("models") or []
            if row.get("id")
        ]
        chosen = await pick(
            self.ccp,
            f"Model for {agent.name}",
            choices,
            current=agent.model,
            empty="The gateway lists no models.",
        )
        if chosen and await self.ask("agent.update", {"id": agent.id, "model": chosen}) is not None:
            self.say(f"{agent.name} uses {chosen} from its next run on.", "good")

    async def create(self) -> None:
        form = AgentForm("New agent", {}, await self._models(), self._create, soul=True)
        if await fill(self.ccp, form):
            self.say("The agent is there: enter begins a chat.", "good")

    async def _create(self, values: Values) -> str | None:
        problem, answer = await self._try(
            "agent.create", {key: value for key, value in values.items() if value}
        )
        made = (answer or {}).get("agent") or {}
        if made.get("id"):
            self._select(str(made["id"]))
        return problem

    def _select(self, agent_id: str) -> None:
        if agent_id in self.mirror.agents:
            self.roster.select(agent_id)

    async def change(self) -> None:
        agent = self.agent
        if agent is None:
            return
        before = {"name": agent.name, "role": agent.role, "emoji": agent.emoji, "model": agent.model or ""}

        async def update(values: Values) -> str | None:
            changed = {key: value for key, value in values.items() if value != before[key]}
            if not changed:
                return None
            return (await self._try("agent.update", {"id": agent.id, **changed}))[0]

        if await fill(
            self.ccp, AgentForm(f"Change {agent.name}", before, await self._models(), update, soul=False)
        ):
            self.say("Changed.", "good")

    async def delete(self) -> None:
        agent = self.agent
        if agent is None:
            return

        async def call(chosen: Json) -> None:
            await self.live.call("agent.delete", {"id": agent.id, **chosen}, timeout=60)

        if await fields.fill(self.ccp, delete_form(agent, work_of(self.mirror, agent.id), call)):
            self.say(f"{agent.name} is deleted. What it did stays in the history.", "good")

    async def bring_in(self) -> None:
        found = await self.ask("agent.importable")
        if found is None:
            return

        async def take(ids: list[str]) -> str | None:
            return (await self._try("agent.import", {"ids": ids}))[0]

        agents = [row for row in found.get("agents") or [] if row.get("id")]
        taken = await self.app.push_screen_wait(ImportDialog(agents, take))
        if taken:
            self.say(f"{taken} agent{'' if taken == 1 else 's'} imported.", "good")

    async def _try(self, method: str, params: Json) -> tuple[str | None, Json | None]:
        """A call whose refusal belongs into the box that asked: the words of it, or None with the answer."""
        try:
            return None, await self.live.call(method, params, timeout=30)
        except ServiceFailure as failure:
            return failure_words(failure), None
        except ServiceUnavailable as away:
            return f"{away.message} {away.fix}".strip(), None

    def title_pieces(self) -> Iterable[Piece]:
        palette, agents = self.ccp.palette, self.mirror.agents.values()
        yield " Agents ", palette.on_bar(palette.bold)
        working = sum(agent.live == "working" for agent in agents)
        yield f" {len(agents)}" + (f", {working} working" if working else ""), palette.bar_dim
