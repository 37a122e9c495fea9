"""Copying over SSH: the terminal's own clipboard, by OSC 52, through tmux and screen too."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

# Some terminals drop longer sequences whole; a cut copy would be worse than none.
LIMIT = 74_994


def sequence(text: str, env: Mapping[str, str] = os.environ) -> str | None:
    """The bytes that copy ``text``, or None when it is longer than terminals take."""
    data = base64.b64encode(text.encode()).decode()
    plain = f"\x1b]52;c;{data}\x07"
    if len(plain) > LIMIT:
        return None
    if env.get("TMUX"):
        escaped = plain.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{escaped}\x1b\\"
    if env.get("TERM", "").startswith("screen"):
        return f"\x1bP{plain}\x1b\\"
    return plain
