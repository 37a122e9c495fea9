-- The whole database of one CCP_HOME. Times are UTC, ISO-8601 with milliseconds. JSON columns hold valid JSON.
-- The states and enums mirror ccp_tui/lifecycle.py and ccp_tui/model.py; a test compares them.

-- Tells this home's sessions apart from those of another home on the same gateway.
CREATE TABLE home (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL
) STRICT;
INSERT INTO home (one, id) VALUES (1, lower(hex(randomblob(3))));

CREATE TABLE missions (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE CHECK (slug <> ''),
  title TEXT NOT NULL CHECK (title <> ''),
  icon TEXT NOT NULL DEFAULT '',
  prefix TEXT NOT NULL UNIQUE CHECK (prefix <> '' AND prefix = upper(prefix)),
  next_number INTEGER NOT NULL DEFAULT 1,
  archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- An agent of the gateway that the board knows. The id is the gateway's; the display name is only a name.
CREATE TABLE agents (
  id TEXT PRIMARY KEY CHECK (id <> ''),
  name TEXT NOT NULL CHECK (name <> ''),
  role TEXT NOT NULL DEFAULT '',
  emoji TEXT NOT NULL DEFAULT '',
  model TEXT,
  workspace TEXT,
  on_gateway INTEGER NOT NULL DEFAULT 1 CHECK (on_gateway IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- Every version of an agent's files; the newest is what the gateway should have.
CREATE TABLE agent_files (
  id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  name TEXT NOT NULL CHECK (name IN ('SOUL.md', 'USER.md', 'AGENTS.md')),
  version INTEGER NOT NULL,
  content TEXT NOT NULL,
  author TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (agent_id, name, version)
) STRICT;

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  mission_id INTEGER NOT NULL REFERENCES missions (id),
  ref TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL CHECK (title <> ''),
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL CHECK (state IN
    ('planning', 'inbox', 'assigned', 'in_progress', 'testing', 'review', 'done', 'cancelled')),
  state_since TEXT NOT NULL,
  priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  due TEXT,
  position REAL NOT NULL,
  agent_id TEXT REFERENCES agents (id),
  hold_kind TEXT CHECK (hold_kind IN ('question', 'approval', 'error', 'stalled', 'gateway', 'budget', 'dependency')),
  hold_reason TEXT,
  hold_release TEXT,
  hold_since TEXT,
  queued_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  CHECK ((hold_kind IS NULL) = (hold_reason IS NULL) AND (hold_kind IS NULL) = (hold_since IS NULL))
) STRICT;
CREATE INDEX tasks_board ON tasks (mission_id, state, position);
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_by_agent ON tasks (agent_id, state);
CREATE INDEX tasks_queued ON tasks (queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX tasks_held ON tasks (hold_kind) WHERE hold_kind IS NOT NULL;

-- The moves of the state machine, so that even a statement of our own cannot make another one.
CREATE TABLE state_moves (
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (source, target)
) STRICT, WITHOUT ROWID;
INSERT INTO state_moves (source, target) VALUES
  ('inbox', 'planning'), ('planning', 'assigned'), ('planning', 'inbox'), ('inbox', 'assigned'),
  ('assigned', 'inbox'), ('assigned', 'in_progress'), ('in_progress', 'testing'), ('testing', 'review'),
  ('testing', 'in_progress'), ('review', 'done'), ('review', 'in_progress'), ('in_progress', 'assigned'),
  ('testing', 'assigned'), ('review', 'assigned'), ('done', 'assigned'), ('planning', 'cancelled'),
  ('inbox', 'cancelled'), ('assigned', 'cancelled'), ('in_progress', 'cancelled'), ('testing', 'cancelled'),
  ('review', 'cancelled'), ('cancelled', 'inbox');
CREATE TRIGGER tasks_state_moves BEFORE UPDATE OF state ON tasks
  WHEN OLD.state <> NEW.state
    AND NOT EXISTS (SELECT 1 FROM state_moves WHERE source = OLD.state AND target = NEW.state)
BEGIN SELECT RAISE(ABORT, 'the lifecycle has no such move'); END;

CREATE TABLE specs (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  version INTEGER NOT NULL,
  text TEXT NOT NULL,
  title TEXT NOT NULL DEFAULT '',
  summary TEXT NOT NULL DEFAULT '',
  deliverables TEXT NOT NULL CHECK (json_valid(deliverables)),
  success_criteria TEXT NOT NULL CHECK (json_valid(success_criteria)),
  checks TEXT NOT NULL CHECK (json_valid(checks)),
  constraints TEXT NOT NULL CHECK (json_valid(constraints)),
  author TEXT NOT NULL,
  created_at TEXT NOT NULL,
  approved_at TEXT,
  approved_by TEXT,
  UNIQUE (task_id, version),
  CHECK ((approved_at IS NULL) = (approved_by IS NULL))
) STRICT;

-- One dispatch: one agent, one gateway session. The token lets its agent report; only the hash is kept.
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  number INTEGER NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  spec_id INTEGER NOT NULL REFERENCES specs (id),
  session_key TEXT NOT NULL UNIQUE,
  token_hash TEXT NOT NULL UNIQUE,
  outcome TEXT CHECK (outcome IN ('done', 'stopped', 'cancelled', 'reopened')),
  nudged_round INTEGER NOT NULL DEFAULT 0,
  tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL NOT NULL DEFAULT 0,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  UNIQUE (task_id, number),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX attempts_one_open ON attempts (task_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_open_by_agent ON attempts (agent_id) WHERE ended_at IS NULL;

-- The gateway's runs in an attempt's session, those it adopted after a crash too.
CREATE TABLE runs (
  attempt_id INTEGER NOT NULL REFERENCES attempts (id),
  run_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'final', 'aborted', 'error', 'superseded', 'lost')),
  detail TEXT NOT NULL DEFAULT '',
  started_at TEXT NOT NULL,
  ended_at TEXT,
  PRIMARY KEY (attempt_id, run_id)
) STRICT, WITHOUT ROWID;

-- A round is one go at the spec inside an attempt; what is submitted, checked and judged belongs to it alone.
CREATE TABLE rounds (
  id INTEGER PRIMARY KEY,
  attempt_id INTEGER NOT NULL REFERENCES attempts (id),
  number INTEGER NOT NULL,
  summary TEXT NOT NULL DEFAULT '',
  result TEXT CHECK (result IN ('failed', 'passed', 'approved', 'rejected', 'dropped')),
  started_at TEXT NOT NULL,
  submitted_at TEXT,
  UNIQUE (attempt_id, number)
) STRICT;

CREATE TABLE deliverables (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL REFERENCES rounds (id),
  path TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  present INTEGER NOT NULL CHECK (present IN (0, 1)),
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  reported_at TEXT NOT NULL,
  UNIQUE (round_id, path)
) STRICT;

CREATE TABLE check_results (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL REFERENCES rounds (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  command TEXT NOT NULL,
  exit_code INTEGER,
  output TEXT NOT NULL,
  timed_out INTEGER NOT NULL CHECK (timed_out IN (0, 1)),
  duration_ms INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  UNIQUE (round_id, position)
) STRICT;

CREATE TABLE reviews (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL UNIQUE REFERENCES rounds (id),
  verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'reject')),
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('person', 'reviewer')),
  actor TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  at TEXT NOT NULL,
  CHECK (verdict = 'approve' OR reason <> '')
) STRICT;

-- What the gateway must hear, committed before it does. The idempotency key is stable over every resend.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  idempotency_key TEXT NOT NULL UNIQUE,
  session_key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  attempt_id INTEGER REFERENCES attempts (id),
  text TEXT NOT NULL,
  mode TEXT CHECK (mode IN ('steer', 'followup', 'interrupt')),
  attachments TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attachments)),
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'void')),
  run_id TEXT,
  error TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  sent_at TEXT
) STRICT;
CREATE INDEX outbox_open ON outbox (id) WHERE state IN ('pending', 'sending');

-- The gateway sessions that the board knows: an attempt's, or a person's chat with an agent.
CREATE TABLE sessions (
  session_key TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  title TEXT NOT NULL DEFAULT '',
  attempt_id INTEGER REFERENCES attempts (id),
  read_up_to INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_agent ON sessions (agent_id);

-- The transcript as the gateway's history tells it. gateway_key is the history's id of the row, or the tool call's.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  session_key TEXT NOT NULL REFERENCES sessions (session_key),
  gateway_key TEXT,
  idempotency_key TEXT,
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool', 'system')),
  text TEXT NOT NULL,
  tool TEXT CHECK (tool IS NULL OR json_valid(tool)),
  run_id TEXT,
  status TEXT NOT NULL CHECK (status IN ('queued', 'sending', 'sent', 'steered', 'final', 'partial', 'error')),
  usage TEXT CHECK (usage IS NULL OR json_valid(usage)),
  attachments TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attachments)),
  at TEXT NOT NULL,
  UNIQUE (session_key, gateway_key)
) STRICT;
CREATE INDEX messages_of_session ON messages (session_key, at, role = 'tool', id);
CREATE INDEX messages_unread ON messages (session_key, id) WHERE role = 'assistant';
CREATE UNIQUE INDEX messages_by_idempotency ON messages (idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What happened, for ever. Never changed, never removed.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('person', 'service', 'worker', 'reviewer')),
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  task_id INTEGER REFERENCES tasks (id),
  mission_id INTEGER REFERENCES missions (id),
  agent_id TEXT,
  attempt INTEGER,
  round INTEGER,
  text TEXT NOT NULL,
  reason TEXT,
  data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data))
) STRICT;
CREATE INDEX events_of_task ON events (task_id, id);
CREATE INDEX events_of_mission ON events (mission_id, id);
CREATE INDEX events_of_agent ON events (agent_id, id);
CREATE TRIGGER events_never_change BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_never_go BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- Search over everything a person may look for. One rowid per source row: id * 4 + kind, kept by the triggers below.
CREATE VIRTUAL TABLE search_index USING fts5 (title, body, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');

CREATE TRIGGER search_task_new AFTER INSERT ON tasks BEGIN
  INSERT INTO search_index (rowid, title, body) VALUES (NEW.id * 4, NEW.ref || ' ' || NEW.title, NEW.description); END;
CREATE TRIGGER search_task_edit AFTER UPDATE OF title, description ON tasks BEGIN
  UPDATE search_index SET title = NEW.ref || ' ' || NEW.title, body = NEW.description WHERE rowid = NEW.id * 4; END;
CREATE TRIGGER search_task_gone AFTER DELETE ON tasks BEGIN DELETE FROM search_index WHERE rowid = OLD.id * 4; END;

CREATE TRIGGER search_spec_new AFTER INSERT ON specs BEGIN
  INSERT INTO search_index (rowid, title, body) VALUES (NEW.id * 4 + 1, NEW.title, NEW.text); END;
CREATE TRIGGER search_spec_gone AFTER DELETE ON specs BEGIN DELETE FROM search_index WHERE rowid = OLD.id * 4 + 1; END;

CREATE TRIGGER search_message_new AFTER INSERT ON messages BEGIN
  INSERT INTO search_index (rowid, title, body) VALUES (NEW.id * 4 + 2, '', NEW.text || ' ' || coalesce(NEW.tool, ''));
END;
CREATE TRIGGER search_message_edit AFTER UPDATE OF text, tool ON messages BEGIN
  UPDATE search_index SET body = NEW.text || ' ' || coalesce(NEW.tool, '') WHERE rowid = NEW.id * 4 + 2; END;
CREATE TRIGGER search_message_gone AFTER DELETE ON messages BEGIN
  DELETE FROM search_index WHERE rowid = OLD.id * 4 + 2; END;

CREATE TRIGGER search_event_new AFTER INSERT ON events BEGIN
  INSERT INTO search_index (rowid, title, body) VALUES (NEW.id * 4 + 3, '', NEW.text || ' ' || coalesce(NEW.reason, ''));
END;
