"""The truth about service and gateway, on a screen: what mends it, and for as long as it is so."""

from __future__ import annotations

import pytest

from ccp_tui import clock
from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.gateway.refusals import PAIRING_FIX, START_FIX, TOKEN_FIX
from ccp_tui.rows import Link, LinkState
from tests.screens.conftest import SMALL, StageMaker
from tests.screens.fakes import health, refused


async def test_the_connection_line_tells_the_truth_with_the_fix(stage: StageMaker) -> None:
    async with stage(SMALL, None) as s:
        lost = Link(LinkState.LOST, "The control service is not running.", "run `ccp serve`.")
        s.live.mirror.set_link(lost)
        await s.settle()
        assert "service away" in s.lines()[0]
        assert s.lines()[-3] == " ✗ Run `ccp serve`.  The control service is not running."
    async with stage() as s:
        away = health(state="refused", detail="The gateway refused the token.", fix="set CCP_GATEWAY_TOKEN.")
        s.live.emit("health", health=away)
        await s.settle()
        assert "gateway refused" in s.lines()[0]
        assert s.lines()[-3] == " ✗ Set CCP_GATEWAY_TOKEN.  The gateway refused the token."
        s.live.emit("health", health=health())
        await s.settle()
        assert "CCP_GATEWAY_TOKEN" not in s.text


@pytest.mark.parametrize(
    ("fix", "command"),
    [
        (START_FIX, "`openclaw gateway run`"),
        (TOKEN_FIX, "`ccp serve --token-file FILE`"),
        (PAIRING_FIX, "`openclaw devices approve <request id>`"),
    ],
)
async def test_the_command_that_mends_the_connection_is_read_whole_on_80_columns(
    stage: StageMaker, fix: str, command: str
) -> None:
    async with stage(SMALL) as s:
        detail = "Nobody answers at ws://127.0.0.1:18789 (connection refused)."
        s.live.emit("health", health=health(state="unreachable", detail=detail, fix=fix))
        await s.settle()
        told = " ".join(line.strip() for line in s.lines()[-4:-2])
        assert command in told
        assert "…" not in told
        await s.press("j")
        assert command in " ".join(line.strip() for line in s.lines()[-4:-2])


async def test_an_outage_is_told_no_longer_than_it_lasts(stage: StageMaker) -> None:
    async with stage(SMALL) as s:
        away = ServiceUnavailable("The control service is not running.", "run `ccp serve`.")
        s.live.answers["task.place"] = away
        s.live.mirror.set_link(Link(LinkState.LOST, away.message, away.fix))
        await s.press("J")
        assert s.lines()[-3] == " ✗ Run `ccp serve`.  The control service is not running."
        assert s.lines()[-2] == " ✗ The control service is not running."
        s.live.mirror.set_link(Link(LinkState.CONNECTED))
        await s.settle()
        assert "not running" not in s.text
        s.live.emit("health", health=health(state="unreachable", detail="Nobody answers.", fix="Start it."))
        s.live.answers["task.place"] = ServiceFailure(
            "UNAVAILABLE", "The gateway is away.", {"fix": "Start it."}
        )
        await s.press("J")
        assert s.lines()[-3:-1] == [" ✗ Start it.  Nobody answers.", " ✗ The gateway is away."]
        s.live.emit("health", health=health())
        await s.settle()
        assert "away" not in s.text


async def test_a_refusal_stays_when_the_connection_changes(stage: StageMaker) -> None:
    async with stage(SMALL) as s:
        s.live.answers["task.move"] = refused("spec_approved", "its spec is not approved yet")
        await s.press("L")
        s.live.emit("health", health=health(version="2026.11.2"))
        await s.settle()
        assert "Refused by spec_approved" in s.lines()[-2]


async def test_what_ran_short_is_told_with_its_time_and_the_fix(stage: StageMaker) -> None:
    at = "2026-11-23T18:06:34.421Z"
    when = f"{clock.parse(at).astimezone():%H:%M}"
    what = "a program was killed for want of memory (limit 2 GiB)."
    fix = "Give it more memory on the host: ccp fleet resize demo --memory 4GiB"
    short = {"kind": "memory", "times": 1, "at": at, "text": what, "fix": fix}
    async with stage(SMALL) as s:
        s.live.emit("health", health=health() | {"shortages": [short]})
        await s.settle()
        assert "gateway connected" in s.lines()[0]
        assert s.lines()[-4:-2] == [f" ✗ {fix}", f"   {when} {what}"]
        away = health(state="unreachable", detail="Nobody answers.", fix="Start it.")
        s.live.emit("health", health=away | {"shortages": [short]})
        await s.settle()
        assert s.lines()[-4:-2] == [" ✗ Start it.", f"   Nobody answers. {when} {what}"]
        s.live.emit("health", health=health())
        await s.settle()
        assert "memory" not in s.text
