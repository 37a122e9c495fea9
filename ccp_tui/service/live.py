"""What is true only now and kept nowhere: live activity, running runs, why a queued task waits, open approvals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ccp_tui.policy import Policy
from ccp_tui.store import Committed

Row = dict[str, Any]

NOT_ASKED = "it waits for you to dispatch it"


@dataclass
class LiveRun:
    """A run that the gateway shows as running: the words of its present answer, and when it was last heard of."""

    session_key: str
    agent: str
    run_id: str
    text: str = ""


@dataclass
class Live:
    """The volatile half of what cards and agents show."""

    up: asyncio.Event = field(default_factory=asyncio.Event)
    activity: dict[str, Row] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    # Of a session: its task's ref, and why words wait for it.
    throttled: dict[str, Row] = field(default_factory=dict)
    runs: dict[str, LiveRun] = field(default_factory=dict)
    # Of a sub-agent at work: by which session it was spawned.
    spawners: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, Row] = field(default_factory=dict)
    questions: dict[str, Row] = field(default_factory=dict)
    emergency: Row | None = None
    stopping: bool = False  # the machine is going down: nothing is started or judged any more
    skill: str = ""  # what is wrong with the reporting skill
    shortages: dict[str, Row] = field(default_factory=dict)  # what the machine ran short of within the hour
    short_since: dict[str, str] = field(default_factory=dict)  # when it last did
    policy: Policy = field(default_factory=Policy)

    @property
    def connected(self) -> bool:
        """Whether the gateway is connected: :attr:`up` as of now."""
        return self.up.is_set()

    def mission(self, mission: Row) -> Row:
        """A stored mission with the policy that holds in it: its own settings over those of the service."""
        return {**mission, "effective": Policy.read(mission["policy"], self.policy).to_json()}

    def card(self, card: Row) -> Row:
        """A stored card with what is live about it."""
        ref = card["ref"]
        running = card["state"] == "in_progress"
        asked = self.request_in(card["session_key"]) if running else None
        throttled = self._throttled(ref)
        return {
            **card,
            "hold": card["hold"] or (asked and _waits_for(asked)) or (self._stopped() if running else None),
            "activity": (throttled or self.activity.get(ref)) if running else None,
            "waiting": None if card["hold"] else self._waiting(card, throttled),
        }

    def _throttled(self, ref: str) -> Row | None:
        """What the gateway does not take yet for a task, in the shape of an activity."""
        told = list(self.throttled.values())  # at once: another thread may change it meanwhile
        return next((one["activity"] for one in told if one["ref"] == ref), None)

    def _stopped(self) -> Row | None:
        """The hold of a task that would run, if everything were not stopped."""
        if not self.emergency:
            return None
        reason = f"emergency stop by {self.emergency['by']}"
        release = "It goes on when the emergency stop is lifted: resume."
        return {"kind": "error", "reason": reason, "since": self.emergency["at"], "release": release}

    def _waiting(self, card: Row, throttled: Row | None) -> str | None:
        """Why a task does not start or go on; nothing for a moment, until the dispatcher has looked at it."""
        if card["state"] != "assigned":
            return throttled["text"] if throttled else None
        return self.waiting.get(card["ref"]) if card["queued"] else NOT_ASKED

    def agent(self, agent: Row) -> Row:
        """A stored agent with its live state: offline, waiting for the person, working, or idle."""
        shown = {key: value for key, value in agent.items() if key != "held"}
        if not self.connected or not agent["on_gateway"]:
            state = "offline"
        elif agent["held"] or any(one["agent"] == agent["id"] for one in self.requests()):
            state = "waiting"
        elif agent["working_on"] or any(run.agent == agent["id"] for run in self.runs.values()):
            state = "working"
        else:
            state = "idle"
        return {**shown, "live": state}

    def _agent_told(self, agent: Row) -> tuple[str, Row, str | None]:
        if agent["deleted_at"]:
            return "agent.removed", {"id": agent["id"]}, None
        return "agent.changed", {"agent": self.agent(agent)}, None

    def requests(self) -> list[Row]:
        """What agents ask of the person through the gateway: exec approvals, then questions."""
        return [*self.approvals.values(), *self.questions.values()]

    def request_in(self, session_key: str | None) -> Row | None:
        """What the run of a session, or a sub-agent at work below it, waits for."""
        if session_key is None:
            return None
        return next((one for one in self.requests() if session_key in self.upwards(one["session_key"])), None)

    def upwards(self, session_key: str) -> list[str]:
        """A session, and those for which it works as a sub-agent, the nearest first."""
        found = [session_key]
        while (above := self.spawners.get(found[-1])) and above not in found:
            found.append(above)
        return found

    def run_of(self, session_key: str) -> LiveRun | None:
        """The running run of a session, the latest when there are several."""
        found = [run for run in self.runs.values() if run.session_key == session_key]
        return found[-1] if found else None

    def committed(self, committed: Committed) -> list[tuple[str, Row, str | None]]:
        """The events that a commit makes: name, payload, and the session they are for."""
        told: list[tuple[str, Row, str | None]] = []
        told += [("mission.changed", {"mission": self.mission(row)}, None) for row in committed.missions]
        told += [self._agent_told(row) for row in committed.agents]
        told += [("task.changed", {"task": self.card(row)}, None) for row in committed.tasks]
        told += [("message", {"message": row}, row["session_key"]) for row in committed.messages]
        told += [("feed", {"event": row}, None) for row in committed.events]
        return told


def _waits_for(request: Row) -> Row:
    """The hold of a task whose run waits for the person's answer; it is gone with the request."""
    release = "It goes on when you answer it in the queue of what needs you."
    return {
        "kind": request["kind"],
        "reason": request["text"],
        "since": request["since"],
        "release": release,
    }
