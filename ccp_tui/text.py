"""Making text from agents, users and providers safe to put on a terminal line."""

from __future__ import annotations

import re
import unicodedata

# C0 without tab and newline, DEL, and C1: a terminal obeys these, a reader never needs them. And halves of surrogate
# pairs, which JSON can smuggle in and no UTF-8 can carry on.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# A whole escape sequence goes, not just its first byte, so that no "[31m" litter stays behind.
_ESCAPE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC … BEL or ST
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC … ST
    r"|\x1b[\]PX^_][^\x07\x1b\n]*"  # one of these that never ends hides no more than its line
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[ -/]*[0-~]"  # the short escapes
)
# Bidirectional overrides can make a line read as something it is not.
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text without control characters, escape sequences or direction overrides; newlines and tabs stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BIDI.sub("", _CONTROL.sub("", _ESCAPE.sub("", text)))


def one_line(text: str, limit: int = 0) -> str:
    """Text as one line: runs of white space become one space; cut with ``…`` past ``limit`` characters."""
    line = " ".join(clean(text).split())
    if limit and len(line) > limit:
        return line[: max(0, limit - 1)] + "…"
    return line


def last_line(text: str, limit: int = 0) -> str:
    """The last line that says anything, as one line: what a live activity shows of a growing text."""
    for line in reversed(clean(text).splitlines()):
        if line.strip():
            return one_line(line, limit)
    return ""


def slug(text: str, limit: int = 40) -> str:
    """A lower-case ASCII name from any title: ``Ünïcode Web!`` → ``unicode-web``; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:limit].strip("-")
