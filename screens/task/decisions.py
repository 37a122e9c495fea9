"""What the person decides on a task's pages: the verdict on a round, the approval of a spec, which versions to compare.

A verdict is bound to the round that is on the screen, an approval to the version that is.
"""

from __future__ import annotations

from collections.abc import Iterator

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.rows import Card
from ccp_tui.screens.task import pages
from ccp_tui.screens.task.values import moment, rows
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import DEADLINE_S, Json
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, confirm, pick
from ccp_tui.screens.widgets.task_commands import TaskCommands
from ccp_tui.screens.widgets.watching import Watching
from ccp_tui.text import one_line

Round = tuple[int, int]  # attempt, round


class TaskDecisions(TaskCommands, Watching):
    """One task with what was read of it, and the decisions about it."""

    def __init__(self, ref: str) -> None:
        super().__init__()
        self.ref = ref
        self.tab = "overview"
        self.detail: Json = {}
        self.read: Json = {}  # the detail that the review page shows: it stays while the person reads it
        self.newer: Round | None = None  # a round that came in after it
        self.compared: tuple[Json, Json] | None = None  # two versions of the spec, the older first

    def current(self) -> Card | None:
        return self.mirror.tasks.get(self.ref)

    def go(self, tab: str) -> None:
        """Shows a page."""
        raise NotImplementedError

    def show(self, *, keep: bool) -> None:
        """Paints the page; with ``keep`` the window stays where it is."""
        raise NotImplementedError

    def soon(self) -> None:
        """Reads the task again in a moment."""
        raise NotImplementedError

    # -- the verdict

    async def approve(self) -> None:
        card = self.current()
        if card is None:
            return
        if card.state == "review":
            if at := self._verdict_round("approves"):
                await self._approve_round(at)
            return
        shown = (self.detail.get("spec") or {}).get("version")
        if self.tab != "spec" or shown is None:
            self.go("spec")
            self.say("Read it; A again approves it.")
        elif self.compared and self.compared[1].get("version") != shown:
            self.compare_no_more()
            self.say(f"This is version {shown}, the newest: read it; A again approves it.")
        elif shown != card.spec_version:
            self.say(f"Version {card.spec_version} came in after what you see: look at it first.", "refusal")
            self.soon()
        elif await self.change("task.approve_spec", spec_approved, ref=self.ref, version=shown):
            self.soon()

    async def _approve_round(self, at: Round) -> None:
        """Approves a round; when its files changed since it was submitted, only after a second yes."""
        params: Json = {"ref": self.ref, "attempt": at[0], "round": at[1]}
        done = f"{self.ref} is done."
        try:
            answer = await self.live.call("task.approve", params, timeout=DEADLINE_S)
        except ServiceFailure as failure:
            if failure.details.get("gate") != "evidence":
                self.say_failure(failure)
                return
            reason = one_line(str(failure.details.get("reason") or failure.message))
            detail = f"{reason}. What you approve is what stands there now, not what was checked."
            if await confirm(
                self.ccp,
                f"Approve round {at[1]} of {self.ref} all the same?",
                detail=detail,
                yes="approve it as it is",
            ):
                await self.change("task.approve", done, **params, accept_changes=True)
            else:
                self.say(f"Not approved: {reason}", "refusal")
        except ServiceUnavailable as away:
            self.say(f"{away.message} {away.fix}".strip(), "outage")
        except TimeoutError:
            self.say("The control service does not answer; see its log, logs/serve.log.", "refusal")
        else:
            self.take_card(answer, done)

    async def reject(self) -> None:
        if at := self._verdict_round("rejects"):
            title = f"What must be mended in {self.ref}, round {at[1]}?"
            reason = await ask_words(
                self.ccp, title, placeholder="The worker gets your words as you write them.", multiline=True
            )
            if reason:
                done = f"{self.ref} goes back to its agent with your words."
                await self.change(
                    "task.reject", done, ref=self.ref, attempt=at[0], round=at[1], reason=reason
                )

    def _verdict_round(self, verb: str) -> Round | None:
        """The round on the screen, if a verdict on it can be given now; else says why not."""
        key = "A" if verb == "approves" else "R"
        if self.tab != "review":
            self.go("review")
            self.say(f"Read it; {key} again {verb} it.")
            return None
        card, shown = self.current(), latest_round(self.read)
        if shown is None:
            self.say("The round is still being read: a moment.", "refusal")
            return None
        standing = self.newer or (card.attempt or 0, card.round or 0) if card else shown
        if standing != shown:
            self.newer = standing
            self.show(keep=True)
            self.say(f"Round {standing[1]} came in after what you see: . reads it, then decide.", "refusal")
            self.soon()
            return None
        return shown

    # -- versions of the spec

    def version_actions(self) -> Iterator[Action]:
        yield Action("task.compare", "v", "compare", "Page", self.compare, when=self.can_compare)
        yield Action("task.versions", "=", "choose versions", "Page", self.choose_versions,
                     when=self.can_compare, hint=lambda: self.compared is not None)  # fmt: skip

    def can_compare(self) -> bool | str:
        if self.tab != "spec":
            return False
        return len(rows(self.detail, "specs")) > 1 or "There is only one version: nothing to compare."

    async def compare(self) -> None:
        """The newest version beside the approved one, or the one before it; again: back to the document."""
        if self.compared:
            self.compare_no_more()
            return
        numbers = sorted(int(each.get("version") or 0) for each in rows(self.detail, "specs"))
        approved = [int(each["version"]) for each in rows(self.detail, "specs") if each.get("approved_at")]
        before = [number for number in approved if number < numbers[-1]]
        await self._show_versions(max(before, default=numbers[-2]), numbers[-1])

    def compare_no_more(self) -> None:
        """Back to the document."""
        self.compared = None
        self.show(keep=False)

    async def choose_versions(self) -> None:
        listed = sorted(rows(self.detail, "specs"), key=lambda each: each.get("version") or 0, reverse=True)
        chosen: list[int] = []
        for title in ("Compare which version", "with which"):
            choices = [
                Choice(number, f"version {number}", _about(each))
                for each in listed
                if (number := int(each.get("version") or 0)) not in chosen
            ]
            version = await pick(self.ccp, title, choices)
            if version is None:
                return
            chosen.append(version)
        await self._show_versions(min(chosen), max(chosen))

    async def _show_versions(self, old: int, new: int) -> None:
        both: list[Json] = []
        for version in (old, new):
            answer = await self.ask("task.spec", {"ref": self.ref, "version": version})
            if answer is None:
                return
            both.append({"version": version, **(answer.get("spec") or {})})
        if self.tab == "spec":
            self.compared = (both[0], both[1])
            self.show(keep=False)


def latest_round(detail: Json) -> Round | None:
    """The newest submitted round of a detail."""
    done = pages.submitted(detail)
    if not done:
        return None
    attempt, each = done[0]
    return int(attempt.get("number") or 0), int(each.get("number") or 0)


def spec_approved(card: Card) -> str:
    """What comes after an approved spec."""
    if card.queued:
        return f"The spec of {card.ref} is approved. It starts by itself: {card.waiting or 'in a moment'}."
    if card.subtasks:
        return f"The spec of {card.ref} is approved: {card.subtasks} sub-tasks are on the board."
    return f"The spec of {card.ref} is approved. " + (
        "d dispatches it." if card.state == "assigned" else "a assigns an agent."
    )


def _about(version: Json) -> str:
    """A version in the picker: who wrote it, when, and whether it is approved."""
    words = [one_line(str(version.get("author") or "")), moment(version.get("created_at"))]
    words += ["approved"] if version.get("approved_at") else []
    return " · ".join(filter(None, words))
