-- The whole database of one CCP_HOME. Times are UTC, ISO-8601 with milliseconds. JSON columns hold valid JSON.
-- The states and enums mirror ccp_tui/lifecycle.py and ccp_tui/model.py; a test compares them.

-- Tells this home's sessions apart from those of another home on the same gateway.
CREATE TABLE home (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  stopped_at TEXT, stopped_by TEXT -- the emergency stop: nothing is started while it is set
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
  updated_at TEXT NOT NULL,
  policy TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(policy)) -- see ccp_tui/policy.py
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
  updated_at TEXT NOT NULL,
  duty TEXT CHECK (duty IN ('planner', 'reviewer')), -- an agent that the service made for a duty of its own
  deleted_at TEXT -- gone from gateway and board; its row stays for what it did
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
  parent_id INTEGER REFERENCES tasks (id), -- the task whose plan, or whose worker, made this one
  auto INTEGER NOT NULL DEFAULT 0 CHECK (auto IN (0, 1)), -- planned by assumptions, without questions
  wanted_agent TEXT, -- the agent that the plan names; it may have to be created first
  budget_tokens INTEGER CHECK (budget_tokens > 0), budget_usd REAL CHECK (budget_usd > 0),
  CHECK ((hold_kind IS NULL) = (hold_reason IS NULL) AND (hold_kind IS NULL) = (hold_since IS NULL))
) STRICT;
CREATE INDEX tasks_board ON tasks (mission_id, state, position);
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_by_agent ON tasks (agent_id, state);
CREATE INDEX tasks_queued ON tasks (queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX tasks_held ON tasks (hold_kind) WHERE hold_kind IS NOT NULL;
CREATE INDEX tasks_of_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

-- A task starts when every task it needs is done. Cycles are refused where a row is added.
CREATE TABLE dependencies (
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  needs_id INTEGER NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (task_id, needs_id), CHECK (task_id <> needs_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependants ON dependencies (needs_id);

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
  agent TEXT NOT NULL DEFAULT '',
  agents TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(agents)), -- to be created on approval
  tasks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tasks)), -- sub-tasks, to be created on approval
  assumptions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(assumptions)),
  UNIQUE (task_id, version),
  CHECK ((approved_at IS NULL) = (approved_by IS NULL))
) STRICT;

-- One go at a plan: a session with the planner, from the first question to an approved spec, or until it is dropped.
CREATE TABLE plannings (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id),
  number INTEGER NOT NULL,
  agent_id TEXT REFERENCES agents (id), -- the planner, once it is known
  session_key TEXT UNIQUE, -- once the session is made
  auto INTEGER NOT NULL DEFAULT 0 CHECK (auto IN (0, 1)),
  state TEXT NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'planner', 'person', 'proposed', 'raw', 'ended')),
  seen_key TEXT, -- the history's id of the last reply that was read
  invalid INTEGER NOT NULL DEFAULT 0, -- replies in a row that did not fit the schema
  nudged INTEGER NOT NULL DEFAULT 0 CHECK (nudged IN (0, 1)),
  raw TEXT, -- the last reply as it came, when the planner could not be brought to the schema
  problem TEXT NOT NULL DEFAULT '',
  outcome TEXT CHECK (outcome IN ('approved', 'dropped', 'cancelled')),
  started_at TEXT NOT NULL, ended_at TEXT,
  UNIQUE (task_id, number),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX plannings_one_open ON plannings (task_id) WHERE ended_at IS NULL;

-- Agents that an approved plan names and that must exist before its tasks are assigned.
CREATE TABLE crew (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks (id), -- the planned task
  name TEXT NOT NULL, role TEXT NOT NULL DEFAULT '', emoji TEXT NOT NULL DEFAULT '',
  model TEXT, soul TEXT NOT NULL DEFAULT '',
  agent_id TEXT REFERENCES agents (id), -- once it exists
  asked_at TEXT, -- set before the gateway is asked to create it
  problem TEXT NOT NULL DEFAULT '',
  UNIQUE (task_id, name)
) STRICT;

-- What agents ask of the person: the planner, a worker through its report command, or any agent through the gateway.
CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('planning', 'report', 'gateway')),
  source_key TEXT NOT NULL UNIQUE, -- what it was asked by: a history id, a report, the gateway's request and question
  session_key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  task_id INTEGER REFERENCES tasks (id),
  planning_id INTEGER REFERENCES plannings (id),
  attempt_id INTEGER REFERENCES attempts (id),
  header TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL,
  options TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(options)), -- [{id, label, description}]
  multiple INTEGER NOT NULL DEFAULT 0 CHECK (multiple IN (0, 1)),
  free INTEGER NOT NULL DEFAULT 1 CHECK (free IN (0, 1)), -- an answer in words of one's own is taken
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'waived', 'gone')),
  answer TEXT CHECK (answer IS NULL OR json_valid(answer)), -- {options: [{id, label}], text}
  answered_by TEXT, answered_at TEXT,
  delivered_at TEXT, -- when whoever asked had the answer
  asked_at TEXT NOT NULL, expires_at TEXT,
  CHECK ((state IN ('answered', 'waived')) = (answered_at IS NOT NULL))
) STRICT;
CREATE INDEX questions_open ON questions (id) WHERE state = 'open';
CREATE INDEX questions_undelivered ON questions (id) WHERE state IN ('answered', 'waived') AND delivered_at IS NULL;
CREATE INDEX questions_of_task ON questions (task_id, id);

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
  retries INTEGER NOT NULL DEFAULT 0, -- failed runs in a row that were, or will be, tried again
  retry_at TEXT,
  stalled_at TEXT, -- when the worker was last asked for a sign of life; cleared by one
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

-- One verdict per judge and round: where the policy asks both, the reviewer's comes before the person's.
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

-- A round given to a reviewer agent: a session and a token of its own, for one verdict.
CREATE TABLE review_requests (
  id INTEGER PRIMARY KEY,
  round_id INTEGER NOT NULL REFERENCES rounds (id),
  number INTEGER NOT NULL, -- the second one of a round is the person's wish
  agent_id TEXT REFERENCES agents (id), -- the reviewer, once it is known
  session_key TEXT UNIQUE, -- once the session is made
  token_hash TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'reviewing', 'given', 'silent', 'void')),
  nudged INTEGER NOT NULL DEFAULT 0 CHECK (nudged IN (0, 1)),
  started_at TEXT NOT NULL, ended_at TEXT,
  UNIQUE (round_id, number),
  CHECK ((state IN ('given', 'silent', 'void')) = (ended_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX review_requests_one_open ON review_requests (round_id) WHERE ended_at IS NULL;

-- What delivered text files held, by their hash: rounds are compared by it.
CREATE TABLE contents (
  sha256 TEXT PRIMARY KEY, text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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

-- The gateway sessions that the board knows: a chat with the person, a worker's, the planner's, a reviewer's, a sub-agent's.
CREATE TABLE sessions (
  session_key TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  title TEXT NOT NULL DEFAULT '',
  attempt_id INTEGER REFERENCES attempts (id),
  read_up_to INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  purpose TEXT NOT NULL DEFAULT 'chat' CHECK (purpose IN ('chat', 'work', 'plan', 'review', 'subagent')),
  task_id INTEGER REFERENCES tasks (id), -- what its costs count for
  parent_key TEXT, -- of a sub-agent: the session whose run spawned it
  state TEXT NOT NULL DEFAULT '', -- of a sub-agent: running, done or failed
  tokens INTEGER NOT NULL DEFAULT 0, cost_usd REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_agent ON sessions (agent_id);
CREATE INDEX sessions_of_task ON sessions (task_id) WHERE task_id IS NOT NULL;

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
