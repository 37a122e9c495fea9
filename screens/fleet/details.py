"""What the table has no room for: one deployment in full, at its side on a wide screen, below it on a narrow one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from ccp_tui.incus import Deployment
from ccp_tui.screens.fleet import words
from ccp_tui.screens.fleet.table import share
from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.glyphs import Glyphs
from ccp_tui.screens.widgets.lines import Drawn, Piece, cut, differing_runs, fit
from ccp_tui.screens.widgets.palette import Palette
from ccp_tui.text import one_line

BAR_CELLS = 14
LABEL = 11
SNAPSHOTS_SHOWN = 8
Lines = list[list[Piece]]


class Details(Drawn):
    """Lines that are drawn as they come; only the cells that differ are repainted."""

    def __init__(self) -> None:
        super().__init__(id="details")
        self._lines: Lines = []

    def show(self, lines: Lines) -> None:
        """Shows these lines from now on."""
        if not self.is_attached or not self.size.width:
            self._lines = lines
            return
        width, height = self.size.width, self.size.height
        before = [self._line(y, width) for y in range(height)]
        self._lines = lines
        for y in range(height):
            for first, last in differing_runs(before[y], self._line(y, width)):
                self.refresh(Region(first, y, last - first, 1))

    def render_line(self, y: int) -> Strip:
        return Strip(self._line(y, self.size.width), self.size.width)

    def _line(self, y: int, width: int) -> list[Segment]:
        return fit(self._lines[y] if y < len(self._lines) else [], width, self.palette.text)


def side(
    each: Deployment, failed: str, *, login: str, stale: str, width: int, palette: Palette, glyphs: Glyphs
) -> Lines:
    """The pane beside the table. ``failed``: what went wrong with it last; ``stale``: since when it is not heard of."""
    edge: Piece = (f"{glyphs.split} ", palette.rule)
    room = width - 3
    lines = list(_side(each, failed, login, stale, room, palette, glyphs))
    return [[edge, *line] for line in lines] + [[edge]] * 60


def _side(
    each: Deployment, failed: str, login: str, stale: str, room: int, palette: Palette, glyphs: Glyphs
) -> Iterator[list[Piece]]:
    mark, style = words.state_mark(each.state, palette, glyphs)
    yield [(cut(one_line(each.name), room, glyphs.ellipsis), palette.bold)]
    yield [(f"{mark} {words.state_word(each.state)}", style), (f"  on {words.where(each)}", palette.dim)]
    if stale:
        yield [(cut(f"as last seen, {stale}", room, glyphs.ellipsis), palette.warn)]
    yield from _told(each, failed, room, palette)
    yield []
    if not login:
        yield [_label("board", palette), ("no SSH port", palette.dim)]
    elif cell_len(login) <= room - LABEL:
        yield [_label("board", palette), (login, palette.accent)]
    else:
        yield [_label("board", palette)]
        yield [(f"  {cut(login, room - 2, glyphs.ellipsis)}", palette.accent)]
    for name, health in (("gateway", each.gateway), ("service", each.service)):
        mark, style = words.health_mark(health, palette, glyphs)
        if each.state == "running":
            yield [_label(name, palette), (f"{mark} {health}", style)]
    yield [_label("version", palette), (one_line(each.version) or "?", palette.text)]
    yield [_label("image", palette), (cut(one_line(each.image), room - LABEL, glyphs.ellipsis), palette.dim)]
    yield [_label("inside", palette), (one_line(each.address) or "none", palette.dim)]
    yield [_label("created", palette), (words.when(each.created_at), palette.dim)]
    yield []
    yield from _limits(each, room, palette, glyphs)
    yield []
    yield from _tasks(each, palette, glyphs)
    yield []
    yield from _snapshots(each, room, palette, glyphs)


def _label(text: str, palette: Palette) -> Piece:
    return f"{text:<{LABEL}}", palette.dim


def _told(each: Deployment, failed: str, room: int, palette: Palette) -> Iterator[list[Piece]]:
    for text, style in ((each.note, palette.warn), (failed, palette.bad)):
        for line in list(wrap(one_line(text), room))[:4]:
            yield [(line, style)]


def _limits(each: Deployment, room: int, palette: Palette, glyphs: Glyphs) -> Iterator[list[Piece]]:
    limits = each.limits
    for name, used, most, shown in (
        ("cpu", each.cpu_used, limits.cpu, words.cores(each.cpu_used)),
        ("memory", each.memory_used, limits.memory, words.size(each.memory_used)),
        ("disk", each.disk_used, limits.disk, words.size(each.disk_used)),
    ):
        if used is None:
            cores = f" core{'s' if most != '1' else ''}" if name == "cpu" else ""
            yield [_label(name, palette), (f"at most {most}{cores}" if most else "no limit", palette.dim)]
            continue
        part = share(used, most)
        style = palette.bad if part >= 0.95 else palette.warn if part >= 0.8 else palette.good
        full = min(BAR_CELLS, round(part * BAR_CELLS))
        on, off = ("#", ".") if glyphs.ascii else ("━", "─")
        yield [
            _label(name, palette),
            (on * full, style),
            (off * (BAR_CELLS - full), palette.dim),
            (cut(f" {shown} of {most or 'all'}", room - LABEL - BAR_CELLS), palette.text),
        ]
    yield [_label("processes", palette), (f"at most {limits.processes}", palette.dim)]


def _tasks(each: Deployment, palette: Palette, glyphs: Glyphs) -> Iterator[list[Piece]]:
    if each.needs_you:
        many = "" if each.needs_you == 1 else "s"
        verb = "needs" if each.needs_you == 1 else "need"
        yield [
            _label("needs you", palette),
            (f"{glyphs.held} {each.needs_you} thing{many} {verb} you", palette.warn),
        ]
    if not each.tasks:
        yield [
            _label("tasks", palette),
            ("none yet" if each.service == "ready" else "not known", palette.dim),
        ]
        return
    title = "tasks"
    for state in ("in_progress", "testing", "review", "planning", "assigned", "inbox", "done"):
        if count := each.tasks.get(state):
            style = palette.good if state in words.RUNNING else palette.text
            yield [
                _label(title, palette),
                (f"{count:>4} ", style),
                (words.LONG.get(state, state), palette.dim),
            ]
            title = ""
    if title:
        yield [_label(title, palette), ("none open", palette.dim)]


def _snapshots(each: Deployment, room: int, palette: Palette, glyphs: Glyphs) -> Iterator[list[Piece]]:
    if not each.snapshots:
        yield [_label("snapshots", palette), ("none: p takes one", palette.dim)]
        return
    yield [_label("snapshots", palette), (str(len(each.snapshots)), palette.text)]
    newest = sorted(each.snapshots, key=lambda one: one.created_at, reverse=True)
    for one in newest[:SNAPSHOTS_SHOWN]:
        at = words.when(one.created_at) + (f"  {words.size(one.size, fine=True)}" if one.size else "")
        name = cut(one_line(one.name), room - cell_len(at) - 4, glyphs.ellipsis)
        gap = " " * max(1, room - 2 - cell_len(name) - cell_len(at))
        yield [(f"  {name}", palette.text), (f"{gap}{at}", palette.dim)]


def foot(
    each: Deployment, failed: str, *, login: str, stale: str, width: int, palette: Palette, glyphs: Glyphs
) -> Lines:
    """Three lines below the table: what the narrow table left out."""
    between = f" {glyphs.between} "
    first = [login or "no SSH port"]
    if each.state == "running":
        first += [f"gateway {each.gateway}", f"service {each.service}"]
    if each.location or each.remote != "local":
        first.append(f"on {words.where(each)}")
    disk = f"disk {words.size(each.disk_used)} of {each.limits.disk}" if each.disk_used is not None else ""
    count = len(each.snapshots)
    snapshots = f"{count} snapshot{'' if count == 1 else 's'}" if count else ""
    second = [disk, one_line(each.version), snapshots, words.tasks_words(each.tasks)]
    told: Sequence[Piece]
    if failed:
        told = [(f" {glyphs.cross} {one_line(failed)}", palette.bad)]
    elif stale:
        told = [(f" as last seen, {stale}", palette.warn)]
    else:
        told = [(f" {one_line(each.note)}", palette.warn)]
    rule = glyphs.rule * width
    lines: Lines = [
        [(rule, palette.rule)],
        [(f" {between.join(first)}", palette.text)],
        [(f" {between.join(filter(None, second))}", palette.dim)],
        list(told),
    ]
    return [[(cut(text, width, glyphs.ellipsis), style) for text, style in line] for line in lines]
