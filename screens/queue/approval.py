"""What is asked when an agent's shell command waits for leave: the command, where it runs, the answers offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.binding import Binding

from ccp_tui.mirror import Change
from ccp_tui.rows import Attention
from ccp_tui.screens.widgets.dialogs import Dialog, Words, wrap
from ccp_tui.screens.widgets.question import left
from ccp_tui.text import clean, one_line

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp

Json = dict[str, Any]

# The gateway's decisions in words; one it adds later is offered by its own name.
WORDS = {"allow-once": "allow once", "allow-always": "allow always", "deny": "deny"}
KEYS = {"allow-once": "y", "allow-always": "a", "deny": "n"}
SETTLED = "settled"  # what the dialog answers when somebody else decided meanwhile


@dataclass(frozen=True)
class Approval:
    """An exec approval as the gateway asked it (``exec.approval.requested``)."""

    id: str
    command: str
    folder: str
    agent: str
    decisions: tuple[str, ...]
    risk: tuple[str, ...] = ()
    host: str = ""
    expires_at: str = ""

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
            _risk(hint.get("risk")),
            one_line(str(hint.get("host") or "")),
            str(hint.get("expires_at") or ""),
        )

    def about(self) -> list[tuple[str, str]]:
        """What else there is to know, as lines with the names of their styles."""
        where = f"in {self.folder}" if self.folder else "in an unknown folder"
        lines = [(f"{where}, on {self.host}" if self.host else where, "dim")]
        lines += [(each if each.startswith("risk") else f"risk: {each}", "warn") for each in self.risk]
        if self.expires_at and (until := left(self.expires_at)):
            lines.append((f"waits {until}", "dim"))
        return lines

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

    def __init__(self, approval: Approval, who: str, key: str = "") -> None:
        super().__init__(f"{who or 'The agent'} wants to run a command")
        self.approval = approval
        self.key = key  # of its item in the queue
        self._unsubscribe: Callable[[], None] | None = None

    def on_mount(self) -> None:
        self._unsubscribe = cast("CcpApp", self.app).mirror.subscribe(self._changed)

    def on_unmount(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()

    def _changed(self, change: Change) -> None:
        """Decided elsewhere, or its time is over: there is nothing to decide here any more."""
        listed = {item.key for item in cast("CcpApp", self.app).mirror.attention}
        if self.key and (change.attention or change.full) and self.key not in listed and self.is_current:
            self.dismiss(SETTLED)

    def fields(self) -> ComposeResult:
        shown = list(wrap(self.approval.command, max(20, min(84, self.app.size.width - 12))))
        room = max(3, self.app.size.height - 14)
        for line in shown[:room]:
            yield Words(line, "accent")
        if len(shown) > room:
            yield Words(f"… {len(shown) - room} more lines: copy it with y in the queue to read all", "warn")
        for words, style in self.approval.about():
            yield Words(words, style)
        hint = Words(f"{self.approval.words()} · esc later", "key")
        hint.add_class("hint")
        yield hint

    def action_decide(self, key: str) -> None:
        decision = self.approval.keys().get(key)
        if decision is not None:
            self.dismiss(decision)


def _risk(given: Any) -> tuple[str, ...]:
    """What the gateway's analysis of the command warns of, line by line; empty when it warns of nothing."""
    lines = given if isinstance(given, list) else [given] if given else []
    return tuple(one_line(str(each)) for each in lines)
