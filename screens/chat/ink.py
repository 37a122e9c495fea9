"""The styles of a conversation, by what they say; a widget fills them from the theme in force."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.style import Style

from ccp_tui.screens.widgets.palette import Palette


@dataclass(frozen=True)
class Ink:
    """One style per meaning. The defaults carry no colour, so tests and NO_COLOR read the same words."""

    text: Style = field(default_factory=Style.null)
    muted: Style = field(default_factory=lambda: Style(dim=True))
    you: Style = field(default_factory=lambda: Style(bold=True))
    agent: Style = field(default_factory=lambda: Style(bold=True))
    accent: Style = field(default_factory=lambda: Style(bold=True))
    code: Style = field(default_factory=Style.null)  # inside a sentence
    block: Style = field(default_factory=Style.null)  # whole lines of code or output
    good: Style = field(default_factory=Style.null)
    bad: Style = field(default_factory=lambda: Style(bold=True))
    warn: Style = field(default_factory=lambda: Style(italic=True))
    cursor: Style = field(default_factory=lambda: Style(reverse=True))

    @classmethod
    def of(cls, palette: Palette) -> Ink:
        """The ink of the application's palette."""
        back = Style(bgcolor=palette.text.bgcolor)
        name = Style(color=palette.key.color, bold=True) + back
        return cls(
            text=palette.text, muted=palette.dim, you=palette.accent + Style(bold=True), agent=name, accent=name,
            code=palette.bar, block=palette.text, good=palette.good, bad=palette.bad, warn=palette.warn,
            cursor=palette.accent,
        )  # fmt: skip
