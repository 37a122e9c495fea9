"""Missions: the methods ``mission.*``."""

from __future__ import annotations

from ccp_tui.service import params as p
from ccp_tui.service.context import Context, person
from ccp_tui.service.methods import Method
from ccp_tui.store import Store
from ccp_tui.wire import Json


class Missions:
    def __init__(self, context: Context) -> None:
        self._c = context

    def methods(self) -> dict[str, Method]:
        return {"mission.list": self.list, "mission.create": self.create, "mission.update": self.update}

    async def list(self, params: Json) -> Json:
        archived = p.maybe_bool(params, "archived")
        return {"missions": await self._c.db(lambda store: store.missions.all(archived=bool(archived)))}

    async def create(self, params: Json) -> Json:
        title = p.text(params, "title")
        slug, icon, prefix = (p.maybe_text(params, key) or "" for key in ("slug", "icon", "prefix"))

        def work(store: Store) -> Json:
            mission = store.missions.create(title, name=slug, icon=icon, prefix=prefix.upper())
            row = store.missions.row(mission)
            store.events.add(
                person(), "mission_created", f"mission {row['title']} was created", mission=mission
            )
            return row

        return {"mission": await self._c.db(work)}

    async def update(self, params: Json) -> Json:
        slug = p.text(params, "slug")
        title, icon, archived = (
            p.maybe_text(params, "title"), p.maybe_text(params, "icon"), p.maybe_bool(params, "archived")
        )  # fmt: skip

        def work(store: Store) -> Json:
            mission = store.missions.by_slug(slug)
            store.missions.update(mission, title=title, icon=icon, archived=archived)
            row = store.missions.row(mission)
            told = {True: "was archived", False: "was taken out of the archive", None: "was changed"}[
                archived
            ]
            store.events.add(person(), "mission_changed", f"mission {row['title']} {told}", mission=mission)
            return row

        return {"mission": await self._c.db(work)}
