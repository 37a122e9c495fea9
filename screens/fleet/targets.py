"""Which deployments an action means, whether it applies to them, and doing it to one or to many of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ccp_tui.incus import Deployment, FleetError
from ccp_tui.screens.fleet import many, words
from ccp_tui.screens.widgets.basescreen import BaseScreen

if TYPE_CHECKING:
    from ccp_tui.incus import Fleet

Guard = Callable[[Deployment | None], bool | str]


class Targets(BaseScreen):
    """Which deployments there are, and where the cursor is, a screen says."""

    failures: dict[str, str]

    @property
    def fleet(self) -> Fleet:
        raise NotImplementedError

    @property
    def deployment(self) -> Deployment | None:
        """The one under the cursor."""
        raise NotImplementedError

    @property
    def targets(self) -> Sequence[Deployment]:
        """All that are marked, or the one under the cursor."""
        raise NotImplementedError

    def acted(self) -> None:
        """Something is being done: the marks have served."""
        raise NotImplementedError

    def show_fleet(self) -> None:
        """Something was done: show it."""
        raise NotImplementedError

    # -- when

    def when_one(self, guard: Guard) -> Callable[[], bool | str]:
        """What holds for the deployment under the cursor."""
        return lambda: guard(self.deployment)

    def when_any(self, guard: Guard) -> Callable[[], bool | str]:
        """What holds for at least one of those that are meant; else why not for the first."""

        def when() -> bool | str:
            answers = [guard(each) for each in self.targets] or [False]
            return True if True in answers else answers[0]

        return when

    def fitting(self, guard: Guard) -> list[Deployment]:
        return [each for each in self.targets if guard(each) is True]

    # -- doing

    async def each(
        self, found: Sequence[Deployment], act: Callable[[str], Awaitable[Any]], doing: str, done: str
    ) -> list[str]:
        """Acts on all of these, some at a time; tells how it goes and how it went; those that did not end in time.

        They are named from before any question was asked: the cursor may stand elsewhere by now.
        """
        refs = [each.ref for each in found]
        if not refs:
            return []
        for ref in refs:
            self.failures.pop(ref, None)

        def told(count: int) -> None:
            if self.is_attached and len(refs) > 1:
                self.say(f"{doing}: {count} of {len(refs)}")

        self.say(f"{doing} {refs[0]}…" if len(refs) == 1 else f"{doing}: 0 of {len(refs)}")
        self.acted()
        results = await many.each(refs, act, told)
        self.failures.update({ref: words.failure(error) for ref, error in results.items() if error})
        if self.is_attached:
            self.show_fleet()
            self.say(*many.summary(results, done))
        return [ref for ref, error in results.items() if error and error.code == "TIMEOUT"]

    async def act(self, work: Awaitable[Any], ref: str, doing: str, done: str) -> bool:
        """One thing that takes a moment; whether it worked."""
        self.say(f"{doing}…")
        self.failures.pop(ref, None)
        try:
            await work
        except FleetError as error:
            self.failures[ref] = words.failure(error)
            self.say(words.failure(error), "refusal")
            self.show_fleet()
            return False
        self.say(done, "good")
        self.show_fleet()
        return True

    def named(self, found: Sequence[Deployment], most: int = 3) -> str:
        """Those that are meant, by name as far as there is room."""
        refs = [each.ref for each in found]
        more = len(refs) - most
        return ", ".join(refs[:most]) + (f" and {more} more" if more > 0 else "")
