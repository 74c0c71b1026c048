-- Times are microseconds since 1970, statuses the words of the API, documents JSON.

CREATE TABLE jobs (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,   -- in the order of submission
    id              TEXT NOT NULL UNIQUE,
    status          TEXT NOT NULL,
    priority        INTEGER NOT NULL,
    idempotency_key TEXT UNIQUE,
    error           TEXT,
    cancel_phase    TEXT,
    submitted_at    INTEGER NOT NULL,
    started_at      INTEGER,
    completed_at    INTEGER
) STRICT;

-- What waits and what runs, without a look at what is over.
CREATE INDEX jobs_alive ON jobs (status, priority DESC, position) WHERE status IN ('pending', 'running');

CREATE TABLE stages (
    job        TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    plugin     TEXT NOT NULL,
    tool       TEXT NOT NULL,
    args       TEXT NOT NULL,
    status     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    error      TEXT,
    started_at INTEGER,
    ended_at   INTEGER,
    result     TEXT,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    stage       INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT,
    error       TEXT,
    PRIMARY KEY (job, stage, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    job      TEXT NOT NULL,
    stage    INTEGER NOT NULL,
    instance TEXT NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_job ON events (job, number);

CREATE TABLE plugins (
    name     TEXT PRIMARY KEY,
    enabled  INTEGER NOT NULL,
    unloaded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
