"""What a person can do about a task's plan, its questions, what it needs, who reviews it and what it may spend."""

from __future__ import annotations

from collections.abc import Iterator

from ccp_tui.rows import Card, Question
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, confirm, pick
from ccp_tui.screens.widgets.question import ANSWERED, QuestionDialog
from ccp_tui.screens.widgets.task_base import OVER, TaskBase, words_of

UNTIL_ANSWERED = "Answered: whoever asked gets your words now."


class PlanCommands(TaskBase):
    """The commands around planning and checking, as every screen with a current task has them."""

    def plan_actions(self) -> Iterator[Action]:
        """The commands, most wanted first."""
        yield Action("task.answer", "Q", "answer", "Plan", self.answer_task, when=self.has_question)
        yield Action("task.plan", "P", "plan", "Plan", self.plan, when=self.can_plan, hint=self.plan_is_next)
        yield Action("task.replan", "P", "change the plan", "Plan", self.replan, when=self.can_replan)
        yield Action("task.plan_auto", "", "plan by assumptions", "Plan", self.plan_auto, when=self.can_plan,
                     hint=False)  # fmt: skip
        yield Action("task.plan_again", "", "start planning again", "Plan", self.plan_again,
                     when=self.is_planned, hint=False)  # fmt: skip
        yield Action("task.drop_plan", "D", "drop the plan", "Plan", self.drop_plan, when=self.is_planned,
                     hint=False)  # fmt: skip
        yield Action(
            "task.waive", "", "waive a question", "Plan", self.waive, when=self.has_question, hint=False
        )
        yield Action("task.review_by_agent", "V", "review by an agent", "Task", self.review_by_agent,
                     when=self.in_state("review", words="An agent can only review what is in Review."),
                     hint=False)  # fmt: skip
        yield Action(
            "task.depend", "w", "what it needs", "Task", self.depend, when=self.can_depend, hint=False
        )
        yield Action("task.budget", "b", "budget", "Task", self.set_budget, when=self.on_task, hint=False)

    # -- when they apply

    def has_question(self) -> bool | str:
        card = self.current()
        return card is not None and (card.questions > 0 or "Nothing is asked here.")

    def is_planned(self) -> bool:
        card = self.current()
        return card is not None and card.state == "planning"

    def can_plan(self) -> bool | str:
        card = self.current()
        if card is None or card.state in ("inbox",):
            return card is not None
        if card.state == "planning":
            return False  # the same key changes the plan there
        return f"It is {words_of(card.state)}: only a task in Inbox is planned."

    def plan_is_next(self) -> bool:
        card = self.current()
        return card is not None and card.state == "inbox" and card.spec_version is None

    def can_replan(self) -> bool | str:
        card = self.current()
        if card is None or card.state != "planning":
            return False
        if card.planning in ("proposed", "raw"):
            return True
        if card.planning == "person":
            return "The planner waits for an answer: Q answers it."
        if card.planning is None:
            return "No planner is at work here: e writes the spec, H takes it back to Inbox."
        if card.hold:
            return "It is held: r asks the planner again, D drops the plan."
        return "The planner is still at it; it will ask, or propose a spec."

    def can_depend(self) -> bool | str:
        card = self.current()
        return card is not None and (
            card.state not in OVER or f"It is {card.state}: it waits for nothing any more."
        )

    # -- planning

    async def plan(self) -> None:
        if card := self.current():
            await self.plan_task(card)

    async def plan_task(self, card: Card) -> None:
        """Starts planning; the planner's questions come to the needs-you queue."""
        done = f"{card.ref} is being planned: its questions come to the queue (!), Q answers them."
        await self.change("task.plan", done, ref=card.ref)

    async def plan_auto(self) -> None:
        if card := self.current():
            done = f"{card.ref} is being planned by stated assumptions; nothing will be asked."
            await self.change("task.plan", done, ref=card.ref, auto=True)

    async def replan(self) -> None:
        card = self.current()
        if card is None:
            return
        raw = card.planning == "raw"
        title = (
            f"What shall the planner of {card.ref} know?"
            if raw
            else f"What shall change in the plan of {card.ref}?"
        )
        words = await ask_words(
            self.ccp, title, placeholder="The planner gets your words as you write them.", multiline=True
        )
        if words:
            await self.change("task.replan", "The planner has your words.", ref=card.ref, text=words)

    async def drop_plan(self) -> bool:
        card = self.current()
        if card is None:
            return False
        detail = (
            "The task goes back to Inbox. What was asked and answered stays in its history; P plans it anew."
        )
        if not await confirm(self.ccp, f"Drop the plan of {card.ref}?", detail=detail, yes="drop it"):
            return False
        return await self.change("task.drop_plan", f"{card.ref} is back in Inbox.", ref=card.ref) is not None

    async def plan_again(self) -> None:
        card = self.current()
        if card is not None and await self.drop_plan():
            await self.plan_task(card)

    # -- questions

    async def answer_task(self) -> None:
        """The oldest open question of the task."""
        if question := await self._open_question():
            await self.answer_question(question)

    async def answer_question(self, question: Question) -> str | None:
        """Asks the person; the outcome, or None when it was left for later."""
        row = self.mirror.agents.get(question.agent)
        outcome: str | None = await self.app.push_screen_wait(
            QuestionDialog(question, row.name if row else question.agent)
        )
        if outcome is None:
            self.say("Left for later: nothing was sent.")
        elif outcome == ANSWERED:
            self.say(UNTIL_ANSWERED, "good")
        else:
            self.say("Waived: whoever asked decides and says how.", "good")
        return outcome

    async def waive(self) -> None:
        question = await self._open_question()
        if question is None:
            return
        detail = f"{question.text} Whoever asked decides it, and states the assumption."
        if (
            await confirm(self.ccp, "Waive this question?", detail=detail, yes="waive it")
            and await self.ask("question.waive", {"id": question.id}) is not None
        ):
            self.say("Waived: whoever asked decides and says how.", "good")

    async def _open_question(self) -> Question | None:
        card = self.current()
        if card is None:
            return None
        listed = (item.question for item in self.mirror.attention if item.ref == card.ref)
        found = sorted((each for each in listed if each is not None), key=lambda each: each.id)
        if not found:
            answer = await self.ask("question.list", {"ref": card.ref, "state": "open"})
            if answer is None:
                return None
            rows: list[Json] = [row for row in answer.get("questions") or () if "id" in row]
            found = sorted((Question.from_json(row) for row in rows), key=lambda each: each.id)
        if not found:
            self.say("No question is open here any more.")
        return found[0] if found else None

    # -- the rest

    async def review_by_agent(self) -> None:
        if card := self.current():
            done = f"An agent is asked to review round {card.round} of {card.ref}."
            await self.change("task.review", done, ref=card.ref)

    async def depend(self) -> None:
        """One picker for both: a task that it needs already is let go, another is added."""
        card = self.current()
        if card is None:
            return
        tick = self.ccp.glyphs.tick
        needs = [self.mirror.tasks[ref] for ref in card.waits_for if ref in self.mirror.tasks]
        others = [
            each
            for each in self.mirror.tasks.values()
            if each.state not in OVER and each.ref != card.ref and each.ref not in card.waits_for
        ]
        others.sort(key=lambda each: (each.mission != card.mission, each.id))
        choices = [Choice(each.ref, f"{each.ref} {each.title}", "enter lets it go", tick) for each in needs]
        choices += [
            Choice(each.ref, f"{each.ref} {each.title}", words_of(each.state), " ") for each in others
        ]
        ref = await pick(self.ccp, f"{card.ref} waits for", choices, empty="There is no other open task.")
        if ref is None:
            return
        if ref in card.waits_for:
            done = f"{card.ref} no longer waits for {ref}."
            await self.change("task.depend", done, ref=card.ref, needs=[ref], remove=True)
        else:
            await self.change("task.depend", f"{card.ref} waits for {ref}.", ref=card.ref, needs=[ref])

    async def set_budget(self) -> None:
        card = self.current()
        if card is None:
            return
        context = "Tokens, dollars or both. Work stops when it is spent. Empty: none."
        text = budget_words(card.budget_tokens, card.budget_usd, plain=True)
        while True:
            said = await ask_words(
                self.ccp,
                f"Budget of {card.ref}",
                text=text,
                placeholder="200k $2.50",
                required=False,
                context=context,
            )
            if said is None:
                return
            budget = read_budget(said)
            if budget is not None:
                break
            text, context = said, "That is no budget: write tokens (200k), dollars ($2.50) or both."
        tokens, usd = budget
        words = budget_words(tokens, usd)
        done = f"{card.ref} may spend {words}." if words else f"{card.ref} has no budget of its own."
        await self.change("task.edit", done, ref=card.ref, budget_tokens=tokens, budget_usd=usd)


def read_budget(text: str) -> tuple[int | None, float | None] | None:
    """Tokens and dollars of what a person wrote, as ``200k``, ``1.5M $2.50``; None when it makes no sense."""
    tokens: int | None = None
    usd: float | None = None
    for word in text.replace(",", "").split():
        number = word.lower().strip("$")
        scale = {"k": 1_000, "m": 1_000_000}.get(number[-1:], 1)
        try:
            value = float(number.removesuffix("k").removesuffix("m") if scale > 1 else number)
        except ValueError:
            return None
        if not 0 < value < 1e12:
            return None
        if "$" in word:
            if usd is not None or scale > 1:
                return None
            usd = value
        elif tokens is not None or int(value * scale) < 1:
            return None
        else:
            tokens = int(value * scale)
    return tokens, usd


def budget_words(tokens: int | None, usd: float | None, *, plain: bool = False) -> str:
    """A budget in words; ``plain``: as :func:`read_budget` reads it. Empty for none."""
    if plain:
        return " ".join(filter(None, (str(tokens) if tokens else "", f"${usd:g}" if usd else "")))
    return " and ".join(filter(None, (f"{tokens:,} tokens" if tokens else "", f"${usd:,.2f}" if usd else "")))
