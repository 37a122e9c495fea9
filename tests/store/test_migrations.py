"""From one schema to the next: a backup first, each step whole or not at all."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ccp_tui.paths import Home
from ccp_tui.store import Store, StoreError, opening
from ccp_tui.store.migrations import MIGRATIONS, SCHEMA_VERSION
from tests.store.conftest import Shelf

FIRST = (
    "ALTER TABLE missions ADD COLUMN colour TEXT NOT NULL DEFAULT '';\nUPDATE missions SET colour = 'red';"
)
SECOND = "CREATE TABLE extras (id INTEGER PRIMARY KEY) STRICT;"
BROKEN = "UPDATE missions SET colour = 'blue';\nCREATE TABLE half (id INTEGER) STRICT;\nINSERT INTO nowhere VALUES (1);"


def _become(monkeypatch: pytest.MonkeyPatch, *steps: str) -> int:
    """This ccp knows as many versions more as there are steps."""
    newest = SCHEMA_VERSION + len(steps)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", newest)
    monkeypatch.setattr(opening, "MIGRATIONS", {SCHEMA_VERSION + n: step for n, step in enumerate(steps)})
    return newest


def _made(home: Home) -> None:
    store = Store(home.database, home.backups)
    Shelf(store).task("Keep me")
    store.close()


def _ask(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as raw:
        row = raw.execute(sql).fetchone()
        return row[0] if row else None


def test_every_version_has_a_step() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_a_migration_backs_up_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(home)
    newest = _become(monkeypatch, FIRST, SECOND)
    store = Store(home.database, home.backups)
    assert store.db.execute("SELECT colour FROM missions").fetchone() == ("red",)
    assert store.db.execute("PRAGMA user_version").fetchone() == (newest,)
    assert store.cards.one("WEB-1")["title"] == "Keep me"
    store.close()
    (backup,) = home.backups.iterdir()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert _ask(backup, "PRAGMA user_version") == SCHEMA_VERSION
    assert _ask(backup, "SELECT title FROM tasks") == "Keep me"


def test_a_database_of_today_is_not_migrated(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(home)
    _become(monkeypatch, FIRST)
    for _ in range(3):
        Store(home.database, home.backups).close()
    assert len(os.listdir(home.backups)) == 1


def test_a_step_that_fails_leaves_the_version_before_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction of its own: what came before it stays, of itself nothing does."""
    _made(home)
    _become(monkeypatch, FIRST, BROKEN)
    with pytest.raises(StoreError) as error:
        Store(home.database, home.backups)
    (backup,) = home.backups.iterdir()
    words = str(error.value)
    assert f"can't be brought to schema {SCHEMA_VERSION + 2}" in words
    assert "no such table: nowhere" in words
    assert str(backup) in words
    assert _ask(home.database, "PRAGMA user_version") == SCHEMA_VERSION + 1
    assert _ask(home.database, "SELECT colour FROM missions") == "red"
    assert _ask(home.database, "SELECT count(*) FROM sqlite_master WHERE name = 'half'") == 0
    assert _ask(backup, "PRAGMA user_version") == SCHEMA_VERSION


def test_after_a_failed_step_the_next_ccp_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(home)
    _become(monkeypatch, FIRST, BROKEN)
    with pytest.raises(StoreError):
        Store(home.database, home.backups)
    newest = _become(monkeypatch, FIRST, SECOND)
    store = Store(home.database, home.backups)
    assert store.db.execute("PRAGMA user_version").fetchone() == (newest,)
    assert store.cards.one("WEB-1")["title"] == "Keep me"
    store.close()


def test_without_room_for_the_backup_nothing_is_migrated(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(home)
    _become(monkeypatch, FIRST)
    home.backups.rmdir()
    with pytest.raises(StoreError):
        Store(home.database, home.backups)
    assert _ask(home.database, "PRAGMA user_version") == SCHEMA_VERSION


def test_backups_do_not_pile_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing again and again keeps a few, the newest among them; what a person backed up is never removed."""
    _made(home)
    own = home.backups / "mission-20261123T065415Z.db"
    own.write_bytes(b"mine")
    for version in (2, 9, 10, 11):
        for hour in (1, 2):
            old = home.backups / f"mission-v{version}-2020-01-01T0{hour}0000.000Z.db"
            old.write_bytes(b"old")
            os.utime(old, (1.6e9 + version * 10 + hour,) * 2)
    _become(monkeypatch, BROKEN)
    for _ in range(3):
        with pytest.raises(StoreError):
            Store(home.database, home.backups)
    kept = sorted(path.name for path in home.backups.glob("mission-v*.db"))
    assert len(kept) == opening.KEPT_BACKUPS
    made = [name for name in kept if name.startswith(f"mission-v{SCHEMA_VERSION}-")]
    assert len(made) == 3
    assert set(kept) - set(made) == {f"mission-v11-2020-01-01T0{hour}0000.000Z.db" for hour in (1, 2)}
    assert own.read_bytes() == b"mine"


def test_a_backup_is_whole_while_the_store_is_written(home: Home) -> None:
    store = Store(home.database, home.backups)
    shelf = Shelf(store)
    for number in range(300):
        shelf.task(f"Task {number}", description="words " * 50)
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(home.database, timeout=5)) as other:
            while not stop.is_set():
                with other:
                    other.execute("UPDATE missions SET icon = icon || 'x'")
                    other.execute("UPDATE tasks SET due = (SELECT icon FROM missions LIMIT 1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = [store.back_up(home.backups / f"copy-{n}.db") for n in range(3)]
    finally:
        stop.set()
        writer.join()
    store.close()
    for number, size in enumerate(sizes):
        copy = home.backups / f"copy-{number}.db"
        assert copy.stat().st_size == size
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert _ask(copy, "PRAGMA integrity_check") == "ok"
        assert _ask(copy, "SELECT count(*) FROM tasks") == 300
        assert _ask(copy, "SELECT count(DISTINCT coalesce(due, '')) FROM tasks") == 1
    assert sorted(os.listdir(home.backups)) == ["copy-0.db", "copy-1.db", "copy-2.db"]


def test_a_backup_opens_as_a_database(home: Home, tmp_path: Path) -> None:
    store = Store(home.database, home.backups)
    Shelf(store).task("Keep me")
    other = Home(tmp_path / "restored").prepare()
    store.back_up(other.database)
    store.close()
    restored = Store(other.database, other.backups)
    assert restored.cards.one("web-1")["title"] == "Keep me"
    restored.close()


def test_a_backup_that_fails_leaves_the_older_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(home.database, home.backups)
    target = home.backups / "copy.db"
    size = store.back_up(target)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(OSError, match="No space left"):
        store.back_up(target)
    store.close()
    assert os.listdir(home.backups) == ["copy.db"]
    assert target.stat().st_size == size


V1 = Path(__file__).with_name("schema_v1.sql")

# What a home of the first version held: a task under work, a verdict, a chat, and what was said in them.
OLD = """
INSERT INTO missions (slug, title, prefix, created_at, updated_at) VALUES ('web', 'Web', 'WEB', 't', 't');
INSERT INTO agents (id, name, created_at, updated_at) VALUES ('ann', 'Ann', 't', 't');
INSERT INTO tasks (mission_id, ref, title, state, state_since, position, agent_id, created_at, updated_at)
  VALUES (1, 'WEB-1', 'Keep me', 'review', 't', 1.0, 'ann', 't', 't');
INSERT INTO specs (task_id, version, text, deliverables, success_criteria, checks, constraints, author, created_at)
  VALUES (1, 1, 'title: x', '[]', '[]', '[]', '[]', 'me', 't');
INSERT INTO attempts (task_id, number, agent_id, spec_id, session_key, token_hash, started_at)
  VALUES (1, 1, 'ann', 1, 'work', 'h', 't');
INSERT INTO rounds (attempt_id, number, started_at) VALUES (1, 1, 't');
INSERT INTO reviews (round_id, verdict, actor_kind, actor, reason, at)
  VALUES (1, 'reject', 'person', 'me', 'do more', 't');
INSERT INTO sessions (session_key, agent_id, attempt_id, created_at) VALUES
  ('work', 'ann', 1, 't'), ('chat', 'ann', NULL, 't');
INSERT INTO messages (session_key, role, text, status, usage, at) VALUES
  ('work', 'assistant', 'Findable words', 'final', '{"input": 10, "output": 5, "cost_usd": 0.25}', 't'),
  ('work', 'assistant', 'More', 'final', '{"input": 1, "output": 2, "cost_usd": 0.5}', 't'),
  ('chat', 'user', 'Hello', 'sent', NULL, 't');
INSERT INTO events (at, actor_kind, actor, kind, task_id, mission_id, text)
  VALUES ('t', 'person', 'me', 'noted', 1, 1, 'x');
"""


def _old_home(home: Home) -> str:
    """A database of version 1 with something in it; the home's id."""
    with closing(sqlite3.connect(home.database)) as raw:
        raw.executescript(
            V1.read_text()
            + OLD
            + f"PRAGMA application_id = {opening.APPLICATION_ID}; PRAGMA user_version = 1;"
        )
        found: str = raw.execute("SELECT id FROM home").fetchone()[0]
    home.database.chmod(0o600)
    return found


def _shape(path: Path) -> dict[str, object]:
    """What a database is made of: the columns, keys and checks of each table, the indices, the triggers."""
    with closing(sqlite3.connect(path)) as raw:
        made = raw.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'search_index%'"
        ).fetchall()
        shape: dict[str, object] = {}
        for kind, name, sql in made:
            if kind == "table":
                columns = [row[1:] for row in raw.execute(f"PRAGMA table_xinfo({name})")]
                keys = sorted(row[2:5] for row in raw.execute(f"PRAGMA foreign_key_list({name})"))
                strict = raw.execute(
                    "SELECT strict, wr FROM pragma_table_list WHERE name = ?", (name,)
                ).fetchone()
                shape[name] = (sorted(columns), keys, strict, (sql or "").count("CHECK"))
            else:
                words = re.sub(r"--[^\n]*", "", sql or "")
                shape[name] = (kind, " ".join(words.split()))
        return shape


def test_a_migrated_database_is_made_as_a_new_one(home: Home, tmp_path: Path) -> None:
    _old_home(home)
    Store(home.database, home.backups).close()
    new = Home(tmp_path / "new").prepare()
    Store(new.database, new.backups).close()
    migrated, fresh = _shape(home.database), _shape(new.database)
    assert sorted(migrated) == sorted(fresh)
    for name, made in fresh.items():
        assert migrated[name] == made, name


def test_what_the_first_version_held_is_there_after_the_migration(home: Home) -> None:
    before = _old_home(home)
    store = Store(home.database, home.backups)
    assert store.home_id == before
    assert store.emergency() is None
    card = store.cards.one("WEB-1")
    assert (card["title"], card["state"], card["session_key"]) == ("Keep me", "review", "work")
    assert (card["tokens"], card["cost_usd"]) == (18, 0.75)
    (attempt,) = store.details.attempts(card["id"])
    (review,) = attempt["rounds"][0]["reviews"]
    assert (review["verdict"], review["actor_kind"], review["reason"]) == ("reject", "person", "do more")
    work, chat = store.sessions.get("work"), store.sessions.get("chat")
    assert (work["purpose"], work["task_id"]) == ("work", card["id"])
    assert (chat["purpose"], chat["task_id"], chat["tokens"]) == ("chat", None, 0)
    assert store.missions.row(1)["policy"] == {"auto": "off"}, "an old mission starts nothing by itself"
    assert [hit["title"] for hit in store.search.find("findable")]
    assert [row["text"] for row in store.events.page()] == ["x"]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.db.execute("DELETE FROM events")
    store.close()
    (backup,) = home.backups.iterdir()
    assert _ask(backup, "PRAGMA user_version") == 1
    assert _ask(home.database, "PRAGMA foreign_key_check") is None


def test_both_judges_may_speak_of_a_round_after_the_migration(home: Home) -> None:
    _old_home(home)
    store = Store(home.database, home.backups)
    sql = "INSERT INTO reviews (round_id, verdict, actor_kind, actor, at) VALUES (1, 'approve', 'reviewer', 'bob', 't')"
    store.db.execute(sql)
    with pytest.raises(sqlite3.IntegrityError):
        store.db.execute(sql)
    store.close()
