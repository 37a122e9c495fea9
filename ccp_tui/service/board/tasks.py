"""Tasks as a person keeps them: capture, edit, specs, order, and reading them with their whole history."""

from __future__ import annotations

from datetime import date
from typing import Any

from ccp_tui import lifecycle, spec
from ccp_tui.lifecycle import Facts, Refused, State, Trigger
from ccp_tui.model import Priority
from ccp_tui.policy import Policy, PolicyError
from ccp_tui.service.board.explain import moves_of, why_not_moving, why_planning
from ccp_tui.service.board.moves import decide, record
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.needing import need
from ccp_tui.service.execution.starting import Line
from ccp_tui.service.planning.plansteps import begin, written_by_hand
from ccp_tui.service.questions.answers import shown
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

LONGEST_TITLE = 500


class Tasks:
    """The methods ``task.*`` that do not move a task."""

    def __init__(self, context: Context) -> None:
        self._c = context

    def methods(self) -> dict[str, Method]:
        return {
            "task.list": self.list,
            "task.add": self.add,
            "task.show": self.show,
            "task.edit": self.edit,
            "task.spec": self.spec,
            "task.set_spec": self.set_spec,
            "task.place": self.place,
            "task.history": self.history,
            "task.transcript": self.transcript,
        }

    async def list(self, params: Json) -> Json:
        filters = {
            key: value for key in ("state", "agent", "mission") if (value := p.maybe_text(params, key))
        }
        if "state" in filters and filters["state"] not in list(State):
            raise usage(f"there is no state {filters['state']!r}; states: {', '.join(State)}", field="state")
        held, text = p.maybe_bool(params, "held"), p.maybe_text(params, "text") or ""
        limit = p.limit(params, 100_000, 100_000)

        def work(store: Store) -> list[Json]:
            if "mission" in filters:
                mission = store.missions.row(store.missions.by_slug(filters["mission"]))
                filters["mission"] = mission["slug"]
            if "agent" in filters:
                filters["agent"] = store.agents.find(filters["agent"])
            return store.cards.select(filters, held=held, text=text, limit=limit)

        return {"tasks": [self._c.live.card(card) for card in await self._c.db(work)]}

    async def add(self, params: Json) -> Json:
        title = one_line(p.maybe_text(params, "title") or "", LONGEST_TITLE)
        description = clean(p.maybe_text(params, "description") or "")
        mission, agent = p.maybe_text(params, "mission"), p.maybe_text(params, "agent")
        columns = {
            "priority": _priority(params) or Priority.NORMAL.value,
            "due": _due(params),
            **_budgets(params),
        }
        text = p.maybe_text(params, "spec")
        needs, parent = p.texts(params, "needs"), p.maybe_text(params, "parent")
        parsed = spec.parse(text) if text is not None else None
        auto = p.maybe_bool(params, "auto") or False
        actor = person()
        if not title and parsed:
            title = one_line(parsed.title, LONGEST_TITLE)

        def work(store: Store) -> str:
            state = lifecycle.capture(Facts(title=title), actor)
            home = store.missions.by_slug(mission) if mission else store.missions.default()
            chosen = store.agents.find(agent) if agent else None
            above = store.tasks.by_ref(parent)["id"] if parent else None
            needed = [store.tasks.by_ref(name) for name in needs]
            ref = store.missions.next_ref(home)
            links = {"agent_id": chosen, "parent_id": above}
            task = store.tasks.capture(state, home, ref, title, description=description, **links, **columns)
            row = store.tasks.get(task)
            record(store, row, actor, "captured", f"captured: {title}")
            for other in needed:
                need(store, row, other)
            if parsed:
                store.specs.add(task, parsed, actor.name)
                record(store, row, actor, "spec_written", "got its spec, version 1")
            if auto:
                begin(store, row, actor, auto=True)
            return ref

        return await self.card(await self._c.db(work))

    async def card(self, ref: str) -> Json:
        """The answer of every method that changes a task: its card."""
        card = await self._c.db(lambda store: store.cards.one(ref))
        return {"task": self._c.live.card(card)}

    async def show(self, params: Json) -> Json:
        ref = p.text(params, "ref")
        gateway_problem = self._c.gateway_problem

        def work(store: Store) -> Json:
            card = self._c.live.card(store.cards.one(ref))
            task = store.tasks.get(card["id"])
            return {
                **card,
                "description": task["description"],
                "why": why_not_moving(card, store.specs.newest(task["id"]), why_planning(store, task)),
                "moves": moves_of(store, task, Line(store, self._c.settings, gateway_problem)),
                "spec": _spec(store.specs.newest(task["id"])),
                "approved_spec": _spec(store.specs.approved(task["id"])),
                "specs": store.specs.versions(task["id"]),
                "attempts": store.details.attempts(task["id"]),
                "plannings": store.details.plannings(task["id"]),
                "questions": [shown(row) for row in store.questions.of_task(task["id"])],
                "subtasks": store.details.subtasks(task["id"]),
                "crew": store.details.crew(task["id"]),
                "needs": store.dependencies.of(task["id"]),
                "dependants": store.dependencies.of_dependants(task["id"]),
                "subagents": store.sessions.children(task["id"]),
            }

        return {"task": await self._c.db(work)}

    async def edit(self, params: Json) -> Json:
        ref = p.text(params, "ref")
        changes: dict[str, Any] = {}
        if (title := p.maybe_text(params, "title")) is not None:
            changes["title"] = one_line(title, LONGEST_TITLE)
            if not changes["title"]:
                raise usage("give it a title", field="title")
        if (description := p.maybe_text(params, "description")) is not None:
            changes["description"] = clean(description)
        if priority := _priority(params):
            changes["priority"] = priority
        if "due" in params:
            changes["due"] = _due(params)
        changes |= _budgets(params)

        def work(store: Store) -> None:
            task = store.tasks.by_ref(ref)
            new = {key: value for key, value in changes.items() if task[key] != value}
            if new:
                store.tasks.edit(task["id"], **new)
                told = ", ".join(f"{key}: {one_line(str(value), 60)}" for key, value in new.items())
                record(store, task, person(), "edited", f"edited: {told}")

        await self._c.db(work)
        return await self.card(ref)

    async def spec(self, params: Json) -> Json:
        ref, version = p.text(params, "ref"), p.maybe_int(params, "version")

        def work(store: Store) -> Json | None:
            task = store.tasks.by_ref(ref)["id"]
            return _spec(store.specs.version(task, version) if version else store.specs.newest(task))

        return {"spec": await self._c.db(work)}

    async def set_spec(self, params: Json) -> Json:
        ref = p.text(params, "ref")
        parsed = spec.parse(p.text(params, "text"))
        actor = person()

        def work(store: Store, task: Json) -> Json | None:
            state = State(task["state"])
            if state not in (State.INBOX, State.PLANNING):
                reason = f"the spec is fixed in {state.label}; take the task back to Inbox to change it"
                raise Refused("state", reason, state, Trigger.APPROVE_SPEC)
            before = store.specs.newest(task["id"])
            version = store.specs.add(task["id"], parsed, actor.name)
            if before is None or version != before["version"]:
                store.tasks.edit(task["id"])
                record(store, task, actor, "spec_written", f"got spec version {version}", version=version)
            written_by_hand(store, task)
            return _spec(store.specs.version(task["id"], version))

        return {"spec": await decide(self._c.db, ref, work)}

    async def place(self, params: Json) -> Json:
        ref = p.text(params, "ref")
        before, after = p.maybe_text(params, "before"), p.maybe_text(params, "after")
        if (before is None) == (after is None):
            raise usage("name either the task it goes before or the one it goes after")

        def work(store: Store) -> None:
            task = store.tasks.by_ref(ref)["id"]
            other = store.tasks.by_ref(before or after or "")["id"]
            if other != task:
                store.tasks.place(
                    task,
                    before=other if before is not None else None,
                    after=other if before is None else None,
                )

        await self._c.db(work)
        return await self.card(ref)

    async def history(self, params: Json) -> Json:
        ref, limit = p.text(params, "ref"), p.limit(params, 500, 5000)

        def work(store: Store) -> list[Json]:
            return store.events.page({"task": store.tasks.by_ref(ref)["ref"]}, limit=limit)

        return {"events": await self._c.db(work)}

    async def transcript(self, params: Json) -> Json:
        ref, number = p.text(params, "ref"), p.maybe_int(params, "attempt")
        limit = p.limit(params, 500, 5000)

        def work(store: Store) -> Json:
            task = store.tasks.by_ref(ref)["id"]
            attempt = store.attempts.numbered(task, number) if number else store.attempts.latest(task)
            if attempt is None:
                return {"session_key": None, "messages": []}
            messages, more = store.messages.page(attempt["session_key"], limit=limit)
            return {"session_key": attempt["session_key"], "messages": messages, "has_more": more}

        return await self._c.db(work)


def _spec(row: Json | None) -> Json | None:
    return None if row is None else {key: value for key, value in row.items() if key not in ("id", "task_id")}


def _priority(params: Json) -> str | None:
    value = p.maybe_text(params, "priority")
    if value is not None and value not in list(Priority):
        raise usage(f"there is no priority {value!r}; priorities: {', '.join(Priority)}", field="priority")
    return value


def _budgets(params: Json) -> dict[str, Any]:
    """The task's own budgets that were given: as those of a policy, none takes the budget away."""
    given: Json = {key: params[key] for key in ("budget_tokens", "budget_usd") if key in params}
    try:
        policy = Policy.read(given)
    except PolicyError as error:
        raise usage(str(error), field=error.field) from error
    return {key: getattr(policy, key) for key in given}


def _due(params: Json) -> str | None:
    """A day (``2026-12-24``), or none."""
    value = (p.maybe_text(params, "due") or "").strip()
    if not value:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise usage(f"{value!r} is no day: write it as 2026-12-24", field="due") from None
