"""Opening the file: private, checked, and left alone when it can't be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ccp_tui.paths import Home
from ccp_tui.store import Store, StoreError, opening
from ccp_tui.store.migrations import SCHEMA_VERSION
from tests.store.conftest import Shelf


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _open(home: Home) -> Store:
    return Store(home.database, home.backups)


@contextmanager
def unchanged(home: Home) -> Iterator[None]:
    """The file is the same byte for byte, and nothing was put beside it that stays."""
    before, beside = home.database.read_bytes(), sorted(os.listdir(home.root))
    yield
    assert home.database.read_bytes() == before
    left = set(os.listdir(home.root)) - set(beside)
    assert left <= {"mission.db-wal", "mission.db-shm"}


def test_a_new_database_is_private_whatever_the_umask(home: Home) -> None:
    before = os.umask(0)
    try:
        store = _open(home)
        store.transaction(lambda store: store.missions.create("Web"))
        modes = {path.name: _mode(path) for path in home.root.glob("mission.db*")}
        store.close()
    finally:
        os.umask(before)
    assert {"mission.db", "mission.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert _mode(home.root) == 0o700


def test_an_open_file_is_closed_to_others(home: Home) -> None:
    _open(home).close()
    home.database.chmod(0o644)
    _open(home).close()
    assert _mode(home.database) == 0o600


def test_the_settings_of_the_connection(shelf: Shelf) -> None:
    assert shelf.one("PRAGMA journal_mode") == "wal"
    assert shelf.one("PRAGMA foreign_keys") == 1
    assert shelf.one("PRAGMA recursive_triggers") == 1
    assert shelf.one("PRAGMA user_version") == SCHEMA_VERSION
    assert shelf.one("PRAGMA integrity_check") == "ok"
    assert shelf.one("PRAGMA foreign_key_check") is None


def test_every_table_is_strict(store: Store) -> None:
    tables = store.db.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
    loose = {name for name, strict in tables if not strict and not name.startswith("sqlite_")}
    assert loose == set()
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER"):
        store.db.execute(
            "INSERT INTO missions (slug, title, prefix, next_number, created_at, updated_at) "
            "VALUES ('a', 'A', 'A', 'first', '', '')"
        )


def test_foreign_keys_hold(shelf: Shelf) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        shelf.task(agent_id="nobody")
    task = shelf.task(agent_id="ann")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        shelf.do(lambda store: store.db.execute("DELETE FROM agents WHERE id = 'ann'"))
    shelf.event("x", task=task)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        shelf.do(lambda store: store.db.execute("DELETE FROM tasks"))


def test_what_was_written_is_there_after_reopening(home: Home) -> None:
    store = _open(home)
    task = Shelf(store).task("Remember me")
    identity = store.home_id
    store.close()
    again = _open(home)
    assert again.tasks.get(task)["title"] == "Remember me"
    assert again.home_id == identity
    assert len(identity) == 6
    again.close()
    assert os.listdir(home.backups) == []


def test_two_homes_have_two_identities(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other").prepare()
    with closing(_open(home)) as one, closing(_open(other)) as two:
        assert one.home_id != two.home_id


def test_an_empty_file_is_a_new_database(home: Home) -> None:
    home.database.touch()
    store = _open(home)
    assert store.missions.all() == []
    store.close()


def test_a_newer_database_is_refused_untouched(home: Home) -> None:
    _open(home).close()
    with closing(sqlite3.connect(home.database)) as raw:
        raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer = (
        f"written by a newer ccp .schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}.: upgrade ccp"
    )
    with unchanged(home), pytest.raises(StoreError, match=newer):
        _open(home)


def test_a_strangers_database_is_refused_untouched(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as raw:
        raw.execute("CREATE TABLE theirs (x)")
        raw.commit()
    home.database.chmod(0o644)
    with (
        unchanged(home),
        pytest.raises(StoreError, match="is not a ccp database: move it away, or set CCP_HOME"),
    ):
        _open(home)
    assert _mode(home.database) == 0o644


@pytest.mark.parametrize(
    "content", [b"just a text file\n" * 100, os.urandom(4096), b"x" * 99], ids=["text", "noise", "few"]
)
def test_a_file_that_is_no_database_is_refused_untouched(home: Home, content: bytes) -> None:
    home.database.write_bytes(content)
    with (
        unchanged(home),
        pytest.raises(StoreError, match=r"is damaged .+ left untouched; there is no backup|is not a ccp"),
    ):
        _open(home)


def _damaged(home: Home) -> None:
    store = _open(home)
    shelf = Shelf(store)
    for number in range(50):
        shelf.task(f"Task {number}", description="words " * 200)
    store.close()
    content = bytearray(home.database.read_bytes())
    for page in range(5, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = os.urandom(200)
    home.database.write_bytes(content)


def test_a_damaged_database_is_refused_untouched_and_the_backup_named(home: Home) -> None:
    _damaged(home)
    newest, old = home.backups / "a-chosen-name.db", home.backups / "mission-v1-2020.db"
    for age, path in ((0, newest), (3600, old)):
        path.write_bytes(b"a backup")
        os.utime(path, (2e9 - age, 2e9 - age))
    with unchanged(home), pytest.raises(StoreError, match="is damaged") as error:
        _open(home)
    assert f"the newest backup is {newest}" in str(error.value)


def test_refusals_do_not_pile_up_files(home: Home) -> None:
    _damaged(home)
    for _ in range(3):
        with pytest.raises(StoreError):
            _open(home)
    assert os.listdir(home.backups) == []
    assert {path.name for path in home.root.glob("mission*")} <= {
        "mission.db",
        "mission.db-wal",
        "mission.db-shm",
    }


def test_a_locked_database_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.05)
    _open(home).close()
    with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="is locked by another program: close it and try again"):
            _open(home)
        other.execute("ROLLBACK")
    _open(home).close()


def test_a_write_that_meets_a_lock_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.05)
    with (
        closing(_open(home)) as store,
        closing(sqlite3.connect(home.database, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"can't be written \(database is locked\)"):
            store.transaction(lambda store: store.missions.create("Web"))
        other.execute("ROLLBACK")
        store.transaction(lambda store: store.missions.create("Web"))


def test_a_folder_in_the_way_is_said(home: Home) -> None:
    home.database.mkdir()
    with pytest.raises(StoreError, match=r"can't be opened"):
        _open(home)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"can't be opened"):
        Store(tmp_path / "nowhere" / "mission.db", tmp_path)


def test_a_path_with_odd_characters_is_opened(home: Home) -> None:
    odd = Home(home.root / "a b?c#d%20é").prepare()
    for _ in range(2):
        _open(odd).close()
    assert odd.database.stat().st_size > 0
    assert sorted(os.listdir(odd.root)) == ["backups", "logs", "mission.db"]


def test_a_creation_that_fails_leaves_nothing_half_made(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "APPLICATION_ID", "no number")
    with pytest.raises(StoreError):
        _open(home)
    monkeypatch.undo()
    store = _open(home)
    assert store.missions.all() == []
    store.close()
