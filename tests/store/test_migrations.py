"""From one schema to the next: a backup first, each step whole or not at all."""

from __future__ import annotations

import os
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
        return raw.execute(sql).fetchone()[0]


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
    assert "can't be brought to schema 3" in words
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
