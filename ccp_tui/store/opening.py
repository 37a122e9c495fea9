"""Opening mission.db: private, checked, brought to this version with a backup first; or refused and left untouched."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from ccp_tui import clock
from ccp_tui.store.errors import StoreError
from ccp_tui.store.migrations import MIGRATIONS, SCHEMA_VERSION

BUSY_TIMEOUT_S = 5.0
KEPT_BACKUPS = 5
# SQLite keeps this in the file's header, so that a stranger's database is never taken for ours ("ccpM").
APPLICATION_ID = 0x6363704D


def open_database(path: Path, backups: Path) -> sqlite3.Connection:
    """A connection to an up-to-date database at ``path``, made when absent (0600).

    Raises StoreError when the file is corrupted, locked, not ours, or from a newer version; it is not changed then.
    """
    try:
        existed = path.exists() and path.stat().st_size > 0 and _inspect(path)
        if not existed:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        connection = _connect(path)
        try:
            if existed:
                _migrate(connection, path, backups)
            else:
                _create(connection)
        except BaseException:
            connection.close()
            raise
        return connection
    except sqlite3.OperationalError as error:
        raise StoreError(_operational(path, error)) from None
    except sqlite3.DatabaseError as error:
        raise StoreError(_corrupted(path, backups, error)) from None
    except OSError as error:
        raise StoreError(f"{path} can't be opened ({error.strerror}): check its owner and mode.") from None


def back_up(connection: sqlite3.Connection, target: Path) -> int:
    """An online copy of the whole database at ``target`` (0600), safe while it is written to; returns its bytes."""
    partial = target.with_name(target.name + ".part")
    descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(partial)) as copy:
            connection.backup(copy)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
    return connection


def _inspect(path: Path) -> bool:
    """Reads the file without changing it: is it ours, whole, unlocked, and not from a newer version?

    False when it is a database with nothing in it: its creation was cut short, and can be done again.
    """
    with path.open("rb") as file:
        is_database = file.read(16) == b"SQLite format 3\0"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as reader:
        application = reader.execute("PRAGMA application_id").fetchone()[0]
        version = reader.execute("PRAGMA user_version").fetchone()[0]
        if is_database and reader.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return False
        if application != APPLICATION_ID:
            raise StoreError(
                f"{path} is not a ccp database: move it away, or set CCP_HOME to another folder."
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer ccp (schema {version}, this one knows {SCHEMA_VERSION}): upgrade ccp, "
                "or set CCP_HOME to another folder. Nothing was changed."
            )
        verdict = reader.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    return True


def _create(connection: sqlite3.Connection) -> None:
    schema = resources.files("ccp_tui").joinpath("schema.sql").read_text("utf-8")
    connection.executescript(
        f"BEGIN;\n{schema}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
    )


def _migrate(connection: sqlite3.Connection, path: Path, backups: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    kept = backups / f"mission-v{version}-{clock.now().replace(':', '')}.db"
    back_up(connection, kept)
    _prune(backups)
    for step in range(version, SCHEMA_VERSION):
        try:
            connection.executescript(
                f"BEGIN;\n{MIGRATIONS[step]}\nPRAGMA user_version = {step + 1};\nCOMMIT;"
            )
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{path} can't be brought to schema {step + 1} ({error}). It stays at schema {step}, nothing is lost; "
                f"as it was before: {kept}."
            ) from None


def _prune(backups: Path) -> None:
    for old in _by_age(backups, "mission-v*.db")[:-KEPT_BACKUPS]:
        old.unlink(missing_ok=True)


def _by_age(backups: Path, names: str) -> list[Path]:
    """The oldest first; by the clock of the files, for names of several kinds don't sort by time."""
    return sorted(backups.glob(names), key=lambda path: (path.stat().st_mtime_ns, path.name))


def _operational(path: Path, error: sqlite3.OperationalError) -> str:
    if "locked" in str(error):
        return f"{path} is locked by another program: close it and try again. Nothing was changed."
    return f"{path} can't be opened ({error}): check its owner, its mode and the free disk space."


def _corrupted(path: Path, backups: Path, error: sqlite3.DatabaseError) -> str:
    found = _by_age(backups, "*.db")
    hint = f"the newest backup is {found[-1]}" if found else "there is no backup beside it"
    return f"{path} is damaged ({error}). It was left untouched; {hint}. Move it away to start anew."
