"""Reading across everything: the snapshot of a subscriber, status, the feed, search, and a backup."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from ccp_tui import clock
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.gatewaywatch import health
from ccp_tui.service.questions.attention import Attention
from ccp_tui.store import Store
from ccp_tui.wire import Json

_FILTERS = ("mission", "task", "agent", "kind")


class Overview:
    def __init__(self, context: Context, attention: Attention) -> None:
        self._c = context
        self._attention = attention
        self._began = time.monotonic()

    def methods(self) -> dict[str, Method]:
        return {
            "status": self.status,
            "events.list": self.events,
            "search": self.search,
            "backup": self.backup,
        }

    async def snapshot(self) -> Json:
        """Everything that a board shows, as of one moment."""

        def work(store: Store) -> Json:
            return {
                "missions": [self._c.live.mission(one) for one in store.missions.all(archived=False)],
                "agents": [self._c.live.agent(agent) for agent in store.agents.all()],
                "tasks": [self._c.live.card(card) for card in store.cards.board()],
                "attention": self._attention.told,
            }

        return {**await self._c.db(work), "health": health(self._c)}

    async def status(self, _: Json) -> Json:
        def work(store: Store) -> Json:
            held = len(store.cards.select({}, held=True))
            return {
                "tasks": store.tasks.counts(),
                "held": held,
                "needs_you": len(self._attention.read(store)),
            }

        found = await self._c.db(work)
        truth = health(self._c)
        return {
            **truth,
            "service": {**truth["service"], "uptime_s": round(time.monotonic() - self._began, 1)},
            **found,
        }

    async def events(self, params: Json) -> Json:
        filters = {key: value for key in _FILTERS if (value := p.maybe_text(params, key))}
        before, after = p.maybe_int(params, "before"), p.maybe_int(params, "after")
        limit = p.limit(params, 200, 5000)
        page = await self._c.db(
            lambda store: store.events.page(filters, before=before, after=after, limit=limit)
        )
        return {"events": page}

    async def search(self, params: Json) -> Json:
        text, limit = p.text(params, "text"), p.limit(params, 50, 500)
        return {"hits": await self._c.db(lambda store: store.search.find(text, limit))}

    def _target(self, named: str | None, name: str) -> Path:
        """Where a backup goes: the named file, a file in the named folder, or one among the home's backups."""
        target = Path(named).expanduser().absolute() if named else self._c.home.backups / name
        if target.is_dir():
            target = target / name
        elif named and os.path.lexists(target):
            raise usage(f"{target} is there already: name a new file, or a folder", field="path")
        if not target.parent.is_dir():
            raise usage(f"there is no folder {target.parent}: make it first", field="path")
        return target

    async def backup(self, params: Json) -> Json:
        named = p.maybe_text(params, "path")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = await asyncio.to_thread(self._target, named, f"mission-{stamp}.db")
        try:
            size = await self._c.db.back_up(target)
        except OSError as error:
            raise usage(f"{target} can't be written ({error.strerror})", field="path") from None
        return {"path": str(target), "bytes": size, "at": clock.now()}
