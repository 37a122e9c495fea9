"""Missions with their slugs and prefixes; agents with every version of their files."""

from __future__ import annotations

import pytest

from ccp_tui.store import Conflict, NotFound, Store
from tests.store.conftest import Shelf


def _mission(shelf: Shelf, title: str, **more: str) -> tuple[str, str]:
    row = shelf.do(lambda store: store.missions.row(store.missions.create(title, **more)))
    return row["slug"], row["prefix"]


@pytest.mark.parametrize(
    ("title", "slug", "prefix"),
    [
        ("Docs", "docs", "DOCS"),
        ("Documentation", "documentation", "DOCU"),
        ("Big Ünïcode Plan", "big-unicode-plan", "BUP"),
        ("One two three four five", "one-two-three-four-five", "OTTF"),
        ("3D print", "3d-print", "M3P"),
        ("日本", "mission", "M"),
        ("Web", "web-2", "WEB2"),
        ("Line\none \x1b[31m", "line-one", "LO"),
    ],
)
def test_slug_and_prefix_are_made_from_the_title(shelf: Shelf, title: str, slug: str, prefix: str) -> None:
    assert _mission(shelf, title) == (slug, prefix)


def test_the_same_title_again_gets_names_of_its_own(shelf: Shelf) -> None:
    made = [_mission(shelf, "Web") for _ in range(3)]
    assert made == [("web-2", "WEB2"), ("web-3", "WEB3"), ("web-4", "WEB4")]


@pytest.mark.parametrize(
    ("title", "more", "words"),
    [
        (" \n", {}, "a mission needs a title"),
        ("x", {"name": "web"}, "there is a mission web already"),
        ("x", {"name": "Not a slug"}, "is no slug: use lower-case letters"),
        ("x", {"prefix": "WEB"}, "the prefix WEB is taken"),
        ("x", {"prefix": "web"}, "is no prefix"),
        ("x", {"prefix": "1A"}, "is no prefix"),
        ("x", {"prefix": "A-B"}, "is no prefix"),
        ("x", {"prefix": "ABCDEFGHI"}, "is no prefix"),
    ],
)
def test_what_a_mission_cannot_be_is_said(shelf: Shelf, title: str, more: dict[str, str], words: str) -> None:
    with pytest.raises(Conflict, match=words):
        _mission(shelf, title, **more)


def test_a_task_that_names_no_mission_goes_to_the_oldest_open_one(store: Store) -> None:
    shelf_default = store.transaction(lambda store: store.missions.default())[0]
    assert store.missions.row(shelf_default)["prefix"] == "MAIN"
    assert store.transaction(lambda store: store.missions.default())[0] == shelf_default
    store.transaction(
        lambda store: store.missions.update(shelf_default, title=None, icon=None, archived=True)
    )
    second = store.transaction(lambda store: store.missions.default())[0]
    assert second != shelf_default
    assert store.missions.row(second)["prefix"] == "MAIN2"


def test_a_slug_comes_before_a_prefix(shelf: Shelf) -> None:
    docs = shelf.do(lambda store: store.missions.create("Docs", name="doc", prefix="WIKI"))
    wiki = shelf.do(lambda store: store.missions.create("Wiki", name="wiki", prefix="DOC"))
    by_slug = shelf.store.missions.by_slug
    assert (by_slug("doc"), by_slug("wiki"), by_slug("DOC"), by_slug("WIKI")) == (docs, wiki, wiki, docs)
    with pytest.raises(NotFound, match="there is no mission 'nope'"):
        by_slug("nope")


def test_a_mission_is_changed_and_archived(shelf: Shelf) -> None:
    def update(title: str | None = None, icon: str | None = None, archived: bool | None = None) -> None:
        shelf.do(
            lambda store: store.missions.update(shelf.mission, title=title, icon=icon, archived=archived)
        )

    update(title="New\nname", icon="🚀")
    update(archived=True)
    row = shelf.store.missions.row(shelf.mission)
    assert (row["title"], row["icon"], row["archived"], row["slug"]) == ("New name", "🚀", True, "web")
    assert shelf.store.missions.all(archived=False) == []
    with pytest.raises(Conflict, match="needs a title"):
        update(title="  ")


def test_agents_are_found_by_id_or_by_a_name_that_only_one_has(shelf: Shelf) -> None:
    def add(agent: str, name: str) -> None:
        shelf.do(lambda store: store.agents.add(agent, name, role="", emoji="", model=None, workspace=None))

    add("c1", "Cleo")
    add("c2", "cleo")
    add("bob2", "ann")
    find = shelf.store.agents.find
    assert (find("ann"), find("BOB"), find("c2")) == ("ann", "bob", "c2")
    with pytest.raises(NotFound, match=r"several agents are called 'Cleo': use the id \(c1, c2\)"):
        find("Cleo")
    with pytest.raises(NotFound, match="there is no agent 'eve': create or import it first"):
        find("eve")
    with pytest.raises(Conflict, match="the board has an agent ann already"):
        add("ann", "Ann")


def test_every_version_of_an_agents_file_is_kept(shelf: Shelf) -> None:
    def save(content: str, name: str = "SOUL.md") -> int:
        return shelf.do(lambda store: store.agents.save_file("ann", name, content, "me"))

    read = shelf.store.agents.file
    blank = read("ann", "SOUL.md")
    assert (blank["version"], blank["content"], blank["versions"]) == (0, "", [])
    assert [save("kind"), save("kind"), save("kinder"), save("kind")] == [1, 1, 2, 3]
    assert save("other", "USER.md") == 1
    newest = read("ann", "SOUL.md")
    assert (newest["version"], newest["content"], newest["author"]) == (3, "kind", "me")
    assert [one["version"] for one in newest["versions"]] == [3, 2, 1]
    assert read("ann", "SOUL.md", 2)["content"] == "kinder"
    assert read("bob", "SOUL.md")["version"] == 0
    with pytest.raises(NotFound, match=r"SOUL.md of ann has no version 9"):
        read("ann", "SOUL.md", 9)
    with pytest.raises(NotFound, match=r"agents have SOUL\.md, USER\.md, AGENTS\.md"):
        read("ann", "../SOUL.md")
    with pytest.raises(NotFound, match="no agent 'eve'"):
        read("eve", "SOUL.md")
    with pytest.raises(Exception, match="CHECK"):
        save("x", "NOTES.md")


def test_an_agents_changes_are_told_once(shelf: Shelf) -> None:
    told = shelf.told(lambda store: store.agents.update("ann", model="big", on_gateway=False))
    assert [(row["model"], row["on_gateway"]) for row in told.agents] == [("big", False)]
    assert shelf.told(lambda store: store.agents.update("ann", model="big", on_gateway=False)).agents == []
