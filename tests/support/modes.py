"""What programs have switched on in a terminal and not off again, out of the bytes that they wrote."""

from __future__ import annotations

import re

# The other screen, the mouse in its kinds, words about focus and size, bracketed paste, synchronised drawing, other
# cursor keys.
WATCHED = {1, 1000, 1002, 1003, 1004, 1006, 1015, 1049, 2004, 2026, 2048}
USUAL = {7, 25}  # wrapping and the cursor are on in a terminal that nobody has touched
MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
STYLE = re.compile(rb"\x1b\[([\d;]*)m")
COLOURS = {b"%d" % number for first in (30, 40, 90, 100) for number in range(first, first + 9)} - {
    b"39",
    b"49",
}


class Written:
    """Hears all that is written to a terminal: ``Terminal.heard = written.add``."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, data: bytes) -> None:
        self.data += data

    def changed(self) -> set[int]:
        """The modes that are not as in a new terminal."""
        on = set(USUAL)
        for numbers, letter in MODE.findall(self.data):
            for number in map(int, numbers.split(b";")):
                (on.add if letter == b"h" else on.discard)(number)
        return (on ^ USUAL) & (WATCHED | USUAL)

    def colours(self) -> set[str]:
        """How colours were written: "2" of 16 million, "5" of 256, "" of the terminal's own 16; empty: not at all."""
        found = set()
        for style in STYLE.findall(self.data):
            parts = style.split(b";")
            for at, part in enumerate(parts):
                if part in (b"38", b"48"):
                    found.add(parts[at + 1].decode())
                    break
                if part in COLOURS:
                    found.add("")
        return found
