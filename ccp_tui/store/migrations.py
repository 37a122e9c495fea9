"""The steps from one schema version to the next.

A new database is made from ``schema.sql`` at :data:`SCHEMA_VERSION`; an older file takes every step in turn, each in a
transaction of its own, after a backup. Step ``n`` is the SQL that leads from version ``n`` to ``n + 1``.
"""

from __future__ import annotations

SCHEMA_VERSION = 2

# Planning, policies, dependencies, reviewers. A mission that is there keeps dispatching only when it is asked to.
_PLANNING = """
ALTER TABLE home ADD COLUMN stopped_at TEXT;
ALTER TABLE home ADD COLUMN stopped_by TEXT;
ALTER TABLE missions ADD COLUMN policy TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(policy));
UPDATE missions SET policy = '{"auto": "off"}';
ALTER TABLE agents ADD COLUMN duty TEXT CHECK (duty IN ('planner', 'reviewer'));
ALTER TABLE agents ADD COLUMN deleted_at TEXT;
ALTER TABLE tasks ADD COLUMN parent_id INTEGER REFERENCES tasks (id);
ALTER TABLE tasks ADD COLUMN auto INTEGER NOT NULL DEFAULT 0 CHECK (auto IN (0, 1));
ALTER TABLE tasks ADD COLUMN wanted_agent TEXT;
ALTER TABLE tasks ADD COLUMN budget_tokens INTEGER CHECK (budget_tokens > 0);
ALTER TABLE tasks ADD COLUMN budget_usd REAL CHECK (budget_usd > 0);
ALTER TABLE specs ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE specs ADD COLUMN agents TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(agents));
ALTER TABLE specs ADD COLUMN tasks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tasks));
ALTER TABLE specs ADD COLUMN assumptions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(assumptions));
ALTER TABLE attempts ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN retry_at TEXT;
ALTER TABLE attempts ADD COLUMN stalled_at TEXT;
ALTER TABLE sessions ADD COLUMN purpose TEXT NOT NULL DEFAULT 'chat'
  CHECK (purpose IN ('chat', 'work', 'plan', 'review', 'subagent'));
ALTER TABLE sessions ADD COLUMN task_id INTEGER REFERENCES tasks (id);
ALTER TABLE sessions ADD COLUMN parent_key TEXT;
ALTER TABLE sessions ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0;
UPDATE sessions SET purpose = 'work', task_id = (SELECT task_id FROM attempts WHERE id = attempt_id)
  WHERE attempt_id IS NOT NULL;
UPDATE sessions SET (tokens, cost_usd) = (SELECT
  coalesce(sum(json_extract(usage, '$.input') + json_extract(usage, '$.output')), 0),
  coalesce(sum(json_extract(usage, '$.cost_usd')), 0.0) FROM messages m WHERE m.session_key = sessions.session_key);
CREATE TABLE dependencies (
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  needs_id INTEGER NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (task_id, needs_id),
  CHECK (task_id <> needs_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE plannings (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  number INTEGER NOT NULL,
  agent_id TEXT REFERENCES agents (id),
  session_key TEXT UNIQUE,
  auto INTEGER NOT NULL DEFAULT 0 CHECK (auto IN (0, 1)),
  state TEXT NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'planner', 'person', 'proposed', 'raw', 'ended')),
  seen_key TEXT,
  invalid INTEGER NOT NULL DEFAULT 0,
  nudged INTEGER NOT NULL DEFAULT 0 CHECK (nudged IN (0, 1)),
  raw TEXT,
  problem TEXT NOT NULL DEFAULT '',
  outcome TEXT CHECK (outcome IN ('approved', 'dropped', 'cancelled')),
  started_at TEXT NOT NULL,
  ended_at TEXT,
  UNIQUE (task_id, number),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) STRICT;
CREATE TABLE crew (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  name TEXT NOT NULL,
  role TEXT NOT NULL DEFAULT '',
  emoji TEXT NOT NULL DEFAULT '',
  model TEXT,
  soul TEXT NOT NULL DEFAULT '',
  agent_id TEXT REFERENCES agents (id),
  asked_at TEXT,
  problem TEXT NOT NULL DEFAULT '',
  UNIQUE (task_id, name)
) STRICT;
CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('planning', 'report', 'gateway')),
  source_key TEXT NOT NULL UNIQUE,
  session_key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  task_id INTEGER REFERENCES tasks (id),
  planning_id INTEGER REFERENCES plannings (id),
  attempt_id INTEGER REFERENCES attempts (id),
  header TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL,
  options TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(options)),
  multiple INTEGER NOT NULL DEFAULT 0 CHECK (multiple IN (0, 1)),
  free INTEGER NOT NULL DEFAULT 1 CHECK (free IN (0, 1)),
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'waived', 'gone')),
  answer TEXT CHECK (answer IS NULL OR json_valid(answer)),
  answered_by TEXT,
  answered_at TEXT,
  delivered_at TEXT,
  asked_at TEXT NOT NULL,
  expires_at TEXT,
  CHECK ((state IN ('answered', 'waived')) = (answered_at IS NOT NULL))
) STRICT;
CREATE TABLE review_requests (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL REFERENCES rounds (id),
  number INTEGER NOT NULL,
  agent_id TEXT REFERENCES agents (id),
  session_key TEXT UNIQUE,
  token_hash TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'reviewing', 'given', 'silent', 'void')),
  nudged INTEGER NOT NULL DEFAULT 0 CHECK (nudged IN (0, 1)),
  started_at TEXT NOT NULL,
  ended_at TEXT,
  UNIQUE (round_id, number),
  CHECK ((state IN ('given', 'silent', 'void')) = (ended_at IS NOT NULL))
) STRICT;
CREATE TABLE contents (
  sha256 TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE reviews RENAME TO reviews_before;
CREATE TABLE reviews (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL REFERENCES rounds (id),
  verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'reject')),
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('person', 'reviewer')),
  actor TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  at TEXT NOT NULL,
  UNIQUE (round_id, actor_kind),
  CHECK (verdict = 'approve' OR reason <> '')
) STRICT;
INSERT INTO reviews SELECT * FROM reviews_before;
DROP TABLE reviews_before;
CREATE INDEX tasks_of_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX dependants ON dependencies (needs_id);
CREATE UNIQUE INDEX plannings_one_open ON plannings (task_id) WHERE ended_at IS NULL;
CREATE INDEX questions_open ON questions (id) WHERE state = 'open';
CREATE INDEX questions_undelivered ON questions (id) WHERE state IN ('answered', 'waived') AND delivered_at IS NULL;
CREATE INDEX questions_of_task ON questions (task_id, id);
CREATE UNIQUE INDEX review_requests_one_open ON review_requests (round_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_of_task ON sessions (task_id) WHERE task_id IS NOT NULL;
"""

MIGRATIONS: dict[int, str] = {1: _PLANNING}
