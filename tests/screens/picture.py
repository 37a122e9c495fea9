"""Pictures of screens as text: what stands in every cell and how it looks, kept beside the tests and compared.

``CCP_NEW_PICTURES=1 pytest …`` draws them anew; the difference is then read in the diff, as any other change.
"""

from __future__ import annotations

import os
from pathlib import Path

from rich.style import Style
from textual.app import App

FOLDER = Path(__file__).parent / "pictures"
DRAW_ANEW = bool(os.environ.get("CCP_NEW_PICTURES"))  # read before the fixtures clear the environment


def picture(app: App[int]) -> str:
    """The screen: its lines, then per line the runs of styles (cells and a letter), then what the letters mean."""
    letters: dict[str, str] = {}
    lines, looks = [], []
    for strip in app.screen._compositor.render_strips():
        runs: list[list[object]] = []
        for text, style, _ in strip.simplify():
            letter = letters.setdefault(look(style), _name(len(letters)))
            cells = strip.__class__([strip._segments[0].__class__(text)]).cell_length
            if runs and runs[-1][1] == letter:
                runs[-1][0] = int(str(runs[-1][0])) + cells
            else:
                runs.append([cells, letter])
        lines.append("|" + "".join(segment.text for segment in strip) + "|")
        looks.append(" ".join(f"{cells}{letter}" for cells, letter in runs))
    legend = [f"{letter} = {meaning}" for meaning, letter in letters.items()]
    return "\n".join([*lines, "", *looks, "", *legend, ""])


def look(style: Style | None) -> str:
    """A style in words that do not depend on how it was put together."""
    if style is None:
        return "none"
    words = [
        name for name in ("bold", "dim", "italic", "underline", "reverse", "strike") if getattr(style, name)
    ]
    front = style.color.name if style.color else "default"
    back = style.bgcolor.name if style.bgcolor else "default"
    return " ".join([*words, front, "on", back])


def check_picture(app: App[int], name: str) -> None:
    """Compares the screen with the kept picture; fails with the first line that differs."""
    path, now = FOLDER / f"{name}.txt", picture(app)
    if DRAW_ANEW:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(now)
        return
    assert path.exists(), f"there is no picture {path.name} yet: draw it with CCP_NEW_PICTURES=1"
    kept = path.read_text()
    if kept != now:
        pairs = zip(kept.splitlines(), now.splitlines(), strict=False)
        first = next(((a, b) for a, b in pairs if a != b), ("its length", "its length"))
        raise AssertionError(f"{path.name} differs; kept and now:\n{first[0]}\n{first[1]}")


def _name(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else chr(ord("A") + index - 26)
