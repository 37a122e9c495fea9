"""The table of deployments: which columns fit, and what stands in each cell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from ccp_tui.incus import Deployment, FleetError, bytes_of
from ccp_tui.screens.fleet import words
from ccp_tui.screens.widgets.glyphs import Glyphs
from ccp_tui.screens.widgets.lines import Line, Piece, cut
from ccp_tui.screens.widgets.palette import Palette
from ccp_tui.screens.widgets.rowlist import Row
from ccp_tui.text import one_line

LEAST_NAME, SHORT_NAME, MOST_NAME = (
    12,
    16,
    40,
)  # a column goes before a name is cut below the second, or so that it looks like another one
BEFORE = 3  # the cursor and the mark
GAP = 1

Key = tuple[str, str]  # remote and name: what the cursor follows


@dataclass(frozen=True)
class Look:
    """What a cell is drawn with."""

    palette: Palette
    glyphs: Glyphs


Cell = Callable[[Deployment, Look], list[Piece]]


@dataclass(frozen=True)
class Column:
    """One column. ``least`` cells wide, or as wide as its content up to ``most``; ``rank``: the highest goes first."""

    head: str
    least: int
    rank: int
    cell: Cell
    most: int = 0
    right: bool = False
    content: Callable[[Deployment], str] | None = None


def key_of(deployment: Deployment) -> Key:
    return deployment.remote, deployment.name


def _state(each: Deployment, look: Look) -> list[Piece]:
    mark, style = words.state_mark(each.state, look.palette, look.glyphs)
    return [(f"{mark} ", style), (words.state_word(each.state), style)]


def _health(each: Deployment, look: Look) -> list[Piece]:
    pieces: list[Piece] = []
    for health in (each.gateway, each.service):
        if each.state in ("stopped", "error"):
            health = ""
        mark, style = words.health_mark(health, look.palette, look.glyphs)
        pieces.append((f" {mark}", style))
    return [pieces[0], (" ", look.palette.text), pieces[1]]


def _tasks(each: Deployment, look: Look) -> list[Piece]:
    if not each.tasks:
        return []
    running, some = words.running_tasks(each.tasks), words.open_tasks(each.tasks)
    style = look.palette.good if running else look.palette.dim
    return [(str(running), style), (f"/{some}", look.palette.dim)]


def _states(each: Deployment, look: Look) -> list[Piece]:
    palette, pieces = look.palette, list[Piece]()
    for state, head in words.TASKS.items():
        count = each.tasks.get(state, 0)
        style = palette.good if state in words.RUNNING else palette.text
        text = str(min(count, 999)) if count else look.glyphs.between
        pieces.append((f"{text:>{len(head)}} ", style if count else palette.dim))
    pieces[-1] = (pieces[-1][0].rstrip(), pieces[-1][1])
    return pieces if each.tasks else []


def _needs(each: Deployment, look: Look) -> list[Piece]:
    return [(f"{look.glyphs.held}{min(each.needs_you, 999)}", look.palette.warn)] if each.needs_you else []


def _used(used: str, most: str, share: float, look: Look) -> list[Piece]:
    palette = look.palette
    style = palette.bad if share >= 0.95 else palette.warn if share >= 0.8 else palette.text
    return [(used, style), (f"/{most}" if most else "", palette.dim)]


def share(used: float | None, most: str) -> float:
    """How much of a limit is used; 0 when either is unknown."""
    try:
        total = bytes_of(most) if most[-1:].isalpha() else float(most)
    except (FleetError, ValueError):
        return 0.0
    return used / total if used and total else 0.0


def _cpu(each: Deployment, look: Look) -> list[Piece]:
    if each.cpu_used is None:
        return []
    most = each.limits.cpu
    return _used(words.cores(each.cpu_used), most, share(each.cpu_used, most), look)


def _memory(each: Deployment, look: Look) -> list[Piece]:
    most = each.limits.memory
    if each.memory_used is None:
        return []
    return _used(words.size(each.memory_used), words.limit(most), share(each.memory_used, most), look)


def _disk(each: Deployment, look: Look) -> list[Piece]:
    most = each.limits.disk
    if each.disk_used is None:
        return []
    return _used(words.size(each.disk_used), words.limit(most), share(each.disk_used, most), look)


def _door(each: Deployment, look: Look) -> list[Piece]:
    return [(words.door(each), look.palette.text if each.state == "running" else look.palette.dim)]


def _version(each: Deployment, look: Look) -> list[Piece]:
    return [(one_line(each.version), look.palette.dim)]


def _where(each: Deployment, look: Look) -> list[Piece]:
    return [(words.where(each), look.palette.dim)]


WHERE = Column("where", 5, 2, _where, most=18, content=words.where)
STATES = Column(" ".join(words.TASKS.values()), 27, 10, _states)
TASKS = Column("tasks", 6, 4, _tasks)
COLUMNS = (
    Column("state", 12, 0, _state),
    Column("ssh", 12, 1, _door, most=24, content=words.door),
    Column("gw svc", 6, 3, _health),
    TASKS,
    Column("you", 4, 3, _needs),
    Column("cpu", 5, 5, _cpu, right=True),
    Column("memory", 8, 6, _memory, right=True),
    Column("disk", 9, 7, _disk, right=True),
    Column("version", 7, 8, _version, most=12, content=lambda each: one_line(each.version)),
    WHERE,
)


@dataclass(frozen=True)
class Layout:
    """The columns that fit, each with its width; the name comes first."""

    name: int
    columns: tuple[tuple[Column, int], ...]


def lay_out(deployments: Sequence[Deployment], width: int, *, several: bool) -> Layout:
    """The columns for a table of so many cells; ``several`` remotes or members: then where each is matters."""
    columns = [column for column in COLUMNS if several or column is not WHERE]
    sizes = {column.head: _wide(column, deployments) for column in columns}
    sizes[STATES.head] = STATES.least
    longest = max((cell_len(each.name) for each in deployments), default=LEAST_NAME)
    apart = max(SHORT_NAME, _apart([each.name for each in deployments]))
    name = max(LEAST_NAME, min(apart, longest, MOST_NAME))

    def needed(chosen: list[Column]) -> int:
        return BEFORE + name + sum(sizes[column.head] + GAP for column in chosen)

    by_state = [STATES if column is TASKS else column for column in columns]
    if needed(by_state) + min(longest, MOST_NAME) - name <= width:
        columns = by_state  # where no name is cut for it
    while len(columns) > 1 and needed(columns) > width:
        columns.remove(max(columns, key=lambda column: column.rank))
    room = width - needed(columns)
    name = max(4, name + room) if room < 0 else max(name, min(MOST_NAME, longest, name + room))
    return Layout(name, tuple((column, sizes[column.head]) for column in columns))


def _apart(names: Collection[str]) -> int:
    """How many cells tell the names apart: the first that differs, and the mark of a name that was cut."""
    alike = (
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        for one, other in pairwise(sorted(set(names)))
    )
    return max(alike, default=0) + 2


def _wide(column: Column, deployments: Iterable[Deployment]) -> int:
    if column.content is None:
        return column.least
    content = column.content
    return max(
        column.least,
        min(column.most, max((cell_len(content(each)) for each in deployments), default=0)),
    )


def row(deployment: Deployment, layout: Layout, look: Look, *, marked: bool, stale: bool) -> Row:
    """One deployment as a line. What is stale is dim: it may be so no more."""
    palette, glyphs = look.palette, look.glyphs
    name = cut(one_line(deployment.name), layout.name, glyphs.ellipsis)
    pieces: list[Piece] = [
        (f"{glyphs.tick} " if marked else "  ", palette.accent),
        (set_cell_size(name, layout.name), palette.bold),
    ]
    for column, width in layout.columns:
        pieces.append((" " * GAP, palette.text))
        pieces += _fitted(column.cell(deployment, look), width, look, column.right)
    if stale:
        pieces = [(text, palette.dim) for text, _ in pieces]
    return Row.of(key_of(deployment), pieces)


def _fitted(pieces: Iterable[Piece], width: int, look: Look, right: bool) -> list[Piece]:
    """A cell's pieces in exactly its width."""
    found, used = list[Piece](), 0
    for text, style in pieces:
        text = cut(text, width - used, look.glyphs.ellipsis)
        found.append((text, style))
        used += cell_len(text)
    blank: Piece = (" " * (width - used), look.palette.text)
    return [blank, *found] if right else [*found, blank]


class TableHead(Line):
    """The names of the columns."""

    def __init__(self) -> None:
        super().__init__(id="head")
        self._layout: Layout | None = None

    def show(self, layout: Layout) -> None:
        self._layout = layout
        self.redraw()

    def filler(self) -> Style:
        return self.palette.bar_dim

    def pieces(self, width: int) -> Iterable[Piece]:
        layout, style = self._layout, self.palette.bar_dim
        if layout is None:
            return
        yield " " * BEFORE + set_cell_size("name", layout.name), style
        for column, cells in layout.columns:
            head = cut(column.head, cells, self.glyphs.ellipsis)
            yield " " * GAP + (f"{head:>{cells}}" if column.right else f"{head:<{cells}}"), style


def matching(deployments: Iterable[Deployment], text: str) -> list[Deployment]:
    """Those whose name, state, address, version or place holds every word of the filter."""
    wanted = text.lower().split()

    def holds(each: Deployment) -> bool:
        about = (each.name, each.state, words.door(each), each.version, words.where(each), each.note)
        line = " ".join(about).lower()
        return all(word in line for word in wanted)

    return [each for each in deployments if holds(each)]


def several_places(deployments: Collection[Deployment], remotes: int) -> bool:
    """Whether it must be told where each deployment is."""
    return remotes > 1 or any(each.location for each in deployments)
