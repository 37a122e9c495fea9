"""A bell and a desktop notification when something new needs the person: once each, and never again for the same.

BEL is for the terminal and its multiplexer; OSC 9 is what iTerm2, Kitty, WezTerm, Ghostty and Windows Terminal show
as a notification, over SSH too. ``CCP_BELL=off`` silences both, as does the choice kept in the home.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from ccp_tui.mirror import Change, Mirror
from ccp_tui.rows import Attention
from ccp_tui.text import one_line

KEPT = "bell"  # the name under which a terminal remembers the choice
MOST_AT_ONCE = 3  # more new things than this in one moment are told as one
LONGEST = 160  # characters of a notification
REMEMBERED = 4096  # items, so that a long life does not grow


class Alerts:
    """Listens to the mirror and writes what is new through ``write``, as long as ``wanted`` says so."""

    def __init__(self, mirror: Mirror, write: Callable[[str], None], wanted: Callable[[], bool]) -> None:
        self._mirror, self._write, self._wanted = mirror, write, wanted
        self._seen: dict[str, str] = {}  # key → since when it needed the person
        self._present: frozenset[str] = frozenset()
        self._began = False
        mirror.subscribe(self._on_change)

    def _on_change(self, change: Change) -> None:
        if not (change.attention and self._mirror.loaded):
            return
        items = self._mirror.attention
        new = [item for item in items if self._is_new(item)]
        self._present = frozenset(item.key for item in items)
        for item in items:
            self._seen.pop(item.key, None)  # the newest stand last
            self._seen[item.key] = item.since
        if len(self._seen) > REMEMBERED:
            for key in [key for key in self._seen if key not in self._present][: REMEMBERED // 2]:
                del self._seen[key]
        told, self._began = self._began, True
        if told and new and self._wanted():
            self._write("".join(notifications(new)))

    def _is_new(self, item: Attention) -> bool:
        """An item that went and came back is new when it began anew.

        A request of the gateway's is the same by its id: it goes while the gateway is away, and comes back.
        """
        if item.key not in self._seen:
            return True
        if item.key in self._present or item.kind == "approval":
            return False
        return self._seen[item.key] != item.since


def notifications(items: Sequence[Attention], env: Mapping[str, str] = os.environ) -> Iterable[str]:
    """The bytes that tell of new items: a bell and a notification for each."""
    if len(items) <= MOST_AT_ONCE:
        texts = [
            " ".join(filter(None, (item.ref or item.agent, item.kind))) + f": {item.text}" for item in items
        ]
    else:
        texts = [
            f"{len(items)} more things need you, {items[0].ref or items[0].agent or items[0].kind} first"
        ]
    for text in texts:
        yield "\x07" + osc9(f"ccp: {text}", env)


def osc9(text: str, env: Mapping[str, str] = os.environ) -> str:
    """A desktop notification; through tmux wrapped as it asks for.

    It ends with ST, not with BEL, so that a terminal which does not know it rings no second time. The text can't end
    the sequence: it has no control characters.
    """
    plain = f"\x1b]9;{one_line(text, LONGEST)}\x1b\\"
    if env.get("TMUX"):
        doubled = plain.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{doubled}\x1b\\"
    return plain


def silenced(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment wants no bell."""
    return env.get("CCP_BELL", "").lower() in ("0", "no", "off", "false")
