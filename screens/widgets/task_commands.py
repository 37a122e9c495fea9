"""What a person can do to one task, wherever they look at it: the board and the task screen share these."""

from __future__ import annotations

from collections.abc import Iterator

from ccp_tui.rows import Card
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, confirm, pick
from ccp_tui.screens.widgets.editing import edit_text, saver
from ccp_tui.screens.widgets.plan_commands import PlanCommands
from ccp_tui.screens.widgets.task_base import HELD, OVER, RUNNING, words_of

PRIORITIES = ("urgent", "high", "normal", "low")
# Holds after which a try again makes sense wherever the task stands.
FAILED = ("error", "stalled")
# What takes a task to Inbox, where its spec can be changed.
TO_INBOX = {
    "assigned": "u takes it back", "in_progress": "s, then u take it back", "testing": "s, then u take it back",
    "review": "s, then u take it back", "done": "R, then u take it back", "cancelled": "u restores it",
}  # fmt: skip


class TaskCommands(PlanCommands):
    """A screen on which one task is current, with every command about it."""

    def task_actions(self) -> Iterator[Action]:
        """The commands, most wanted first."""
        state = self.in_state
        yield from self.plan_actions()
        yield Action("task.retry", "r", "retry", "Task", self.retry, when=self.can_retry)
        yield Action("task.assign", "a", "assign", "Task", self.assign, when=self.can_assign)
        yield Action("task.dispatch", "d", "dispatch", "Task", self.dispatch,
                     when=state("assigned", words="Only an assigned task can be dispatched: a assigns."))  # fmt: skip
        yield Action("task.edit_spec", "e", "edit spec", "Task", self.edit_spec, when=self.can_edit_spec)
        yield Action(
            "task.stop", "s", "stop", "Task", self.stop, when=state(*RUNNING, words="Nothing runs here.")
        )
        yield Action("task.reopen", "R", "reopen", "Task", self.reopen, when=state("done"))
        yield Action("task.restore", "u", "restore", "Task", self.restore, when=state("cancelled"))
        yield Action(
            "task.unassign", "u", "unassign", "Task", self.unassign, when=state("assigned"), hint=False
        )
        yield Action("task.chat", "c", "chat", "Task", self.chat, when=self.has_agent)
        yield Action("task.copy", "y", "copy ref", "Task", self.copy_ref, when=self.on_task, hint=False)
        yield Action("task.rename", "t", "rename", "Task", self.rename, when=self.on_task, hint=False)
        yield Action(
            "task.priority", "p", "priority", "Task", self.choose_priority, when=self.on_task, hint=False
        )
        yield Action(
            "task.cancel",
            "X",
            "cancel",
            "Task",
            self.cancel,
            when=self.can_cancel,
            hint=self.goes_on_from_here,
        )

    # -- when they apply

    def has_agent(self) -> bool | str:
        card = self.current()
        return card is not None and (
            card.agent is not None or "Nobody is assigned: there is no one to chat with."
        )

    def goes_on_from_here(self) -> bool:
        """Whether the task is held where a person can set it going again: retry it, assign another agent, cancel it."""
        card = self.current()
        return card is not None and card.hold is not None and card.state in HELD

    def can_retry(self) -> bool | str:
        """Work that is held; a planner, or the making of a plan's agents, that failed or fell silent."""
        card = self.current()
        failed = card is not None and card.hold is not None and card.hold.kind in FAILED
        if self.goes_on_from_here() or (failed and card is not None and card.state not in OVER):
            return True
        return self.on_task() and "Only held work can be tried again."

    def can_assign(self) -> bool | str:
        card = self.current()
        if card is None or card.state in ("inbox", "assigned") or self.goes_on_from_here():
            return card is not None
        if card.state == "planning":
            return "Its spec comes first: A approves it, then a assigns."
        return f"It is {words_of(card.state)}: only a task in Inbox or Assigned, or held work, is assigned."

    def can_edit_spec(self) -> bool | str:
        card = self.current()
        if card is None or card.state in ("inbox", "planning"):
            return card is not None
        return f"The spec is fixed in {words_of(card.state).title()}: {TO_INBOX[card.state]} to Inbox."

    def can_approve(self) -> bool | str:
        """Approving is for a round in review, and for a spec that is not approved yet."""
        card = self.current()
        if card is None:
            return False
        if card.state == "review":
            return True
        if card.state in ("inbox", "planning"):
            if card.spec_version is None:
                return "There is no spec to approve yet: e writes one."
            return not card.spec_approved or "Its spec is approved: a assigns an agent."
        return "There is nothing to approve here now."

    def can_cancel(self) -> bool | str:
        card = self.current()
        return card is not None and (card.state not in OVER or f"It is {card.state}; it can't be cancelled.")

    # -- what they do

    async def assign(self) -> None:
        card = self.current()
        if card is None:
            return
        agents = sorted(
            self.mirror.agents.values(), key=lambda agent: (agent.live == "offline", agent.name.lower())
        )
        choices = [
            Choice(agent.id, agent.name, agent_detail(agent.role, agent.live, agent.working_on),
                   self.ccp.glyphs.emoji(agent.emoji))
            for agent in agents
        ]  # fmt: skip
        empty = "There is no agent yet: esc, then : and agents, to import or create one."
        agent = await pick(self.ccp, f"Assign {card.ref} to", choices, current=card.agent, empty=empty)
        if agent is not None:
            name = self.mirror.agents[agent].name
            done = f"{card.ref} is {name}'s now, ready to dispatch."
            await self.change("task.assign", done, ref=card.ref, agent=agent)

    async def dispatch(self) -> None:
        if card := self.current():
            await self.change("task.dispatch", dispatched, ref=card.ref)

    async def retry(self) -> None:
        if card := self.current():
            await self.change("task.retry", f"{card.ref} is tried again.", ref=card.ref)

    async def unassign(self) -> None:
        if card := self.current():
            await self.change("task.unassign", f"{card.ref} is back in the inbox.", ref=card.ref)

    async def restore(self) -> None:
        if card := self.current():
            await self.change("task.restore", f"{card.ref} is back in the inbox.", ref=card.ref)

    async def stop(self) -> bool:
        """Stops the attempt after a yes; True when it was stopped."""
        card = self.current()
        if card is None:
            return False
        detail = f"{aborted(card)}The attempt ends; the task goes back to Assigned."
        if not await confirm(self.ccp, f"Stop {card.ref} {card.title}?", detail=detail, yes="stop it"):
            return False
        return await self.change("task.stop", f"{card.ref} was stopped.", ref=card.ref) is not None

    async def cancel(self) -> None:
        card = self.current()
        if card is None:
            return
        detail = f"{aborted(card)}x on the board shows cancelled tasks, u restores one."
        if await confirm(self.ccp, f"Cancel {card.ref} {card.title}?", detail=detail, yes="cancel it"):
            await self.change(
                "task.cancel", f"{card.ref} is cancelled; x shows it, u restores it.", ref=card.ref
            )

    async def reopen(self) -> None:
        if card := self.current():
            reason = await ask_words(self.ccp, f"Why is {card.ref} reopened?", multiline=True)
            if reason:
                await self.change("task.reopen", f"{card.ref} is open again.", ref=card.ref, reason=reason)

    async def rename(self) -> None:
        if card := self.current():
            title = await ask_words(self.ccp, f"Title of {card.ref}", text=card.title)
            if title and title != card.title:
                await self.change("task.edit", f"{card.ref} has a new title.", ref=card.ref, title=title)

    async def choose_priority(self) -> None:
        if card := self.current():
            choices = [Choice(name, name, mark=self.ccp.glyphs.priority(name) or " ") for name in PRIORITIES]
            chosen = await pick(self.ccp, f"Priority of {card.ref}", choices, current=card.priority)
            if chosen and chosen != card.priority:
                await self.change("task.edit", f"{card.ref} is {chosen} now.", ref=card.ref, priority=chosen)

    async def edit_spec(self) -> None:
        if card := self.current():
            await self.write_spec(card)

    async def write_spec(self, card: Card) -> bool:
        """Lets the person edit the task's spec, or its first draft; True when a new version was saved."""
        if card.spec_version is None:
            text = first_spec(card.title)
        else:
            answer = await self.ask("task.spec", {"ref": card.ref})
            if answer is None:
                return False
            text = str((answer.get("spec") or {}).get("text") or "") or first_spec(card.title)
        saved: Json = {}

        async def send(written: str) -> None:
            saved.update(await self.live.call("task.set_spec", {"ref": card.ref, "text": written}))

        done = await edit_text(
            self.ccp, text, title=f"Spec of {card.ref}", filename=f"{card.ref}.yaml", save=saver(send)
        )
        if done:
            version = (saved.get("spec") or {}).get("version") or "a new"
            self.say(
                f"Version {version} of the spec of {card.ref} is saved. A reads and approves it.", "good"
            )
        else:
            self.say(f"The spec of {card.ref} was left as it is.")
        return done

    def chat(self) -> None:
        card = self.current()
        if card is not None and card.agent is not None:
            self.ccp.open("chat", agent=card.agent, session_key=card.session_key)

    def copy_ref(self) -> None:
        if card := self.current():
            self.ccp.copy(card.ref)
            self.say(f"{card.ref} is copied.", "good")


def dispatched(card: Card) -> str:
    """What came of a dispatch: it runs, or it waits and why."""
    if card.queued:
        return f"{card.ref} is queued: {card.waiting or 'it starts as soon as it can'}."
    return f"{card.ref} is dispatched to {card.agent_name or card.agent}."


def aborted(card: Card) -> str:
    """What happens to the run of a task that is taken from its agent; nothing where none is live."""
    return "Its run is aborted. " if card.state == "in_progress" else ""


def agent_detail(role: str, live: str, working_on: str | None) -> str:
    """An agent's role and what it does now, for a picker."""
    doing = f"{live} on {working_on}" if working_on else live
    return f"{role} · {doing}" if role else doing


def first_spec(title: str) -> str:
    """The draft a first spec starts from; the title is quoted as YAML wants it."""
    import json

    from ccp_tui.spec import TEMPLATE

    return TEMPLATE.format(title=json.dumps(title, ensure_ascii=False))
