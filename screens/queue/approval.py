"""What is asked when an agent's shell command waits for leave: the command, where it runs, the answers offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding

from ccp_tui.rows import Attention
from ccp_tui.screens.widgets.dialogs import Dialog, Words, wrap
from ccp_tui.text import clean, one_line

Json = dict[str, Any]

# The gateway's decisions in words; one it adds later is offered by its own name.
WORDS = {"allow-once": "allow once", "allow-always": "allow always", "deny": "deny"}
KEYS = {"allow-once": "y", "allow-always": "a", "deny": "n"}


@dataclass(frozen=True)
class Approval:
    """An exec approval as the gateway asked it (``exec.approval.requested``)."""

    id: str
    command: str
    folder: str
    agent: str
    decisions: tuple[str, ...]

    @classmethod
    def of(cls, item: Attention) -> Approval | None:
        """The approval of a needs-you item; None when the item holds none."""
        answer = item.answer or {}
        if answer.get("method") != "approval.resolve":
            return None
        hint: Json = answer.get("params_hint") or answer
        decisions = tuple(str(each) for each in hint.get("decisions") or ())
        return cls(
            str(hint.get("id") or item.key.partition(":")[2]),
            clean(str(hint.get("command") or item.text)),
            one_line(str(hint.get("cwd") or "")),
            item.agent or "",
            decisions or ("allow-once", "deny"),
        )

    def words(self) -> str:
        """The decisions that the gateway offers, with their keys."""
        return " · ".join(f"{key} {WORDS.get(each, each)}" for key, each in self.keys().items())

    def keys(self) -> dict[str, str]:
        """The key of each decision offered; one of a later gateway gets a number."""
        return {KEYS.get(each, str(index + 1)): each for index, each in enumerate(self.decisions)}


class ApprovalDialog(Dialog):
    """The whole request, and a key for each decision; enter does nothing, so that nothing is allowed by habit."""

    DEFAULT_CSS = (
        "ApprovalDialog > .box { width: 90; } ApprovalDialog .command { margin: 1 0; height: auto; }"
    )
    BINDINGS = [Binding(key, f"decide({key!r})", show=False) for key in "yna123456789"]  # noqa: RUF012

    def __init__(self, approval: Approval, who: str) -> None:
        super().__init__(f"{who or 'The agent'} wants to run a command")
        self.approval = approval

    def fields(self) -> ComposeResult:
        shown = list(wrap(self.approval.command, max(20, min(84, self.app.size.width - 12))))
        room = max(3, self.app.size.height - 12)
        for line in shown[:room]:
            yield Words(line, "accent")
        if len(shown) > room:
            yield Words(f"… {len(shown) - room} more lines: copy it with y in the queue to read all", "warn")
        yield Words(f"in {self.approval.folder}" if self.approval.folder else "in an unknown folder", "dim")
        hint = Words(f"{self.approval.words()} · esc later", "key")
        hint.add_class("hint")
        yield hint

    def action_decide(self, key: str) -> None:
        decision = self.approval.keys().get(key)
        if decision is not None:
            self.dismiss(decision)


@dataclass(frozen=True)
class Question:
    """One question of an agent with its options; ``other`` means that own words are welcome."""

    id: str
    question: str
    options: tuple[tuple[str, str], ...]
    other: bool


def questions_of(item: Attention) -> tuple[str, list[Question]]:
    """The request's id and its questions; none when the item asks nothing."""
    answer = item.answer or {}
    if answer.get("method") != "question.answer":
        return "", []
    hint: Json = answer.get("params_hint") or answer
    found = []
    for row in hint.get("questions") or []:
        options = tuple(
            (one_line(str(each.get("label") or "")), one_line(str(each.get("description") or "")))
            for each in row.get("options") or []
            if isinstance(each, dict)
        )
        words = one_line(str(row.get("question") or row.get("header") or "The agent asks"))
        asked = str(row.get("questionId") or row.get("id") or "")
        found.append(Question(asked, words, options, bool(row.get("isOther", True))))
    return str(hint.get("id") or item.key.partition(":")[2]), found
