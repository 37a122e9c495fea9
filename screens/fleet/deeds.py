"""What can be done to deployments from the table: to the one under the cursor, or to all that are marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from ccp_tui.incus import Deployment, FleetError
from ccp_tui.screens.fleet import guards, words
from ccp_tui.screens.fleet.attach import attach
from ccp_tui.screens.fleet.dialogs import SnapshotsDialog, TypedDialog, limits_form, name_form
from ccp_tui.screens.fleet.targets import Targets
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, confirm, pick
from ccp_tui.screens.widgets.fields import fill

USERS = (
    Choice("openclaw", "openclaw", "the gateway's user: the agents' files and settings"),
    Choice("ccp", "ccp", "the control service's user: the board's data"),
    Choice("root", "root", "root of this container"),
)


class Deeds(Targets):
    """The actions on what is meant."""

    def deeds(self) -> Iterator[Action]:
        """The actions, most wanted first."""
        one, all_of = self.when_one, self.when_any
        yield Action("fleet.board", "enter b", "board", "Attach", self.board, one(guards.is_running))
        yield Action("fleet.shell", "x", "shell", "Attach", self.shell_in, one(guards.is_running))
        yield Action("fleet.start", "s", "start", "Deployment", self.start, all_of(guards.can_start))
        yield Action("fleet.stop", "S", "stop", "Deployment", self.stop, all_of(guards.can_stop))
        yield Action("fleet.restart", "R", "restart", "Deployment", self.restart, all_of(guards.is_running))
        yield Action("fleet.thaw", "z", "unfreeze", "Deployment", self.thaw, all_of(guards.can_thaw))
        yield Action("fleet.freeze", "z", "freeze", "Deployment", self.freeze, all_of(guards.can_freeze))
        yield Action("fleet.snapshots", "p", "snapshots", "Deployment", self.snapshots, one(guards.free))
        yield Action("fleet.resize", "e", "limits", "Deployment", self.resize, all_of(guards.free))
        yield Action("fleet.copy", "c", "copy", "Deployment", self.copy_one, one(guards.free))
        yield Action("fleet.rename", "t", "rename", "Deployment", self.rename, one(guards.free))
        yield Action("fleet.address", "y", "copy address", "Attach", self.copy_address, self.has_door)
        yield Action("fleet.upgrade", "u", "upgrade", "Deployment", self.upgrade, one(guards.free))
        yield Action("fleet.move", "m", "move", "Deployment", self.move, self.can_move, hint=False)
        yield Action("fleet.delete", "D", "delete", "Deployment", self.delete, all_of(guards.free))

    def has_door(self) -> bool | str:
        one = self.deployment
        return one is not None and (one.port is not None or f"{one.name} has no SSH port.")

    # -- to many at once

    async def start(self) -> None:
        await self.each(self.fitting(guards.can_start), self.fleet.start_one, "Starting", "started")

    async def stop(self) -> None:
        found = self.fitting(guards.can_stop)
        running = sum(words.running_tasks(each.tasks) for each in found)
        detail = "The runs of its agents are aborted first; its data stays."
        if running:
            detail = (
                f"{running} running task{'s are' if running > 1 else ' is'} aborted first; the data stays."
            )
        if not await confirm(self.app, f"Stop {self.named(found)}?", detail=detail, yes="stop"):
            return
        late = await self.each(found, self.fleet.stop_one, "Stopping", "stopped")
        left = [each for each in found if each.ref in late]
        # Nobody is asked out of the blue: another dialog, or another screen, may be on top by now.
        if left and self.app.screen is self:
            detail = "They go on running. Ended by force, what was not written yet is lost."
            if await confirm(
                self.app, f"End {self.named(left)} by force?", detail=detail, yes="end by force"
            ):
                await self.each(left, lambda ref: self.fleet.stop_one(ref, True), "Ending", "stopped")

    async def restart(self) -> None:
        found = self.fitting(guards.is_running)
        detail = "The runs of its agents are aborted first."
        if await confirm(self.app, f"Restart {self.named(found)}?", detail=detail, yes="restart"):
            await self.each(found, self.fleet.restart, "Restarting", "restarted")

    async def freeze(self) -> None:
        await self.each(self.fitting(guards.can_freeze), self.fleet.freeze, "Freezing", "frozen")

    async def thaw(self) -> None:
        await self.each(self.fitting(guards.can_thaw), self.fleet.unfreeze, "Unfreezing", "running again")

    async def resize(self) -> None:
        found = self.fitting(guards.free)
        title = f"Limits of {self.named(found)}"
        taken: dict[str, str | int] = {}

        async def take(changes: dict[str, str | int]) -> None:
            taken.update(changes)

        if await fill(self.app, limits_form(title, found[0].limits, len(found), take)) and taken:
            await self.each(found, lambda ref: self.fleet.resize(ref, **taken), "Resizing", "resized")

    async def delete(self) -> None:
        found = self.fitting(guards.free)
        if len(found) == 1:
            one = found[0]
            about, typed = [self._loss(one)], one.name
        else:
            about = [f"These {len(found)} go, with their data and their snapshots:", self.named(found, 30)]
            typed = f"delete {len(found)}"
        title = f"Delete {self.named(found)}"
        if await self.app.push_screen_wait(TypedDialog(title, about, typed, "delete for good")):
            await self.each(found, self.fleet.delete, "Deleting", "deleted")

    def _loss(self, one: Deployment) -> str:
        at = f" on {words.where(one)}" if one.remote != "local" or one.location else ""
        state = " runs, and is stopped first" if one.state != "stopped" else " is stopped"
        count = len(one.snapshots)
        snapshots = f" and {count} snapshot{'s' if count > 1 else ''}" if count else ""
        return f"{one.name}{at}{state}. Its board, its agents and their files{snapshots} are lost for good."

    # -- to one

    async def snapshots(self) -> None:
        one = self.deployment
        answer = await self.app.push_screen_wait(SnapshotsDialog(one)) if one else None
        if answer is None or one is None:
            return
        what, name = answer
        if what == "take":
            named = await ask_words(
                self.app,
                f"Snapshot of {one.name}",
                placeholder="a name, or nothing: the time",
                required=False,
            )
            if named is not None:
                work = self.fleet.snapshot(one.ref, named)
                await self.act(
                    work, one.ref, "Taking a snapshot", f"{one.name} has a new snapshot; p lists them."
                )
        elif what == "restore":
            detail = "What came after it is lost: take a snapshot of now first if you may want it back."
            if one.state != "stopped":
                detail = f"It runs, and is stopped and started again. {detail}"
            question = f"Take {one.ref} back to {name}?"
            if await confirm(self.app, question, detail=detail, yes="go back"):
                work_back = self.fleet.restore(one.ref, name)
                await self.act(work_back, one.ref, f"Restoring {name}", f"{one.name} is as it was at {name}.")
        elif await confirm(self.app, f"Delete the snapshot {name} of {one.ref}?", yes="delete it"):
            gone = self.fleet.delete_snapshot(one.ref, name)
            await self.act(gone, one.ref, f"Deleting {name}", f"The snapshot {name} is deleted.")

    def taken(self, remote: str) -> set[str]:
        """The names that a remote has already."""
        return {each.name for each in self.fleet.deployments if each.remote == remote}

    async def rename(self) -> None:
        if one := self.deployment:
            about = "It is stopped and started again for it." if one.state != "stopped" else ""
            await self._named(
                one,
                f"Rename {one.name}",
                "New name",
                one.name,
                about,
                self.fleet.rename,
                "Renaming",
                "is now called",
            )

    async def copy_one(self) -> None:
        if one := self.deployment:
            about = (
                "It gets a port, an address and host keys of its own, and stays stopped. Agents, tasks and the "
                "provider's key are the same: once started, both go on with the same work."
            )
            await self._named(
                one, f"Copy {one.name}", "Name of the copy", f"{one.name}-2", about, self.fleet.copy, "Copying",
                "is copied to",
            )  # fmt: skip

    async def _named(
        self, one: Deployment, title: str, label: str, value: str, about: str,
        act: Callable[[str, str], Awaitable[Any]], doing: str, done: str,
    ) -> None:  # fmt: skip
        chosen: list[str] = []

        async def take(name: str) -> None:
            chosen.append(name)

        if await fill(self.app, name_form(title, label, value, self.taken(one.remote), take, about)):
            words_done = f"{one.name} {done} {chosen[-1]}."
            await self.act(act(one.ref, chosen[-1]), one.ref, f"{doing} {one.name}", words_done)

    async def upgrade(self) -> None:
        raise NotImplementedError

    def can_move(self) -> bool | str:
        one = self.deployment
        return guards.free(one) if one is not None and one.location else False

    async def move(self) -> None:
        """To another member of its cluster."""
        one = self.deployment
        if one is None:
            return
        try:
            members = await self.fleet.members(one.remote)
        except FleetError as error:
            self.say(words.failure(error), "refusal")
            return
        if self.app.screen is not self:  # meanwhile something else was opened
            return
        choices = [
            Choice(each.name, each.name, each.state.lower())
            for each in members
            if each.name != one.location and each.state == "Online"
        ]
        empty = "No other member is online."
        target = await pick(self.app, f"Move {one.name} from {one.location} to", choices, empty=empty)
        if target is not None:
            work = self.fleet.move(one.ref, target)
            await self.act(work, one.ref, f"Moving {one.name}", f"{one.name} is on {target}.")

    # -- attaching

    async def board(self) -> None:
        if one := self.deployment:
            await self.attach(one, "board", "", "the board; q comes back")

    async def shell_in(self) -> None:
        one = self.deployment
        if one is None:
            return
        user = await pick(self.app, f"Shell in {one.name} as", USERS)
        if user is not None:
            await self.attach(one, "shell", user, f"a shell of {user}; exit or ctrl+d comes back")

    async def attach(self, one: Deployment, what: str, user: str, banner: str) -> None:
        """Gives the terminal to something inside a deployment, and says how it ended when that is unusual."""
        try:
            command = self.fleet.attach(one.ref, what, user)
        except FleetError as error:
            self.say(words.failure(error), "refusal")
            return
        fate = partial(self.fleet.fate, one.ref)
        said = await attach(self.shell, command, f"{one.ref}: {banner}.", fate)
        if self.is_attached:
            self.say(*said)

    def copy_address(self) -> None:
        if one := self.deployment:
            text = words.login(one)
            if self.shell.copy(text):
                self.say(f"Copied: {text}", "good")
