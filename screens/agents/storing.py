"""Storing a file of an agent, also when the gateway's copy was changed meanwhile: then the person chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.agents.conflict import ConflictScreen, Decision
from ccp_tui.screens.widgets.editing import Problem, problem_of

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp

CHANGED = "file_changed"  # the service's gate


class Storing:
    """One file on its way to the gateway. ``base`` is the version that was edited."""

    def __init__(self, app: CcpApp, agent: str, name: str, base: int | None) -> None:
        self._app, self._agent, self._name, self._base = app, agent, name, base
        self.chosen: Decision | None = None

    @property
    def done(self) -> str:
        """What was stored, in words."""
        if self.chosen is Decision.THEIRS:
            return f"{self._name} is as it was changed on the gateway."
        return f"{self._name} is saved" + (", over the gateway's change." if self.chosen else ".")

    async def save(self, text: str) -> Problem | None:
        """Stores the text; None when it, or what the person chose instead, is stored."""
        try:
            await self._send(text, force=False)
        except ServiceFailure as failure:
            if failure.details.get("gate") == CHANGED:
                return await self._choose(text, str(failure.details.get("theirs") or ""))
            return problem_of(failure)
        except ServiceUnavailable as away:
            return problem_of(away)
        return None

    async def _choose(self, mine: str, theirs: str) -> Problem | None:
        title = f"{self._agent}: {self._name}"
        decision = await self._app.push_screen_wait(ConflictScreen(title, mine, theirs))
        try:
            if decision in (Decision.MINE, Decision.THEIRS):
                await self._send(mine if decision is Decision.MINE else theirs, force=True)
                self.chosen = decision
                return None
            found = await self._app.live.call(
                "agent.file", {"id": self._agent, "name": self._name}, timeout=20
            )
        except (ServiceFailure, ServiceUnavailable) as error:
            return problem_of(error)
        self._base = found.get("version")  # it was seen: what is saved next is meant to follow it
        return Problem(
            "It was changed on the gateway meanwhile. Your text is here as you wrote it: save it again."
        )

    async def _send(self, text: str, *, force: bool) -> None:
        params: dict[str, object] = {"id": self._agent, "name": self._name, "content": text}
        if force:
            params["force"] = True
        elif self._base is not None:
            params["base_version"] = self._base
        await self._app.live.call("agent.set_file", params, timeout=30)
