"""The steps from one schema version to the next.

A new database is made from ``schema.sql`` at :data:`SCHEMA_VERSION`; an older file takes every step in turn, each in a
transaction of its own, after a backup. Step ``n`` is the SQL that leads from version ``n`` to ``n + 1``.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

MIGRATIONS: dict[int, str] = {}
