"""An agent's SOUL.md, USER.md and AGENTS.md: every version kept, each as a whole or as what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from ccp_tui import clock
from ccp_tui.rows import safe
from ccp_tui.screens.agents.storing import Storing
from ccp_tui.screens.agents.texts import Page, difference
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen
from ccp_tui.screens.widgets.dialogs import confirm, wrap
from ccp_tui.screens.widgets.editing import edit_text
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.rowlist import Row, RowList

Json = dict[str, Any]

NAMES = ("SOUL.md", "USER.md", "AGENTS.md")
GATEWAY = "gateway"  # the author of a version that was found on the gateway
ABOUT = {"SOUL.md": "who the agent is", "USER.md": "whom it works for", "AGENTS.md": "how it works"}


class AgentFilesScreen(CcpScreen):
    """The versions at the side, the newest first; the text or the difference to the version before beside it."""

    TITLE = "Files"
    CSS_PATH = "agents.tcss"

    def __init__(self, agent: str, name: str = NAMES[0]) -> None:
        super().__init__()
        self.agent, self.file = agent, name
        self.versions = RowList(id="versions", focusable=True)
        self.page = Page()
        self.diffing = False
        self.texts: dict[tuple[str, int], str] = {}
        self.listed: list[Json] = []

    def body(self) -> ComposeResult:
        with Horizontal(id="files"):
            yield self.versions
            yield self.page

    def actions(self) -> Iterator[Action]:
        yield Action("files.edit", "e enter", "edit", "File", self.edit)
        yield Action("files.diff", "d", "differences", "File", self.toggle_diff, self.can_diff)
        yield Action("files.restore", "R", "bring back this version", "File", self.restore, self.can_restore)
        for index, name in enumerate(NAMES):
            yield Action(
                f"files.{name}",
                str(index + 1),
                name.removesuffix(".md"),
                "File",
                partial(self.show_file, name),
            )
        yield Action(
            "files.down", "j down", "older version", "Versions", lambda: self.versions.move(1), hint=False
        )
        yield Action(
            "files.up", "k up", "newer version", "Versions", lambda: self.versions.move(-1), hint=False
        )
        yield Action(
            "files.pagedown", "pagedown space ctrl+d", "page down", "File", lambda: self.turn(1), hint=False
        )
        yield Action("files.pageup", "pageup ctrl+u", "page up", "File", lambda: self.turn(-1), hint=False)

    def can_diff(self) -> bool | str:
        return len(self.listed) > 1 or "There is one version only."

    def can_restore(self) -> bool | str:
        return self.version not in (None, self.latest) or "This is the version in use."

    @property
    def version(self) -> int | None:
        return self.versions.key if isinstance(self.versions.key, int) else None

    @property
    def latest(self) -> int | None:
        return self.listed[0]["version"] if self.listed else None

    def title_pieces(self) -> Iterable[Piece]:
        palette, row = self.ccp.palette, self.mirror.agents.get(self.agent)
        name = f"{self.ccp.glyphs.emoji(row.emoji)} {row.name}".strip() if row else self.agent
        yield f" {name} ", palette.on_bar(palette.bold)
        yield f" {self.file} ", palette.on_bar(palette.accent)
        yield f" {ABOUT.get(self.file, '')}", palette.bar_dim

    def on_mount(self) -> None:
        self.versions.focus()
        self.show_file(self.file)

    def show_file(self, name: str) -> None:
        self.file = name
        self.refresh_title()
        self.do(self.load(keep=False))

    async def load(self, *, keep: bool) -> None:
        """The file and its versions."""
        name = self.file
        found = await self.ask("agent.file", {"id": self.agent, "name": name})
        if found is None or name != self.file:
            return
        content, version = str(found.get("content") or ""), found.get("version")
        if isinstance(version, int):
            self.texts[name, version] = content
        known = {
            row["version"]: row for row in found.get("versions") or [] if isinstance(row.get("version"), int)
        }
        self.listed = [known[each] for each in sorted(known, reverse=True)]
        palette = self.ccp.palette
        rows = []
        for row in self.listed:
            age = clock.age(row["created_at"], clock.now()) if row.get("created_at") else ""
            head: list[Piece] = [(f" v{row['version']}", palette.text), (f"  {age} ago", palette.dim)]
            if row["version"] == self.latest:
                head.append(("  in use", palette.good))
            author = safe(row.get("author"))
            of_gateway = author == GATEWAY
            words, style = ("changed on the gateway", palette.warn) if of_gateway else (author, palette.dim)
            rows.append(Row.of(row["version"], head, [(f"   {words}", style)]))
        self.versions.empty = "No version yet."
        self.page.empty = f"{name} is empty. Press e to write it: {ABOUT.get(name, '')}."
        self.versions.show(rows, keep=keep)
        if not rows:
            self.page.show(self._plain(content))
        self.refresh_hints()

    def on_row_list_moved(self) -> None:
        self.do(self._show_version())
        self.refresh_hints()

    async def _show_version(self) -> None:
        version, name = self.version, self.file
        if version is None:
            return
        text = await self._text(name, version)
        before = self._before(version) if self.diffing else None
        old = await self._text(name, before) if before is not None else None
        if text is None or (name, version) != (self.file, self.version):
            return
        if self.diffing:
            width = max(20, self.page.size.width - 2)
            self.page.show(difference(old or "", text, width, self.ccp.palette))
        else:
            self.page.show(self._plain(text))

    def _before(self, version: int) -> int | None:
        older = [row["version"] for row in self.listed if row["version"] < version]
        return max(older, default=None)

    async def _text(self, name: str, version: int) -> str | None:
        if (name, version) not in self.texts:
            found = await self.ask("agent.file", {"id": self.agent, "name": name, "version": version})
            if found is None:
                return None
            self.texts[name, version] = str(found.get("content") or "")
        return self.texts[name, version]

    def _plain(self, text: str) -> list[Piece]:
        palette, width = self.ccp.palette, max(20, self.page.size.width - 2)
        return [(line, palette.bold if line.startswith("#") else palette.text) for line in wrap(text, width)]

    def toggle_diff(self) -> None:
        self.diffing = not self.diffing
        self.do(self._show_version())
        self.say("What this version changed." if self.diffing else "The whole text.")

    def turn(self, pages: int) -> None:
        self.page.go_to(self.page.top + pages * max(1, self.page.rows - 2))

    async def edit(self) -> None:
        """The newest text in the editor; saved as a new version."""
        found = await self.ask("agent.file", {"id": self.agent, "name": self.file})
        if found is None:
            return
        name, text = self.file, str(found.get("content") or "")
        storing = Storing(self.ccp, self.agent, name, found.get("version"))
        if await edit_text(self.ccp, text, title=f"{self.agent}: {name}", filename=name, save=storing.save):
            self.say(storing.done, "good")
            await self.load(keep=False)

    async def restore(self) -> None:
        version, name = self.version, self.file
        text = await self._text(name, version) if version is not None else None
        if text is None or not await confirm(
            self.ccp,
            f"Use version {version} of {name} again?",
            detail="It becomes a new version; none is lost.",
        ):
            return
        storing = Storing(self.ccp, self.agent, name, self.latest)
        problem = await storing.save(text)
        if problem is not None:
            self.say(problem.words, "refusal")
            return
        self.say(storing.done if storing.chosen else f"{name} is as in version {version}.", "good")
        await self.load(keep=False)
