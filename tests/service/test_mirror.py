"""The mirror: the same state as the service's, and the truth about what changed."""

from __future__ import annotations

import random

from ccp_tui.healthrows import Health
from ccp_tui.mirror import NOTHING, Change, Mirror
from ccp_tui.rows import Activity, AgentRow, Attention, Card, Hold, Link, LinkState, MissionRow
from ccp_tui.wire import Event, Json
from tests.service.wired import AT, board, card, feed


def loaded(*tasks: Json) -> Mirror:
    mirror = Mirror()
    mirror.apply_snapshot(board(*tasks))
    return mirror


def test_a_snapshot_replaces_everything() -> None:
    mirror = loaded(card(1), card(2))
    change = mirror.apply_snapshot(board(card(3, state="done")))
    assert change.full
    assert set(mirror.tasks) == {"WEB-3"}
    assert mirror.columns("web") == {"done": ("WEB-3",)}
    assert mirror.agents["fox"].live == "idle"
    assert mirror.health.gateway.state == "connected"
    assert [mission.title for mission in mirror.open_missions()] == ["Web"]


def test_a_card_keeps_what_the_service_said() -> None:
    hold = {"kind": "question", "reason": "which\ndatabase?", "since": AT, "release": "an answer", "more": 1}
    activity = {"kind": "tool", "text": "exec \x1b[31mls\x1b[0m", "at": AT}
    row = card(
        1, hold=hold, activity=activity, agent="fox", agent_name="Fo\u202ex", queued=True, waiting="busy"
    )
    read = Card.from_json({**row, "unheard_of": True})
    assert read.hold == Hold("question", "which database?", AT, "an answer")
    assert read.activity == Activity("tool", "exec ls", AT)
    assert (read.agent_name, read.queued, read.waiting) == ("Fox", True, "busy")


def test_missing_keys_get_harmless_defaults() -> None:
    assert Card.from_json({"id": 1, "ref": "A-1", "state": "inbox"}).priority == "normal"
    assert AgentRow.from_json({"id": "fox"}).name == "fox"
    assert MissionRow.from_json({"slug": "web"}).title == "web"
    assert Health.from_json({}).gateway.state == "connecting"
    assert Attention.from_json({"key": "k"}).urgency == 0


def test_a_move_names_both_columns() -> None:
    mirror = loaded(card(1), card(2))
    change = mirror.apply("task.changed", {"task": card(1, state="assigned")})
    assert change == Change(
        tasks=frozenset({"WEB-1"}), columns=frozenset({("web", "inbox"), ("web", "assigned")})
    )
    assert mirror.columns("web") == {"inbox": ("WEB-2",), "assigned": ("WEB-1",)}
    assert (mirror.count("web", "inbox"), mirror.count("web", "done")) == (1, 0)


def test_a_new_title_moves_nothing_and_no_news_is_no_change() -> None:
    mirror = loaded(card(1))
    heard: list[Change] = []
    mirror.subscribe(heard.append)
    assert mirror.apply("task.changed", {"task": card(1, title="New")}) == Change(tasks=frozenset({"WEB-1"}))
    before = mirror.revision
    assert not mirror.apply("task.changed", {"task": card(1, title="New")})
    assert mirror.revision == before
    assert len(heard) == 1


def test_order_is_position_then_id() -> None:
    mirror = loaded(card(3, position=1.0), card(1, position=2.0), card(2, position=1.0))
    assert mirror.column("web", "inbox") == ("WEB-2", "WEB-3", "WEB-1")
    change = mirror.apply("task.changed", {"task": card(1, position=0.5)})
    assert change.columns == frozenset({("web", "inbox")})
    assert mirror.column("web", "inbox") == ("WEB-1", "WEB-2", "WEB-3")


def test_columns_kept_step_by_step_are_those_of_a_fresh_snapshot() -> None:
    chance = random.Random(7)
    states = ["inbox", "assigned", "in_progress", "done"]
    rows = {number: card(number) for number in range(60)}
    mirror = loaded(*rows.values())
    for _ in range(600):
        number = chance.randrange(80)
        rows[number] = card(
            number,
            state=chance.choice(states),
            position=float(chance.randrange(10)),
            mission=chance.choice(["web", "api"]),
        )
        mirror.apply("task.changed", {"task": rows[number]})
    fresh = loaded(*rows.values())
    for mission in ("web", "api"):
        assert mirror.columns(mission) == fresh.columns(mission)
    assert mirror.tasks == fresh.tasks


def test_activity_touches_its_card_only() -> None:
    mirror = loaded(card(1))
    activity = {"kind": "words", "text": "reading", "at": AT}
    change = mirror.apply("activity", {"ref": "WEB-1", "activity": activity})
    assert change == Change(tasks=frozenset({"WEB-1"}))
    assert mirror.tasks["WEB-1"].activity == Activity("words", "reading", AT)
    assert not mirror.apply("activity", {"ref": "WEB-9", "activity": activity})
    assert mirror.apply("activity", {"ref": "WEB-1", "activity": None})
    assert mirror.tasks["WEB-1"].activity is None


def test_agents_missions_health_and_attention() -> None:
    mirror = loaded()
    assert mirror.apply("agent.changed", {"agent": {"id": "owl", "name": "Owl"}}).agents == {"owl"}
    assert mirror.apply("agent.removed", {"id": "fox"}).agents == {"fox"}
    assert set(mirror.agents) == {"owl"}
    assert not mirror.apply("agent.removed", {"id": "fox"})
    mission = {"id": 2, "slug": "api", "title": "API", "archived": True}
    assert mirror.apply("mission.changed", {"mission": mission}).missions == {"api"}
    assert [row.slug for row in mirror.open_missions()] == ["web"]
    health = {"health": {"gateway": {"state": "refused", "fix": "set the token"}}}
    assert mirror.apply("health", health).health
    assert not mirror.apply("health", health)
    item = {"key": "review:WEB-1", "kind": "review", "text": "waits", "answer": {"method": "task.approve"}}
    assert mirror.apply("attention", {"attention": [item]}).attention
    assert mirror.attention[0].answer == {"method": "task.approve"}


def test_happenings_pass_through_in_order() -> None:
    mirror = loaded(card(1))
    heard: list[Change] = []
    mirror.subscribe(heard.append)
    events = [
        Event("feed", feed(1)),
        Event("task.changed", {"task": card(1, state="done")}),
        Event("run.delta", {"session_key": "s", "run_id": "r", "text": "I"}),
    ]
    change = mirror.apply_many(events)
    assert heard == [change]
    assert change.events == (events[0], events[2])
    assert change.tasks == {"WEB-1"}


def test_malformed_and_unknown_events_change_nothing() -> None:
    mirror = loaded(card(1))
    before = mirror.revision
    for name, payload in (
        ("task.changed", {}),
        ("task.changed", {"task": None}),
        ("task.changed", {"task": {"ref": "WEB-1"}}),
        ("activity", {"ref": "WEB-1"}),
        ("agent.changed", {"agent": []}),
        ("from.tomorrow", {"a": 1}),
    ):
        assert mirror.apply(name, payload) is NOTHING, name
    assert mirror.revision == before
    mirror.apply_snapshot({**board(card(1)), "agents": [{"name": "no id"}, {"id": "owl"}]})
    assert set(mirror.agents) == {"owl"}


def test_a_listener_that_fails_does_not_harm_the_others() -> None:
    mirror = loaded()
    heard: list[Change] = []

    def broken(change: Change) -> None:
        raise RuntimeError("a screen that is gone")

    mirror.subscribe(broken)
    end = mirror.subscribe(heard.append)
    mirror.apply("task.changed", {"task": card(1)})
    assert len(heard) == 1
    end()
    end()
    mirror.apply("task.changed", {"task": card(2)})
    assert len(heard) == 1


def test_the_link_is_part_of_the_state() -> None:
    mirror = Mirror()
    lost = Link(LinkState.LOST, "gone", "start it", AT)
    assert mirror.set_link(lost).link
    assert not mirror.set_link(lost)
    assert mirror.link == lost
