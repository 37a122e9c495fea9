"""Actions: what a screen can do, said once.

A screen lists its actions in :meth:`CcpScreen.actions`; the key bindings, the hint bar, the ``?`` help and the palette
are all derived from that one list::

    def actions(self) -> Iterator[Action]:
        yield Action("task.dispatch", "d", "dispatch", "Task", self.dispatch, when=self.can_dispatch)

``run`` is a bound method. A plain one runs at once and must not wait for anything; a coroutine function runs in a
worker of the screen, so it may call the service and open dialogs. ``when`` answers True (applies), False (is not
offered), or one line of words: the action is not offered either, and whoever presses its key reads why.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from textual.binding import Binding

Run = Callable[[], Coroutine[Any, Any, Any] | None]
When = Callable[[], bool | str]

# How keys are shown to people; every other key is shown as it is written.
SHOWN = {
    "enter": "⏎",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "space": "space",
    "shift+tab": "s-tab",
}
ASCII_SHOWN = {"enter": "ret", "up": "up", "down": "down", "left": "left", "right": "right"}


def always() -> bool:
    """The ``when`` of an action that always applies."""
    return True


@dataclass(frozen=True)
class Action:
    """One thing a screen can do.

    ``keys`` are Textual key names or characters, separated by spaces; the first is the one shown (``"j down"``,
    ``"/"``, ``"ctrl+p"``); empty for an action that only the help and the palette offer. ``label`` is a verb in one to
    three words, ``group`` a heading in the help. ``hint`` is False for keys that people know (hjkl) or seldom need:
    they stay out of the hint bar; or a function that says whether they belong there now. ``priority`` lets the key win
    over a focused input.
    """

    id: str
    keys: str
    label: str
    group: str
    run: Run
    when: When = always
    hint: bool | When = True
    priority: bool = False

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(self.keys.split())

    @property
    def applies(self) -> bool:
        """Whether the action is offered now."""
        return self.when() is True

    @property
    def hinted(self) -> bool:
        """Whether it belongs in the hint bar now."""
        return self.hint if isinstance(self.hint, bool) else self.hint() is True

    @property
    def refusal(self) -> str:
        """Why it does not apply, in one line; empty when it applies or has nothing to say."""
        answer = self.when()
        return answer if isinstance(answer, str) else ""

    def shown_keys(self, ascii_only: bool = False) -> str:
        """All its keys as people read them: ``j ↓``."""
        return " ".join(show_key(name, ascii_only) for name in self.key_names)

    def shown_key(self, ascii_only: bool = False) -> str:
        """Its first key as people read it; empty when it has none."""
        names = self.key_names
        return show_key(names[0], ascii_only) if names else ""


class Actions:
    """The actions of one screen, in the order the screen lists them. Ids are unique.

    Two actions may share a key when they do not apply at the same time: the first that applies (or has words for why it
    does not) gets it.
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        self._by_id: dict[str, Action] = {}
        for action in actions:
            if action.id in self._by_id:
                raise ValueError(f"two actions are called {action.id}")
            self._by_id[action.id] = action

    def takes_key(self, action_id: str) -> bool:
        """Whether a press of the action's key is for it now."""
        action = self._by_id.get(action_id)
        return action is not None and action.when() is not False

    def __iter__(self) -> Iterator[Action]:
        return iter(self._by_id.values())

    def __getitem__(self, action_id: str) -> Action:
        return self._by_id[action_id]

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._by_id

    def offered(self) -> list[Action]:
        """Those that apply now, each with the keys that no action before it takes."""
        found: list[Action] = []
        taken: set[str] = set()
        for action in self:
            answer = action.when()
            if answer is False:
                continue
            if answer is True:
                free = [key for key in action.key_names if key not in taken]
                found.append(replace(action, keys=" ".join(free)))
            taken.update(action.key_names)
        return found

    def groups(self) -> dict[str, list[Action]]:
        """Those that apply now, by heading, in order: what the help lists."""
        found: dict[str, list[Action]] = {}
        for action in self.offered():
            found.setdefault(action.group, []).append(action)
        return found

    def hints(self) -> list[Action]:
        """What the hint bar shows, most wanted first (the order of the list)."""
        return [action for action in self.offered() if action.keys and action.hinted]

    def bindings(self) -> Iterator[Binding]:
        """Textual bindings that run the actions through the screen's ``action_run_action``."""
        for action in self:
            for key in action.key_names:
                yield Binding(
                    key,
                    f"run_action({action.id!r})",
                    action.label,
                    show=False,
                    priority=action.priority,
                    id=action.id,
                )


def show_key(name: str, ascii_only: bool = False) -> str:
    """A key's name as people read it: ``ctrl+p`` → ``^p``, ``enter`` → ``⏎``."""
    if ascii_only and name in ASCII_SHOWN:
        return ASCII_SHOWN[name]
    if name.startswith("ctrl+"):
        return "^" + name[5:]
    return SHOWN.get(name, name)
