"""The person of the demo: captures, answers, approves, dispatches, reviews; by the service's API, as anybody would."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field

from ccp_tui.client import ServiceClient
from ccp_tui.demo import planned
from ccp_tui.demo.scenes import CAST, LATER, MISSION, SCENES, Plan, Scene
from ccp_tui.failures import ServiceFailure
from ccp_tui.wire import Json

# The normal route, in its order: what a task must have passed to count as done by it.
ROUTE = ("in_progress", "testing", "review", "done")
GATEWAY_SECONDS = 20.0


@dataclass(frozen=True)
class Pace:
    """Seconds: between two dispatches, before a verdict, before an answer to the planner or an approval of its plan,
    between two later tasks. ``alone``: nobody else answers, approves, reviews."""

    dispatch: float
    verdict: float
    answer: float
    later: float
    alone: bool


WATCHED = Pace(dispatch=3.0, verdict=5.0, answer=4.0, later=20.0, alone=False)
HURRIED = Pace(dispatch=0.0, verdict=0.0, answer=0.0, later=0.0, alone=True)


@dataclass
class Playing:
    """A task on the board, the verdicts that are left for it, and the states it was seen in."""

    scene: Scene
    ref: str
    verdicts: list[str]
    seen: list[str] = field(default_factory=list)
    judged: set[tuple[int, int]] = field(default_factory=set)
    held: bool = False

    @property
    def over(self) -> bool:
        """Whether it came as far as its scene goes."""
        return self.by_the_route or (self.held if self.scene.held else not self.scene.goes_on)

    @property
    def by_the_route(self) -> bool:
        """Whether it is done, and came there through every state of the normal route in its order."""
        rest = iter(self.seen)
        return self.seen[-1:] == ["done"] and all(state in rest for state in ROUTE)


class Director:
    """Plays the scenes. The person at the keyboard may do anything meanwhile: a move that is refused is skipped.

    ``told`` gets a line for every change of a task's state.
    """

    def __init__(self, client: ServiceClient, pace: Pace, told: Callable[[str], None]) -> None:
        self._client = client
        self._pace = pace
        self._told = told
        self._tasks: dict[str, Playing] = {}
        self._cards: dict[str, Json] = {}
        self._holds: dict[str, str] = {}
        self._connected = asyncio.Event()
        self._changed = asyncio.Event()  # set, and replaced by a new one, at every change
        self._doing: set[asyncio.Task[None]] = set()

    async def play(self) -> None:
        """Everything, in order; returns when all is done that was to be done. Raises ServiceUnavailable, TimeoutError
        when the gateway does not come."""
        listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(GATEWAY_SECONDS):
                await self._connected.wait()
            # Both at once and first of all: a board that opens meanwhile shows all missions.
            for mission in (MISSION, planned.MISSION):
                await self._do("mission.create", **mission)
            for cast in CAST:
                await self._do(
                    "agent.create", name=cast.name, role=cast.role, emoji=cast.emoji, soul=cast.soul
                )
            playing = [await self._enter(scene) for scene in (*SCENES, *planned.PLANNED)]
            await self._greet()
            await self._run(playing)
            if not self._pace.alone:
                await self._go_on()
            await self._ended()
        finally:
            for task in (listening, *self._doing):
                task.cancel()
            await asyncio.gather(listening, *self._doing, return_exceptions=True)

    @property
    def finished(self) -> list[str]:
        """The tasks that went all the way to Done by the normal route."""
        return [playing.ref for playing in self._tasks.values() if playing.by_the_route]

    @property
    def unfinished(self) -> list[str]:
        """The tasks that did not come as far as they should, with the state they are in."""
        return [
            f"{playing.ref} ({(playing.seen or ['not there'])[-1]})"
            for playing in self._tasks.values()
            if not playing.over
        ]

    # -- the moves --------------------------------------------------------------------------------------------

    async def _do(self, method: str, **params: object) -> Json | None:
        """One call; None when it was refused, because the person was there first."""
        try:
            return await self._client.call(method, dict(params))
        except ServiceFailure:
            return None

    async def _enter(self, scene: Scene) -> Playing:
        """Puts a task on the board and brings it as far as it goes without an agent."""
        params = {
            "title": scene.title,
            "mission": scene.mission,
            "priority": scene.priority,
            "description": scene.description,
            **({"spec": scene.spec} if scene.spec else {}),
            **({"auto": True} if scene.plan and scene.plan.auto else {}),
        }
        # Not skipped when it fails: nothing of the play makes sense without its tasks.
        ref = str((await self._client.call("task.add", params))["task"]["ref"])
        # Without a person at the keyboard what is left to them is approved.
        left = self._pace.alone and not scene.plan and "" not in scene.verdicts
        verdicts = [*scene.verdicts, *([""] if left else [])]
        playing = self._tasks[ref] = Playing(scene, ref, verdicts)
        match scene.way:
            case "planned" if scene.plan:
                if not scene.plan.auto:
                    await self._do("task.plan", ref=ref)
                self._meanwhile(self._plan(ref, scene.plan))
            case "cancelled":
                await self._do("task.cancel", ref=ref, reason="Nobody wants it to move.")
            case "assigned" | "run":
                await self._do("task.approve_spec", ref=ref, version=1)
                await self._do("task.assign", ref=ref, agent=scene.agent)
        return playing

    async def _greet(self) -> None:
        opened = await self._do("chat.open", agent=CAST[0].id)
        if opened:
            words = f"Hello {CAST[0].name}, this is {getpass.getuser()}. Are you ready?"
            await self._do("chat.send", session_key=opened["session_key"], text=words)

    async def _run(self, tasks: Iterable[Playing]) -> None:
        for playing in tasks:
            if playing.scene.way == "run":
                await self._do("task.dispatch", ref=playing.ref)
                await asyncio.sleep(self._pace.dispatch)

    async def _go_on(self) -> None:
        for scene in LATER:
            await asyncio.sleep(self._pace.later)
            await self._run([await self._enter(scene)])

    async def _judge(self, playing: Playing, attempt: int, number: int) -> None:
        """Gives the next verdict on a round, if one is left."""
        if not playing.verdicts:
            return
        await asyncio.sleep(self._pace.verdict)
        reason = playing.verdicts.pop(0)
        where = {"ref": playing.ref, "attempt": attempt, "round": number}
        if reason:
            await self._do("task.reject", **where, reason=reason)
        else:
            await self._do("task.approve", **where)

    async def _ended(self) -> None:
        while not all(playing.over for playing in self._tasks.values()):
            await self._changed.wait()

    def _meanwhile(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    # -- the person's side of a plan --------------------------------------------------------------------------

    async def _plan(self, ref: str, plan: Plan) -> None:
        """Answers the planner's questions and approves its plan, as far as that is not left to somebody else."""
        given = None if self._pace.alone else plan.given
        for option, words in plan.answers[:given]:
            question = await self._asked(ref)
            if question is None:
                break
            await asyncio.sleep(self._pace.answer)
            chosen = next(each["label"] for each in question["options"] if each["id"] == option)
            self._told(f"{ref} “{question['text'].splitlines()[0]}” {' '.join((chosen, words)).strip()}")
            answer = {"options": [option], **({"text": words} if words else {})}
            await self._do("question.answer", id=question["id"], **answer)
        if given is None:
            await self._approve_plan(ref, plan.second_look)

    async def _asked(self, ref: str) -> Json | None:
        """The next open question of a planning; None when there will be none any more."""
        while True:
            news, card = self._changed, self._cards.get(ref)
            if card and (card["planning"] == "proposed" or card["state"] not in ("inbox", "planning")):
                return None
            if card and card["questions"]:
                listed = await self._do("question.list", ref=ref, state="open")
                if listed and listed["questions"]:
                    question: Json = listed["questions"][0]
                    return question
            await news.wait()

    async def _approve_plan(self, ref: str, second_look: str) -> None:
        """Waits for the plan, reads it, perhaps adds to it, and approves what stands there then."""
        while not (card := self._cards.get(ref)) or card["planning"] != "proposed":
            if card and card["state"] not in ("inbox", "planning"):
                return
            await self._changed.wait()
        await asyncio.sleep(self._pace.answer)
        shown = await self._do("task.show", ref=ref)
        if second_look and shown:
            text = planned.with_second_look(shown["task"]["spec"]["text"], second_look)
            await self._do("task.set_spec", ref=ref, text=text)
            await asyncio.sleep(self._pace.answer)
            shown = await self._do("task.show", ref=ref)
        if shown:
            await self._do("task.approve_spec", ref=ref, version=shown["task"]["spec"]["version"])

    # -- what happens -----------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._snapshot(await self._client.subscribe())
        async for event in self._client.events():
            match event.name:
                case "resync":
                    self._snapshot(await self._client.subscribe())
                case "health":
                    self._health(event.payload["health"])
                case "task.changed":
                    self._task(event.payload["task"])

    def _snapshot(self, snapshot: Json) -> None:
        self._health(snapshot["health"])
        for card in snapshot["tasks"]:
            self._task(card)

    def _health(self, health: Json) -> None:
        if health["gateway"]["state"] == "connected":
            self._connected.set()

    def _task(self, card: Json) -> None:
        ref, state = card["ref"], card["state"]
        before = (self._cards.get(ref) or {}).get("state")
        self._cards[ref] = card
        if state != before:
            who = f" ({card['agent_name']})" if card.get("agent_name") else ""
            self._told(f"{ref} {card['title']}: {before or 'captured'} → {state}{who}")
        hold = card.get("hold")
        if hold and self._holds.get(ref) != hold["since"]:
            self._holds[ref] = hold["since"]
            self._told(f"{ref} {card['title']}: held, {hold['reason']}")
        if playing := self._playing(card):
            self._follow(playing, card)
        self._changed.set()
        self._changed = asyncio.Event()

    def _follow(self, playing: Playing, card: Json) -> None:
        state = card["state"]
        if playing.seen[-1:] != [state]:
            playing.seen.append(state)
        playing.held = bool(card.get("hold"))
        place = (card.get("attempt") or 0, card.get("round") or 0)
        if state == "review" and all(place) and place not in playing.judged:
            playing.judged.add(place)
            self._meanwhile(self._judge(playing, *place))

    def _playing(self, card: Json) -> Playing | None:
        """What is played with a task; the parts of a plan join when they come onto the board."""
        ref, parent = card["ref"], self._tasks.get(card.get("parent") or "")
        if ref not in self._tasks and parent and parent.scene.plan:
            self._tasks[ref] = Playing(Scene(card["title"], way="part"), ref, [])
        return self._tasks.get(ref)
