"""Screens that follow one session live, and let go of it when they close."""

from __future__ import annotations

from ccp_tui.screens.widgets.base import CcpScreen


class Watching(CcpScreen):
    """A screen that watches one gateway session at a time: its messages and run events come with the mirror's."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.followed: str | None = None

    async def follow(self, session_key: str | None) -> None:
        """Follows this session from now on, and none that was followed before; None follows nothing."""
        if session_key == self.followed:
            return
        old, self.followed = self.followed, session_key
        if old is not None:
            await self.live.unwatch(old)
        if session_key is not None:
            await self.live.watch(session_key)

    def close_screen(self) -> None:
        self.do(self._leave())

    async def _leave(self) -> None:
        await self.follow(None)
        self.dismiss(None)
