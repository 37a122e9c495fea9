"""Themes, and the styles that lines are drawn with.

Widgets that draw their own lines take styles from the :class:`Palette` of the app, which follows the theme. Under
``NO_COLOR`` it has attributes only (bold, dim, reverse), and every difference still shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

HARBOR = Theme(
    name="harbor", dark=True, background="#10151c", surface="#18202b", panel="#1f2a38", foreground="#d5dde8",
    primary="#4aa3ff", secondary="#7f8ea3", accent="#ffb454", success="#63d297", warning="#f5c451", error="#ff6b6b",
    variables={"ccp-cursor": "#27425f", "ccp-dim": "#7b8a9e"},
)  # fmt: skip
PAPER = Theme(
    name="paper", dark=False, background="#faf8f2", surface="#f0ece1", panel="#e6e0d1", foreground="#22262b",
    primary="#0b5cad", secondary="#6d6a60", accent="#a34a00", success="#1c7a3e", warning="#8a5a00", error="#b3261e",
    variables={"ccp-cursor": "#cfe1f5", "ccp-dim": "#6d6a60"},
)  # fmt: skip
CONTRAST = Theme(
    name="contrast", dark=True, background="#000000", surface="#000000", panel="#1a1a1a", foreground="#ffffff",
    primary="#00e5ff", secondary="#ffffff", accent="#ffff00", success="#00ff66", warning="#ffff00", error="#ff8080",
    variables={"ccp-cursor": "#0037a8", "ccp-dim": "#d0d0d0"},
)  # fmt: skip
TERMINAL = Theme(
    name="terminal", dark=True, ansi=True, background="ansi_default", surface="ansi_default", panel="ansi_default",
    boost="ansi_default", foreground="ansi_default", primary="ansi_blue", secondary="ansi_cyan", accent="ansi_yellow",
    success="ansi_green", warning="ansi_yellow", error="ansi_red",
    variables={
        "ansi-background": "ansi_black", "ansi-foreground": "ansi_white", "border-blurred": "ansi_black",
        "block-cursor-foreground": "ansi_black", "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white", "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_bright_blue", "input-selection-foreground": "ansi_black",
    },
)  # fmt: skip
OURS = (HARBOR, PAPER, CONTRAST, TERMINAL)
DEFAULT = HARBOR.name


@dataclass(frozen=True)
class Palette:
    """Styles by what they mean. ``on_cursor`` and ``on_bar`` put any of them on another background."""

    text: Style
    bold: Style
    dim: Style
    accent: Style
    good: Style
    warn: Style
    bad: Style
    key: Style
    bar: Style
    bar_dim: Style
    key_on_card: Style
    rule: Style
    cursor: Style
    match: Style
    typing: Style
    plain: bool = False

    def on_cursor(self, style: Style) -> Style:
        """The style as it looks under the cursor."""
        if self.cursor.reverse:  # reversed colours would make a patchwork
            return Style(reverse=True, bold=style.bold, underline=style.underline)
        return style + self.cursor

    def on_bar(self, style: Style) -> Style:
        """The style as it looks on a bar (titles, hints, column heads)."""
        return style + Style(bgcolor=self.bar.bgcolor) if self.bar.bgcolor else style


def palette(variables: Mapping[str, str], *, ansi: bool = False, no_color: bool = False) -> Palette:
    """The palette of a theme's CSS variables. Terminal (ANSI) themes show dim text and the cursor by attributes."""
    if no_color:
        plain = Style()
        bold, dim, reverse = Style(bold=True), Style(dim=True), Style(reverse=True)
        return Palette(
            text=plain, bold=bold, dim=dim, accent=bold, good=plain, warn=bold, bad=bold, key=bold, bar=plain,
            bar_dim=dim, key_on_card=bold, rule=dim, cursor=reverse,
            match=Style(bold=True, underline=True), typing=reverse, plain=True,
        )  # fmt: skip

    def color(name: str, fallback: str = "foreground") -> Color | None:
        return _color(variables.get(name) or variables.get(fallback) or "")

    back = color("background")
    raised = color("panel")

    def style(name: str, bold: bool = False) -> Style:
        return Style(color=color(name), bgcolor=back, bold=bold or None)

    dim = Style(bgcolor=back, dim=True) if ansi else Style(color=_dim(variables), bgcolor=back)
    cursor = Style(reverse=True) if ansi else Style(bgcolor=_cursor(variables))
    rule = dim if ansi else Style(color=raised, bgcolor=back)
    return Palette(
        text=style("foreground"),
        bold=style("foreground", bold=True),
        dim=dim,
        accent=style("accent"),
        good=style("success"),
        warn=style("warning"),
        bad=style("error"),
        key=Style(color=color("primary"), bgcolor=raised, bold=True),
        bar=Style(color=color("foreground"), bgcolor=raised),
        bar_dim=Style(bgcolor=raised, dim=True) if ansi else Style(color=_dim(variables), bgcolor=raised),
        key_on_card=style("primary", bold=True),
        rule=rule,
        cursor=cursor,
        match=Style(color=color("accent"), bgcolor=back, bold=True, underline=True),
        typing=Style(reverse=True),
    )


def _dim(variables: Mapping[str, str]) -> Color | None:
    """The theme's own dim colour, or one halfway between its foreground and background."""
    return _color(variables.get("ccp-dim", "")) or _mix(variables, "foreground", 0.58)


def _cursor(variables: Mapping[str, str]) -> Color | None:
    """The theme's own cursor colour, or a touch of its primary colour on the background."""
    return _color(variables.get("ccp-cursor", "")) or _mix(variables, "primary", 0.3)


def _mix(variables: Mapping[str, str], name: str, share: float) -> Color | None:
    """So much of one colour on the background; the colour itself where a terminal's own colours can't be mixed."""
    front, back = (_color(variables.get(each, "")) for each in (name, "background"))
    if front is None or back is None or front.triplet is None or back.triplet is None:
        return front
    return Color.from_rgb(
        *(round(share * a + (1 - share) * b) for a, b in zip(front.triplet, back.triplet, strict=True))
    )


def _color(value: str) -> Color | None:
    """A theme's colour (``#rrggbb``, ``ansi_red``) for Rich; None for what Rich can't say."""
    name = value.removeprefix("ansi_")
    try:
        return Color.parse(name)
    except Exception:  # Rich's own error type is private to its parser
        return None
