"""The wizard for a new deployment: a page per question, each field checked as it is typed; one key makes it.

Enter goes on and never makes anything; escape goes back a page and keeps what was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from ccp_tui.incus import FleetError
from ccp_tui.screens.fleet import words
from ccp_tui.screens.fleet.details import Details
from ccp_tui.screens.fleet.draft import Draft, Facts, taken_names
from ccp_tui.screens.fleet.pages import FIELDS, PAGES, Ask, choices_for, key_choices, shown, told
from ccp_tui.screens.fleet.wizardparts import FieldRow, Steps
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.dialogs import Words
from ccp_tui.screens.widgets.fields import Few, Text
from ccp_tui.screens.widgets.lines import Piece, cut
from ccp_tui.sshkeys import own_keys

if TYPE_CHECKING:
    from ccp_tui.fleet_app import FleetApp
    from ccp_tui.incus import Fleet

LAST = len(PAGES)  # the page on which everything is shown once more
FACTS_S = 15.0


class WizardScreen(BaseScreen):
    """Answers the draft that is to be made, or None when it was left."""

    TITLE = "New deployment"
    DEFAULT_CSS = """
    WizardScreen #steps { margin: 1 0; }
    WizardScreen .page { height: auto; padding: 0 2; display: none; }
    WizardScreen .page.here { display: block; }
    WizardScreen .intro { margin-bottom: 1; }
    WizardScreen FieldRow { height: 3; }
    WizardScreen FieldRow Horizontal { height: 1; }
    WizardScreen FieldRow Horizontal > Words { width: 12; }
    WizardScreen FieldRow .about { padding-left: 13; }
    WizardScreen FieldRow Input, WizardScreen FieldRow Input:focus {
        width: 1fr; max-width: 70; height: 1; padding: 0 1;
        border: none; border-left: outer $primary; background: $surface;
    }
    WizardScreen #all { height: 1fr; }
    WizardScreen Details { height: 12; }
    """
    CLOSES = False

    def __init__(self, draft: Draft | None = None) -> None:
        super().__init__()
        self.draft = draft or Draft()
        self.steps = Steps()
        self.at = 0
        self.facts = Facts()
        self._warned = False
        self._touched: set[str] = set(self.draft.values)
        self.fields: dict[str, FieldRow] = {}
        for name, (_, ask) in FIELDS.items():
            self.draft.values.setdefault(name, ask.value)
            self.fields[name] = FieldRow(ask, self.draft.values[name])
        self.told = Details()
        self._key_read = ""

    # -- what it consists of

    def body(self) -> ComposeResult:
        yield self.steps
        with Vertical(id="all"):
            for index, page in enumerate(PAGES):
                with Vertical(classes="page", id=f"page{index}"):
                    yield Words(page.about, "text", id=None)
                    yield Words("")
                    for ask in page.asks:
                        yield self.fields[ask.name]
            with Vertical(classes="page", id=f"page{LAST}"):
                yield self.told

    def actions(self) -> Iterator[Action]:
        keys = partial(Action, group="Wizard", priority=True)
        yield keys("wizard.make", "ctrl+o f2", "make it", run=self.make_it)
        yield keys("wizard.next", "enter", "go on", run=self.go_on, when=self.not_last)
        yield keys("wizard.next_page", "pagedown ctrl+n", "next page", run=partial(self.turn, 1), hint=False)
        yield keys(
            "wizard.page_before", "pageup ctrl+p", "page before", run=partial(self.turn, -1), hint=False
        )
        yield keys(
            "wizard.down", "down", "next field", run=partial(self.step, 1), when=self.is_plain, hint=False
        )
        yield keys("wizard.up", "up", "field before", run=partial(self.step, -1), hint=False)
        yield keys("app.help", "f1", "help", run=lambda: self.shell.open("help"))
        yield Action("app.close", "escape", "back", "Wizard", self.back, priority=True)

    # -- what it finds

    @property
    def fleet(self) -> Fleet:
        return cast("FleetApp", self.app).fleet

    def ready_remotes(self) -> list[str]:
        return [each.name for each in self.fleet.remotes if each.state == "ready"]

    def not_last(self) -> bool:
        return self.at < LAST

    def is_plain(self) -> bool:
        """Whether the field with the cursor has no use of its own for the down key."""
        return not (isinstance(self.focused, Text) and self.focused.choices)

    # -- life

    def on_mount(self) -> None:
        self.do(self.load())
        self.do(self._own_key())
        self.show_page(0)

    async def _own_key(self) -> None:
        """The first of the person's keys is proposed, and said aloud."""
        paths = [str(path) for path in await asyncio.to_thread(own_keys)]
        control = self.fields["ssh_key"].control
        assert isinstance(control, Text)
        control.choices = key_choices(paths)
        if paths and "ssh_key" not in self._touched and not control.value:
            control.value = paths[0].replace(str(Path.home()), "~", 1)

    async def load(self) -> None:
        """What is so on the remote that is chosen: its pools, members and images."""
        remotes = self.ready_remotes()
        if not self.draft.get("remote") and remotes:
            self.draft.values["remote"] = remotes[0]
        remote = self.draft.get("remote")
        facts = Facts(taken=taken_names(self.fleet.deployments, remote))
        try:
            async with asyncio.timeout(FACTS_S):
                pools, members, images = await asyncio.gather(
                    self.fleet.pools(remote), self.fleet.members(remote), self.fleet.images(remote)
                )
            facts.pools, facts.members, facts.images = tuple(pools), tuple(members), tuple(images)
            facts.loaded = True
        except FleetError as error:
            facts.words = words.failure(error)
        except TimeoutError:
            facts.words = f"{remote or 'Incus'} does not answer."
        if not self.is_attached or remote != self.draft.get("remote"):
            return
        self.facts = facts
        for name, row in self.fields.items():
            if isinstance(row.control, Few):
                values = choices_for(name, self.draft, facts, remotes)
                known = [value for value, _ in values]
                row.control.values = values
                row.control.at = known.index(self.draft.get(name)) if self.draft.get(name) in known else 0
                self.draft.values[name] = row.control.value
                row.control.redraw()
            row.display = shown(name, facts, remotes)
        if facts.words:
            self.say(facts.words, "refusal")
        self.check_all()

    # -- checking

    def on_input_changed(self, event: Input.Changed) -> None:
        for name, row in self.fields.items():
            if row.control is event.input:
                self.draft.values[name] = event.value
                if event.value != row.ask.value:
                    self._touched.add(name)
                self._warned = False
                if name == "ssh_key":
                    self.do(self._read_key())
                self.check_all()

    def on_cycle_changed(self) -> None:
        before = self.draft.get("remote")
        for name, row in self.fields.items():
            if isinstance(row.control, Few) and self.draft.get(name) != row.control.value:
                self.draft.values[name] = row.control.value
                self._touched.add(name)
        if self.draft.get("remote") != before:
            self.do(self.load())
        self.check_all()

    async def _read_key(self) -> None:
        given = self.draft.get("ssh_key")
        found = Draft({"ssh_key": given})
        await asyncio.to_thread(found.read_key)
        if given == self.draft.get("ssh_key"):
            self.draft.key_text, self.draft.key_problem = found.key_text, found.key_problem
            self._key_read = given
            self.check_all()

    def problems(self) -> dict[str, str]:
        """What is wrong, by field."""
        found = {
            name: self.draft.problem(name, self.facts) for name, row in self.fields.items() if row.display
        }
        return {name: problem for name, problem in found.items() if problem}

    def check_all(self, *, everything: bool = False) -> None:
        """Says under each field that was written in what is wrong with it; with ``everything`` under all."""
        problems = self.problems()
        for name, row in self.fields.items():
            problem = problems.get(name, "")
            blamed = problem and (everything or name in self._touched or name == "image")
            warning = self.draft.warning(name, self.facts)
            if blamed:
                row.words.set(problem, "bad")
            elif warning:
                row.words.set(warning, "warn")
            else:
                row.words.set(self._about(row.ask), "dim")
        seen = {FIELDS[name][0] for name in problems if everything or name in self._touched}
        self.steps.show(self.at, frozenset(seen))
        self._show_all(problems)

    def _about(self, ask: Ask) -> str:
        if ask.name == "ssh_key" and self.draft.key_text and self._key_read == self.draft.get("ssh_key"):
            kind, _, *comment = self.draft.key_text.split()
            return f"{self.shell.glyphs.tick} {kind} {' '.join(comment)}"
        if ask.name == "name" and "name" in self._touched and self.draft.get("name"):
            return f"{self.shell.glyphs.tick} free"
        return ask.about

    def _show_all(self, problems: dict[str, str]) -> None:
        palette, glyphs = self.shell.palette, self.shell.glyphs
        room = self.size.width - 18
        lines: list[list[Piece]] = [
            [(f"{label:<12}", palette.dim), (cut(text, room, glyphs.ellipsis), palette.text)]
            for label, text in told(self.draft)
        ]
        if problems:
            field, problem = next(iter(problems.items()))
            lines += [[], [(f"{glyphs.cross} {FIELDS[field][1].label}: {problem}", palette.bad)]]
        else:
            lines += [[], [("^o", palette.key_on_card), (" makes it; nothing was made yet.", palette.good)]]
        self.told.show(lines)

    # -- moving

    def show_page(self, at: int) -> None:
        """Turns to a page, the cursor in its first field, or where it was wrong."""
        self.at = max(0, min(LAST, at))
        for index in range(LAST + 1):
            self.query_one(f"#page{index}").set_class(index == self.at, "here")
        rows = self.rows_here()
        if rows:
            problems = self.problems()
            wrong = next((r for r in rows if r.ask.name in problems and r.ask.name in self._touched), rows[0])
            wrong.control.focus()
        else:
            self.set_focus(None)
        self.check_all()
        self.call_after_refresh(self.check_all)  # the last page has its size then
        self.refresh_hints()

    def rows_here(self) -> list[FieldRow]:
        if self.at == LAST:
            return []
        return [self.fields[ask.name] for ask in PAGES[self.at].asks if self.fields[ask.name].display]

    def turn(self, by: int) -> None:
        self._touch()
        self.show_page(self.at + by)

    def step(self, by: int) -> None:
        """The next field of this page, round its ends."""
        rows = self.rows_here()
        places = [index for index, row in enumerate(rows) if row.control is self.focused]
        if rows:
            self._touch()
            rows[((places[0] if places else -1) + by) % len(rows)].control.focus()
            self.check_all()

    def go_on(self) -> None:
        """Enter: the next field, and after the last the next page. It never makes anything."""
        rows = self.rows_here()
        if rows and rows[-1].control is not self.focused:
            self.step(1)
        else:
            self.turn(1)

    def _touch(self) -> None:
        """The field with the cursor was seen: from now on what is wrong with it is said."""
        for name, row in self.fields.items():
            if row.control is self.focused:
                self._touched.add(name)

    def back(self) -> None:
        """Escape: the page before; on the first, out, after a warning when something was written."""
        if self.at > 0:
            self.show_page(self.at - 1)
        elif self._written() and not self._warned:
            self._warned = True
            self.say("esc again leaves the wizard; what you wrote is then gone.", "warn")
        else:
            self.dismiss(None)

    def _written(self) -> bool:
        usual = {name: ask.value for name, (_, ask) in FIELDS.items()}
        return any(
            self.draft.get(name) != usual[name] for name in ("name", "api_key", "provider", "cpu", "memory")
        )

    # -- making it

    async def make_it(self) -> None:
        """The one key: everything is checked, and what is wrong gets the cursor."""
        if self._key_read != self.draft.get("ssh_key"):
            await self._read_key()
        self.facts.taken = taken_names(self.fleet.deployments, self.draft.get("remote"))
        problems = self.problems()
        if problems:
            name, problem = next(iter(problems.items()))
            self._touched |= set(problems)
            self.show_page(FIELDS[name][0])
            self.fields[name].control.focus()
            self.check_all(everything=True)
            self.say(f"Not yet. {FIELDS[name][1].label}: {problem}", "refusal")
            return
        try:
            self.draft.request()
        except FleetError as error:
            self.say(words.failure(error), "refusal")
            return
        self.dismiss(self.draft)
